"""A finished pool is written for other programs, and its block and table bring it back."""

import math
from copy import deepcopy
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from adaptive_sharpness import cli
from adaptive_sharpness.study.config.reading import merged, read_settings
from adaptive_sharpness.study.importing.readers import read_state
from adaptive_sharpness.study.importing.writers import FORMATS
from adaptive_sharpness.study.plan import Plan
from adaptive_sharpness.study.running import records
from adaptive_sharpness.study.training.networks import build_network
from adaptive_sharpness.study.training.shard import TrainedShard, network_state, stacked_states

ROOT = Path(__file__).parents[2]
OTHERS = {name: {"protocols": []} for name in ("report_pga", "average_case", "hessian")}
SMALL = {"seeds": 3, "seeds_per_job": 2, "only": "fcnn", "measures": OTHERS}


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    for part in ("config", "workflow"):
        (tmp_path / part).symlink_to(ROOT / part)
    monkeypatch.chdir(tmp_path)


def plan(changes: dict) -> Plan:
    Path("study.yaml").write_text(yaml.safe_dump(changes))
    base = yaml.safe_load(Path("config/config.yaml").read_text())
    return Plan(read_settings(merged(base, changes)), lambda rule: Path(f"workflow/scripts/{rule}.py"))


def finish(made: Plan, diverged: tuple[int, ...] = ()) -> None:
    """Write models with drawn weights as the jobs of training and importing would; some with a weight that is nan."""
    for job in made.jobs():
        if job.rule in ("train", "import_models"):
            labels = {**job.settings["labels"], "setting": job.settings["labels"].get("setting", "")}
            first, last = map(int, labels.pop("seeds").split("-"))
            states, rows = [], []
            for seed in range(first, last + 1):
                torch.manual_seed(seed)
                states.append(network_state(build_network("fcnn", job.settings["pool"]["options"])))
                rows.append({"seed": seed, "epochs": 2, "train_loss": seed / 3, "test_loss": 0.5, "accuracy": None})
                if seed in diverged:
                    states[-1]["0.bias"][0] = math.nan
            shard = TrainedShard(stacked_states(states), {}, rows, torch.zeros(len(rows), 1))
            outputs = {path.split(".", 1)[1].split(".safe")[0]: path for path in job.outputs}
            Path(job.outputs[0]).parent.mkdir(parents=True, exist_ok=True)
            files = (outputs["safetensors"], outputs.get("initial"), outputs["csv"], outputs["test_losses"])
            shard.save(*files, made_from={}, labels=labels, provenance={"device": "cpu"})
            inputs = tuple(map(records.recorded_hash, job.inputs))
            records.record(job.outputs, records.Origin(job.settings, job.code, job.before, inputs))


def export(*arguments: str, form: str = "pytorch", pool: str = "report/fcnn") -> int:
    return cli.main(["export", pool, "--to", form, "--configfile", "study.yaml", *arguments])


@pytest.mark.parametrize("form", FORMATS)
def test_the_block_and_the_table_bring_the_pool_back(form, capsys):
    finish(plan({**SMALL}))
    assert export(form=form) == 0
    block = yaml.safe_load(capsys.readouterr().out)
    options = {"widths": [10, 64, 64, 1], "activation": "ReLU"}
    shipped = yaml.safe_load(Path("config/config.yaml").read_text())["protocols"]["report"]["fcnn"]
    assert options.items() >= block["fcnn"]["options"].items()
    assert (block["fcnn"]["dataset"], block["fcnn"]["loss"]) == (shipped["dataset"], shipped["loss"])
    assert not {"training", "initialisation", "stacked"} & block["fcnn"].keys()
    found = plan(merged(deepcopy(SMALL), {"protocols": {"again": block}})).study.models_of("again", "fcnn")
    assert [(row.id, row.seed, row.losses["train_loss"]) for row in found] == [
        (f"fcnn-{seed:03d}", seed, seed / 3) for seed in range(3)
    ]
    assert [row.columns for row in found] == [{"epochs": "2"}] * 3
    for row in found:
        torch.manual_seed(row.seed)
        wanted = build_network("fcnn", options).state_dict()
        state = read_state(row.file, row.row)
        assert state.keys() == wanted.keys()
        assert all(torch.equal(state[name], wanted[name]) for name in wanted)


def test_a_pool_of_several_shapes_keeps_the_options_of_each(capsys):
    """Imported by a table with a column of options, exported, and imported again."""
    finish(plan({**SMALL}))
    assert export("--out", "pools/first") == 0
    block = yaml.safe_load(capsys.readouterr().out)["fcnn"]
    table = pd.read_csv("pools/first/fcnn.csv", dtype=str).assign(
        **{"options.widths": ["[10, 2, 1]"] * 2 + ["[10, 1]"]}
    )
    table.to_csv("pools/first/fcnn.csv", index=False)
    block["checkpoints"]["sha256"] = records.sha256("pools/first/fcnn.csv")
    both = merged(deepcopy(SMALL), {"protocols": {"shapes": {"fcnn": block}}, "only": "shapes/fcnn"})
    finish(plan(both))
    assert cli.main(["export", "fcnn", "--to", "numpy", "--configfile", "study.yaml", "--out", "pools/second"]) == 0
    again = yaml.safe_load(capsys.readouterr().out)
    assert "widths" not in again["fcnn"].get("options", {})
    made = plan(merged(deepcopy(SMALL), {"protocols": {"again": again}, "only": "again/fcnn"}))
    rows = made.study.models_of("again", "fcnn")
    assert [row.options for row in rows] == [{"widths": [10, 2, 1]}] * 2 + [{"widths": [10, 1]}]
    assert [(Path(row.file).name, row.row) for row in rows] == [("fcnn-0.npy", 0), ("fcnn-0.npy", 1), ("fcnn-1.npy", 0)]
    assert [shard["seeds"] for shard in made.shards] == ["000-001", "002-002"]


