"""Every network of the zoo is measured right, by plain loops that move its own weights, and left exactly as it was."""

import math
import random
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from zoo import CASES, REFUSED, Case, inner

from adaptive_sharpness import average_case, hessian, worst_case
from adaptive_sharpness.landscape.randomness import generator

RHO, SAMPLES, POINTS, FEW, LARGEST = 0.05, 4, 50, 24, 20
Weights = dict[str, Tensor]

pytestmark = pytest.mark.filterwarnings("ignore")  # of deprecated kinds of networks, which people still have


@pytest.fixture(params=CASES)
def case(request) -> Case:
    return CASES[request.param]


class Reference:
    """A case's network whose own weights are moved, in place, by nobody but this; it shares nothing with another."""

    def __init__(self, case: Case, names: set[str] | None = None):
        self._case, (self._network, self.batches) = case, case.build(plain=True)
        self.weights = {name: value for name, value in inner(self._network).named_parameters() if value.requires_grad}
        if names is not None:
            self.weights = {name: value for name, value in self.weights.items() if name in names}
        self._start = {name: value.detach().clone() for name, value in self.weights.items()}
        self.scale = {name: value.abs() for name, value in self._start.items()}

    def loss(self, batch: Any, delta: Weights | None = None) -> float:
        """L(w + delta), w + delta rounded to the weights' own dtype."""
        with torch.no_grad():
            self._move(delta)
            value = self._case.value(self._network, batch).item()
            self._move(None)
        return value

    def gradient(self, batch: Any, delta: Weights | None = None) -> Weights:
        """That of the loss at w + delta, 0 for weights it does not depend on."""
        self._move(delta)
        loss = self._case.value(self._network, batch)
        found = torch.autograd.grad(loss, list(self.weights.values()), allow_unused=True)
        self._move(None)
        return {
            name: torch.zeros_like(value) if each is None else each.to_dense()
            for (name, value), each in zip(self.weights.items(), found, strict=True)
        }

    def scaled_hessian(self, batch: Any, step: float = 1e-4) -> Tensor:
        """diag(c) H diag(c) by central differences of gradients, a row a weight."""
        rows = []
        for name, c in self.scale.items():
            for place in range(c.numel()):
                delta = torch.zeros_like(c)
                delta.view(-1)[place] = step * c.view(-1)[place]
                up, down = (self.gradient(batch, {name: sign * delta}) for sign in (1, -1))
                row = [(self.scale[n] * (up[n] - down[n]) / (2 * step)).flatten() for n in self.scale]
                rows.append(torch.cat(row))
        return torch.stack(rows)

    @torch.no_grad()
    def _move(self, delta: Weights | None) -> None:
        for name, value in self.weights.items():
            value.copy_(self._start[name])
            if delta is not None and name in delta:
                value.add_(delta[name].to(value.dtype))


def options(case: Case) -> dict:
    return {} if case.perturb == "all" else {"perturb": case.perturb}


def few(case: Case) -> set[str]:
    """Parameters, from the first on, that have few weights together: for a Hessian as a matrix."""
    names, left = set(), FEW
    for name, value in Reference(case).weights.items():
        if value.numel() <= min(left, LARGEST):
            names.add(name)
            left -= value.numel()
    assert names
    return names


def close(case: Case, wanted, *, times: float = 1) -> Any:
    return pytest.approx(wanted, rel=times * case.rounding, abs=times * case.rounding)


def test_the_zoo_is_large_and_every_case_has_a_name_of_its_own():
    assert len(CASES) >= 32
    assert not CASES.keys() & REFUSED.keys()


def test_building_twice_gives_the_same_numbers(case):
    one, other = Reference(case), Reference(case)
    assert all(torch.equal(value, other.weights[name]) for name, value in one.weights.items())
    assert one.loss(one.batches[0]) == other.loss(other.batches[0])
    assert one.loss(one.batches[0]) != one.loss(one.batches[1])
    assert any(value.abs().sum() > 0 for value in one.gradient(one.batches[0]).values())


