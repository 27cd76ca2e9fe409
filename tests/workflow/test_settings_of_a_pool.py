"""A pool whose settings vary, for real: what a level more, a level less and another order do, and whose bits."""

import pandas as pd
import pytest
from safetensors.numpy import load_file

pytestmark = pytest.mark.slow
LR, WIDTHS = "training.optimiser.lr", "options.widths"
POOL = "protocols.report.fcnn"
TWO = {WIDTHS: [[10, 4, 1], [10, 8, 1]], LR: {"times": [1, 3]}}
MEASURES = {
    "worst_case": {"on": {"fcnn": {"rho": [0.025], "batches": 2, "steps": 2, "restarts": 0}}},
    "hessian": {"batches": 2, "vectors": 2},
}
TABLES = {"runs_table": 1, "estimates_table": 1, "tau_table": 1, "metrics": 1, "report": 1}


@pytest.fixture(scope="module")
def study(small, fresh, tmp_path_factory):
    config = {"only": "fcnn", "seeds": 3, "seeds_per_job": 3, "datasets": small["datasets"], "measures": MEASURES}
    study = fresh(tmp_path_factory.mktemp("vary") / "project", config)
    none = {f"measures.{name}.protocols": [] for name in ("report_pga", "average_case")}
    block = {f"{POOL}.vary": TWO, f"{POOL}.stacked": 1, f"{POOL}.training.stop.max_epochs": 2}
    study.configure({**none, **block})
    study.run = study.snakemake("--cores", "2")
    assert study.run.code == 0, study.run.output
    return study


def test_every_setting_is_trained_and_measured_with_every_seed(study):
    assert study.run.jobs == {"fetch": 1, "prepare": 1, "train": 4, "measure": 8, **TABLES}
    runs = pd.read_parquet(study.folder / "results/tables/runs.parquet")
    assert runs.groupby(["lr_times", "widths", "measure", "quantity"])["seed"].nunique().eq(3).all()
    assert set(runs["widths"]) == {"10-4-1", "10-8-1"}
    assert set(runs["lr_times"]) == {1, 3}


def test_the_table_of_taus_has_those_within_and_between_settings(study):
    tau = pd.read_csv(study.folder / "results/tables/tau.csv")
    assert (tau["settings"] == 4).all()
    assert tau[["tau", "tau_within", "tau_between"]].notna().all(axis=None)


def test_a_setting_is_the_pool_that_has_its_values(study, tmp_path):
    """To the bit, and without what the other settings are."""
    stem = "checkpoints/report/fcnn{}/seeds-000-002.safetensors"
    varied = study.folder / "results" / stem.format("/lr_times=3+widths=10-8-1")
    alone = study.copy(tmp_path / "project")
    rate = {f"{POOL}.vary": {}, f"{POOL}.{LR}": 3 * 0.014, f"{POOL}.{WIDTHS}": [10, 8, 1]}
    alone.configure({**rate, "pathvars.results": "results/alone"})
    target = f"results/alone/{stem.format('')}"
    run = alone.snakemake("--cores", "1", target)
    assert run.code == 0, run.output
    first, second = load_file(varied), load_file(alone.folder / target)
    assert first.keys() == second.keys()
    assert all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize(
    ("vary", "jobs"),
    [
        ({LR: {"times": [3, 1.0]}, WIDTHS: TWO[WIDTHS][::-1]}, {}),
        ({**TWO, LR: {"times": [1]}}, TABLES),
        ({**TWO, LR: {"times": [1, 3, 0.3]}}, {"train": 2, "measure": 4, **TABLES}),
    ],
    ids=["another order", "a level less", "a level more"],
)
def test_a_change_does_what_is_new_alone(study, vary, jobs):
    study.configure({f"{POOL}.vary": vary})
    run = study.plan()
    study.configure({f"{POOL}.vary": TWO})
    assert run.idle if not jobs else run.jobs == jobs, run.output
