"""Every line that a user of the library may read, each by a call of a measure that makes it: refusals and warnings."""

import re
import warnings
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.function import once_differentiable
from torch.nn import functional
from zoo import CASES, REFUSED, Formula, mlp, rows, seeded

from adaptive_sharpness import average_case, hessian, worst_case

MEASURES = {
    "worst_case": partial(worst_case, rho=0.05, steps=2),
    "average_case": partial(average_case, rho=0.05, samples=2),
    "hessian": partial(hessian, vectors=1),
}
LOSS = functional.cross_entropy


class _Refusing(torch.autograd.Function):
    """The identity, whose backward pass fails."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise RuntimeError("no way back\nat all")


class _Once(torch.autograd.Function):
    """The square, which can be differentiated once."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        return 2 * ctx.saved_tensors[0] * gradient


def _margin(output: Tensor, _: Tensor) -> Tensor:
    """Whose first derivative torch has, and no second one."""
    return functional.multilabel_margin_loss(output, torch.tensor([[0, -1, 0]] * len(output)))


def _on_two_devices() -> nn.Module:
    """A head that is said to lie on a GPU, which nobody needs to have."""
    network = mlp()
    with FakeTensorMode():
        network[2].bias = nn.Parameter(torch.empty(3, device="cuda"))
    return network


class _Clamping(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.weight.clamp_(-0.1, 0.1)
        return super().forward(x)


def _frozen() -> nn.Module:
    network = mlp()
    network[0].weight.requires_grad_(False)
    return network


DERIVATIVES = ("worst_case", "hessian")
REENTRANT = (
    "network: got a reentrant checkpoint, which has no gradient, wanted torch.utils.checkpoint with use_reentrant=False"
)
NO_PARAMETER = (
    "loss: got one in which no perturbed parameter takes part, wanted one that torch can differentiate: without "
    "item(), detach() or no_grad()"
)
WANTED_LOSS = "; wanted a loss of (output, target) for pairs of tensors, of (network, batch) for all else"
LINES = {
    "reentrant": (REFUSED["reentrant_checkpoint_first"].network, LOSS, REENTRANT, DERIVATIVES),
    "detached": (mlp, lambda output, target: LOSS(output.detach(), target), NO_PARAMETER, DERIVATIVES),
    "no gradient": (
        lambda: mlp(Formula(lambda self, x: _Refusing.apply(x))),
        LOSS,
        "network: got no gradient of its loss (no way back), wanted one",
        DERIVATIVES,
    ),
    "no second derivative": (
        mlp,
        _margin,
        "network: got no second derivative of its loss (derivative for aten::multilabel_margin_loss_backward is "
        "not implemented), wanted one",
        ("hessian",),
    ),
    "a first derivative alone": (
        lambda: mlp(Formula(lambda self, x: _Once.apply(x))),
        LOSS,
        "network: got no second derivative of its loss (a function of it is marked with @once_differentiable), wanted "
        "one",
        ("hessian",),
    ),
    "two devices": (_on_two_devices, LOSS, "model: got parameters or buffers on cpu and cuda:0, wanted them on one "
                    "device", MEASURES),
    "no network": (lambda: "resnet", LOSS, "model: got str, wanted a torch.nn.Module, or a list of them", MEASURES),
    "no networks": (list, LOSS, "model: got an empty list, wanted at least one network", MEASURES),
    "a state_dict": (lambda: mlp().state_dict(), LOSS, "model: got OrderedDict, as a state_dict is, wanted the "
                     "torch.nn.Module that it belongs to", MEASURES),
    "lazy": (REFUSED["lazy"].network, LOSS, "0.weight has no shape yet, wanted a network that was called once: its "
             "layers are lazy", MEASURES),
    "meta": (REFUSED["meta"].network, LOSS, "0.weight is on the device meta, which holds no numbers, wanted a network "
             "with its weights", MEASURES),
    "training mode": (lambda: mlp().train(), LOSS, "the network is in training mode, wanted eval mode: call "
                      "network.eval() first", MEASURES),
    "no loss": (mlp, "mse", "loss: got 'mse', wanted a function, such as torch.nn.functional.cross_entropy", MEASURES),
    "a loss an example": (mlp, partial(LOSS, reduction="none"), "loss: got shape [6], wanted a scalar tensor: the "
                          "mean over the batch", MEASURES),
    "another loss": (mlp, lambda output: output.sum(), "loss: got TypeError: <lambda>() takes 1 positional argument "
                     "but 2 were given, from loss(network(input), target) for a batch that is a tuple of [6, 5], [6]"
                     + WANTED_LOSS, MEASURES),
    "another input": (lambda: nn.Linear(4, 3), LOSS, "loss: got RuntimeError: mat1 and mat2 shapes cannot be "
                      "multiplied (6x5 and 4x3), from loss(network(input), target) for a batch that is a tuple of "
                      "[6, 5], [6]" + WANTED_LOSS, MEASURES),
    "a network that changes": (lambda: _Clamping(5, 3), LOSS, "weight changes when the network is called, wanted a "
                               "network that leaves it as it is", MEASURES),
    "an input that changes": (REFUSED["input_changed_in_place"].network, LOSS, "batch: got one that the network "
                              "changes in place, wanted a network that leaves it as it is: set inplace=False in its "
                              "first layers", MEASURES),
    "complex": (REFUSED["complex"].network, LOSS, "layer.weight is complex, wanted real parameters, or a perturb that "
                "leaves it out", MEASURES),
    "frozen": (_frozen, LOSS, "0.weight does not require a gradient, wanted one that does, or a perturb that leaves it "
               "out, such as trainable", MEASURES),
    "different networks": (lambda: [mlp().eval(), mlp(width=3).eval()], LOSS, "model: got networks of different "
                           "parameters or buffers, wanted one architecture", MEASURES),
    "different functions": (lambda: [mlp().eval(), mlp(nn.ReLU()).eval()], LOSS, "model 1: got another loss from it "
                            "than from model 0 with its parameters, wanted one architecture", MEASURES),
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "measure"), [(kind, measure) for kind, (*_, measures) in LINES.items() for measure in measures]
)
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_what_cannot_be_measured_is_refused_in_a_line_that_says_what_was_got_and_what_is_wanted(kind, measure):
    build, loss, line, _ = LINES[kind]
    with seeded():
        model, batch = build(), rows()
    if isinstance(model, nn.Module) and kind != "training mode":
        model.eval()
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        MEASURES[measure](model, loss, batch)


