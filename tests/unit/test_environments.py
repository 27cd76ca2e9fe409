"""All that says what to install says the same: the lock, pyproject.toml, the conda environment."""

import ast
import re
import runpy
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA = yaml.safe_load((ROOT / "envs/pipeline.yaml").read_text())["dependencies"]
PYTHON = next(entry.removeprefix("python=") for entry in CONDA if str(entry).startswith("python="))


def named(lines) -> dict[str, Requirement]:
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): each for each in requirements}


def locked(python: str) -> dict[str, Requirement]:
    """What the lock installs on Linux with a version of Python."""
    lines = re.findall(r"^([a-zA-Z].*?) \\$", (ROOT / "envs/requirements.lock").read_text(), re.MULTILINE)
    machine = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    machine |= {"platform_system": "Linux", "platform_machine": "x86_64", "implementation_name": "cpython"}
    chosen = [line for line in lines if (marker := Requirement(line).marker) is None or marker.evaluate(machine)]
    assert len(chosen) == len(named(chosen))
    return named(chosen)


@pytest.fixture(scope="module")
def conda() -> dict[str, Requirement]:
    return named(next(entry["pip"] for entry in CONDA if isinstance(entry, dict)))


def test_the_conda_environment_holds_what_the_study_needs_in_the_versions_of_the_lock(conda):
    wanted = named(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["study"])
    lock = locked(PYTHON)
    assert {name: (each.extras, str(each.specifier)) for name, each in conda.items()} == {
        name: (each.extras, str(lock[name].specifier)) for name, each in wanted.items()
    }


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_the_lock_holds_all_that_the_project_asks_for(python):
    """In a version that pyproject.toml allows."""
    assert python in SpecifierSet(PROJECT["requires-python"])
    lock = locked(python)
    wanted = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
    for name, each in named(wanted).items():
        (pin,) = lock[name].specifier
        assert pin.operator == "=="
        assert pin.version in each.specifier, name


CHECK = runpy.run_path(str(ROOT / "envs/check.py"))


@pytest.mark.parametrize(
    ("version", "has_venv", "has_compiler", "said"),
    [
        ((3, 10), True, True, "got Python 3.10, wanted 3.11 or newer"),
        ((3, 11), False, True, "got Python 3.11 without venv and pip, wanted both"),
        ((3, 14), True, False, "got Python 3.14 without a C compiler and Python's headers, wanted both to compile"),
        ((3, 11), True, False, None),
        ((3, 14), True, True, None),
    ],
)
def test_make_setup_says_in_one_line_what_is_missing(version, has_venv, has_compiler, said):
    message = CHECK["missing"](version, has_venv, has_compiler)
    assert message.startswith(f"setup: {said}") if said else message == ""
    assert "\n" not in message


def test_what_is_looked_for_is_what_the_project_asks_for():
    assert PROJECT["requires-python"] == f">={'.'.join(map(str, CHECK['OLDEST']))}"
    assert CHECK["COMPILED"] in locked("3.14")
    ast.parse((ROOT / "envs/check.py").read_text(), feature_version=(3, 6))  # an old Python is told, too
