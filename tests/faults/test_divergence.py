"""Models whose training diverged: they are marked, left out of every number of their pool, and the rest goes on."""

import io
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from adaptive_sharpness.study.report.drawings import draw_figures, save_drawings
from adaptive_sharpness.study.report.page import render_page
from adaptive_sharpness.study.report.tables import Tables
from adaptive_sharpness.study.tables.estimates import estimates_table
from adaptive_sharpness.study.tables.ladder import ladder_table
from adaptive_sharpness.study.tables.replicates import prediction_table, replicates_table
from adaptive_sharpness.study.tables.runs import runs_table
from adaptive_sharpness.study.tables.tau import read_test_losses, statistic_columns, tau_table

RATE = "protocols.report.fcnn.training.optimiser.lr"
POOLS, MEASURES, MODELS = ("fcnn", "gat"), ("report_pga", "worst_case"), 6
BALLS = {name: [list(MEASURES)] for name in POOLS}
RUNGS = {
    name: [
        {"switch": measure, "describes": "", "protocol": "report", "measure": measure, "rho": 0.1}
        for measure in MEASURES
    ]
    for name in POOLS
}
WHERE = {"device": "cpu", "versions": "torch 2"}
NOTHING: dict[str, list[int]] = {}


def shards(
    folder: Path,
    absent: dict[str, list[int]] = NOTHING,
    diverged: dict[str, list[int]] = NOTHING,
    tied: str = "",
    headline: str = "sharpness",
) -> dict[str, list[Path]]:
    """What jobs of two pools write, by kind; `absent` and `diverged` are seeds by pool, `headline` is a quantity."""
    folder.mkdir()
    found = {"training": [], "test_losses": [], "sharpness": []}
    for name in POOLS:
        draw, seeds = np.random.default_rng(POOLS.index(name)), list(range(MODELS))
        kept, lost = [seed for seed in seeds if seed not in absent.get(name, ())], diverged.get(name, ())
        losses, rises = draw.uniform(1, 2, (MODELS, 9)), draw.uniform(1, 2, (MODELS, len(MEASURES), 5))
        losses[list(lost)], rises[list(lost)] = math.inf, math.nan
        if name == tied:
            rises[:] = 1.5
        labels = {"protocol": "report", "pool": name, "setting": ""}
        table = pd.DataFrame({"seed": seeds, "epochs": 3, "test_loss": losses.mean(axis=1), "train_loss": losses[:, 0]})
        table = table.assign(accuracy=0.5, **labels, **WHERE).loc[kept]
        table.to_csv(folder / f"{name}.csv", index=False)
        stored = {"seeds": np.array(kept), "test_losses": losses[kept]}
        save_file(stored, folder / f"{name}.safetensors", {"labels": json.dumps(labels)})
        found["training"].append(folder / f"{name}.csv")
        found["test_losses"].append(folder / f"{name}.safetensors")
        for number, measure in enumerate(MEASURES):
            path = folder / f"{name}-{measure}.parquet"
            rows = [measured(seed, rises[seed, number], headline) for seed in kept]
            pd.concat(rows).assign(**labels, measure=measure, rho=0.1, **WHERE).to_parquet(path, index=False)
            found["sharpness"].append(path)
    return found


def measured(seed: int, rises: np.ndarray, headline: str) -> pd.DataFrame:
    """The rows of a model, a batch each; of one that diverged no quantity is known."""
    found = pd.DataFrame({"seed": seed, "batch": range(len(rises)), "quantity": headline, "headline": True})
    found = found.assign(value=rises, base_loss=1.0, max_loss=2.0)
    return found.assign(quantity=None, base_loss=math.nan, max_loss=math.nan) if np.isnan(rises).any() else found


