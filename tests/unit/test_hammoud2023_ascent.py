"""The box, the step and the checks of the released ascents, by hand, and what all three estimators have in common."""

import math
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from adaptive_sharpness import plugins
from adaptive_sharpness.landscape.objective import NotFinite

PLUGINS = Path(__file__).parents[2] / "studies/hammoud2023/plugins"
fcnn, lenet5, gat = (plugins.resolve("measures", f"notebook_{name}", PLUGINS) for name in ("fcnn", "lenet5", "gat"))
ascent = plugins.module("measures", "notebook_fcnn", PLUGINS)  # which has what lies in _ascent.py
ESTIMATORS = [fcnn, lenet5, gat]
ALL = torch.arange(20)[None]


def _tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("crossed", "wanted"),
    [
        pytest.param(False, [2.5, 1.5, -1.5, -2.5, -2.1, 0.0], id="the text's ball"),
        pytest.param(True, [2.5, 1.5, -2.5, -2.5, -2.5, 0.0], id="a negative weight is w (1 + rho) whatever it was"),
    ],
)
def test_weights_are_clamped_to_the_box(crossed, wanted):
    weights = [_tensor(9.0, 0.0, 9.0, -9.0, -2.1, 5.0)]
    ascent.Box([_tensor(2.0, 2.0, -2.0, -2.0, -2.0, 0.0)], 0.25, crossed=crossed).project_(weights)
    assert weights[0].tolist() == wanted


def test_a_weight_inside_the_box_stays_and_the_box_stays_when_its_centre_moves():
    centre = [_tensor(1.0, -1.0), _tensor(4.0)]
    box = ascent.Box(centre, 0.5)
    for weight in centre:
        weight.fill_(1.25)
    box.project_(centre)
    assert [weight.tolist() for weight in centre] == [[1.25, -0.5], [2.0]]


def _scalar(value: float) -> nn.Module:
    network = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(network.weight, value)
    return network


def test_a_step_climbs_by_rate_times_gradient_and_returns_the_loss_before_it():
    network = _scalar(3.0)
    with torch.no_grad():  # the caller's mode makes no difference
        before = ascent.climb_(
            network, lambda network, index: network.weight.square().sum() * len(index), torch.arange(2), 0.1
        )
    assert before.item() == 18.0
    assert network.weight.item() == pytest.approx(3 + 0.1 * 2 * 2 * 3, rel=1e-15)


def test_a_parameter_that_the_loss_does_not_see_stays():
    network = nn.Linear(1, 1).double()
    bias = network.bias.item()
    ascent.climb_(network, lambda network, index: network.weight.sum(), torch.arange(2), 0.1)
    assert network.bias.item() == bias


def test_the_rise_is_the_highest_loss_minus_that_at_the_weights():
    found = ascent.Highest.of([3.0, 1.0], [2.0, 5.0], 0.1)
    known = {**found.quantities, **found.diagnostics()}
    assert known.keys() == {"sharpness", "base_loss", "max_loss"}
    assert found.per_batch.tolist() == [1.0, -4.0]
    assert found.base_loss.tolist() == [2.0, 5.0]
    assert found.max_loss.tolist() == [3.0, 1.0]
    assert {value.dtype for value in known.values()} == {torch.float64}


@pytest.mark.parametrize(
    ("highest", "base", "message"),
    [
        ([1.0, 2.0], [1.0, math.nan], "got a loss of nan at the weights, wanted a finite number"),
        ([1.0, math.inf], [1.0, 1.0], "got a loss of inf at rho 0.1, wanted a finite number"),
    ],
)
def test_a_loss_that_is_no_finite_number_is_refused(highest, base, message):
    with pytest.raises(NotFinite, match=f"^{re.escape(message)}$"):
        ascent.Highest.of(highest, base, 0.1)


