"""Abalone as released against the lines of the file, and that the study's own is untouched by sharing its parts."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from adaptive_sharpness import plugins

PLUGINS = Path(__file__).parents[2] / "studies/hammoud2023/plugins"


def load(name: str, raw: Path):
    return plugins.resolve("datasets", name, PLUGINS)(raw)


@pytest.fixture(scope="module")
def table(raw) -> np.ndarray:
    with open(raw("abalone") / "abalone.data", newline="") as file:
        return np.array([[*line[1:8], *(line[0] == sex for sex in "MFI"), line[8]] for line in csv.reader(file)], float)


@pytest.fixture(scope="module")
def shuffled() -> np.ndarray:
    """Positions of all rows but the first: a fifth to test, the rest to train, as scikit-learn defines it."""
    return 1 + np.random.RandomState(42).permutation(4176)


def _standardised(table: np.ndarray, train: np.ndarray, rows: np.ndarray) -> np.ndarray:
    deviations = table[train] - table[train].mean(axis=0)
    return (table[rows] - table[train].mean(axis=0)) / np.sqrt((deviations**2).sum(axis=0) / (len(train) - 1))


def test_every_row_but_the_first_is_there_standardised_by_the_3340_training_rows(raw, table, shuffled):
    found = load("abalone_released", raw("abalone"))
    assert (len(found.train), len(found.test)) == (3340, 836)
    for split, rows in ((found.train, shuffled[836:]), (found.test, shuffled[:836])):
        got = torch.cat([split.inputs, split.targets], dim=1)
        np.testing.assert_allclose(got, _standardised(table, shuffled[836:], rows), rtol=1e-5, atol=1e-6)


def test_the_study_has_the_same_rows_and_the_first_and_other_units(raw):
    released, study = (load(name, raw("abalone")) for name in ("abalone_released", "abalone"))
    assert len(study.train) == len(released.train) + 1
    for mine, theirs in ((released.train.inputs, study.train.inputs[1:]), (released.test.inputs, study.test.inputs)):
        assert not torch.equal(mine, theirs)
        torch.testing.assert_close(mine, theirs, rtol=0.01, atol=0.01)


def test_the_study_is_to_the_bit_what_one_formula_gives(raw, table, shuffled):
    study, train = load("abalone", raw("abalone")), np.concatenate([[0], shuffled[836:]])
    scaled = torch.from_numpy((table - table[train].mean(axis=0)) / table[train].std(axis=0, ddof=1)).float()
    for split, rows in ((study.train, train), (study.test, shuffled[:836])):
        assert torch.equal(split.inputs, scaled[rows, :10])
        assert torch.equal(split.targets, scaled[rows, 10:])
