"""A small study of real data, from nothing to its page; and once more, to the bit."""

import io
import math
import re

import pandas as pd
import pytest
from scipy import stats

GRIDS = {
    "fcnn": {"report_pga": [0.005, 0.025], "worst_case": [0.025], "average_case": [0.1], "hessian": [math.nan]},
    "gat": {"report_pga": [0.004, 0.02], "worst_case": [0.02], "average_case": [0.2]},
}
QUANTITIES = {  # of each measure, the headline first
    "report_pga": ["sharpness", "first_order"],
    "worst_case": ["sharpness", "first_order"],
    "average_case": ["sharpness"],
    "hessian": ["lambda_max", "trace"],
}
# A config file that is written by a program has its keys sorted, and tables keep its order.
MEASUREMENTS = [(name, measure, rho) for name in GRIDS for measure, grid in sorted(GRIDS[name].items()) for rho in grid]
SCATTERS = [f"report/{name}/test_loss_vs_sharpness" for name in ("report_pga", "worst_case", "average_case", "hessian")]
CURVES = [f"report/{name}/tau_vs_rho" for name in ("report_pga", "worst_case", "average_case")]
COLUMNS = ["pool", "measure", "rho", "quantity"]
FIGURES = [f"results/figures/{name}" for name in (*SCATTERS, *CURVES, "report/share_of_best", "report/trust")]
TAUS = [(*each, quantity) for each in MEASUREMENTS for quantity in QUANTITIES[each[1]]]


@pytest.fixture(scope="module")
def tau(finished) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(finished.read("results/tables/tau.csv")))


@pytest.fixture(scope="module")
def runs(finished) -> pd.DataFrame:
    return pd.read_parquet(finished.folder / "results/tables/runs.parquet")


def test_the_study_runs_each_job_once(finished):
    wanted = {"fetch": 2, "prepare": 2, "train": 4, "measure": 18, "runs_table": 1, "tau_table": 1}
    wanted |= {"estimates_table": 1, "report": 1, "metrics": 1}
    assert finished.run.jobs == wanted
    assert sum(finished.run.jobs.values()) + 1 == finished.run.output.count("Finished jobid")


def test_the_tau_table_has_a_row_for_every_radius_and_quantity(tau):
    pd.testing.assert_frame_equal(tau[COLUMNS], pd.DataFrame(TAUS, columns=COLUMNS))
    assert tau["headline"].tolist() == [quantity == QUANTITIES[measure][0] for _, measure, _, quantity in TAUS]
    assert (tau["n"] == 4).all()
    published = tau[tau["published_tau"].notna()]
    assert published[["measure", "rho", "published_tau"]].to_numpy().tolist() == [
        ["report_pga", 0.025, -0.311],
        ["worst_case", 0.025, -0.311],
        ["report_pga", 0.02, -0.185],
        ["worst_case", 0.02, -0.185],
    ]


def test_the_runs_table_has_a_row_for_every_model_at_every_radius_and_quantity(runs):
    rows = [(*each, quantity, seed) for each in MEASUREMENTS for seed in range(4) for quantity in QUANTITIES[each[1]]]
    pd.testing.assert_frame_equal(runs[[*COLUMNS, "seed"]], pd.DataFrame(rows, columns=[*COLUMNS, "seed"]))


def test_tau_is_that_of_the_runs(tau, runs):
    for row, (_, models) in zip(tau.itertuples(), runs.groupby(COLUMNS, sort=False, dropna=False), strict=True):
        assert row.tau == pytest.approx(stats.kendalltau(models["value"], models["test_loss"]).statistic)
        assert row.value_mean == pytest.approx(models["value"].mean())


def test_every_row_says_where_and_with_what_it_was_computed(runs):
    for column in ("device", "train_device"):
        assert (runs[column] == "cpu").all()
    for column in ("versions", "train_versions"):
        assert runs[column].str.contains(r"python 3.*torch \d").all()


def test_a_network_has_learnt_something(runs):
    """Standardised rings have variance 1, and guessing the largest class is right for 30 % of Cora."""
    fcnn, gat = (runs[runs["pool"] == name] for name in ("fcnn", "gat"))
    assert (fcnn["test_loss"] < 0.7).all()
    assert fcnn["accuracy"].isna().all()
    assert (gat["accuracy"] > 0.45).all()


