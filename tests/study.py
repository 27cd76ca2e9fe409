"""A copy of the project in which a small study of real data runs for real, and in which anything may be changed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "workflow", "config", "profiles", "envs", "data", "adaptive_sharpness", "plugins", "studies")
SMALL = {
    "seeds": 4,
    "seeds_per_job": 2,
    "only": "fcnn,gat",
    "measures": {
        "report_pga": {"batches": 4, "on": {"fcnn": {"rho": [0.005, 0.025]}, "gat": {"rho": [0.004, 0.02]}}},
        "worst_case": {"on": {"fcnn": {"rho": [0.025], "batches": 4}, "gat": {"rho": [0.02], "batches": 4}}},
        "average_case": {"on": {"fcnn": {"rho": [0.1], "batches": 4}, "gat": {"rho": [0.2], "batches": 4}}},
        "hessian": {"batches": 4},
    },
}
TIMEOUT = 1800  # seconds for a call of Snakemake
LAST = "results/sharpness/report/gat/report_pga/rho-0.02/seeds-002-003.parquet"


@dataclass(frozen=True)
class Run:
    """What a call of Snakemake came to."""

    code: int
    output: str

    @property
    def jobs(self) -> dict[str, int]:
        """Jobs by rule, without the target's own."""
        table = self.output.rsplit("Job stats:", 1)[-1].split("\ntotal ")[0] if "Job stats:" in self.output else ""
        counts = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
        return {rule: count for rule, count in counts.items() if rule != "all"}

    @property
    def outputs(self) -> list[str]:
        """What the jobs write, in the order in which they are started or listed."""
        return [
            path for line in re.findall(r"^ +output: (.+)$", self.output, re.MULTILINE) for path in line.split(", ")
        ]

    @property
    def idle(self) -> bool:
        return self.code == 0 and "Nothing to be done" in self.output


class Study:
    """A copy of the project in a folder, with a config file of its own, study.yaml."""

    def __init__(self, folder: Path, config: dict):
        self.folder, self.config = folder, deepcopy(config)
        self.run: Run | None = None  # what made its results
        self.environment: dict[str, str | None] = {}  # what differs from the tests' own; None for what is not set
        self._said = folder.parent / "said.txt"
        self.configure({})

    def configure(self, changes: dict) -> None:
        """Set values in study.yaml, each at a path such as measures.report_pga.on.gat.rho."""
        for path, value in changes.items():
            *folders, key = path.split(".")
            place = self.config
            for folder in folders:
                place = place.setdefault(folder, {})
            place[key] = value
        path, text = self.folder / "study.yaml", yaml.safe_dump(self.config)
        if not path.exists() or path.read_text() != text:  # another process may be reading it
            path.write_text(text)

    def start(self, *arguments: str, **options) -> subprocess.Popen:
        """Start Snakemake, with options of subprocess.Popen; what it says goes to a file."""
        own = ["--configfile", "study.yaml"] if self.config else []
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE_")}
        environment |= {"PYTHONPATH": str(self.folder), "XDG_CACHE_HOME": str(self.folder.parent / "cache")}
        environment = {key: value for key, value in (environment | self.environment).items() if value is not None}
        places = {"cwd": self.folder, "env": environment, "stderr": subprocess.STDOUT}
        with open(self._said, "w") as said:
            command = [sys.executable, "-m", "snakemake", *own, *arguments]
            return subprocess.Popen(command, stdout=said, **places, **options)

    def said(self) -> str:
        """What the run that is alive has said so far."""
        return self._said.read_text()

    def finish(self, process: subprocess.Popen) -> Run:
        return Run(process.wait(TIMEOUT), self._said.read_text())

    def snakemake(self, *arguments: str) -> Run:
        return self.finish(self.start(*arguments))

    def plan(self, *arguments: str) -> Run:
        """A dry run."""
        return self.snakemake("-n", *arguments)

    def copy(self, folder: Path) -> "Study":
        """This study with all that it has computed, elsewhere."""
        shutil.copytree(self.folder, folder)
        return Study(folder, self.config)

    def append(self, path: str, text: str) -> None:
        with open(self.folder / path, "a") as file:
            file.write(text)

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()


def project(folder: Path, config: dict) -> Study:
    folder.mkdir()
    skip = shutil.ignore_patterns("raw", "local", "__pycache__")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=skip)
        else:
            shutil.copy2(ROOT / part, folder / part)
    return Study(folder, config)


@pytest.fixture(scope="session")
def small(raw) -> dict:
    """The config of a small study, whose raw data lie in folders."""
    datasets = {}
    for name in ("abalone", "cora"):
        files = {path.name: path.name for path in raw(name).iterdir() if path.name != "SHA256SUMS"}
        datasets[name] = {"sources": [{"directory": str(raw(name)), "files": files}]}
    return {**SMALL, "datasets": datasets}


@pytest.fixture(scope="session")
def fresh():
    """Makes a fresh clone in a folder, with a config of its own."""
    return project


@pytest.fixture(scope="session")
def clean(tmp_path_factory) -> Study:
    """A fresh clone with the shipped config; for dry runs only."""
    return project(tmp_path_factory.mktemp("clean") / "project", {})


def _ran(folder: Path, config: dict, *arguments: str) -> Study:
    study = project(folder, config)
    study.run = study.snakemake(*arguments)
    assert study.run.code == 0, study.run.output
    return study


@pytest.fixture(scope="session")
def once(tmp_path_factory, pytestconfig):
    """once(name, make): a folder and what its making said, made once for all processes of the tests."""
    processes = tmp_path_factory.getbasetemp()
    place = processes.parent if hasattr(pytestconfig, "workerinput") else processes

    def made(name: str, make: Callable[[Path], str]) -> tuple[Path, str]:
        folder, said = place / name / "project", place / name / "made.txt"
        with FileLock(place / f"{name}.lock"):
            if not said.exists():
                folder.parent.mkdir()
                said.write_text(make(folder))
        return folder, said.read_text()

    return made


@pytest.fixture(scope="session")
def ran(once):
    """ran(name, config, arguments): a study that has run; not to be changed."""

    def run(name: str, config: dict, *arguments: str) -> Study:
        folder, said = once(name, lambda place: _ran(place, config, *arguments).run.output)
        study = Study(folder, yaml.safe_load((folder / "study.yaml").read_text()))
        study.run = Run(0, said)
        return study

    return run


@pytest.fixture(scope="session")
def finished(small, ran) -> Study:
    """A study that has run; not to be changed."""
    return ran("finished", small, "--cores", "2")


@pytest.fixture(scope="session")
def again(small, tmp_path_factory) -> Study:
    """The same study from nothing, on one core and with its last job first; not to be changed."""
    return _ran(tmp_path_factory.mktemp("second") / "project", small, "--cores", "1", "--prioritize", LAST)


@pytest.fixture
def study(finished, tmp_path) -> Study:
    """A copy of the finished study, to change."""
    return finished.copy(tmp_path / "project")
