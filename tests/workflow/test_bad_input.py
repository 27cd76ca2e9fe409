"""What the user sees of bad input, from Snakemake itself: one line and exit code 1."""

import hashlib
from pathlib import Path

import pytest
import yaml

TABLE = "".join(f"{n},{n * n % 7},{n % 3}\n" for n in range(20))
DATASET = '''"""A made-up table."""

from pathlib import Path

import numpy as np
import torch

from adaptive_sharpness.datasets import Dataset, Rows


def load(raw: Path) -> Dataset:
    """15 rows and 5."""
    table = torch.from_numpy(np.loadtxt(raw / "waves.csv", delimiter=",")).float()
    inputs, targets = table[:, :-1], table[:, -1:]
    {change}
    rows = Rows(inputs, targets, shift=torch.tensor(0.0), scale=torch.tensor(1.0))
    return Dataset(rows.first(15), Rows(inputs[15:], targets[15:], rows.shift, rows.scale))
'''
ARCHITECTURE = '''"""A network."""

from torch import nn


def build() -> nn.Module:
    """From [n, 2] to [n, 1]."""
    {body}
'''
LOSS = '''"""A loss."""


def lost(outputs, targets, reduction="mean"):
    """None at all."""
    raise RuntimeError("no such loss")
'''
DATASETS = {"waves": "", "holes": "inputs[3, 1] = float('nan')"}
ARCHITECTURES = {
    "sound": "return nn.Linear(2, 1)",
    "raising": "raise KeyError('no such layer')",
    "flat": "return nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))",
}
SEEN = {
    "logs/prepare/holes.log": "ValueError: data set holes, train, inputs: got nan at [3, 1], wanted finite numbers",
    "logs/train/report/raising/seeds-000-000.log": (
        "ValueError: architecture raising: options {} do not fit its build(): 'no such layer'"
    ),
    "logs/train/report/flat/seeds-000-000.log": (
        "ValueError: architecture flat: got outputs [2] for 2 examples, wanted [2, 1] like the targets"
    ),
    "logs/train/report/on_lost/seeds-000-000.log": "RuntimeError: no such loss (plugins/losses/lost.py, line 6)",
}


def _config(folder: Path) -> dict:
    """A network that is wrong with a data set and a loss that are right, and a right one where one of these is not."""
    source = {"directory": str(folder), "files": {"waves.csv": "waves.csv"}}
    waves = {"sha256": {"waves.csv": hashlib.sha256(TABLE.encode()).hexdigest()}, "sources": [source]}
    how = {
        "options": {},
        "initialisation": "layers_own",
        "loss": "mse_loss",
        "training": {"optimiser": {"name": "SGD", "lr": 0.01}, "stop": {"max_epochs": 1}},
    }
    pools = {name: {"dataset": "waves", **how} for name in ARCHITECTURES}
    pools["on_holes"] = {**how, "dataset": "holes", "architecture": "sound"}
    pools["on_lost"] = {**how, "dataset": "waves", "architecture": "sound", "loss": "lost"}
    return {
        "seeds": 1,
        "only": ",".join(pools),
        "datasets": {"waves": waves, "holes": {"raw": "waves"}},
        "protocols": {"report": pools},
        "measures": {"report_pga": {"on": {name: {"rho": [0.1]} for name in pools}}},
    }