def made(written: dict[str, list[Path]]) -> dict[str, pd.DataFrame]:
    """The tables that follow."""
    runs = runs_table(written["training"], written["sharpness"])
    trust = estimates_table(written["sharpness"], BALLS)
    tau = tau_table(runs, {}, trust, read_test_losses(written["test_losses"]))
    cut = replicates_table(runs, MODELS // 2)
    made = {"runs": runs, "estimates": trust, "tau": tau, "ladder": ladder_table(runs, RUNGS), "replicates": cut}
    return {**made, "prediction": prediction_table(cut, {"gat": {"tau": 0.1}})}


def shown(found: dict[str, pd.DataFrame], folder: Path) -> str:
    """The page, once every figure has been drawn and saved, of a study without a ladder and of one with."""
    tables = [found[name] for name in ("runs", "tau", "estimates")]
    pages = []
    for place, each in (("plain", Tables(*tables)), ("ladder", Tables(*tables, found["ladder"]))):
        drawings = draw_figures(each)
        save_drawings(drawings, folder / place)
        assert {"plain": "tau_vs_rho", "ladder": "ladder"}[place] in {drawing.name for drawing in drawings}
        pages.append(render_page(each, statistic_columns(), drawings, folder / place, {}))
    return "\n".join(pages)


@pytest.mark.fault(
    fault="some or all models diverge, of one pool or of all",
    sees="`left_out` in tau.csv, `used` in runs.parquet; where fewer than 3 are left an empty tau and `reason`",
)
@pytest.mark.parametrize(
    ("names", "seeds"),
    [
        pytest.param(["fcnn"], [2], id="one"),
        pytest.param(["fcnn"], [0, 1, 5], id="all but three"),
        pytest.param(["fcnn", "gat"], [0, 1, 2, 5], id="all but two"),
        pytest.param(["fcnn"], list(range(MODELS)), id="a pool"),
        pytest.param(list(POOLS), list(range(MODELS)), id="all"),
    ],
)
def test_models_that_diverged_are_in_no_number(tmp_path, names, seeds):
    """Each row is that of a study that never had them; where nothing is left, an empty one."""
    lost = dict.fromkeys(names, seeds)
    found = made(shards(tmp_path / "with", diverged=lost))
    page_ = shown(found, tmp_path)
    left = MODELS - len(seeds)
    hit = found["tau"]["pool"].isin(names)
    assert found["tau"]["n"].tolist() == np.where(hit, left, MODELS).tolist()
    assert found["tau"]["left_out"].tolist() == np.where(hit, len(seeds), 0).tolist()
    assert (~found["runs"]["used"]).sum() == len(names) * len(MEASURES) * len(seeds)
    assert found["tau"]["tau"].isna().tolist() == (hit & (left < 3)).tolist()
    if left < 3:
        reason = f"{left} usable {'model' if left == 1 else 'models'}, wanted at least 3"
        assert set(found["tau"].loc[hit, "reason"]) == {reason}
        assert reason in page_
        assert found["ladder"].loc[found["ladder"]["pool"].isin(names), "delta_tau"].isna().all()
    if left:
        never = made(shards(tmp_path / "without", absent=lost))
        for name in ("tau", "estimates", "ladder"):
            pd.testing.assert_frame_equal(
                found[name].drop(columns="left_out", errors="ignore"),
                never[name].drop(columns="left_out", errors="ignore"),
            )


@pytest.mark.parametrize("seeds", [[2], list(range(MODELS))])
def test_models_that_diverged_are_in_the_rows_of_a_headline_of_any_name(tmp_path, seeds):
    """It is known from the other models, or else from the other pool."""
    found = made(shards(tmp_path / "with", diverged={"fcnn": seeds}, headline="lambda_max"))
    assert found["tau"]["quantity"].tolist() == ["lambda_max"] * 4
    assert found["tau"]["left_out"].tolist() == [len(seeds)] * 2 + [0] * 2


@pytest.mark.fault(
    fault="all models of a pool have one sharpness", sees="an empty tau, and `all values of sharpness tie`"
)
@pytest.mark.filterwarnings("error")
def test_models_that_tie_have_no_tau_and_the_page_comes_out(tmp_path):
    found = made(shards(tmp_path / "tied", tied="fcnn"))
    said = shown(found, tmp_path)
    tied = found["tau"]["pool"] == "fcnn"
    assert found["tau"]["tau"].isna().tolist() == tied.tolist()
    assert set(found["tau"].loc[tied, "reason"]) == {"all values of sharpness tie"}
    assert (found["tau"]["n"] == MODELS).all()
    assert "all values of sharpness tie" in said
    for name in ("ladder", "replicates"):
        assert found[name]["tau"].isna().tolist() == (found[name]["pool"] == "fcnn").tolist()


@pytest.mark.slow
@pytest.mark.fault(
    fault="training diverges, of one pool: a rate of 1e6", sees="a warning a model in its job's log, and the above"
)
def test_a_pool_whose_training_diverges_leaves_the_other_as_it_is(study):
    before = pd.read_csv(io.BytesIO(study.read("results/tables/tau.csv")))
    study.configure({RATE: 1e6})
    run = study.snakemake("--cores", "2")
    assert run.code == 0, run.output
    after = pd.read_csv(io.BytesIO(study.read("results/tables/tau.csv")))
    fcnn = after["pool"] == "fcnn"
    assert after[["n", "left_out"]].to_numpy().tolist() == np.where(fcnn.to_numpy()[:, None], [0, 4], [4, 0]).tolist()
    assert set(after.loc[fcnn, "reason"]) == {"0 usable models, wanted at least 3"}
    lost = before["pool"] == "fcnn"
    way = ["measure", "rho"]  # of a pool of which nothing is known no quantity is known but the headline
    wanted = before.loc[lost & before["headline"], way]
    pd.testing.assert_frame_equal(after.loc[fcnn, way].reset_index(drop=True), wanted.reset_index(drop=True))
    of_table = ["p_holm"]  # the correction is over all rows that have a tau
    others = (table.drop(columns=of_table).reset_index(drop=True) for table in (after[~fcnn], before[~lost]))
    pd.testing.assert_frame_equal(*others, check_dtype=False)  # a column without a text is read as one of numbers
    log = study.read("logs/train/report/fcnn/seeds-000-001.log").decode()
    assert [line.split(" ", 2)[2] for line in log.splitlines() if "diverged" in line] == [
        f"seed {seed} diverged: it counts in no tau" for seed in (0, 1)
    ]
    assert "0 usable models, wanted at least 3" in study.read("results/report.html").decode()
