"""The job that draws the figures and writes the page, with figures and statistics of the user's own."""

import math

import numpy as np
import pandas as pd
import pytest

from adaptive_sharpness.study.report.stage import report
from adaptive_sharpness.study.running.job import Here

LABELS = {"protocol": "report", "pool": "fcnn", "measure": "pga", "rho": 0.1, "quantity": "sharpness"}
FIGURE = '''"""Mine alone."""

from matplotlib.figure import Figure


def draw(tables):
    return {"report": Figure()}
'''
STATISTIC = """
from adaptive_sharpness.study.tables.columns import Column

COLUMNS = (Column("mine", "What is mine.", heading="my number"),)


def mine(comparisons):
    return [{"mine": 0.5} for _ in comparisons]
"""
RUNG = {"pool": "fcnn", "rung": 0, "switch": "none", "describes": "as it was", "protocol": "report", "measure": "pga"}
RUNG |= {"tau": 0.3, "tau_low": 0.1, "tau_high": 0.5, "delta_tau": math.nan, "delta_low": math.nan}
RUNG |= {"delta_high": math.nan, "rho": 0.1, "sharpness_mean": 1.0, "test_loss_mean": 2.0}


@pytest.fixture
def inputs(tmp_path) -> dict:
    """The tables of a study of three models, as files."""
    models = pd.DataFrame([{**LABELS, "headline": True}] * 3).assign(train_loss=0.5, versions="torch 2", device="cpu")
    models = models.assign(value=[1.0, 2, 3], test_loss=[1.0, 3, 2], train_versions="torch 1", train_device="gpu")
    tau = {**LABELS, "headline": True, "n": 3, "tau": 0.3, "tau_low": 0.1, "tau_high": 0.5, "p_value": 0.04, "z": 1.0}
    trust = {**LABELS, "models": 3, "batches": 2, "reliability": 0.9, "compared_with": np.nan}
    files = {name: str(tmp_path / name) for name in ("runs", "tau", "estimates")}
    models.to_parquet(files["runs"], index=False)
    pd.DataFrame([{**tau, "published_tau": 0.2, "mine": 0.5}]).to_csv(files["tau"], index=False)
    pd.DataFrame([trust]).to_csv(files["estimates"], index=False)
    return {**files, "ladder": []}


def _written(tmp_path, inputs: dict, part: str = "") -> tuple[list[str], str]:
    """The names of all figures, and the page."""
    for kind, text in (("figures", FIGURE), ("statistics", STATISTIC)):
        (tmp_path / "plugins" / kind).mkdir(parents=True)
        (tmp_path / "plugins" / kind / "mine.py").write_text(text)
    outputs = {"figures": str(tmp_path / "results/figures"), "page": str(tmp_path / "results/report.html")}
    report(Here(0, str(tmp_path / "plugins")), inputs, {"config": "3f2a", "part": part}, str(tmp_path), outputs)
    folder = tmp_path / "results/figures"
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return files, (tmp_path / "results/report.html").read_text(encoding="utf-8")


def test_figures_and_page_are_written_with_the_users_own(tmp_path, inputs):
    files, html = _written(tmp_path, inputs)
    names = ["report/mine", "report/pga/tau_vs_rho", "report/pga/test_loss_vs_sharpness", "report/trust"]
    assert files == sorted(f"{name}.{ending}" for name in names for ending in ("svg", "pdf"))
    assert html.count("data:image/svg+xml;base64,") == len(names)
    assert "<h2>Mine alone</h2>" in html
    assert ">my number</th>" in html
    assert "My number: What is mine." in html
    assert "+0.500" in html
    assert ">3f2a<" in html
    assert "part of the study" not in html
    assert "torch 1; torch 2" in html


def test_a_part_of_a_study_says_what_it_leaves_out(tmp_path, inputs):
    _, html = _written(tmp_path, inputs, "10 of 50 models of report/fcnn")
    assert "<b>This is a part of the study.</b> It has 10 of 50 models of report/fcnn." in html


def test_of_a_study_with_a_ladder_it_is_drawn_and_shown(tmp_path, inputs):
    pd.DataFrame([RUNG]).to_csv(tmp_path / "ladder.csv", index=False)
    files, html = _written(tmp_path, {**inputs, "ladder": [str(tmp_path / "ladder.csv")]})
    assert "ladder.svg" in files
    assert "report/pga/tau_vs_rho.svg" not in files
    assert "as it was" in html
