"""A study whose models are trained by SAM until their loss is low enough, which some do not reach."""

import math

import pandas as pd
import pytest

pytestmark = pytest.mark.slow
FCNN, LOSS = "protocols.report.fcnn", 0.528
CHANGES = {
    "seeds": 6,
    "seeds_per_job": 6,
    **{f"measures.{name}.protocols": [] for name in ("worst_case", "average_case")},
    f"{FCNN}.stacked": 1,
    f"{FCNN}.training.sam": {"rho": 0.05},
    f"{FCNN}.training.stop": {"rule": "loss_below", "loss": LOSS, "max_epochs": 3},
}


@pytest.fixture(scope="module")
def hardened(small, fresh, tmp_path_factory):
    study = fresh(tmp_path_factory.mktemp("hardened") / "project", small)
    study.configure(CHANGES)
    study.run = study.snakemake("--cores", "2")
    assert study.run.code == 0, study.run.output
    return study


def tables(study) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder = study.folder / "results/tables"
    return pd.read_parquet(folder / "runs.parquet"), pd.read_csv(folder / "tau.csv")


def test_only_models_that_reached_the_loss_count_and_the_others_are_counted(hardened):
    runs, tau = tables(hardened)
    asked = runs["pool"] == "fcnn"
    reached = runs.loc[asked, "reached"].astype(bool)
    assert (reached == (runs.loc[asked, "train_loss"] < LOSS)).all()
    assert (runs.loc[asked, "used"] == reached).all()
    assert runs.loc[~asked, "reached"].isna().all()
    assert runs.loc[~asked, "used"].all()
    used = runs[asked].groupby("seed")["used"].all().sum()
    assert 0 < used < 6
    assert set(zip(tau["pool"], tau["n"], tau["left_out"], strict=True)) == {("fcnn", used, 6 - used), ("gat", 6, 0)}
    assert "left out" in (hardened.folder / "results/report.html").read_text()


def test_only_a_pool_with_the_rule_has_a_column_more(hardened):
    place = "results/checkpoints/report/{}/seeds-000-005.csv"
    plain, asked = (pd.read_csv(hardened.folder / place.format(pool)).columns.tolist() for pool in ("gat", "fcnn"))
    of_model = ["seed", "epochs", "train_loss", "test_loss", "accuracy"]
    assert plain == ["protocol", "pool", "setting", *of_model, "device", "versions"]
    assert asked == ["protocol", "pool", "setting", *of_model, "reached", "device", "versions"]


def test_models_that_did_not_reach_it_count_if_the_rule_keeps_them(hardened):
    hardened.configure({f"{FCNN}.training.stop.keep_unreached": True})
    run = hardened.snakemake("--cores", "2")
    assert run.code == 0, run.output
    runs, tau = tables(hardened)
    assert runs["used"].all()
    assert (tau["n"] == 6).all()
    assert not runs.loc[runs["pool"] == "fcnn", "reached"].all()
    assert all(map(math.isfinite, tau["tau"]))
