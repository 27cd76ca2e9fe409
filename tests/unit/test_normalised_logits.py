"""Normalised logits of outputs of any number of dimensions, of pairs and of networks that the loss calls, by hand."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from zoo import CASES, CLASSES, FEATURES, Formula, mlp, seeded

from adaptive_sharpness import average_case, hessian, worst_case

MEASURES = {
    "worst_case": partial(worst_case, rho=0.05, steps=2),
    "average_case": partial(average_case, rho=0.05, samples=2),
    "hessian": partial(hessian, vectors=1),
}
TIMES = 4


def _by_hand(z: Tensor, classes: int) -> Tensor:
    """Number by number: z / sqrt(mean_k (z_k - mean z)^2)."""
    rows = z.movedim(classes, -1).contiguous()
    found = torch.empty_like(rows)
    for place in range(rows.numel() // rows.shape[-1]):
        row = rows.reshape(-1, rows.shape[-1])[place]
        mean = sum(row) / len(row)
        deviation = (sum((value - mean) ** 2 for value in row) / len(row)).sqrt()
        found.view(-1, rows.shape[-1])[place] = row / deviation
    return found.movedim(-1, classes)


class _Sequences(nn.Module):
    """Logits of every step of a sequence: [rows, steps, classes], or [rows, classes, steps] as for cross-entropy."""

    def __init__(self, second: bool):
        super().__init__()
        self.body, self.second = mlp(), second

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).mT if self.second else self.body(x)


def _of_steps(network, batch: dict) -> Tensor:
    return functional.cross_entropy(network(batch["x"]).flatten(0, 1), batch["y"].flatten())


def _of_pictures(network, batch: dict) -> Tensor:
    return functional.cross_entropy(network(batch["x"]).flatten(0, 2), batch["y"])


def _draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


STEPS = torch.arange(6 * TIMES).reshape(6, TIMES) % CLASSES
# The network, the loss, a batch, and the dimension of the classes.
CASES_BY_NAME = {
    "rows": (mlp, functional.cross_entropy, (_draw(6, FEATURES), torch.arange(6) % CLASSES), 1),
    "steps of a pair": (lambda: _Sequences(True), functional.cross_entropy, (_draw(6, TIMES, FEATURES), STEPS), 1),
    "steps": (lambda: _Sequences(False), _of_steps, {"x": _draw(6, TIMES, FEATURES), "y": STEPS}, 2),
    "pictures of a pair": (
        lambda: nn.Conv2d(2, CLASSES, 3),
        functional.cross_entropy,
        (_draw(4, 2, 4, 4), torch.arange(16).reshape(4, 2, 2) % CLASSES),
        1,
    ),
    "pictures": (lambda: Formula(lambda self, x: self.conv(x).movedim(1, -1), conv=nn.Conv2d(2, CLASSES, 3)),
                 _of_pictures, {"x": _draw(4, 2, 4, 4), "y": torch.arange(16) % CLASSES}, 3),
    "one dimension of a pair": (lambda: Formula(lambda self, x: self.body(x).sum(1), body=mlp()), functional.mse_loss,
                                (_draw(6, FEATURES), _draw(6)), 0),
    "layers on steps of a pair": (mlp, functional.mse_loss, (_draw(6, TIMES, FEATURES), _draw(6, TIMES, CLASSES)), 1),
}  # fmt: skip


def _plain(network: nn.Module, loss, batch, classes: int) -> float:
    with torch.no_grad():
        if isinstance(batch, tuple):
            return loss(_by_hand(network(batch[0]), classes), batch[1]).item()
        return loss(lambda x: _by_hand(network(x), classes), batch).item()


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("case", CASES_BY_NAME)
def test_the_loss_is_that_of_logits_normalised_by_hand(case, measure):
    build, loss, batch, classes = CASES_BY_NAME[case]
    with seeded():
        models = [build().double().eval() for _ in range(2)]
    for how in ({}, {"stacked": 2}) if measure != "hessian" else ({},):
        found = MEASURES[measure](models, loss, [batch], normalise_logits=True, **how)
        wanted = [_plain(model, loss, batch, classes) for model in models]
        assert found.base_loss.flatten().tolist() == pytest.approx(wanted, rel=1e-12)
        with torch.no_grad():
            plain = [loss(m(batch[0]), batch[1]) if isinstance(batch, tuple) else loss(m, batch) for m in models]
        assert all(abs(one / other - 1) > 1e-4 for one, other in zip(wanted, plain, strict=True))


@pytest.mark.parametrize("measure", MEASURES)
def test_of_a_language_model_the_scale_of_the_last_layer_does_not_count(measure):
    """Of GPT-2 of transformers; logits are [rows, steps, words]."""
    case = CASES["gpt_transformers"]
    network, batches = case.build()
    logits = Formula(lambda self, words: self.factor * self.gpt(input_ids=words).logits, gpt=network)
    logits.register_buffer("factor", torch.tensor(1.0).double())

    def loss(network, batch: dict) -> Tensor:
        found = network(batch["input_ids"])[:, :-1]
        assert found.dim() == 3
        return functional.cross_entropy(found.flatten(0, 1), batch["labels"][:, 1:].flatten())

    few = {"perturb": lambda name: name.endswith("ln_f.weight") or name.endswith("c_attn.bias")}
    results = []
    for factor in (1.0, 7.0):
        logits.factor.fill_(factor)
        results.append(MEASURES[measure](logits.eval(), loss, batches, normalise_logits=True, **few))
    for name, value in results[0].quantities.items():
        torch.testing.assert_close(results[1].quantities[name], value, rtol=1e-8, atol=1e-12)
    with torch.no_grad():
        wanted = [loss(lambda words: _by_hand(logits(words), 2), batch).item() for batch in batches]
    assert results[0].base_loss.tolist() == pytest.approx(wanted, rel=1e-10)
