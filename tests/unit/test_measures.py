"""The batches on which sharpness is measured, what a result says, and how a measure is called by name."""

import math
import re
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch import nn

from adaptive_sharpness.measures import PerBatch, draw_batches, measure
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


def test_the_package_alone_does_not_wait_for_torch():
    code = "import adaptive_sharpness, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@dataclass(frozen=True, repr=False)
class _Found(PerBatch):
    extra: torch.Tensor
    note: str = ""
    several: torch.Tensor | None = None


def _values(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_sharpness_is_the_mean_over_batches_and_its_error_the_standard_deviation_by_the_root_of_their_number():
    found = PerBatch(per_batch=_values(1.0, 2.0, 3.0, 6.0), base_loss=_values(0, 0, 0, 0))
    assert found.sharpness == 3
    assert found.standard_error == pytest.approx((14 / 3 / 4) ** 0.5, rel=1e-14)
    assert isinstance(found.sharpness, float)
    assert isinstance(found.standard_error, float)


def test_of_several_models_there_is_a_sharpness_and_an_error_each():
    found = PerBatch(per_batch=_values([1.0, 3.0], [2.0, 2.0]), base_loss=_values([0, 0], [0, 0]))
    assert found.sharpness.tolist() == [2, 2]
    assert found.standard_error.tolist() == [1, 0]


def test_of_one_batch_the_standard_error_is_no_number():
    assert math.isnan(PerBatch(per_batch=_values(1.0), base_loss=_values(0.0)).standard_error)
    assert PerBatch(per_batch=_values([1.0], [2.0]), base_loss=_values([0.0], [0.0])).standard_error.isnan().all()


def test_columns_are_what_there_is_a_number_of_for_each_batch():
    found = _Found(_values(1.0, 2.0), _values(3.0, 4.0), _values(5.0, 6.0), "kept", _values(1.0, 2.0, 3.0))
    assert {name: value.tolist() for name, value in found.columns().items()} == {
        "sharpness": [1, 2],
        "base_loss": [3, 4],
        "extra": [5, 6],
    }


def test_a_result_reads_in_one_line():
    """Means over batches; columns without a number are left out, and numbers that are none do not count."""
    found = _Found(_values(1.0, 3.0), _values(0.5, 0.25), _values(math.nan, 2.0))
    assert repr(found) == "_Found(sharpness 2, base_loss 0.375, extra 2, standard error 1; 2 batches)"
    without = _Found(_values(1.0, 3.0), _values(0.5, 0.25), _values(math.nan, math.nan))
    assert repr(without) == "_Found(sharpness 2, base_loss 0.375, standard error 1; 2 batches)"


def test_a_result_of_several_models_reads_as_ranges():
    found = PerBatch(per_batch=_values([1.0, 3.0], [5.0, 5.0]), base_loss=_values([1, 1], [1, 1]))
    assert repr(found) == "PerBatch(sharpness 2 to 5, base_loss 1, standard error 0 to 1; 2 models, 2 batches)"


def test_a_range_is_over_the_models_that_have_a_number():
    found = _Found(*(_values([1.0, 3.0], [5.0, 5.0]) for _ in range(2)), _values([math.nan] * 2, [2.0, 4.0]))
    assert "extra 3," in repr(found)


def _measured(estimator: str, options: dict) -> PerBatch:
    """Of a layer that maps 1 to 2 w, on batches of 1 and 2."""
    layer = nn.Linear(1, 1, bias=False).double().eval()
    nn.init.constant_(layer.weight, 2.0)
    batches = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    return measure(estimator, layer, lambda network, batch: network(batch[:, None]).square().mean(), batches, options)


def test_an_estimator_is_called_by_its_name():
    """Of (w x)^2 at w = 2: with 1.5 w as the highest, 1.25 times itself is the rise; 2 x^2 w^2 is w H w."""
    worst = _measured("worst_case", {"rho": 0.5, "steps": 3})
    np.testing.assert_allclose(worst.per_batch, [5, 20], rtol=1e-12)
    curvature = _measured("hessian", {"vectors": 1})
    np.testing.assert_allclose(curvature.per_batch, [8, 32], rtol=1e-12)
    average = _measured("average_case", {"rho": 0.5, "samples": 2})
    assert (average.per_batch > 0).all()
    assert (average.per_batch <= worst.per_batch).all()
    assert [type(each).__name__ for each in (worst, curvature, average)] == ["WorstCase", "Curvature", "AverageCase"]


@pytest.mark.parametrize(
    ("estimator", "options", "reason"),
    [
        ("worst_case", {}, "missing a required argument: 'rho'"),
        ("worst_case", {"rho": 0.1, "momentum": 0.9}, "got an unexpected keyword argument 'momentum'"),
        ("average_case", {"rho": 0.1, "steps": 3}, "got an unexpected keyword argument 'steps'"),
        ("hessian", {"rho": 0.1}, "got an unexpected keyword argument 'rho'"),
        ("hessian", {"stacked": 2}, "got an unexpected keyword argument 'stacked'"),
        ("hessian", {"model": 2}, "multiple values for argument 'model'"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line_that_names_the_estimator(estimator, options, reason):
    line = re.escape(f"estimator {estimator}: options {options} do not fit it: {reason}")
    with pytest.raises(ValueError, match=f"^{line}$"):
        _measured(estimator, options)


def test_an_option_of_another_kind_is_refused_by_the_estimator_itself():
    with pytest.raises(ValueError, match=r"^steps: got 'two', wanted a whole number, at least 1$"):
        _measured("worst_case", {"rho": 0.1, "steps": "two"})
