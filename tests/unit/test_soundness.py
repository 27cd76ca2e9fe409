"""A wrong data set is refused before it becomes a number."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from adaptive_sharpness import plugins
from adaptive_sharpness.datasets import Dataset, Rows
from adaptive_sharpness.study.fetching.soundness import sound_dataset

RELEASED = Path(__file__).parents[2] / "studies/hammoud2023/plugins"
ZERO, ONE = torch.tensor(0.0), torch.tensor(1.0)


def _rows(inputs: Tensor, targets: Tensor) -> Rows:
    return Rows(inputs, targets, ZERO, ONE)


VALUES = _rows(torch.ones(5, 3), torch.ones(5, 1))
CLASSES = _rows(torch.ones(5, 3), torch.tensor([0, 1, 2, 3, 1]))


def _changed(tensor: Tensor, place: tuple, value: float) -> Tensor:
    tensor = tensor.clone()
    tensor[place] = value
    return tensor


UNSOUND = {
    "a NaN": (
        Dataset(_rows(_changed(VALUES.inputs, (3, 1), math.nan), VALUES.targets), VALUES),
        "data set waves, train, inputs: got nan at [3, 1], wanted finite numbers",
    ),
    "an infinite target": (
        Dataset(VALUES, _rows(VALUES.inputs, _changed(VALUES.targets, (4, 0), -math.inf))),
        "data set waves, test, targets: got -inf at [4, 0], wanted finite numbers",
    ),
    "a scale of NaN": (
        Dataset(Rows(VALUES.inputs, VALUES.targets, ZERO, torch.tensor(math.nan)), VALUES),
        "data set waves, train, scale: got nan at [], wanted finite numbers",
    ),
    "an empty split": (
        Dataset(VALUES, _rows(VALUES.inputs[:0], VALUES.targets[:0])),
        "data set waves, test: got no examples, wanted at least one",
    ),
    "a class below 0": (
        Dataset(_rows(CLASSES.inputs, _changed(CLASSES.targets, (2,), -1)), CLASSES),
        "data set waves, train, targets: got class -1, wanted classes from 0",
    ),
    "a NaN in a further split": (
        Dataset(VALUES, VALUES, {"far": _rows(_changed(VALUES.inputs, (0, 2), math.nan), VALUES.targets)}),
        "data set waves, far, inputs: got nan at [0, 2], wanted finite numbers",
    ),
    "an empty further split": (
        Dataset(VALUES, VALUES, {"far": _rows(VALUES.inputs[:0], VALUES.targets[:0])}),
        "data set waves, far: got no examples, wanted at least one",
    ),
    "no data set": ((VALUES, VALUES), "data set waves: load() gave tuple, wanted a Dataset"),
}


@pytest.mark.fault(
    fault="a data set that holds no numbers, no examples, or is none", sees="`data set NAME, ...: got ..., wanted ...`"
)
@pytest.mark.parametrize(("dataset", "line"), UNSOUND.values(), ids=UNSOUND.keys())
def test_a_data_set_that_holds_no_numbers_is_refused(dataset, line):
    with pytest.raises(ValueError, match="data set") as caught:
        sound_dataset("waves", dataset)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("name", "folder"),
    [("abalone", "plugins"), ("abalone_released", RELEASED), ("cora", "plugins"), ("fashion_mnist", "plugins")],
)
def test_the_studys_data_sets_are_sound(raw, name, folder):
    found = plugins.resolve("datasets", name, folder)(raw("abalone" if name == "abalone_released" else name))
    assert sound_dataset(name, found) is found


def test_a_sound_data_set_is_given_back_with_its_further_splits():
    found = Dataset(CLASSES, CLASSES, {"far": CLASSES})
    assert sound_dataset("waves", found) is found
