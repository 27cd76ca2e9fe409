"""Environments that hold the wheel, what it and its extras ask for, and nothing besides.

The packages are those of the environment that the tests run in, by links, so that an environment takes no download and
a second or two.
"""

import os
import subprocess
import sys
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


class Environment(NamedTuple):
    python: Path

    def run(self, *command: str) -> subprocess.CompletedProcess:
        """A command of the environment: its own file in bin, or an option for its Python, which sees no other path."""
        first = [self.python, "-I"] if command[0].startswith("-") else []
        first = first or [self.python.parent / command[0]]
        arguments = command if len(first) == 2 else command[1:]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return subprocess.run([*first, *arguments], capture_output=True, text=True, env=clean, cwd=self.python.parent)


def required(package: Distribution, extras: set[str]) -> dict[str, set[str]]:
    """The packages that a package asks for, with their extras, directly and through others."""
    found: dict[str, set[str]] = {}
    waiting = [(package, extra) for extra in {"", *extras}]
    while waiting:
        asking, extra = waiting.pop()
        for line in asking.requires or []:
            wanted = Requirement(line)
            if wanted.marker and not wanted.marker.evaluate({"extra": extra}):
                continue
            name = canonicalize_name(wanted.name)
            new = {"", *wanted.extras} - found.get(name, set())
            found.setdefault(name, set()).update(new)
            waiting += [(distribution(name), extra) for extra in new]
    return found


def link(package: Distribution, folder: Path) -> None:
    """Link in a folder what a package has at the top of its own. Packages may share what is linked, as nvidia's do."""
    tops = {file.parts[0] for file in package.files or []} - {"..", "__pycache__"}
    for top in tops:
        if not (folder / top).exists():
            (folder / top).symlink_to(Path(package.locate_file(top)).resolve())


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The package's wheel, built by the hatchling that is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", folder, ROOT], check=True)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="session")
def environment(wheel, tmp_path_factory):
    """environment(extra): the wheel installed with an extra, or with none for "", once for all tests."""
    done = {}

    def build(extra: str) -> Environment:
        if extra not in done:
            folder = tmp_path_factory.mktemp("environment")
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
            python = folder / "bin/python"
            pip = [sys.executable, "-m", "pip", "--python", python]
            subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", wheel], check=True)
            (site,) = folder.glob("lib/python*/site-packages")
            (installed,) = distributions(path=[str(site)])
            for name in required(installed, {extra}):
                link(distribution(name), site)
            done[extra] = Environment(python)
        return done[extra]

    return build