@pytest.mark.parametrize("measure", MEASURES)
def test_randomness_in_a_loss_is_refused(measure):
    refused = REFUSED["random"]
    network, batches = refused.build()
    line = r"^loss: got \d\S+ and then \d\S+ from the same call, wanted no randomness in it$"
    with pytest.raises(ValueError, match=line):
        MEASURES[measure](network, refused.loss, batches)


@pytest.mark.parametrize("measure", ["worst_case", "average_case"])
@pytest.mark.parametrize("name", ["lstm", "custom_function"])
def test_a_network_that_cannot_be_stacked_is_measured_one_at_a_time_with_one_warning(name, measure):
    case = CASES[name]
    network, batches = case.build()
    wanted = MEASURES[measure](network, case.loss, batches)
    line = r"^stacked: got a network that torch cannot stack \(.+\), wanted another; its problems are solved one at a "
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = MEASURES[measure]([network] * 3, case.loss, batches, stacked=4)
    (warning,) = (each for each in told if "stack" in str(each.message))
    assert re.match(line, str(warning.message))
    assert "\n" not in str(warning.message)
    assert warning.filename == __file__
    for quantity, value in wanted.quantities.items():
        assert torch.equal(found.quantities[quantity], value.expand(3, -1))


FLAT = torch.ones(4, 1), torch.zeros(4, 1)


def _far(network: nn.Module, batch) -> Tensor:
    """1 and a little that depends on the weights."""
    return 1 + 1e-6 * network(batch[:, :1]).square().mean()


@pytest.mark.parametrize("measure", ["worst_case", "average_case"])
def test_a_rise_below_the_last_digits_of_its_loss_is_warned_of(measure):
    network = nn.Linear(1, 1, bias=False).eval()
    nn.init.constant_(network.weight, 1.0)
    batches = [torch.ones(4, 1), torch.full((4, 1), 1e3), torch.full((4, 1), 0.8)]
    line = (
        rf"^{measure}: the rise of 2 of 3 batches is below the last digits of a loss in float32: use float64, a larger "
        r"rho, or first_order of worst_case$"
    )
    with pytest.warns(UserWarning, match=line) as told:
        found = MEASURES[measure](network, _far, batches, rho=0.2 if measure == "average_case" else 0.05)
    assert [warning.filename for warning in told] == [__file__]
    assert (found.per_batch > 1e-6).tolist() == [False, True, False]


@pytest.mark.parametrize("measure", ["worst_case", "average_case"])
@pytest.mark.parametrize("case", ["float64", "a constant loss", "a radius of 0"])
@pytest.mark.filterwarnings("error")
def test_no_rise_at_all_is_no_reason_for_a_warning_and_float64_has_the_digits(case, measure):
    network = nn.Linear(1, 1, bias=False).eval()
    nn.init.ones_(network.weight)
    loss = (lambda network, batch: 1 + 0 * network(batch).sum()) if case == "a constant loss" else _far
    batch = torch.ones(1, 4, 1)
    if case == "float64":
        network, batch = network.double(), batch.double()
    found = MEASURES[measure](network, loss, batch, rho=0 if case == "a radius of 0" else 0.05)
    assert (found.sharpness > 0) == (case == "float64")