def _network(dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """With all that a released estimator might disturb: batch norm, dropout, a parameter without a gradient."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 1))
    network[4].bias.requires_grad_(False)
    return network.to(dtype).eval()


def _loss(dtype: torch.dtype = torch.float64):
    draw = np.random.default_rng(0)
    x, y = (torch.from_numpy(draw.normal(size=(20, width))).to(dtype) for width in (3, 1))
    return lambda network, index: functional.mse_loss(network(x[index]), y[index])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_model_modes_buffers_and_global_random_state_stay_as_they_are(estimator):
    network, random = _network(), torch.get_rng_state()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = estimator(network, _loss(), ALL, rho=0.1, rate=0.1, batch_size=7)
    assert found.per_batch.abs().max() > 0
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module.training for module in network.modules())
    assert [name for name, each in network.named_parameters() if not each.requires_grad] == ["4.bias"]
    assert all(each.grad is None for each in network.parameters())
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("estimator", [lenet5, gat])
def test_what_is_drawn_follows_from_the_seed_alone(estimator):
    measured = partial(estimator, _network(), _loss(), ALL, rho=0.1, rate=0.1, batch_size=7)
    torch.manual_seed(1)
    first = measured(seed=3)
    torch.manual_seed(2)
    assert torch.equal(measured(seed=3).per_batch, first.per_batch)
    assert not torch.equal(measured(seed=4).per_batch, first.per_batch)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_in_float32_it_is_what_it_is_in_float64_to_rounding(estimator):
    found, wanted = (
        estimator(_network(dtype), _loss(dtype), ALL, rho=0.1, rate=0.1, batch_size=7, **off(estimator))
        for dtype in (torch.float32, torch.float64)
    )
    np.testing.assert_allclose(found.max_loss, wanted.max_loss, rtol=1e-5)
    np.testing.assert_allclose(found.base_loss, wanted.base_loss, rtol=1e-5)


def off(estimator) -> dict:
    """Without dropout, whose draws differ between the two."""
    return {} if estimator is fcnn else {"train_mode": False}


WHOLE = [(fcnn, "epochs"), (lenet5, "epochs"), (gat, "trials"), (gat, "steps")]


@pytest.mark.parametrize(("estimator", "name"), WHOLE + [(each, "batch_size") for each in ESTIMATORS])
def test_a_number_below_one_is_refused(estimator, name):
    with pytest.raises(ValueError, match=f"^{name}: got 0, wanted a whole number, at least 1$"):
        estimator(_network(), _loss(), ALL, rho=0.1, rate=0.1, **{name: 0})


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rho": -1.0, "rate": 0.1}, "rho: got -1.0, wanted a finite number, at least 0"),
        ({"rho": 0.1, "rate": None}, "rate: got None, wanted a finite number above 0"),
        ({"rho": 0.1, "rate": 0.0}, "rate: got 0.0, wanted a finite number above 0, or none"),
    ],
)
def test_what_is_no_radius_or_no_rate_is_refused(estimator, options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        estimator(_network(), _loss(), ALL, **options)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("batches", "got"),
    [(torch.arange(20).reshape(2, 10), "2 batches"), (ALL[:0], "0 batches"), (ALL[:, :0], "an empty batch")],
)
def test_anything_but_one_batch_is_refused(estimator, batches, got):
    with pytest.raises(ValueError, match=f"^batches: got {got}, wanted one that holds all training examples$"):
        estimator(_network(), _loss(), batches, rho=0.1, rate=0.1)


class _Sometimes:
    """A loss that is nan once, at one of its calls."""

    def __init__(self, call: int):
        self.calls, self._call = 0, call

    def __call__(self, network, index):
        self.calls += 1
        return _loss()(network, index) * (math.nan if self.calls == self._call else 1.0)


@pytest.mark.parametrize(("estimator", "calls"), [(fcnn, 19), (lenet5, 1 + 5 * 4), (gat, 3 + 5 * 5 * 4)])
def test_a_loss_that_is_nan_at_any_call_is_not_hidden(estimator, calls):
    """A step from a loss of nan leaves weights of nan; a score of nan is found among the others."""
    counted = _Sometimes(0)
    estimator(_network(), counted, ALL, rho=0.1, rate=0.1, batch_size=7)
    assert counted.calls == calls
    for call in range(1, calls + 1):
        with pytest.raises(NotFinite):
            estimator(_network(), _Sometimes(call), ALL, rho=0.1, rate=0.1, batch_size=7)
