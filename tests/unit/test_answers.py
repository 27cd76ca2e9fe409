"""The rows of a table of taus that answer for a pool, and what they come to."""

import math

import pandas as pd
import pytest

from adaptive_sharpness.study.tables.answers import answering_rows, main_protocol, metrics, settled_sign, verdict

NAN = math.nan
TAU = pd.DataFrame(
    [
        ("report", "fcnn", "report_pga", 0.01, 0.1, NAN),
        ("report", "fcnn", "report_pga", 0.025, 0.2, -0.311),
        ("report", "fcnn", "average_case", 0.1, 0.3, NAN),
        ("report", "fcnn", "average_case", 0.4, 0.5, NAN),
        ("report", "fcnn", "average_case", 0.2, 0.4, NAN),
        ("report", "gat", "average_case", 0.2, NAN, NAN),
        ("released", "gat", "average_case", 0.2, 0.9, NAN),
    ],
    columns=["protocol", "pool", "measure", "rho", "tau", "published_tau"],
).assign(quantity="sharpness", headline=True)


def chosen(table: pd.DataFrame) -> list[list]:
    return answering_rows(table)[["protocol", "pool", "measure", "rho", "tau"]].to_numpy().tolist()


# Which rows answer


def test_the_published_radius_of_the_texts_protocol_answers_for_a_pool():
    assert chosen(TAU[:5]) == [["report", "fcnn", "report_pga", 0.025, 0.2]]


def test_where_nothing_is_published_the_middle_radius_of_the_first_measure_answers():
    assert chosen(TAU[2:5]) == [["report", "fcnn", "average_case", 0.2, 0.4]]


def test_a_pool_without_the_texts_protocol_is_answered_for_by_its_first():
    others = TAU[2:5].assign(protocol=["sgd", "adam", "sgd"])
    assert chosen(others) == [["sgd", "fcnn", "average_case", 0.2, 0.4]]


def test_quantities_that_are_no_headline_do_not_answer():
    further = TAU.assign(headline=False, quantity="first_order", tau=0.999, published_tau=-0.5)
    both = pd.concat([further, TAU]).sort_index(kind="stable")
    assert chosen(both[:10]) == chosen(TAU[:5])
    assert metrics(both) == metrics(TAU)
    assert answering_rows(further).empty


# The study in few numbers


def test_the_published_radius_is_chosen_and_else_the_middle_one():
    assert metrics(TAU)["fcnn"] == {"report_pga": 0.2, "average_case": 0.4}


def test_an_unknown_tau_stays_unknown():
    assert metrics(TAU)["gat"] == {"average_case": None}


def test_a_table_without_rows_gives_no_number():
    assert metrics(TAU.iloc[:0]) == {}


# What rows come to


@pytest.mark.parametrize(
    ("protocols", "main"), [(["released", "report"], "report"), (["sgd", "adam"], "sgd"), ([], None)]
)
def test_the_main_protocol_is_the_texts_or_else_the_first(protocols, main):
    assert main_protocol(pd.DataFrame({"protocol": protocols})) == main


@pytest.mark.parametrize(
    ("low", "high", "p_holm", "sign"),
    [
        (0.01, 0.5, NAN, 1),
        (-0.5, -0.01, NAN, -1),
        (-0.1, 0.1, NAN, 0),
        (0.0, 0.5, NAN, 0),
        (NAN, NAN, NAN, 0),
        (NAN, NAN, 0.001, 0),
        (0.01, 0.5, 0.049, 1),
        (0.01, 0.5, 0.05, 0),
        (-0.5, -0.01, 0.049, -1),
        (-0.5, 0.01, 0.001, 0),
    ],
)
def test_a_sign_is_settled_if_interval_and_correction_agree(low, high, p_holm, sign):
    assert settled_sign(pd.DataFrame([{"tau_low": low, "tau_high": high, "p_holm": p_holm}])).tolist() == [sign]


@pytest.mark.parametrize(
    ("z", "wanted"),
    [
        (0, "consistent"),
        (1.9599, "consistent"),
        (-1.9599, "consistent"),
        (1.9601, "not consistent"),
        (-1.9601, "not consistent"),
        (math.inf, "not consistent"),
        (NAN, ""),
    ],
)
def test_a_published_tau_is_consistent_within_196_deviations(z, wanted):
    assert verdict(z) == wanted
