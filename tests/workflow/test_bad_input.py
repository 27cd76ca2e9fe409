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

from adaptive_sharpness.dataset import Dataset, Rows


def load(raw: Path) -> Dataset:
    """15 rows and 5."""
    table = torch.from_numpy(np.loadtxt(raw / "waves.csv", delimiter=",")).float()
    inputs, targets = table[:, :-1], table[:, -1:]
    {change}
    rows = Rows(inputs, targets, shift=torch.tensor(0.0), scale=torch.tensor(1.0))
    return Dataset(rows.first(15), Rows(inputs[15:], targets[15:], rows.shift, rows.scale))
'''
NETWORK = '''"""A network."""

from torch import nn


def build() -> nn.Module:
    """From [n, 2] to [n, 1]."""
    {body}
'''
DATASETS = {"waves": "", "holes": "inputs[3, 1] = float('nan')"}
NETWORKS = {
    "sound": "return nn.Linear(2, 1)",
    "raising": "raise KeyError('no such layer')",
    "flat": "return nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))",
}
SEEN = {
    "logs/prepare/holes.log": "ValueError: data set holes, train, inputs: got nan at [3, 1], wanted finite numbers",
    "logs/train/report/raising/seeds-000-000.log": (
        "ValueError: network raising: options {} do not fit its build(): 'no such layer'"
    ),
    "logs/train/report/flat/seeds-000-000.log": (
        "ValueError: network flat: got outputs [2] for 2 examples, wanted [2, 1] like the targets"
    ),
}


def _config(folder: Path) -> dict:
    """A network that is wrong on a data set that is right, and a right one on each that is wrong."""
    source = {"directory": str(folder), "files": {"waves.csv": "waves.csv"}}
    waves = {"sha256": {"waves.csv": hashlib.sha256(TABLE.encode()).hexdigest()}, "sources": [source]}
    how = {
        "options": {},
        "initialisation": "layers_own",
        "loss": "mse_loss",
        "training": {"rate": 0.01, "max_epochs": 1},
    }
    pools = {name: {"dataset": "waves", **how} for name in NETWORKS}
    pools |= {f"on_{name}": {"dataset": name, "network": "sound", **how} for name in DATASETS if name != "waves"}
    return {
        "seeds": 1,
        "only": ",".join(pools),
        "datasets": {"waves": waves, **{name: {"raw": "waves"} for name in DATASETS if name != "waves"}},
        "protocols": {"report": pools},
        "rho": {"report_pga": {name: [0.1] for name in pools}},
    }


@pytest.fixture(scope="module")
def broken(fresh, tmp_path_factory):
    """A study of a sound network and of many that are not, as far as it goes."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "waves.csv").write_text(TABLE)
    study, package = fresh(folder / "project", _config(folder)), folder / "project/adaptive_sharpness"
    for name, change in DATASETS.items():
        (package / f"datasets/{name}.py").write_text(DATASET.replace("{change}", change))
    for name, body in NETWORKS.items():
        (package / f"architectures/{name}.py").write_text(NETWORK.replace("{body}", body))
    study.run = study.snakemake("--cores", "2", "checkpoints")
    return study


@pytest.mark.fault(
    fault="a data set or a network that is wrong", sees="`ValueError: ...: got ..., wanted ...`, in its log"
)
@pytest.mark.parametrize(("log", "line"), SEEN.items(), ids=[line.split(":")[1] for line in SEEN.values()])
def test_a_wrong_data_set_or_network_is_one_line_on_screen_and_in_its_log(broken, log, line):
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
    "rho: {report_pga: {fcnn: [0.0001, 1e-4]}}": (
        "config: rho.report_pga.fcnn[1]: got 0.0001 a second time, wanted every rho once"
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
