"""Models whose training diverged: they are marked, left out of every number of their pool, and the rest goes on."""

import io
import math

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from adaptive_sharpness import estimates, figures, ladder, page, pools, reliability, tables

RATE = "protocols.report.fcnn.training.rate"
NETWORKS, MEASURES, MODELS = ("fcnn", "gat"), ("report_pga", "worst_case"), 6
RUNGS = {
    name: [
        {"switch": measure, "describes": "", "protocol": "report", "measure": measure, "rho": 0.1}
        for measure in MEASURES
    ]
    for name in NETWORKS
}


def shards(folder, absent: dict = {}, diverged: dict = {}, tied: str | None = None) -> dict[str, list]:  # noqa: B006
    """What jobs of two networks write, by kind; `absent` and `diverged` are seeds by network."""
    folder.mkdir()
    found = {"training": [], "test_losses": [], "sharpness": []}
    for name in NETWORKS:
        draw, seeds = np.random.default_rng(NETWORKS.index(name)), list(range(MODELS))
        kept, lost = [seed for seed in seeds if seed not in absent.get(name, ())], diverged.get(name, ())
        losses, rises = draw.uniform(1, 2, (MODELS, 9)), draw.uniform(1, 2, (MODELS, len(MEASURES), 5))
        losses[list(lost)], rises[list(lost)] = math.inf, math.nan
        if name == tied:
            rises[:] = 1.5
        labels = {"protocol": "report", "architecture": name}
        table = pd.DataFrame({"seed": seeds, "epochs": 3, "test_loss": losses.mean(axis=1), "train_loss": losses[:, 0]})
        table = table.assign(accuracy=0.5, device="cpu", versions="torch 2").loc[kept]
        table.to_csv(folder / f"{name}.csv", index=False)
        save_file({"seeds": np.array(kept), "test_losses": losses[kept]}, folder / f"{name}.safetensors")
        found["training"].append({**labels, "path": folder / f"{name}.csv"})
        found["test_losses"].append({**labels, "path": folder / f"{name}.safetensors"})
        for number, measure in enumerate(MEASURES):
            rows = [(seed, batch, rises[seed, number, batch]) for seed in kept for batch in range(5)]
            measured = pd.DataFrame(rows, columns=["seed", "batch", "sharpness"]).assign(base_loss=1.0, max_loss=2.0)
            measured.assign(device="cpu", versions="torch 2").to_parquet(folder / f"{name}-{measure}.parquet")
            pool = {**labels, "measure": measure, "rho": "0.1", "ball": "ball"}
            found["sharpness"].append({**pool, "path": folder / f"{name}-{measure}.parquet"})
    return found