def test_average_case_is_the_mean_over_its_perturbations(case):
    network, batches = case.build()
    found = average_case(network, case.loss, batches, rho=RHO, samples=SAMPLES, **options(case))
    copy = Reference(case)
    for position, batch in enumerate(copy.batches):
        losses = []
        for sample in range(SAMPLES // 2):
            draw = generator(0, "average case", position, sample)
            normal = {n: torch.randn(c.shape, generator=draw, dtype=torch.float64) for n, c in copy.scale.items()}
            delta = {n: RHO * c * torch.erf(normal[n].to(c) / math.sqrt(2)) for n, c in copy.scale.items()}
            losses += [copy.loss(batch, {n: sign * value for n, value in delta.items()}) for sign in (1, -1)]
        base = copy.loss(batch)
        assert found.base_loss[position].item() == close(case, base)
        assert found.max_loss[position].item() == close(case, max(losses))
        assert found.per_batch[position].item() == close(case, np.mean(losses) - base, times=2)


def test_worst_case_is_the_loss_at_its_perturbation_which_no_random_point_of_the_ball_exceeds(case):
    network, batches = case.build()
    found = worst_case(network, case.loss, batches, rho=RHO, steps=8, keep_delta=True, **options(case))
    copy = Reference(case)
    assert found.delta.keys() == copy.weights.keys()
    draw = torch.Generator().manual_seed(1)
    for position, batch in enumerate(copy.batches):
        delta = {name: value[position] for name, value in found.delta.items()}
        for name, c in copy.scale.items():
            assert delta[name].shape == c.shape
            assert (delta[name].abs() <= RHO * c * (1 + 4 * torch.finfo(c.dtype).eps)).all()
        base, highest = copy.loss(batch), found.max_loss[position].item()
        assert found.base_loss[position].item() == close(case, base)
        assert copy.loss(batch, delta) == close(case, highest)
        assert found.per_batch[position].item() == pytest.approx(highest - base, abs=2 * case.rounding)
        assert highest > base + case.rounding
        for point in range(POINTS):
            at = {n: 2 * torch.rand(c.shape, generator=draw, dtype=torch.float64) - 1 for n, c in copy.scale.items()}
            at = {n: (value.sign() if point % 2 else value).to(copy.scale[n]) for n, value in at.items()}
            loss = copy.loss(batch, {n: RHO * copy.scale[n] * value for n, value in at.items()})
            assert loss <= highest + case.rounding * (1 + abs(highest))


def first_order(weights: Weights, gradient: Weights) -> Any:
    """The highest rise of the linear loss, as far as numbers of the coarsest dtype are known."""
    wanted = RHO * sum((value * gradient[name]).double().abs().sum().item() for name, value in weights.items())
    coarsest = max(torch.finfo(value.dtype).eps for value in weights.values())
    return pytest.approx(wanted, rel=max(1e-10, 4 * coarsest))


def test_first_order_is_the_norm_of_the_scaled_gradient(case):
    network, batches = case.build()
    found = worst_case(network, case.loss, batches, rho=RHO, steps=1, **options(case))
    copy = Reference(case)
    for position, batch in enumerate(copy.batches):
        assert found.first_order[position].item() == first_order(copy.weights, copy.gradient(batch))


def test_first_order_at_weights_that_are_not_the_networks_own(case):
    """As on the way of an ascent; a network may compute a part of its gradient after it was called, as checkpoints."""
    network, batches = case.build()
    copy = Reference(case)
    moved = {name: (1.3 * value).detach() for name, value in copy.weights.items()}
    own = dict([*inner(network).named_parameters(), *inner(network).named_buffers()])
    states = {name: moved.get(name, value).detach().clone()[None] for name, value in own.items()}
    found = worst_case(network, case.loss, batches, states=states, rho=RHO, steps=1, **options(case))
    assert found.first_order.shape == (1, len(batches))
    for position, batch in enumerate(copy.batches):
        delta = {name: value - copy.weights[name].detach() for name, value in moved.items()}
        assert found.first_order[0, position].item() == first_order(moved, copy.gradient(batch, delta))


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if case.dtype == torch.float64]
)  # differences of gradients have no digits left in float32
def test_hessian_is_that_of_differences_of_gradients(name):
    case, vectors = CASES[name], 10
    names = few(case)
    network, batches = case.build()
    found = hessian(network, case.loss, batches[:1], vectors=vectors, perturb=lambda name: name in names)
    copy = Reference(case, names)
    matrix = copy.scaled_hessian(copy.batches[0])
    torch.testing.assert_close(matrix, matrix.T, rtol=0, atol=1e-6 * matrix.abs().max().item())
    values = torch.linalg.eigvalsh((matrix + matrix.T) / 2)
    assert found.sharpness == pytest.approx(values[-1].item(), abs=1e-6 * values.abs().max().item())
    # Hutchinson's estimate from signs has variance 2 sum_{i != j} a_ij^2 / vectors.
    error = ((matrix - matrix.diag().diag()).square().sum() * 2 / vectors).sqrt().item()
    assert found.base_loss.item() == close(case, copy.loss(copy.batches[0]))
    assert found.trace.item() == pytest.approx(matrix.trace().item(), abs=4 * error + 1e-6 * values.abs().max().item())


