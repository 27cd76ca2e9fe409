"""What figures are drawn from: headline quantities, and the measures of which there is a figure."""

import math

import pandas as pd

from adaptive_sharpness.study.report.tables import Tables

LABELS = ["protocol", "pool", "measure", "rho", "quantity"]
ROWS = [
    ("report", "fcnn", "pga", 0.1, "sharpness", True, -0.311),
    ("report", "fcnn", "pga", 0.1, "first_order", False, math.nan),
    ("report", "fcnn", "hessian", math.nan, "trace", False, math.nan),
    ("report", "fcnn", "hessian", math.nan, "lambda_max", True, math.nan),
    ("released", "gat", "pga", 0.2, "sharpness", True, math.nan),
]
TAU = pd.DataFrame(ROWS, columns=[*LABELS, "headline", "published_tau"])
TABLES = Tables(TAU.loc[TAU.index.repeat(3)], TAU, TAU[LABELS].assign(reliability=[0.1, 0.2, 0.3, 0.4, 0.5]))


def test_of_all_tables_the_rows_of_headline_quantities_remain():
    found = TABLES.headline()
    assert found.tau["quantity"].tolist() == ["sharpness", "lambda_max", "sharpness"]
    assert found.runs["quantity"].tolist() == ["sharpness"] * 3 + ["lambda_max"] * 3 + ["sharpness"] * 3
    assert found.estimates["reliability"].tolist() == [0.1, 0.4, 0.5]
    assert list(found.estimates) == list(TABLES.estimates)
    assert found.ladder is None


def test_a_ladder_is_kept_as_it_is():
    ladder = pd.DataFrame({"pool": ["fcnn"], "rung": [0]})
    assert Tables(TABLES.runs, TABLES.tau, TABLES.estimates, ladder).headline().ladder is ladder


def test_each_protocol_and_measure_is_named_once_in_the_order_of_the_table():
    assert TABLES.measures() == [("report", "pga"), ("report", "hessian"), ("released", "pga")]


def test_beside_a_ladder_those_with_a_published_tau_are_named():
    assert Tables(TABLES.runs, TABLES.tau, TABLES.estimates, pd.DataFrame()).measures() == [("report", "pga")]
