"""The sentences that a page opens with, word for word from tables made by hand."""

import math

import pandas as pd
import pytest

from adaptive_sharpness.study.report.sentences import sentences

NAN = math.nan


def row(pool: str, tau: float, low: float, high: float, **columns) -> dict:
    labels = {"protocol": "report", "pool": pool, "measure": "report_pga", "rho": 0.1, "n": 50}
    labels |= {"quantity": "sharpness", "headline": True}
    return {**labels, "tau": tau, "tau_low": low, "tau_high": high, "published_tau": NAN, "z": NAN, **columns}


FCNN = row("fcnn", -0.2163, -0.41, 0.0141, published_tau=-0.311, z=0.744)
LENET5 = row("lenet5", 0.4335, 0.2214, 0.6049, published_tau=-0.18, z=4.69)
GAT = row("gat", -0.4563, -0.6, -0.2733, published_tau=-0.185, z=-2.22)


def said(*rows: dict) -> list[str]:
    """What follows the sentence without numbers."""
    return sentences(pd.DataFrame(rows))[1:]


OTHER = {**LENET5, "pool": "resnet"}
BARE = row("vit", 1.0, NAN, NAN)


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (
            [FCNN, LENET5, GAT],
            "It depends on the network: a sharper minimum goes with a higher test loss for lenet5 and with a lower one "
            "for gat; these models cannot tell for fcnn.",
        ),
        ([LENET5, OTHER], "A sharper minimum goes with a higher test loss for lenet5 and resnet."),
        ([GAT, BARE], "A sharper minimum goes with a lower test loss for gat; these models cannot tell for vit."),
        (
            [FCNN],
            "Whether a sharper minimum goes with a higher or a lower test loss, these models cannot tell for fcnn.",
        ),
        (
            [LENET5, {**GAT, "quantity": "lambda_max"}],
            "It depends on the network: a larger value goes with a higher test loss for lenet5 and with a lower one "
            "for gat.",
        ),
    ],
)
def test_the_answer_in_words(rows, wanted):
    assert sentences(pd.DataFrame(rows))[0] == wanted


def test_what_holds_within_and_between_settings_is_said_where_a_pool_varies():
    within = {"tau_within": -0.5, "tau_within_low": -0.7, "tau_within_high": -0.2}
    between = {"tau_between": 0.25, "tau_between_low": -0.1, "tau_between_high": 0.6}
    nothing = dict.fromkeys(("settings", *within, *between), NAN)
    found = said({**FCNN, **within, **between, "settings": 27.0}, {**GAT, **nothing})
    assert found[1] == (
        "Where settings vary, τ is −0.500 for fcnn (95 % interval −0.700 to −0.200: negative) between repeats "
        "of 27 settings and +0.250 for fcnn (95 % interval −0.100 to +0.600: its sign is open) between these settings."
    )
    assert said({**GAT, **nothing}) == said(GAT)


def test_three_pools_and_one_way_to_measure():
    assert said(FCNN, LENET5, GAT) == [
        "By the text's protocol and the measure report_pga, Kendall's τ between sharpness and test loss is −0.216 for "
        "fcnn (95 % interval −0.410 to +0.014: its sign is open), +0.433 for lenet5 (95 % interval +0.221 to +0.605: "
        "positive) and −0.456 for gat (95 % interval −0.600 to −0.273: negative).",
        "The published τ is consistent with ours for fcnn (−0.311, z = +0.7); it is not consistent with ours for "
        "lenet5 (−0.180, z = +4.7) and gat (−0.185, z = −2.2).",
        "Over all protocols, measures and radii, τ is −0.216 (report_pga) for fcnn, 0 of 1 signs settled; "
        "+0.433 (report_pga) for lenet5, 1 of 1 signs settled, all positive; and −0.456 (report_pga) for gat, "
        "1 of 1 signs settled, all negative (settled: the 95 % interval excludes 0).",
    ]