@pytest.fixture(scope="module")
def broken(fresh, tmp_path_factory):
    """A study of a sound network and of many that are not, as far as it goes."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "waves.csv").write_text(TABLE)
    study = fresh(folder / "project", _config(folder))
    files = {f"datasets/{name}": DATASET.replace("{change}", change) for name, change in DATASETS.items()}
    files |= {f"architectures/{name}": ARCHITECTURE.replace("{body}", body) for name, body in ARCHITECTURES.items()}
    for name, text in {**files, "losses/lost": LOSS}.items():
        path = study.folder / f"plugins/{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    study.run = study.snakemake("--cores", "2", "checkpoints")
    return study


@pytest.mark.fault(
    fault="a data set, network or loss of the user's that is wrong",
    sees="`ValueError: ...: got ..., wanted ...`, or its own error and its line, in its log",
)
@pytest.mark.parametrize(("log", "line"), SEEN.items(), ids=[line.split(":")[1] for line in SEEN.values()])
def test_a_wrong_plug_in_is_one_line_on_screen_and_in_its_log(broken, log, line):
    assert broken.run.code == 1
    assert line in broken.run.output.splitlines()
    assert "Traceback" not in broken.run.output
    assert (broken.folder / log).read_text().splitlines()[0].endswith(line)


def test_what_is_sound_beside_it_is_trained_and_nothing_else(broken):
    made = {path.parent.name for path in (broken.folder / "results/checkpoints").rglob("*.safetensors")}
    assert made == {"sound"}
    assert {path.stem for path in (broken.folder / "results/datasets").glob("*.safetensors")} == {"waves"}


# Config files


@pytest.fixture(scope="module")
def project(fresh, tmp_path_factory):
    return fresh(tmp_path_factory.mktemp("bad") / "project", {})


def _refused(project, *arguments: str) -> str:
    """The last line of a dry run that fails without a traceback."""
    run = project.plan(*arguments)
    assert run.code == 1
    assert "Traceback" not in run.output
    return run.output.splitlines()[-1]


FILES = {
    "measures: {report_pga: {on: {fcnn: {rho: [0.0001, 1e-4]}}}}": (
        "config: measures.report_pga.on.fcnn.rho[1]: got 0.0001 a second time, wanted every rho once"
    ),
    "rho: {report_pga: {fcnn: [0.1]}}": (
        "config: rho: got a key of the old layout, wanted measures.MEASURE.on.POOL.rho"
    ),
    "seeds: 3\nseeds: 4": "study.yaml, line 2, column 1: got 'seeds' a second time, wanted every key once",
    "__use_yte__: true": (
        "study.yaml, line 1, column 1: got __use_yte__, wanted YAML alone: Snakemake would run the code in it"
    ),
}


@pytest.mark.parametrize(("text", "line"), FILES.items())
def test_a_config_file_that_is_wrong_is_one_line(project, text, line):
    (project.folder / "study.yaml").write_text(text)
    assert _refused(project, "--configfile", "study.yaml").endswith(line)


@pytest.mark.fault(fault="--configfile with a YAML error", sees="Snakemake's own two lines, without the place")
def test_a_file_that_is_no_yaml_is_refused_by_snakemake(project):
    (project.folder / "study.yaml").write_text("seeds: [1")
    assert _refused(project, "--configfile", "study.yaml").startswith("Config file is not valid JSON or YAML.")


@pytest.mark.fault(
    fault="--configfile with a file that is not there", sees="Snakemake's own traceback; its last line names it"
)
def test_a_file_that_is_not_there_is_refused_by_snakemake(project):
    run = project.plan("--configfile", "none.yaml")
    assert run.code == 1
    assert run.output.rstrip().splitlines()[-1] == "FileNotFoundError: [Errno 2] No such file or directory: 'none.yaml'"


@pytest.fixture
def main(project):
    """The main config, put back afterwards."""
    path = project.folder / "config/config.yaml"
    text = path.read_text()
    yield path
    path.write_text(text)


def test_a_mistake_in_the_main_config_is_one_line_with_its_place(project, main):
    main.write_text(main.read_text().replace("seeds: 50", "seeds: [50", 1))
    line = _refused(project)
    assert line.startswith("config/config.yaml, line ")
    assert line.endswith(", wanted YAML")


@pytest.mark.fault(
    fault="a main config that would run code", sees="`config/config.yaml, line, column: got __use_yte__, ...`"
)
def test_the_main_config_runs_no_code(project, main):
    code = f"?__import__('os').system('touch {project.folder}/trace')"
    main.write_text(yaml.safe_dump({"__use_yte__": True, "seeds": code}))
    assert ": got __use_yte__, wanted YAML alone" in _refused(project)
    assert not (project.folder / "trace").exists()