class Same:
    """Equal to itself: the object must be this one; keeps it alive, so that its place is no other's."""

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value

    def __repr__(self) -> str:
        return f"{type(self.value).__name__} at {id(self.value):x}"


def remembered(value: Any) -> Any:
    """What is equal afterwards if an object is the same one, with the same content to the bit."""
    if isinstance(value, Tensor):
        grad = value.grad if value.is_leaf else None
        flags = value.requires_grad, value.is_leaf, type(value), value.dtype, tuple(value.shape), value.layout
        return Same(value), flags, _bits(value), None if grad is None else (Same(grad), _bits(grad))
    if isinstance(value, np.ndarray):
        return Same(value), value.dtype, value.shape, value.tobytes()
    if isinstance(value, dict):
        return Same(value), [(key, remembered(each)) for key, each in value.items()]
    if isinstance(value, list | tuple):
        return Same(value), [remembered(each) for each in value]
    if isinstance(value, Data):
        return Same(value), remembered_content(value.to_dict())
    if isinstance(value, bool | int | float | str | type(None)):
        return value
    return Same(value)


def remembered_content(made: dict) -> list:
    """For a dict that is made anew at every look."""
    return [(key, remembered(value)) for key, value in made.items()]


def _bits(value: Tensor) -> bytes:
    with torch.inference_mode(value.is_inference()):
        plain = value.detach().to_dense() if value.layout != torch.strided else value.detach()
        return plain.contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def network_and_data(network: nn.Module, batches: list) -> dict:
    """All that a user may look at: each module's attributes, parameters, buffers and hooks, and the batches."""
    found = {"batches": remembered(batches)}
    for place, module in network.named_modules(remove_duplicate=False):
        found[f"{place} itself"] = Same(module), type(module)
        for key, value in vars(module).items():
            found[f"{place}.{key}"] = remembered(value)
    return found


def surroundings() -> dict:
    """What is global: random states, torch's switches, warnings."""
    cuda, cudnn = torch.backends.cuda, torch.backends.cudnn
    return {
        "torch's random state": torch.get_rng_state().tolist(),
        "numpy's random state": [np.asarray(part).tolist() for part in np.random.get_state()],  # noqa: NPY002
        "Python's random state": random.getstate(),
        "gradients": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "fast path": torch.backends.mha.get_fastpath_enabled(),
        "attention": [
            cuda.flash_sdp_enabled(),
            cuda.mem_efficient_sdp_enabled(),
            cuda.math_sdp_enabled(),
            cuda.cudnn_sdp_enabled(),
        ],
        "cudnn": [cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32],
        "warnings": list(warnings.filters),
    }


def assert_same(before: dict, after: dict) -> None:
    assert before.keys() == after.keys()
    assert [place for place in before if before[place] != after[place]] == []


MEASURES = {
    "worst_case": partial(worst_case, rho=RHO, steps=2, restarts=1),
    "average_case": partial(average_case, rho=RHO, samples=2),
    "hessian": partial(hessian, vectors=1),
}


