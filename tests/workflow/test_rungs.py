"""The ladder from the released notebooks to a reference, as shipped but for the number of models and of batches."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from scipy import stats

SHIPPED = yaml.safe_load((Path(__file__).parents[2] / "studies/hammoud2023/ladder.yaml").read_text())
POOLS = ("fcnn", "gat")
pytestmark = pytest.mark.slow
MINI = {
    "pathvars.results": "results/ladder",
    "seeds": 3,
    "seeds_per_job": 3,
    "only": ",".join(POOLS),
    "replicates.size": 3,
    **{f"measures.{name}.batches": 4 for name in ("own_batches", "report_pga", "with_origin", "notebook_rate")},
    **{f"measures.worst_case.on.{name}.batches": 4 for name in POOLS},
}


@pytest.fixture(scope="module")
def climbed(small, fresh, tmp_path_factory):
    study = fresh(tmp_path_factory.mktemp("ladder") / "project", SHIPPED)
    study.configure({**MINI, **{f"datasets.{name}": block for name, block in small["datasets"].items()}})
    run = study.snakemake("--cores", "2")
    assert run.code == 0, run.output
    return study


def table(study, name: str) -> pd.DataFrame:
    path = study.folder / f"results/ladder/tables/{name}"
    return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)


def test_every_rung_of_the_config_is_there_in_order(climbed):
    wanted = [(name, rung["switch"]) for name in SHIPPED["ladder"] if name in POOLS for rung in SHIPPED["ladder"][name]]
    ladder = table(climbed, "ladder.csv")
    assert sorted(zip(ladder["pool"], ladder["switch"], strict=True)) == sorted(wanted)
    for name in POOLS:
        rungs = ladder[ladder["pool"] == name]
        assert rungs["switch"].tolist() == [rung["switch"] for rung in SHIPPED["ladder"][name]]
    assert (ladder["n"] == 3).all()


def test_each_rung_has_the_tau_of_its_models(climbed):
    runs = table(climbed, "runs.parquet").query("headline")
    for rung in table(climbed, "ladder.csv").itertuples():
        models = runs.query("pool == @rung.pool and protocol == @rung.protocol and measure == @rung.measure")
        assert rung.tau == pytest.approx(stats.kendalltau(models["value"], models["test_loss"]).statistic)


def test_rungs_of_one_protocol_measure_the_same_models(climbed):
    runs = table(climbed, "runs.parquet")
    assert (runs.groupby(["protocol", "pool", "seed"])["test_loss"].nunique() == 1).all()


def test_each_switch_that_trains_otherwise_gives_other_models(climbed):
    """No pool is the one before under another name; but the stop rule leaves most models as they are."""
    runs = table(climbed, "runs.parquet").query("protocol != 'report'")
    runs = runs.drop_duplicates(["protocol", "pool", "seed"])
    for _, models in runs.groupby("pool"):
        pools = models.pivot(index="seed", columns="protocol", values="test_loss")
        assert not pools.T.duplicated().any()


def test_each_switch_that_measures_otherwise_gives_other_numbers(climbed):
    """But for the origin, which counts only where no step finds more, and for model 0, whose seed is the study's."""
    runs = table(climbed, "runs.parquet").query("headline and measure != 'with_origin' and seed != 0")
    for _, models in runs.groupby(["protocol", "pool", "seed"]):
        assert models["value"].nunique() == len(models)


def test_the_released_pool_is_cut_into_replicates(climbed):
    replicates = table(climbed, "replicates.csv")
    assert replicates[["pool", "replicate", "n"]].to_numpy().tolist() == [["fcnn", 0, 3], ["gat", 0, 3]]
    assert (table(climbed, "prediction.csv")["replicates"] <= 1).all()


def test_the_page_shows_the_ladder(climbed):
    page = climbed.read("results/ladder/report.html").decode()
    for name in POOLS:
        assert all(rung["switch"] in page for rung in SHIPPED["ladder"][name])


def test_a_switch_is_turned_from_the_command_line_and_remakes_its_pool_alone(climbed):
    plan = climbed.plan("--config", "protocols={released: {gat: {training: {stop: {min_epochs: 10}}}}}")
    assert plan.code == 0, plan.output
    assert (plan.jobs["train"], plan.jobs["measure"]) == (1, 6)
