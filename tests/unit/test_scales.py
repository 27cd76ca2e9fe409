"""The scales by hand, and which of them leave sharpness alone when a network is rescaled and keeps its function."""

import re
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from zoo import images, rows, seeded

from adaptive_sharpness import average_case, hessian, worst_case
from adaptive_sharpness.landscape.scales import SCALES, of_models


def _of_rows(w: Tensor) -> Tensor:
    """Each weight's is the root of the sum of the squares in its row."""
    found = torch.empty_like(w)
    for position, row in enumerate(w):
        found[position] = sum(value.item() ** 2 for value in row.flatten()) ** 0.5
    return found


BY_HAND = {
    "adaptive": lambda name, w: torch.where(w < 0, -w, w),
    "none": lambda name, w: 0 * w + 1,
    "filter": lambda name, w: _of_rows(w) if w.dim() in (3, 4, 5) else torch.where(w < 0, -w, w),
    "neuron": lambda name, w: _of_rows(w) if w.dim() > 1 else torch.where(w < 0, -w, w),
    "keskar": lambda name, w: torch.where(w < 0, 1 - w, 1 + w),
    "asam": lambda name, w: torch.where(w < 0, 0.01 - w, 0.01 + w) if "weight" in name else 0 * w + 1,
}
MEASURES = {
    "worst_case, linf": partial(worst_case, rho=0.05, steps=3),
    "worst_case, l2": partial(worst_case, rho=0.05, norm="l2", solver="pga", steps=3),
    "average_case": partial(average_case, rho=0.05, samples=4),
    "hessian": partial(hessian, vectors=2, eigenvalues=2),
}


def test_every_scale_has_a_case_by_hand():
    assert SCALES.keys() == BY_HAND.keys()


@pytest.mark.parametrize("name", ["conv.weight", "conv.bias", "weight_g", "raw"])
@pytest.mark.parametrize("shape", [(), (4,), (3, 4), (2, 3, 4), (2, 3, 2, 2), (2, 1, 2, 2, 2)], ids=str)
@pytest.mark.parametrize("scale", BY_HAND)
def test_scales_are_their_formulas_for_each_model(scale, shape, name):
    models = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)).double()
    before = models.clone()
    found = of_models({name: models}, scale)[name]
    wanted = torch.stack([BY_HAND[scale](name, each) for each in models])
    torch.testing.assert_close(found, wanted, rtol=1e-14, atol=0)
    assert torch.equal(models, before)


@pytest.mark.parametrize("scale", ["neuron", "filter"])
def test_a_row_of_zeros_does_not_move_and_a_zero_in_another_row_does(scale):
    w = torch.tensor([[[0.0, 0.0]], [[0.0, 2.0]]])
    assert of_models({"w": w[None]}, scale)["w"].tolist() == [[[[0.0, 0.0]], [[2.0, 2.0]]]]


def _perceptron() -> tuple[nn.Module, tuple]:
    with seeded():
        network = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))
        return network.double().eval(), (lambda x, y: (x.double(), y))(*rows())


def _convolutional() -> tuple[nn.Module, tuple]:
    """With a batch norm without epsilon, before which each filter has a scale of its own."""
    with seeded():
        layers = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, eps=0), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()
        network = nn.Sequential(*layers, nn.Linear(64, 3)).double().eval()
        network[1].running_mean.normal_(0, 0.1)
        network[1].running_var.uniform_(0.5, 1.5)
        return network, (lambda x, y: (x.double(), y))(*images())


@torch.no_grad()
def _layers_rescaled(network: nn.Module) -> None:
    """Each linear layer's weights by one number, that the last one takes back."""
    for position, weight, bias in ((0, 3, 3), (2, 0.5, 1.5), (4, 1 / 1.5, 1)):
        network[position].weight.mul_(weight)
        network[position].bias.mul_(bias)


@torch.no_grad()
def _neurons_rescaled(network: nn.Module) -> None:
    """Each hidden neuron by a number of its own."""
    factors = torch.tensor([3.0, 0.5, 8.0, 1.5]).double()
    network[0].weight.mul_(factors[:, None])
    network[0].bias.mul_(factors)
    network[2].weight.div_(factors)


@torch.no_grad()
def _filters_rescaled(network: nn.Module) -> None:
    """Each filter before the batch norm, which takes it back."""
    factors = torch.tensor([3.0, 0.5, 8.0]).double()
    network[0].weight.mul_(factors[:, None, None, None])
    network[0].bias.mul_(factors)
    network[1].running_mean.mul_(factors)
    network[1].running_var.mul_(factors.square())