def made(written: dict[str, list]) -> dict[str, pd.DataFrame]:
    """The tables that follow."""
    runs = tables.runs(written["training"], written["sharpness"])
    trust = estimates.estimates(written["sharpness"])
    tau = tables.tau_table(runs, {}, trust, reliability.read_test_losses(written["test_losses"]))
    cut = pools.pools(runs, MODELS // 2)
    made = {"runs": runs, "estimates": trust, "tau": tau, "ladder": ladder.ladder(runs, RUNGS), "pools": cut}
    return {**made, "prediction": pools.prediction(cut, {"gat": {"tau": 0.1}})}


def shown(found: dict[str, pd.DataFrame], folder) -> str:
    """The page, once every figure has been drawn and saved."""
    tau, runs = (figures.pools(found[name], "report", "report_pga") for name in ("tau", "runs"))
    drawn = {
        "test_loss_vs_sharpness": figures.scatter(runs, tau),
        "tau_vs_rho": figures.tau_against_rho(tau),
        "share_of_best": figures.share_of_best(found["estimates"]),
        "trust": figures.trust(found["tau"]),
        "ladder": figures.ladder(found["ladder"], {}),
    }
    for name, figure in drawn.items():
        figures.save(figure, str(folder / f"{name}.png"), str(folder / f"{name}.svg"))
    entries = [{"name": name, "path": folder / f"{name}.svg"} for name in drawn]
    return page.render(found["tau"], found["estimates"], entries, {}, found["ladder"])


@pytest.mark.fault(
    fault="some or all models diverge, of one network or of all",
    sees="`left_out` in tau.csv, `used` in runs.parquet; where fewer than 3 are left an empty tau and `reason`",
)
@pytest.mark.parametrize(
    ("names", "seeds"),
    [
        pytest.param(["fcnn"], [2], id="one"),
        pytest.param(["fcnn"], [0, 1, 5], id="all but three"),
        pytest.param(["fcnn", "gat"], [0, 1, 2, 5], id="all but two"),
        pytest.param(["fcnn"], list(range(MODELS)), id="a network"),
        pytest.param(list(NETWORKS), list(range(MODELS)), id="all"),
    ],
)
def test_models_that_diverged_are_in_no_number(tmp_path, names, seeds):
    """Each row is that of a study that never had them; where nothing is left, an empty one."""
    lost = dict.fromkeys(names, seeds)
    found = made(shards(tmp_path / "with", diverged=lost))
    page_ = shown(found, tmp_path)
    left = MODELS - len(seeds)
    hit = found["tau"]["architecture"].isin(names)
    assert found["tau"]["n"].tolist() == np.where(hit, left, MODELS).tolist()
    assert found["tau"]["left_out"].tolist() == np.where(hit, len(seeds), 0).tolist()
    assert (~found["runs"]["used"]).sum() == len(names) * len(MEASURES) * len(seeds)
    assert found["tau"]["tau"].isna().tolist() == (hit & (left < 3)).tolist()
    if left < 3:
        reason = f"{left} usable {'model' if left == 1 else 'models'}, wanted at least 3"
        assert set(found["tau"].loc[hit, "reason"]) == {reason}
        assert reason in page_
        assert found["ladder"].loc[found["ladder"]["architecture"].isin(names), "delta_tau"].isna().all()
    if left:
        never = made(shards(tmp_path / "without", absent=lost))
        for name in ("tau", "estimates", "ladder"):
            pd.testing.assert_frame_equal(
                found[name].drop(columns="left_out", errors="ignore"),
                never[name].drop(columns="left_out", errors="ignore"),
            )


@pytest.mark.fault(
    fault="all models of a pool have one sharpness", sees="an empty tau, and `all values of sharpness tie`"
)
@pytest.mark.filterwarnings("error")
def test_models_that_tie_have_no_tau_and_the_page_comes_out(tmp_path):
    found = made(shards(tmp_path / "tied", tied="fcnn"))
    said = shown(found, tmp_path)
    tied = found["tau"]["architecture"] == "fcnn"
    assert found["tau"]["tau"].isna().tolist() == tied.tolist()
    assert set(found["tau"].loc[tied, "reason"]) == {"all values of sharpness tie"}
    assert (found["tau"]["n"] == MODELS).all()
    assert "all values of sharpness tie" in said
    for name in ("ladder", "pools"):
        assert found[name]["tau"].isna().tolist() == (found[name]["architecture"] == "fcnn").tolist()


@pytest.mark.fault(
    fault="training diverges, of one network: a rate of 1e6", sees="a warning a model in its job's log, and the above"
)
def test_a_network_whose_training_diverges_leaves_the_other_as_it_is(study):
    before = pd.read_csv(io.BytesIO(study.read("results/tables/tau.csv")))
    study.configure({RATE: 1e6})
    run = study.snakemake("--cores", "2")
    assert run.code == 0, run.output
    after = pd.read_csv(io.BytesIO(study.read("results/tables/tau.csv")))
    fcnn = after["architecture"] == "fcnn"
    assert after[["n", "left_out"]].to_numpy().tolist() == np.where(fcnn.to_numpy()[:, None], [0, 4], [4, 0]).tolist()
    assert set(after.loc[fcnn, "reason"]) == {"0 usable models, wanted at least 3"}
    of_table = ["p_holm"]  # the correction is over all rows that have a tau
    others = (table.drop(columns=of_table) for table in (after[~fcnn], before[~fcnn]))
    pd.testing.assert_frame_equal(*others, check_dtype=False)  # a column without a text is read as one of numbers
    log = study.read("logs/train/report/fcnn/seeds-000-001.log").decode()
    assert [line.split(" ", 2)[2] for line in log.splitlines() if "diverged" in line] == [
        f"seed {seed} diverged: it counts in no tau" for seed in (0, 1)
    ]
    assert "0 usable models, wanted at least 3" in study.read("results/report.html").decode()
