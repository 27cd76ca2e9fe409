"""The batches on which sharpness is measured, and how a measure is called by name."""

import subprocess
import sys

import pytest
import torch
from scipy.stats import chisquare
from torch import nn

from adaptive_sharpness.measures import PerBatch, draw_batches, measure
from adaptive_sharpness.objective import Objective
from adaptive_sharpness.randomness import generator


def test_a_batch_follows_from_the_seed_and_its_number_alone():
    batches = draw_batches(1000, 5, 64, seed=3)
    for position, batch in enumerate(batches):
        draw = generator(3, "sharpness batch", position)
        assert torch.equal(batch, torch.randint(1000, (64,), generator=draw))


def test_more_batches_leave_the_first_ones_as_they_are():
    assert torch.equal(draw_batches(1000, 50, 64, seed=0)[:7], draw_batches(1000, 7, 64, seed=0))


def test_batches_differ_from_each_other_and_with_the_seed():
    batches = torch.cat([draw_batches(1000, 20, 64, seed) for seed in (0, 1)])
    assert len(batches.unique(dim=0)) == 40


def test_batches_heed_no_global_seed_and_leave_it():
    torch.manual_seed(1)
    first, before = draw_batches(1000, 5, 64, seed=0), torch.get_rng_state()
    torch.rand(3)
    assert torch.equal(draw_batches(1000, 5, 64, seed=0), first)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), before)


def test_batches_are_drawn_uniformly():
    counts = torch.bincount(draw_batches(140, 500, 64, seed=0).flatten(), minlength=140)
    assert len(counts) == 140
    assert chisquare(counts).pvalue > 1e-3


def test_batches_are_drawn_with_replacement():
    """Of 64 draws from 140, 140 (1 - (139/140)^64) = 51.5 are distinct in the mean, give or take 2.6."""
    batches = draw_batches(140, 500, 64, seed=0)
    distinct = torch.tensor([len(batch.unique()) for batch in batches]).double()
    assert distinct.mean().item() == pytest.approx(140 * (1 - (139 / 140) ** 64), abs=5 * 2.62 / 500**0.5)


def test_a_rise_is_the_highest_loss_less_that_at_the_weights():
    found = PerBatch(base_loss=torch.tensor([1.0, 2.0]), max_loss=torch.tensor([1.5, 1.75]))
    assert found.rise.tolist() == [0.5, -0.25]


def test_the_package_alone_does_not_wait_for_torch():
    code = "import adaptive_sharpness, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def _measured(options: dict) -> PerBatch:
    layer = nn.Linear(1, 1).eval()
    objective = Objective(layer, lambda network, batch: network(batch.float()[:, None]).square().mean())
    return measure("worst_case", objective, dict(layer.named_parameters()), 0.1, torch.arange(6).reshape(3, 2), options)


def test_an_estimator_is_called_by_its_name():
    found = _measured({"steps": 2, "rate": 0.1})
    assert found.base_loss.shape == (3,)
    assert found.max_loss.shape == (3,)


@pytest.mark.parametrize(
    "options",
    [
        {"rate": 0.1},
        {"steps": 2},
        {"steps": 2, "rate": 0.1, "momentum": 0.9},
        {"steps": "two", "rate": 0.1},
        {"steps": 2, "rate": "fast"},
    ],
    ids=str,
)
def test_options_that_do_not_fit_are_refused_in_one_line_that_names_the_estimator(options):
    with pytest.raises(ValueError, match=r"^estimator worst_case: options .* do not fit") as error:
        _measured(options)
    assert "\n" not in str(error.value)