def test_a_larger_ball_holds_a_higher_loss(runs):
    """The ascent is the same on two radii until the first projection; on these data it fills both balls."""
    for _, models in runs[runs["headline"] & (runs["measure"] == "report_pga")].groupby(["pool", "seed"]):
        small, large = models.sort_values("rho")["value"]
        assert 0 < small < large


@pytest.mark.parametrize("figure", FIGURES)
def test_the_figures_are_there_for_print_and_screen(finished, figure):
    assert finished.read(f"{figure}.pdf").startswith(b"%PDF")
    assert b"</svg>" in finished.read(f"{figure}.svg")


def test_there_is_no_other_figure(finished):
    made = {path for path in written(finished, ["results/figures"]) if not path.endswith(".sha256")}
    assert made == {f"{figure}.{ending}" for figure in FIGURES for ending in ("svg", "pdf")}


def test_the_worst_case_is_at_least_what_the_report_found_and_says_how_near_it_came(finished, runs):
    estimates = pd.read_csv(io.BytesIO(finished.read("results/tables/estimates.csv")))
    pd.testing.assert_frame_equal(estimates[COLUMNS], pd.DataFrame(TAUS, columns=COLUMNS))
    assert (estimates["models"] == 4).all()
    assert (estimates["batches"] == 4).all()
    compared = estimates[estimates["rho"].isin([0.025, 0.02]) & (estimates["quantity"] == "sharpness")].set_index(
        ["pool", "measure"]
    )
    assert estimates["share_of_best"].notna().sum() == len(compared) == 4
    for name in ("fcnn", "gat"):
        assert compared.loc[(name, "report_pga"), "share_of_best"] < compared.loc[(name, "worst_case"), "share_of_best"]
        assert compared.loc[(name, "worst_case"), "worst_share"] > 0.99
    assert (runs.loc[runs["headline"] & (runs["measure"] == "worst_case"), "value"] > 0).all()


def test_the_page_holds_every_tau_and_all_figures(finished, tau):
    html = finished.read("results/report.html").decode()
    cells = re.findall(r"<td>([^<]*)</td>", html)
    for row in tau.itertuples():
        assert f"{row.tau:+.3f}".replace("-", "\N{MINUS SIGN}") in cells
    assert len(re.findall(r'<img src="data:image/svg\+xml;base64,', html)) == len(FIGURES)


def test_every_job_leaves_its_log(finished):
    made = [path for path in finished.run.outputs if path.startswith("results/sharpness")]
    for path in made:
        log = path.replace("results/sharpness", "logs/measure").replace(".parquet", ".log")
        assert len(re.findall(r"seed \d+ mean", finished.read(log).decode())) == 2
    assert len(made) == 18
    assert re.search(r"seed 3 epoch 2 training loss", finished.read("logs/train/report/gat/seeds-002-003.log").decode())


def test_a_second_call_has_nothing_to_do(finished):
    assert finished.plan().idle


@pytest.mark.slow
def test_once_more_from_nothing_in_another_order_gives_the_same_bytes(finished, again):
    computed = [path for path in finished.run.outputs if path.startswith("results/sharpness")]
    assert computed != [path for path in again.run.outputs if path.startswith("results/sharpness")]
    paths = written(finished, [path for path in finished.run.outputs if path.startswith("results/")])
    assert {"results/tables/tau.csv", "results/tables/runs.parquet", "results/report.html"} <= set(paths)
    assert {f"{figure}.pdf" for figure in FIGURES} <= set(paths)
    assert [path for path in paths if lasting(finished.read(path)) != lasting(again.read(path))] == []


def written(study, outputs: list[str]) -> list[str]:
    """The files that jobs wrote, those of folders among them."""
    within = [study.folder / path for path in outputs]
    files = [file for path in within for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    return [str(file.relative_to(study.folder)) for file in files if file.is_file() and file.name[0] != "."]


def lasting(content: bytes) -> bytes:
    """All but the time that the jobs took, which the page tells and which no two runs share."""
    return re.sub(rb"<dt>(Wall time|Computing)</dt><dd>\d+ h \d+ min \d+ s", b"", content)