@torch.no_grad()
def _channels_rescaled(network: nn.Module) -> None:
    """Each channel between two convolutions, which the next one's filters take back."""
    factors = torch.tensor([3.0, 0.5, 8.0]).double()
    network[1].weight.mul_(factors)
    network[1].bias.mul_(factors)
    network[3].weight.div_(factors[:, None, None])


RESCALINGS = {
    "layers": (_perceptron, _layers_rescaled, {"adaptive", "filter", "neuron"}),
    "neurons": (_perceptron, _neurons_rescaled, {"adaptive", "filter"}),
    "filters": (_convolutional, _filters_rescaled, {"adaptive", "filter", "neuron"}),
    "channels": (_convolutional, _channels_rescaled, {"adaptive"}),
}


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("scale", BY_HAND)
@pytest.mark.parametrize("rescaling", RESCALINGS)
def test_sharpness_is_that_of_the_rescaled_network_where_the_scale_follows_it_and_else_it_is_not(
    rescaling, scale, measure
):
    build, rescale, invariant = RESCALINGS[rescaling]
    network, batch = build()
    image, _ = build()
    rescale(image)
    how = {"scale": scale}
    if measure == "hessian":
        how["perturb"] = lambda name: name[0] in "0123" and name != "0.bias"
    found, other = (MEASURES[measure](each, functional.cross_entropy, batch, **how) for each in (network, image))
    torch.testing.assert_close(other.base_loss, found.base_loss, rtol=1e-12, atol=0)
    if scale in invariant:
        for name, value in found.quantities.items():
            torch.testing.assert_close(other.quantities[name], value, rtol=1e-9, atol=1e-12)
    else:
        assert abs(other.sharpness / found.sharpness - 1) > 1e-3


@pytest.mark.parametrize("measure", MEASURES)
def test_a_function_of_name_and_parameter_is_a_scale(measure):
    """Here the one that leaves biases where they are; a scale of one more factor is a radius of one less."""
    network, batch = _perceptron()
    seen = []

    def weights_alone(name: str, parameter: Tensor) -> Tensor:
        seen.append((name, tuple(parameter.shape)))
        return 2 * parameter.abs() if name.endswith("weight") else torch.zeros_like(parameter)

    loss = functional.cross_entropy
    found = MEASURES[measure](network, loss, batch, scale=weights_alone)
    assert seen == [(name, tuple(value.shape)) for name, value in network.named_parameters()]
    if measure == "hessian":
        wanted = MEASURES[measure](network, loss, batch, perturb="weights")
        assert found.sharpness == pytest.approx(4 * wanted.sharpness, rel=1e-9)
        return
    wanted = MEASURES[measure](network, loss, batch, rho=0.1, perturb="weights")
    if measure != "average_case":  # whose draws are other ones without biases
        torch.testing.assert_close(found.per_batch, wanted.per_batch, rtol=1e-12, atol=1e-15)
    assert found.base_loss.item() == wanted.base_loss.item()


@pytest.mark.parametrize("scale", BY_HAND)
@pytest.mark.parametrize("measure", MEASURES)
def test_a_name_is_the_function_of_that_name(measure, scale):
    network, batch = _convolutional()
    how = {"perturb": lambda name: name[0] in "01"}
    found, wanted = (
        MEASURES[measure](network, functional.cross_entropy, batch, scale=each, **how)
        for each in (scale, BY_HAND[scale])
    )
    for name, value in wanted.quantities.items():
        torch.testing.assert_close(found.quantities[name], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", ["Adaptive", "layer", "", None, 1.0, ["none"]], ids=repr)
@pytest.mark.parametrize("measure", MEASURES)
def test_what_is_no_scale_is_refused(measure, scale):
    known = "adaptive, none, filter, neuron, keskar, asam"
    line = f"scale: got {scale!r}, wanted one of {known}, or a function of (name, parameter)"
    network, batch = _perceptron()
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        MEASURES[measure](network, functional.cross_entropy, batch, scale=scale)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_scale_that_does_not_fit_is_refused(measure):
    network, batch = _perceptron()
    line = r"^scale: got one for 0.weight that does not fit, wanted its shape, finite and at least 0$"
    with pytest.raises(ValueError, match=line):
        MEASURES[measure](network, functional.cross_entropy, batch, scale=lambda name, parameter: parameter)
