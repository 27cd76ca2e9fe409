"""The study in few numbers: one tau for each network and measure."""

import math

import pandas as pd

from adaptive_sharpness.metrics import metrics

TAU = pd.DataFrame(
    [
        ("report", "fcnn", "report_pga", 0.01, 0.1, math.nan),
        ("report", "fcnn", "report_pga", 0.025, 0.2, -0.311),
        ("report", "fcnn", "average_case", 0.1, 0.3, math.nan),
        ("report", "fcnn", "average_case", 0.4, 0.5, math.nan),
        ("report", "fcnn", "average_case", 0.2, 0.4, math.nan),
        ("report", "gat", "average_case", 0.2, math.nan, math.nan),
        ("released", "gat", "average_case", 0.2, 0.9, math.nan),
    ],
    columns=["protocol", "architecture", "measure", "rho", "tau", "published_tau"],
)


def test_the_published_radius_is_chosen_and_else_the_middle_one():
    assert metrics(TAU)["fcnn"] == {"report_pga": 0.2, "average_case": 0.4}


def test_an_unknown_tau_stays_unknown():
    assert metrics(TAU)["gat"] == {"average_case": None}


def test_a_table_without_rows_gives_no_number():
    assert metrics(TAU.iloc[:0]) == {}
