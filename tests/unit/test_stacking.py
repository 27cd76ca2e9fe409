"""Networks that are applied at once: each as if it were alone."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state
from torch.nn import functional
from torch.nn.utils import parametrizations, prune

from adaptive_sharpness.landscape.stacking import is_layered, losses, outputs

MODELS, ROWS = 3, 4


def _doubled(_, inputs):
    return (2 * inputs[0],)


def _hooked() -> nn.Module:
    network = nn.Sequential(nn.Linear(5, 2))
    network[0].register_forward_pre_hook(_doubled)
    return network


def _hooked_from_outside() -> nn.Module:
    network = nn.Sequential(nn.Linear(5, 2))
    network.register_forward_pre_hook(_doubled)
    return network


class _Twice(nn.Linear):
    def forward(self, inputs):
        return 2 * super().forward(inputs)


class _Reversed(nn.Sequential):
    def forward(self, inputs):
        return super().forward(-inputs)


def _named() -> nn.Module:
    network = nn.Sequential()
    network.add_module("first", nn.Linear(5, 6))
    network.add_module("between", nn.GELU())
    network.add_module("last", nn.Linear(6, 2))
    return network


LAYERED = {
    "the report's": lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2)),
    "the notebook's": lambda: nn.Sequential(nn.Linear(5, 6), nn.ELU(), nn.Linear(6, 2), nn.ELU()),
    "without biases": lambda: nn.Sequential(nn.Linear(5, 6, bias=False), nn.Tanh(), nn.Linear(6, 2, bias=False)),
    "one output": lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 1)),
    "one output without a bias": lambda: nn.Sequential(nn.Linear(5, 1, bias=False)),
    "one layer": lambda: nn.Sequential(nn.Linear(5, 2)),
    "a function first, and two in a row": lambda: nn.Sequential(nn.ReLU(), nn.Linear(5, 6), nn.ReLU(), nn.ReLU()),
    "a function of what is left as it is": lambda: nn.Sequential(nn.Identity(), nn.ReLU(), nn.Linear(5, 2), nn.ReLU()),
    "named layers": _named,
}
OTHER = {
    "another layer": lambda: nn.Sequential(nn.Linear(5, 2), nn.Softmax(-1)),
    "layers in layers": lambda: nn.Sequential(nn.Sequential(nn.Linear(5, 2)), nn.ReLU()),
    "no sequence": lambda: nn.Linear(5, 2),
    "a sequence of its own kind": lambda: _Reversed(nn.Linear(5, 2)),
    "a linear layer of its own kind": lambda: nn.Sequential(_Twice(5, 2)),
    "a hook": _hooked,
    "a hook of the network": _hooked_from_outside,
    "weights made from others": lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(5, 2))),
    "weights that are masked": lambda: nn.Sequential(prune.l1_unstructured(nn.Linear(5, 2), "weight", 0.5)),
}


def _models(build) -> list[nn.Module]:
    models = []
    for seed in range(MODELS):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            models.append(build().double().eval())
    return models


def _inputs(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


@pytest.mark.parametrize("build", LAYERED.values(), ids=LAYERED)
def test_these_go_layer_by_layer(build):
    assert is_layered(build())


@pytest.mark.parametrize("build", OTHER.values(), ids=OTHER)
def test_what_may_do_more_than_its_layers_does_not(build):
    assert not is_layered(build())


@pytest.mark.parametrize("shape", [(ROWS, 5), (5,), (2, ROWS, 5)], ids=["rows", "one row", "rows of rows"])
@pytest.mark.parametrize("build", {**LAYERED, **OTHER}.values(), ids=[*LAYERED, *OTHER])
def test_outputs_and_gradients_are_those_of_one_network_at_a_time(build, shape):
    models, inputs = _models(build), _inputs(MODELS, *shape)
    parameters, buffers = stack_module_state(models)
    together = outputs(models[0])({**parameters, **buffers}, inputs)
    alone = torch.stack([model(each) for model, each in zip(models, inputs, strict=True)])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-14)
    together.square().sum().backward()
    alone.square().sum().backward()
    for name, stacked in parameters.items():
        wanted = torch.stack([model.get_parameter(name).grad for model in models])
        torch.testing.assert_close(stacked.grad, wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("build", LAYERED.values(), ids=LAYERED)
def test_inputs_stay_as_they_are(build):
    models, inputs = _models(build), _inputs(MODELS, ROWS, 5)
    before = inputs.clone()
    outputs(models[0])(stack_module_state(models)[0], inputs)
    assert torch.equal(inputs, before)


def test_what_a_state_lacks_is_the_networks_own():
    network, inputs = _models(LAYERED["the report's"])[0], _inputs(MODELS, ROWS, 5)
    biases = {
        name: torch.randn(MODELS, *each.shape).double() for name, each in network.named_parameters() if each.dim() == 1
    }
    together = outputs(network)(biases, inputs)
    for model in range(MODELS):
        own = {name: value[model] for name, value in biases.items()}
        torch.testing.assert_close(
            together[model], functional_call(network, own, inputs[model]), rtol=1e-12, atol=1e-14
        )


def test_a_model_does_not_depend_on_the_others_to_the_bit():
    models, inputs = _models(LAYERED["the report's"]), _inputs(MODELS, ROWS, 5)
    states = {
        name: torch.stack([model.get_parameter(name) for model in models]) for name, _ in models[0].named_parameters()
    }
    together = outputs(models[0])(states, inputs)
    others = {name: torch.cat([value[:1], torch.randn_like(value[1:])]) for name, value in states.items()}
    assert torch.equal(outputs(models[0])(others, inputs)[0], together[0])


@pytest.mark.parametrize("shape", [(ROWS,), (ROWS, 2), (2, ROWS, 2)], ids=str)
@pytest.mark.parametrize(
    "loss", [functional.mse_loss, functional.l1_loss, functional.huber_loss, functional.smooth_l1_loss]
)
def test_losses_and_slopes_of_regression_are_those_of_one_network_at_a_time(loss, shape):
    together, alone = (3 * _inputs(MODELS, *shape) for _ in range(2))
    targets = torch.zeros_like(together) + torch.arange(MODELS).reshape(-1, *[1] * len(shape))
    found = losses(loss)(together.requires_grad_(), targets)
    wanted = torch.stack([loss(*each) for each in zip(alone.requires_grad_(), targets, strict=True)])
    torch.testing.assert_close(found, wanted, rtol=1e-14, atol=0)
    found.square().sum().backward()
    wanted.square().sum().backward()
    torch.testing.assert_close(together.grad, alone.grad, rtol=1e-14, atol=0)


def test_losses_of_classes_are_those_of_one_network_at_a_time():
    logits, classes = _inputs(MODELS, ROWS, 5), torch.arange(MODELS * ROWS).reshape(MODELS, ROWS) % 5
    wanted = torch.stack([functional.cross_entropy(*each) for each in zip(logits, classes, strict=True)])
    torch.testing.assert_close(losses(functional.cross_entropy)(logits, classes), wanted, rtol=1e-14, atol=0)
