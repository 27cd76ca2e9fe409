"""What a measure returns: named quantities of each batch, their mean and its error, and a line that says so."""

import math
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from adaptive_sharpness import average_case, hessian, worst_case
from adaptive_sharpness.measures import Measured


@dataclass(frozen=True, repr=False, kw_only=True)
class _Found(Measured):
    extra: torch.Tensor
    note: str = ""
    several: torch.Tensor | None = None


def _values(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_sharpness_is_the_mean_over_batches_and_its_error_the_standard_deviation_by_the_root_of_their_number():
    found = Measured(per_batch=_values(1.0, 2.0, 3.0, 6.0), base_loss=_values(0, 0, 0, 0))
    assert found.sharpness == 3
    assert found.standard_error == pytest.approx((14 / 3 / 4) ** 0.5, rel=1e-14)
    assert isinstance(found.sharpness, float)
    assert isinstance(found.standard_error, float)


def test_of_several_models_there_is_a_sharpness_and_an_error_each():
    found = Measured(per_batch=_values([1.0, 3.0], [2.0, 2.0]), base_loss=_values([0, 0], [0, 0]))
    assert found.sharpness.tolist() == [2, 2]
    assert found.standard_error.tolist() == [1, 0]


def test_of_one_batch_the_standard_error_is_no_number():
    assert math.isnan(Measured(per_batch=_values(1.0), base_loss=_values(0.0)).standard_error)
    assert Measured(per_batch=_values([1.0], [2.0]), base_loss=_values([0.0], [0.0])).standard_error.isnan().all()


def test_without_a_base_loss_it_is_no_number_on_any_batch():
    assert Measured(per_batch=_values(1.0, 2.0)).base_loss.isnan().tolist() == [True, True]
    assert Measured(per_batch=_values([1.0, 2.0])).base_loss.isnan().tolist() == [[True, True]]


def test_a_result_takes_its_values_by_name_alone():
    with pytest.raises(TypeError, match="positional argument"):
        Measured(_values(1.0), _values(0.0))


def test_quantities_are_the_headline_and_then_the_further_ones_each_by_its_name():
    alone = Measured(per_batch=_values(1.0, 2.0))
    assert {name: value.tolist() for name, value in alone.quantities.items()} == {"sharpness": [1, 2]}
    several = Measured(
        per_batch=_values(1.0, 2.0), headline="lambda_max", further={"trace": _values(7.0, 8.0), "rank": _values(3, 3)}
    )
    assert list(several.quantities) == ["lambda_max", "trace", "rank"]
    assert several.quantities["lambda_max"] is several.per_batch
    assert several.quantities["trace"].tolist() == [7, 8]
    assert several.sharpness == 1.5


def test_diagnostics_are_what_else_there_is_a_number_of_for_each_batch():
    found = _Found(
        per_batch=_values(1.0, 2.0),
        base_loss=_values(3.0, 4.0),
        further={"trace": _values(7.0, 8.0)},
        extra=_values(5.0, 6.0),
        note="kept",
        several=_values(1.0, 2.0, 3.0),
    )
    assert {name: value.tolist() for name, value in found.diagnostics().items()} == {
        "base_loss": [3, 4],
        "extra": [5, 6],
    }


def test_a_result_reads_in_one_line():
    """Means over batches; columns without a number are left out, and numbers that are none do not count."""
    known = {"per_batch": _values(1.0, 3.0), "base_loss": _values(0.5, 0.25)}
    found = _Found(**known, extra=_values(math.nan, 2.0))
    assert repr(found) == "_Found(sharpness 2, base_loss 0.375, extra 2, standard error 1; 2 batches)"
    without = _Found(**known, extra=_values(math.nan, math.nan))
    assert repr(without) == "_Found(sharpness 2, base_loss 0.375, standard error 1; 2 batches)"


def test_a_result_reads_with_all_quantities_by_their_names():
    found = Measured(per_batch=_values(1.0, 3.0), headline="lambda_max", further={"trace": _values(5.0, 7.0)})
    assert repr(found) == "Measured(lambda_max 2, trace 6, standard error 1; 2 batches)"


def test_a_result_of_several_models_reads_as_ranges():
    found = Measured(per_batch=_values([1.0, 3.0], [5.0, 5.0]), base_loss=_values([1, 1], [1, 1]))
    assert repr(found) == "Measured(sharpness 2 to 5, base_loss 1, standard error 0 to 1; 2 models, 2 batches)"


def test_a_range_is_over_the_models_that_have_a_number():
    values = _values([1.0, 3.0], [5.0, 5.0])
    found = _Found(per_batch=values, base_loss=values, extra=_values([math.nan] * 2, [2.0, 4.0]))
    assert "extra 3," in repr(found)


def test_worst_case_has_its_first_order_rise_as_a_quantity_and_the_hessian_its_trace():
    layer, batches = nn.Linear(2, 1).double().eval(), [(torch.ones(3, 2).double(), torch.zeros(3, 1).double())] * 2
    worst = worst_case(layer, nn.functional.mse_loss, batches, rho=0.1, steps=2)
    assert list(worst.quantities) == ["sharpness", "first_order"]
    assert worst.first_order is worst.quantities["first_order"]
    assert set(worst.diagnostics()) == {"base_loss", "max_loss", "last_improvement", "gain_from_doubling"}
    curvature = hessian(layer, nn.functional.mse_loss, batches, vectors=1)
    assert list(curvature.quantities) == ["lambda_max", "trace"]
    assert curvature.trace is curvature.quantities["trace"]
    assert set(curvature.diagnostics()) == {"base_loss"}
    average = average_case(layer, nn.functional.mse_loss, batches, rho=0.1, samples=2)
    assert list(average.quantities) == ["sharpness"]
    assert set(average.diagnostics()) == {"base_loss", "max_loss"}
    for found in (worst, curvature, average):
        assert all(value.shape == (2,) and value.dtype == torch.float64 for value in found.quantities.values())
        assert len({*found.quantities, *found.diagnostics()}) == len(found.quantities) + len(found.diagnostics())
