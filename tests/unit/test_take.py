"""How a measure is called by its name, and what is refused of its options and of what it returns."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from adaptive_sharpness.measures import Measured
from adaptive_sharpness.study.measuring.shard import take


def _taken(estimator: str, options: dict, folder: str | Path = "plugins") -> Measured:
    """Of a layer that maps 1 to 2 w, on batches of 1 and 2."""
    layer = nn.Linear(1, 1, bias=False).double().eval()
    nn.init.constant_(layer.weight, 2.0)
    batches = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    return take(
        estimator, layer, lambda network, batch: network(batch[:, None]).square().mean(), batches, options, folder
    )


def test_a_measure_is_called_by_its_name():
    """Of (w x)^2 at w = 2: with 1.5 w as the highest, 1.25 times itself is the rise; 2 x^2 w^2 is w H w."""
    worst = _taken("worst_case", {"rho": 0.5, "steps": 3})
    np.testing.assert_allclose(worst.per_batch, [5, 20], rtol=1e-12)
    curvature = _taken("hessian", {"vectors": 1})
    np.testing.assert_allclose(curvature.per_batch, [8, 32], rtol=1e-12)
    average = _taken("average_case", {"rho": 0.5, "samples": 2})
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
def test_options_that_do_not_fit_are_refused_in_one_line_that_names_the_measure(estimator, options, reason):
    line = re.escape(f"measure {estimator}: options {options} do not fit it: {reason}")
    with pytest.raises(ValueError, match=f"^{line}$"):
        _taken(estimator, options)


def test_an_option_of_another_kind_is_refused_by_the_measure_itself():
    with pytest.raises(ValueError, match=r"^steps: got 'two', wanted a whole number, at least 1$"):
        _taken("worst_case", {"rho": 0.1, "steps": "two"})


def _own(folder: Path, body: str) -> Path:
    """A folder of plug-ins whose measure `mine` returns this."""
    (folder / "measures").mkdir()
    imports = "import torch\n\nfrom adaptive_sharpness.measures import Measured\n\n\n"
    text = f"{imports}def mine(model, loss, batches, *, seed=0):\n    return {body}\n"
    (folder / "measures/mine.py").write_text(text)
    return folder


def test_a_measure_may_be_the_users_own(tmp_path):
    found = _taken("mine", {"seed": 3}, _own(tmp_path, "Measured(per_batch=torch.ones(len(batches)) * seed)"))
    assert found.per_batch.tolist() == [3, 3]


ODD = {
    "no Measured": ("torch.ones(2)", "got Tensor from it, wanted Measured"),
    "nothing": ("None", "got NoneType from it, wanted Measured"),
    "a number": (
        "Measured(per_batch=torch.ones(2), further={'norm': 1.5})",
        "got float for norm, wanted a tensor with a number a batch",
    ),
    "one number for all batches": (
        "Measured(per_batch=torch.ones(2), further={'norm': torch.ones(1)})",
        "got shape [1] for norm, wanted a tensor with a number a batch",
    ),
    "a vector a batch": (
        "Measured(per_batch=torch.ones(2, 3))",
        "got shape [2, 3] for sharpness, wanted a tensor with a number a batch",
    ),
}


@pytest.mark.parametrize(("body", "line"), ODD.values(), ids=ODD)
def test_a_measure_that_returns_anything_else_is_refused(body, line, tmp_path):
    with pytest.raises(ValueError, match=f"^{re.escape(f'measure mine: {line}')}$"):
        _taken("mine", {}, _own(tmp_path, body))
