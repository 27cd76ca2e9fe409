"""A small study of real data, from nothing to its page; and once more, to the bit."""

import io
import re

import pandas as pd
import pytest
from scipy import stats

GRIDS = {"fcnn": [0.005, 0.025], "gat": [0.004, 0.02]}
FIGURES = [f"results/figures/report/report_pga/{name}" for name in ("test_loss_vs_sharpness", "tau_vs_rho")]


@pytest.fixture(scope="module")
def tau(finished) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(finished.read("results/tables/tau.csv")))


@pytest.fixture(scope="module")
def runs(finished) -> pd.DataFrame:
    return pd.read_parquet(finished.folder / "results/tables/runs.parquet")


def test_the_study_runs_each_job_once(finished):
    wanted = {"fetch": 2, "prepare": 2, "train": 4, "measure": 8, "runs_table": 1, "tau_table": 1}
    assert finished.run.jobs == wanted | {"scatter_figure": 1, "tau_figure": 1, "page": 1}
    assert sum(finished.run.jobs.values()) + 1 == finished.run.output.count("Finished jobid")


def test_the_tau_table_has_a_row_for_every_radius(tau):
    rows = [(name, rho) for name, grid in GRIDS.items() for rho in grid]
    assert list(zip(tau["architecture"], tau["rho"], strict=True)) == rows
    assert (tau["n"] == 4).all()
    assert tau["published_tau"].tolist()[1::2] == [-0.311, -0.185]
    assert tau["published_tau"].isna().tolist() == [True, False, True, False]


def test_the_runs_table_has_a_row_for_every_model_at_every_radius(runs):
    rows = [(name, rho, seed) for name, grid in GRIDS.items() for rho in grid for seed in range(4)]
    assert list(zip(runs["architecture"], runs["rho"], runs["seed"], strict=True)) == rows


def test_tau_is_that_of_the_runs(tau, runs):
    for row, (_, models) in zip(tau.itertuples(), runs.groupby(["architecture", "rho"], sort=False), strict=True):
        assert row.tau == pytest.approx(stats.kendalltau(models["sharpness"], models["test_loss"]).statistic)
        assert row.sharpness_mean == pytest.approx(models["sharpness"].mean())


def test_every_row_says_where_and_with_what_it_was_computed(runs):
    for column in ("device", "train_device"):
        assert (runs[column] == "cpu").all()
    for column in ("versions", "train_versions"):
        assert runs[column].str.contains(r"python 3.*torch \d").all()


def test_a_network_has_learnt_something(runs):
    """Standardised rings have variance 1, and guessing the largest class is right for 30 % of Cora."""
    fcnn, gat = (runs[runs["architecture"] == name] for name in ("fcnn", "gat"))
    assert (fcnn["test_loss"] < 0.7).all()
    assert fcnn["accuracy"].isna().all()
    assert (gat["accuracy"] > 0.45).all()


def test_a_larger_ball_holds_a_higher_loss(runs):
    """The ascent is the same on two radii until the first projection; on these data it fills both balls."""
    for _, models in runs.groupby(["architecture", "seed"]):
        small, large = models.sort_values("rho")["sharpness"]
        assert 0 < small < large


@pytest.mark.parametrize("figure", FIGURES)
def test_the_figures_are_there_for_print_and_screen(finished, figure):
    assert finished.read(f"{figure}.png").startswith(b"\x89PNG")
    assert b"</svg>" in finished.read(f"{figure}.svg")


def test_the_page_holds_every_tau_and_both_figures(finished, tau):
    html = finished.read("results/report.html").decode()
    cells = re.findall(r"<td>([^<]*)</td>", html)
    for row in tau.itertuples():
        assert f"{row.tau:+.3f}" in cells
    assert len(re.findall(r'<img src="data:image/svg\+xml;base64,', html)) == len(FIGURES)


def test_every_job_leaves_its_log(finished):
    made = [path for path in finished.run.outputs if path.startswith("results/sharpness")]
    for path in made:
        log = path.replace("results/sharpness", "logs/measure").replace(".parquet", ".log")
        assert len(re.findall(r"seed \d+ sharpness", finished.read(log).decode())) == 2
    assert len(made) == 8
    assert re.search(r"seed 3 epoch 2 training loss", finished.read("logs/train/report/gat/seeds-002-003.log").decode())


def test_a_second_call_has_nothing_to_do(finished):
    assert finished.plan().idle


def test_once_more_from_nothing_in_another_order_gives_the_same_bytes(finished, again):
    computed = [path for path in finished.run.outputs if path.startswith("results/sharpness")]
    assert computed != [path for path in again.run.outputs if path.startswith("results/sharpness")]
    paths = [path for path in finished.run.outputs if path.startswith("results/")]
    assert {"results/tables/tau.csv", "results/tables/runs.parquet", "results/report.html"} <= set(paths)
    assert [path for path in paths if finished.read(path) != again.read(path)] == []
