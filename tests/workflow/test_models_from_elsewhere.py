"""A pool is trained, exported in each format, imported and measured again: the same to the bit."""

import io
import subprocess
import sys

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from adaptive_sharpness.study.importing.writers import FORMATS
from adaptive_sharpness.study.running.records import sha256

NETWORK = '''"""A network with convolutions, and with buffers."""

from torch import nn


def build(channels: int = 3) -> nn.Module:
    layers = [nn.Unflatten(1, (1, 2, 5)), nn.Conv2d(1, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * 10, 1))
'''
TRAINED = {
    "dataset": "abalone",
    "options": {"channels": 4},
    "initialisation": "layers_own",
    "loss": "mse_loss",
    "training": {"optimiser": {"name": "SGD", "lr": 0.01}, "stop": {"max_epochs": 1}},
}
TARGET = "results/tables/runs.parquet"
CHECKPOINTS = "results/checkpoints"
pytestmark = pytest.mark.slow


def command(study, *arguments: str) -> subprocess.CompletedProcess:
    """Call adaptive-sharpness in a study's folder."""
    call = [sys.executable, "-m", "adaptive_sharpness.cli", *arguments]
    environment = {"PYTHONPATH": str(study.folder), "PATH": ""}
    return subprocess.run(call, cwd=study.folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def study(raw, fresh, tmp_path_factory):
    """A pool of three models that is trained, and once more as each format brings it back."""
    sources = [{"directory": str(raw("abalone")), "files": {"abalone.data": "abalone.data"}}]
    study = fresh(
        tmp_path_factory.mktemp("imports") / "project",
        {
            "seeds": 3,
            "seeds_per_job": 2,
            "only": "normed",
            "datasets": {"abalone": {"sources": sources}},
            "protocols": {"report": {"normed": TRAINED}},
            "measures": {"worst_case": {"on": {"normed": {"rho": [0.05], "batches": 2, "steps": 3, "seed": "own"}}}},
        },
    )
    (study.folder / "plugins/architectures").mkdir(parents=True, exist_ok=True)
    (study.folder / "plugins/architectures/normed.py").write_text(NETWORK)
    run = study.snakemake("--cores", "2", TARGET)
    assert run.code == 0, run.output
    for form in FORMATS:
        found = command(study, "export", "normed", "--to", form, "--out", f"pools/{form}", "--configfile", "study.yaml")
        assert found.returncode == 0, found.stderr
        study.config["protocols"][form] = yaml.safe_load(found.stdout)
    study.configure({})
    study.run = study.snakemake("--cores", "2", TARGET)
    assert study.run.code == 0, study.run.output
    return study


def test_each_imported_shard_is_a_job_and_is_measured(study):
    assert study.run.jobs == {"import_models": 6, "measure": 6, "runs_table": 1}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("seeds", ["000-001", "002-002"])
def test_states_and_test_losses_come_back_to_the_bit(study, form, seeds):
    for ending in (".safetensors", ".test_losses.safetensors"):
        mine, theirs = (
            load_file(study.folder / f"{CHECKPOINTS}/{protocol}/normed/seeds-{seeds}{ending}")
            for protocol in ("report", form)
        )
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) and mine[key].dtype == theirs[key].dtype for key in mine)


@pytest.mark.parametrize("form", FORMATS)
def test_sharpness_and_losses_come_back_to_the_bit(study, form):
    runs = pd.read_parquet(io.BytesIO(study.read(TARGET)))
    mine, theirs = (runs[runs["protocol"] == name].reset_index(drop=True) for name in ("report", form))
    same = ["seed", "rho", "quantity", "value", "standard_error", "base_loss", "train_loss", "test_loss", "epochs"]
    assert len(mine) == 6
    pd.testing.assert_frame_equal(mine[same], theirs[same], check_exact=True)
    assert theirs["id"].unique().tolist() == ["normed-000", "normed-001", "normed-002"]
    assert mine["id"].isna().all()


def test_a_second_call_has_nothing_to_do(study):
    assert study.plan(TARGET).idle


def test_a_model_that_is_another_one_remakes_its_shard_alone(study, tmp_path):
    copy = study.copy(tmp_path / "project")
    file, table = (copy.folder / f"pools/pytorch/{name}" for name in ("normed-002.pt", "normed.csv"))
    was = sha256(file)
    torch.save({name: value * 2 for name, value in torch.load(file, weights_only=True).items()}, file)
    run = copy.plan(TARGET)
    assert run.jobs == {"import_models": 1, "measure": 1, "runs_table": 1}  # and the job refuses it
    refused = copy.snakemake("--cores", "1", TARGET)
    assert refused.code != 0
    assert f"pools/pytorch/normed-002.pt: got sha256 {sha256(file)}, wanted {was}" in refused.output
    lines = table.read_text().replace(was, sha256(file)).splitlines()
    header = lines[0].split(",")
    lines[3] = ",".join("" if "loss" in key else cell for key, cell in zip(header, lines[3].split(","), strict=True))
    table.write_text("\n".join(lines) + "\n")
    stale = copy.plan(TARGET)
    assert stale.code != 0
    assert f"pools/pytorch/normed.csv: got sha256 {sha256(table)}, wanted" in stale.output
    copy.configure({"protocols.pytorch.normed.checkpoints.sha256": sha256(table)})
    assert copy.plan(TARGET).jobs == {"import_models": 1, "measure": 1, "runs_table": 1}
    done = copy.snakemake("--cores", "1", TARGET)
    assert done.code == 0, done.output
    assert copy.plan(TARGET).idle


def test_what_was_imported_can_be_exported_again(study):
    found = command(
        study, "export", "numpy/normed", "--to", "pytorch", "--out", "pools/again", "--configfile", "study.yaml"
    )
    assert found.returncode == 0, found.stderr
    first, again = (study.folder / f"pools/{name}" for name in ("pytorch", "again"))
    tables = [pd.read_csv(folder / "normed.csv") for folder in (first, again)]
    columns = ["id", "seed", "train_loss", "test_loss", "epochs"]
    pd.testing.assert_frame_equal(tables[0][columns], tables[1][columns], check_exact=True)
    for path in tables[0]["path"]:
        mine, theirs = (torch.load(folder / path, weights_only=True) for folder in (first, again))
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_a_pool_is_not_exported_unless_it_is_finished_and_current(study, tmp_path):
    export = ("export", "report/normed", "--to", "numpy", "--out", "pools/new", "--configfile", "study.yaml")
    copy = study.copy(tmp_path / "project")
    where = copy.folder / CHECKPOINTS / "report/normed/seeds-000-001.csv"
    where.write_text(where.read_text().replace("cpu", "gpu"))
    assert "damaged since it was written" in command(copy, *export).stderr
    where.unlink()
    assert "seeds-000-001.csv: is missing, wanted a finished pool" in command(copy, *export).stderr
    copy.configure({"protocols.report.normed.training.stop.max_epochs": 2})
    assert "made from pool.training.stop.max_epochs 1, wanted 2" in command(copy, *export).stderr
    assert not (copy.folder / "pools/new").exists()
