"""The job that prepares a data set: checked raw files in, one file of sound splits out."""

import hashlib
from pathlib import Path

import pytest
import torch

from adaptive_sharpness.datasets import Dataset
from adaptive_sharpness.study.fetching.fetch import fetch
from adaptive_sharpness.study.fetching.stage import prepare
from adaptive_sharpness.study.running.job import Here

LOAD = """
import torch

from adaptive_sharpness.datasets import Dataset, Rows


def load(raw):
    numbers = torch.tensor([float(line) for line in (raw / "numbers.txt").read_text().split()])[:, None]
    split = Rows(numbers, numbers, torch.tensor(0.0), torch.tensor(1.0))
    return Dataset(split, split.first(3), {"far": split.first(2)})
"""


@pytest.fixture
def here(tmp_path) -> Here:
    """A place with a data set of the user's own."""
    (tmp_path / "plugins/datasets").mkdir(parents=True)
    (tmp_path / "plugins/datasets/lines.py").write_text(LOAD)
    return Here(0, str(tmp_path / "plugins"))


def _fetched(folder: Path, text: str) -> dict[str, str]:
    """Raw files in folder/raw, and their hashes."""
    (folder / "source").mkdir()
    (folder / "source/numbers.txt").write_text(text)
    pins = {"numbers.txt": hashlib.sha256(text.encode()).hexdigest()}
    source = {"directory": str(folder / "source"), "files": {"numbers.txt": "numbers.txt"}}
    fetch([source], pins, folder / "raw")
    return pins


def _prepared(here: Here, folder: Path, pins: dict[str, str], limit: dict[str, int]) -> Dataset:
    block = {"dataset": "lines", "sha256": pins, "limit": limit}
    prepare(here, str(folder / "raw/SHA256SUMS"), block, str(folder / "lines.safetensors"))
    return Dataset.read(folder / "lines.safetensors")


def test_raw_files_become_a_file_of_all_splits(here, tmp_path):
    found = _prepared(here, tmp_path, _fetched(tmp_path, "1 2 3 4"), {})
    assert {name: split.targets.flatten().tolist() for name, split in found.splits.items()} == {
        "train": [1, 2, 3, 4],
        "test": [1, 2, 3],
        "far": [1, 2],
    }
    assert found.train.inputs.dtype == torch.float32


def test_a_limit_keeps_the_first_examples(here, tmp_path):
    found = _prepared(here, tmp_path, _fetched(tmp_path, "1 2 3 4"), {"train": 3, "test": 1})
    assert {name: len(split) for name, split in found.splits.items()} == {"train": 3, "test": 1, "far": 1}


def test_raw_files_that_are_not_the_pinned_ones_are_not_parsed(here, tmp_path):
    pins = _fetched(tmp_path, "1 2 3 4")
    (tmp_path / "raw/numbers.txt").write_text("1 2 3 5")
    with pytest.raises(OSError, match=r"numbers\.txt: got sha256 \w{64}, wanted \w{64}; delete .*raw and rerun$"):
        _prepared(here, tmp_path, pins, {})
    assert not (tmp_path / "lines.safetensors").exists()


def test_a_data_set_that_is_not_sound_is_not_written(here, tmp_path):
    wanted = r"^data set lines, train, inputs: got nan at \[1, 0\], wanted finite numbers$"
    with pytest.raises(ValueError, match=wanted):
        _prepared(here, tmp_path, _fetched(tmp_path, "1 nan 3 4"), {})
    assert not (tmp_path / "lines.safetensors").exists()


def test_a_data_set_that_needs_no_raw_file_is_made_by_its_code_alone(here, tmp_path):
    made = LOAD.replace('(raw / "numbers.txt").read_text()', '"4 5 6 7"')
    (tmp_path / "plugins/datasets/lines.py").write_text(made)
    fetch([], {}, tmp_path / "raw")
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["SHA256SUMS"]
    assert _prepared(here, tmp_path, {}, {}).train.targets.flatten().tolist() == [4, 5, 6, 7]


def test_a_raw_file_where_none_is_needed_is_refused(here, tmp_path):
    _fetched(tmp_path, "1 2 3 4")
    with pytest.raises(OSError, match="numbers"):
        _prepared(here, tmp_path, {}, {})