def test_other_measures_and_protocols_widen_the_range_and_leave_the_headline():
    rows = [
        row("fcnn", 0.5, 0.3, 0.7, protocol="released", measure="released", published_tau=-0.311, z=6.0),
        FCNN,
        row("fcnn", -0.4, -0.6, -0.2, measure="worst_case"),
        row("fcnn", -0.3, -0.5, 0.1, measure="worst_case", rho=0.2),
    ]
    first, second, third = said(*rows)
    assert first.startswith("By the text's protocol and the measure report_pga, ")
    assert "is −0.216 for fcnn (" in first
    assert second == "The published τ is consistent with ours for fcnn (−0.311, z = +0.7)."
    assert "τ is −0.400 (report, worst_case) to +0.500 (released, released) for fcnn, " in third
    assert "2 of 4 signs settled, 1 positive and 1 negative (" in third


def test_holms_correction_can_leave_open_a_sign_that_the_interval_settles():
    corrected = [{**each, "p_holm": p} for each, p in ((FCNN, 0.001), (LENET5, 0.051), (GAT, 0.049))]
    third = said(*corrected)[2]
    assert "for fcnn, 0 of 1 signs settled; " in third
    assert "for lenet5, 0 of 1 signs settled; " in third
    assert "for gat, 1 of 1 signs settled, all negative " in third
    assert third.endswith("(settled: the 95 % interval excludes 0 and p is below 0.05 after Holm's correction).")


def test_each_pool_says_how_it_was_measured_if_they_differ():
    first = said({**FCNN, "protocol": "sgd"}, {**GAT, "measure": "hessian"})[0]
    assert first == (
        "Kendall's τ between sharpness and test loss is −0.216 for fcnn (95 % interval −0.410 to +0.014: its sign is "
        "open), by protocol sgd and the measure report_pga and −0.456 for gat (95 % interval −0.600 to −0.273: "
        "negative), by the text's protocol and the measure hessian."
    )


def test_without_anything_published_the_middle_radius_of_the_first_measure_speaks():
    rows = [row("mlp", tau, tau - 0.1, tau + 0.1, rho=rho) for tau, rho in ((0.1, 4), (0.2, 1), (0.3, 2))]
    first, second = said(*rows, row("mlp", 0.9, 0.8, 0.95, measure="worst_case", rho=2.5))
    assert "is +0.300 for mlp" in first
    assert second.startswith("Over all protocols, ")


@pytest.mark.parametrize(
    ("reason", "why"), [("2 usable models, wanted at least 3", " (2 usable models, wanted at least 3)"), (NAN, "")]
)
def test_a_pool_without_a_tau_is_named_with_the_reason(reason, why):
    lost = {**GAT, "tau": NAN, "tau_low": NAN, "tau_high": NAN, "z": NAN, "n": 2, "reason": reason}
    first, second, third = said(FCNN, lost)
    assert first.endswith(f"its sign is open) and unknown for gat{why}.")
    assert second.endswith("z = +0.7); it is not to be compared for gat (−0.185).")
    assert "; and unknown for gat (settled" in third


def test_a_perfect_tau_has_no_interval_and_is_infinitely_far_away():
    first, second, third = said(row("fcnn", 1.0, NAN, NAN, published_tau=-0.3, z=math.inf))
    assert first.endswith("is +1.000 for fcnn (no interval).")
    assert second == "The published τ is not consistent with ours for fcnn (−0.300, z = +∞)."
    assert "for fcnn, 0 of 1 signs settled (" in third


@pytest.mark.parametrize("missing", ["tau_low", "tau_high", "published_tau", "z"])
def test_a_column_that_is_missing_is_as_one_without_values(missing):
    rows = [FCNN, LENET5]
    lacking = pd.DataFrame(rows).drop(columns=missing)
    assert sentences(lacking)[1:] == said(*({**each, missing: NAN} for each in rows))


def test_an_index_with_repeated_labels_changes_nothing():
    table = pd.DataFrame([FCNN, {**FCNN, "tau": -0.5, "measure": "worst_case"}, LENET5])
    assert sentences(table.set_axis([0, 0, 0])) == sentences(table)


def test_quantities_that_are_no_headline_are_not_spoken_of():
    further = [{**each, "quantity": "first_order", "headline": False, "tau": 0.999} for each in (LENET5, GAT)]
    assert said(further[0], FCNN, LENET5, GAT, further[1]) == said(FCNN, LENET5, GAT)


def test_a_table_without_rows_says_so():
    assert sentences(pd.DataFrame()) == ["Nothing has been measured yet."]