class Interrupted:
    """A loss that raises at one of its calls, and counts them."""

    def __init__(self, loss: Callable[..., Tensor], at: int = 0, error: type[BaseException] | None = None):
        self._loss, self._at, self._error, self.calls = loss, at, error, 0

    def __call__(self, *arguments) -> Tensor:
        self.calls += 1
        found = self._loss(*arguments)
        if self.calls == self._at:
            raise self._error("at this call")
        return found


def _used(case: Case) -> tuple[nn.Module, list]:
    """A network that was called before, with a gradient at one parameter."""
    network, batches = case.build()
    with torch.inference_mode(case.inference), torch.no_grad():
        case.value(network, batches[0])
    first = next(value for value in network.parameters() if value.requires_grad)
    with torch.inference_mode(case.inference):
        first.grad = torch.full_like(first, 0.5)
    return network, batches


@pytest.mark.parametrize("measure", MEASURES)
def test_everything_is_left_as_it_was_also_when_the_measuring_breaks_off(case, measure):
    """In the middle of it: by an error of the user's loss, or by the keyboard."""
    network, batches = _used(case)
    chosen = options(case)
    if measure == "hessian":
        names = few(case)
        batches, chosen = batches[:1], {"perturb": lambda name: name in sorted(names)[:1]}
    measured = partial(MEASURES[measure], **chosen)
    before, around = network_and_data(network, batches), surroundings()
    counted = Interrupted(case.loss)
    measured(network, counted, batches)
    assert_same(before, network_and_data(network, batches))
    assert_same(around, surroundings())
    assert counted.calls > 2
    for error in (ArithmeticError, KeyboardInterrupt):
        with pytest.raises(error, match=r"^at this call$"):
            measured(network, Interrupted(case.loss, counted.calls // 2 + 1, error), batches)
        assert_same(before, network_and_data(network, batches))
        assert_same(around, surroundings())


@pytest.mark.parametrize(
    ("name", "measure"),
    [(name, each) for name, refused in REFUSED.items() for each in MEASURES if each not in refused.measured_by],
)
def test_what_cannot_be_measured_is_refused_in_one_line_and_left_as_it_was(name, measure):
    refused = REFUSED[name]
    network, batches = refused.build()
    before, around = remembered(batches), surroundings()
    with pytest.raises(ValueError, match=refused.line) as error:
        MEASURES[measure](network, refused.loss, batches)
    assert len(str(error.value).splitlines()) == 1
    assert remembered(batches) == before
    assert_same(around, surroundings())


@pytest.mark.parametrize(
    ("name", "measure"), [(name, each) for name, refused in REFUSED.items() for each in refused.measured_by]
)
def test_what_has_no_gradient_is_measured_by_what_needs_none(name, measure):
    refused = REFUSED[name]
    network, batches = refused.build()
    found = MEASURES[measure](network, refused.loss, batches)
    with torch.no_grad():
        ((inputs, targets),) = batches
        assert found.base_loss.item() == pytest.approx(refused.loss(network(inputs), targets).item(), rel=1e-6)
    assert found.max_loss.item() > found.base_loss.item()


def test_a_change_of_anything_is_noticed():
    """The tests above could fail."""
    changes = Counter()
    for change in (
        lambda network, batches: network.hidden.weight.data.add_(1e-15),
        lambda network, batches: setattr(
            network.hidden, "weight", nn.Parameter(network.hidden.weight.detach().clone())
        ),
        lambda network, batches: setattr(network.hidden.weight, "grad", None),
        lambda network, batches: network.out.bias.requires_grad_(False),
        lambda network, batches: network.out.register_forward_hook(print),
        lambda network, batches: network.out.train(),
        lambda network, batches: network.sizes.append(6),
        lambda network, batches: setattr(network, "calls", 7),
        lambda network, batches: setattr(network, "new", None),
        lambda network, batches: batches[0][0].neg_(),
    ):
        network, batches = _used(CASES["keeps_a_diary"])
        before = network_and_data(network, batches)
        assert_same(before, network_and_data(network, batches))
        change(network, batches)
        after = network_and_data(network, batches)
        changes["noticed"] += before != after
    assert changes["noticed"] == 10
