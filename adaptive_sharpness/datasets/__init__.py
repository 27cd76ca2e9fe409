"""One module a data set, each with `load(raw: Path) -> Dataset`; the module's name is the data set's name in config."""

from importlib import import_module
from pathlib import Path

from adaptive_sharpness.dataset import Dataset


def load(name: str, raw: str | Path) -> Dataset:
    """Parse the raw files of one data set.

    Args:
        name: the data set's name, which is its module's.
        raw: the folder with its raw files, already checked against their hashes.

    Returns:
        The data set.
    """
    return import_module(f"{__name__}.{name}").load(Path(raw))