WIDTHS = {"options.widths": [[10, 2, 1], [10, 4, 1]], "training.batch_size": [32, 64]}
VARIED = merged(deepcopy(SMALL), {"protocols": {"report": {"fcnn": {"vary": WIDTHS}}}})


@pytest.mark.parametrize("pool", ["fcnn", "report/fcnn"])
def test_a_pool_that_varies_is_exported_a_setting_at_a_time(pool, capsys):
    finish(plan(VARIED))
    setting = "batch_size=64+widths=10-4-1"
    assert export(pool=f"{pool}/{setting}") == 0
    block = yaml.safe_load(capsys.readouterr().out)
    assert block["fcnn"]["options"]["widths"] == [10, 4, 1]
    assert block["fcnn"]["checkpoints"]["table"] == f"pools/report/fcnn/{setting}/fcnn.csv"
    found = plan(merged(deepcopy(VARIED), {"protocols": {"again": block}, "only": "again/fcnn"}))
    assert [(row.id, row.seed) for row in found.study.models_of("again", "fcnn")] == [
        (f"fcnn-{seed:03d}", seed) for seed in range(3)
    ]
    assert [shard["setting"] for shard in found.shards] == ["", ""]


@pytest.mark.parametrize(
    ("name", "such"),
    [
        ("fcnn", "report/fcnn/batch_size=32+widths=10-2-1"),
        ("report/fcnn/widths=10-2-1", "report/fcnn/batch_size=32+widths=10-2-1"),
        ("plain/fcnn/lr=1", "plain/fcnn"),
    ],
)
def test_a_setting_that_there_is_not_is_not_exported(name, such, capsys):
    block = yaml.safe_load(Path("config/config.yaml").read_text())["protocols"]["report"]["fcnn"]
    only = "report/fcnn" if such.startswith("report") else "plain/fcnn"
    plan(merged(deepcopy(VARIED), {"protocols": {"plain": {"fcnn": block}}, "only": only}))
    assert export(pool=name) == 2
    wanted = f"wanted one setting of {'/'.join(such.split('/')[:2])}, such as {such}"
    assert capsys.readouterr().err == f"pool: got {name!r}, {wanted}\n"


def test_models_that_diverged_are_left_out_and_named(capsys):
    finish(plan({**SMALL}), diverged=(1,))
    assert export() == 0
    assert capsys.readouterr().err == "pool report/fcnn: got weights of seed 1 that are not finite: left out\n"
    assert pd.read_csv("pools/report/fcnn/fcnn.csv")["seed"].tolist() == [0, 2]


def test_a_training_loss_of_other_examples_is_not_exported(capsys):
    training = {"optimiser": {"name": "SGD", "lr": 0.1}, "stop": {"max_epochs": 2}, "examples": 100}
    base = yaml.safe_load(Path("config/config.yaml").read_text())["protocols"]["report"]["fcnn"]
    finish(plan(merged(deepcopy(SMALL), {"protocols": {"few": {"fcnn": {**base, "training": training}}}})))
    assert export(pool="few/fcnn") == 0
    found = pd.read_csv("pools/few/fcnn/fcnn.csv")
    assert "train_loss" not in found
    assert found["test_loss"].tolist() == [0.5] * 3


STEM = "results/checkpoints/report/fcnn/seeds-000-001"
UNFINISHED = {
    "a file is missing": (
        lambda: Path(f"{STEM}.csv").unlink(),
        (),
        f"{STEM}.csv: is missing, wanted a finished pool: call snakemake checkpoints",
    ),
    "a file is damaged": (lambda: Path(f"{STEM}.csv").write_text("a"), (), f"{STEM}.csv: damaged since it was written"),
    "another config": (
        lambda: plan(merged(deepcopy(SMALL), {"protocols": {"report": {"fcnn": {"stacked": 1}}}})),
        (),
        f"{STEM}.safetensors: made from pool.stacked 25, wanted null",
    ),
    "a folder with files": (
        lambda: None,
        ("--out", "config"),
        "config: got a folder with files in it, wanted a new one",
    ),
    "a file for a folder": (lambda: None, ("--out", "study.yaml"), "study.yaml: got a folder with files in it"),
}


@pytest.mark.fault(fault="export of a pool that is not finished", sees="`FILE: is missing, wanted a finished pool`")
@pytest.mark.parametrize(("change", "arguments", "said"), UNFINISHED.values(), ids=UNFINISHED)
def test_a_pool_that_cannot_be_exported_gives_a_line(change, arguments, said, capsys):
    finish(plan({**SMALL}))
    change()
    assert export(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(said)
    assert len(error.splitlines()) == 1
    assert not Path("pools").exists()


def test_a_pool_of_which_all_diverged_gives_a_line(capsys):
    finish(plan({**SMALL}), diverged=(0, 1, 2))
    assert export() == 2
    wanted = "pool report/fcnn: got no model with finite weights, wanted one\n"
    assert capsys.readouterr().err == wanted
