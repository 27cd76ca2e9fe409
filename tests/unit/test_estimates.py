"""The estimates from small shards worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from adaptive_sharpness.stats.reliability import reliability
from adaptive_sharpness.study.tables.estimates import estimates_table

LABELS = {"protocol": "report", "pool": "fcnn", "setting": "", "rho": 0.1}
WORST = {0: [2, 4, 6], 1: [4, 4, 1], 2: [10, 0, 5]}
PGA = {0: [1, 2], 1: [6, 0], 2: [3, 2]}
BALLS = {name: [["pga", "apgd", "more"]] for name in ("fcnn", "gat")}
COLUMNS = (
    "protocol pool measure rho quantity models batches reliability reliability_of_one last_improvement"
    " gain_from_doubling compared_with shared_batches share_of_best worst_share tau_of_rankings"
)
COMPARISON = ["compared_with", "shared_batches", "share_of_best", "worst_share", "tau_of_rankings"]


@pytest.fixture
def measured(tmp_path):
    """measured(measure, {seed: rises}): a shard as a measuring job writes it, a row a batch and quantity."""

    def write(
        measure: str, rises: dict, columns: dict | None = None, name: str = "sharpness", headline: bool = True, **labels
    ) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.parquet"
        rows = [
            {"seed": seed, "batch": batch, "value": float(rise), "base_loss": 1.0 + batch}
            for seed, values in rises.items()
            for batch, rise in enumerate(values)
        ]
        labels = {**LABELS, "measure": measure, "quantity": name, "headline": headline, **labels}
        pd.DataFrame(rows).assign(**labels, **(columns or {})).to_parquet(path, index=False)
        return str(path)

    return write


def estimates(files, balls: dict = BALLS) -> pd.DataFrame:
    return estimates_table(files, balls)


def _row(table: pd.DataFrame, **labels) -> pd.Series:
    """The one row with these labels."""
    found = table[np.logical_and.reduce([table[name] == value for name, value in labels.items()])]
    assert len(found) == 1
    return found.iloc[0]


# A row a pool


def test_a_row_describes_its_pool(measured):
    """Reliability is that of the case by hand; the means are over models and batches, where there is a number."""
    columns = {"last_improvement": [0.5, 1, 1, 0.7], "gain_from_doubling": [0.1, math.nan, 0.3, math.nan]}
    row = estimates([measured("worst_case", {0: [1, 2], 1: [3, 6]}, columns=columns)]).iloc[0]
    wanted = {"models": 2, "batches": 2, "reliability": 8 / 9, "reliability_of_one": 4 / 5}
    wanted |= {"last_improvement": 0.8, "gain_from_doubling": 0.2, "rho": 0.1}
    assert {name: row[name] for name in wanted} == pytest.approx(wanted, rel=1e-14)
    assert (row["protocol"], row["pool"], row["measure"]) == ("report", "fcnn", "worst_case")


def test_the_columns_are_those_that_are_documented(measured):
    assert list(estimates([measured("a", PGA), measured("b", WORST)])) == COLUMNS.split()


def test_one_noisy_base_loss_for_all_batches_is_not_taken_for_a_difference_between_models(measured):
    """Scores that are noise alone: less one for all, they look reliable, and another measurement shows nothing."""
    draw = np.random.default_rng(0)

    def again() -> np.ndarray:
        return draw.normal(size=(250, 5)) - draw.normal(size=(250, 1))

    values = again()
    assert reliability(values) > 0.8
    assert abs(np.corrcoef(values.mean(axis=1), again().mean(axis=1))[0, 1]) < 0.2  # 0, and three standard errors
    of_one = estimates([measured("worst_case", dict(enumerate(values)), columns={"base_loss": 1.0})]).iloc[0]
    assert of_one[["reliability", "reliability_of_one"]].isna().all()
    of_several = estimates([measured("worst_case", dict(enumerate(values)))]).iloc[0]
    assert of_several["reliability"] == pytest.approx(reliability(values))


def test_pools_stand_once_and_in_the_order_of_the_shards(measured):
    labels = [{"rho": 0.5}, {"rho": 0.2}, {"pool": "gat"}, {"protocol": "other"}]
    shards = [measured("a", {seed: [1, 2]}, **each) for seed in (1, 0) for each in labels]
    table = estimates(iter(shards))
    assert list(zip(table["protocol"], table["pool"], table["rho"], strict=True)) == [
        ("report", "fcnn", 0.5),
        ("report", "fcnn", 0.2),
        ("report", "gat", 0.1),
        ("other", "fcnn", 0.1),
    ]
    assert list(table["models"]) == [2] * 4


# Shares of the best


def test_measures_are_compared_by_hand(measured):
    """On 2 batches the best is 2 and 4, 6 and 4, 10 and 2: means 3, 5, 6; of one of 3 pairs PGA has the order wrong."""
    table = estimates([measured("pga", PGA), measured("apgd", WORST)])
    pga, apgd = _row(table, measure="pga"), _row(table, measure="apgd")
    assert pga["share_of_best"] == pytest.approx((1.5 / 3 + 3 / 5 + 2.5 / 6) / 3, rel=1e-14)
    assert pga["worst_share"] == pytest.approx(2.5 / 6, rel=1e-14)
    assert pga["tau_of_rankings"] == pytest.approx(1 / 3, rel=1e-14)
    assert apgd["share_of_best"] == pytest.approx((3 / 3 + 4 / 5 + 5 / 6) / 3, rel=1e-14)
    assert apgd["worst_share"] == pytest.approx(4 / 5, rel=1e-14)
    assert apgd["tau_of_rankings"] == pytest.approx(1, rel=1e-14)
    assert list(table["compared_with"]) == ["apgd", "pga"]
    assert list(table["shared_batches"]) == [2, 2]


def test_what_describes_a_pool_alone_is_of_all_its_batches(measured):
    table = estimates([measured("pga", PGA), measured("apgd", WORST)])
    assert list(table["batches"]) == [2, 3]
    assert _row(table, measure="apgd")["reliability"] == reliability(np.array(list(WORST.values()), dtype=float))


def test_shards_of_seeds_and_their_rows_stand_in_any_order(measured):
    whole = estimates([measured("pga", PGA), measured("apgd", WORST)])
    parts = [measured("pga", {2: PGA[2], 0: PGA[0]}), measured("apgd", {1: WORST[1]})]
    parts += [measured("apgd", {2: WORST[2], 0: WORST[0]}), measured("pga", {1: PGA[1]})]
    pd.testing.assert_frame_equal(estimates(parts), whole)


def test_batches_are_matched_by_their_number_and_not_by_their_place(measured):
    """As in a parquet whose rows another reader has sorted."""
    shards = [measured("pga", PGA), measured("apgd", WORST)]
    wanted = estimates(shards)
    rows = pd.read_parquet(shards[1])
    rows.sample(frac=1, random_state=0).to_parquet(shards[1], index=False)
    pd.testing.assert_frame_equal(estimates(shards), wanted)


def test_models_that_one_measure_lacks_are_not_compared(measured):
    """Of seeds 1 and 2 the shares of PGA are 3/5 and 2.5/6."""
    table = estimates([measured("pga", {**PGA, 7: [100, 100]}), measured("apgd", {1: WORST[1], 2: WORST[2]})])
    pga = _row(table, measure="pga")
    assert pga["share_of_best"] == pytest.approx((3 / 5 + 2.5 / 6) / 2, rel=1e-14)
    assert pga["tau_of_rankings"] == pytest.approx(-1, rel=1e-14)
    assert list(table["models"]) == [4, 2]


def test_a_model_that_has_no_number_on_a_batch_is_left_out_of_all_that_is_compared(measured):
    """As where a loss is not finite: all values are nan. Even on a batch that the measures do not share."""
    bad = {**WORST, 0: [2, 4, math.nan]}
    table = estimates([measured("pga", PGA), measured("apgd", bad)])
    pga, apgd = _row(table, measure="pga"), _row(table, measure="apgd")
    assert (pga["models"], apgd["models"], apgd["batches"]) == (3, 2, 3)
    assert apgd["reliability"] == reliability(np.array([WORST[1], WORST[2]], dtype=float))
    assert pga["share_of_best"] == pytest.approx((3 / 5 + 2.5 / 6) / 2, rel=1e-14)
    assert apgd["share_of_best"] == pytest.approx((4 / 5 + 5 / 6) / 2, rel=1e-14)


def test_a_measure_that_has_no_number_at_all_leaves_nothing_to_compare(measured):
    table = estimates([measured("pga", dict.fromkeys(range(3), [math.nan] * 2)), measured("apgd", WORST)])
    assert list(table["models"]) == [0, 3]
    assert math.isnan(_row(table, measure="pga")["reliability"])
    assert table[["share_of_best", "worst_share", "tau_of_rankings"]].isna().all(axis=None)


def test_where_nothing_rises_there_is_no_share(measured):
    """The best of seed 0 is 0, of seed 1 below 0, of seed 2 it is 4, of which PGA has -1/4."""
    pga, apgd = {0: [-1, 0], 1: [-3, -1], 2: [-4, 2]}, {0: [0, 0], 1: [-2, -1], 2: [6, 2]}
    table = estimates([measured("pga", pga), measured("apgd", apgd)])
    assert list(table["share_of_best"]) == list(table["worst_share"]) == pytest.approx([-1 / 4, 1])
    # PGA: -0.5, -2, -1 and the best: 0, -1.5, 4; of 3 pairs one is discordant.
    assert list(table["tau_of_rankings"]) == pytest.approx([1 / 3, 1])


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_where_nothing_rises_for_any_model_all_shares_are_nan(measured):
    table = estimates([measured("pga", {0: [0, 0], 1: [-1, 0]}), measured("apgd", {0: [0, 0], 1: [0, 0]})])
    assert table[["share_of_best", "worst_share"]].isna().all(axis=None)
    assert list(table["shared_batches"]) == [2, 2]


def test_one_model_has_a_share_and_no_ranking(measured):
    table = estimates([measured("pga", {0: PGA[0]}), measured("apgd", {0: WORST[0]})])
    assert list(table["share_of_best"]) == [0.5, 1]
    assert table["tau_of_rankings"].isna().all()


def test_of_three_measures_the_best_is_that_of_all(measured):
    """On seed 0 the best is 2 and 4 and then 8 and 4, mean 6."""
    shards = [measured("pga", {0: [1, 2]}), measured("apgd", {0: [2, 4]}), measured("more", {0: [8, 0]})]
    table = estimates(shards)
    assert list(table["share_of_best"]) == pytest.approx([1.5 / 6, 3 / 6, 4 / 6], rel=1e-14)
    assert list(table["compared_with"]) == ["apgd, more", "pga, more", "pga, apgd"]


@pytest.mark.parametrize("other", [{"rho": 0.2}, {"pool": "gat"}, {"protocol": "other"}])
def test_measurements_of_another_rho_or_pool_are_not_compared(measured, other):
    table = estimates([measured("pga", PGA), measured("apgd", WORST, **other)])
    assert len(table) == 2
    assert table[COMPARISON].isna().all(axis=None)


@pytest.mark.parametrize("balls", [{"fcnn": [["pga", "one"], ["apgd", "other"]]}, {"gat": [["pga", "apgd"]]}, {}])
def test_measures_of_another_ball_are_not_compared(measured, balls):
    table = estimates([measured("pga", PGA), measured("apgd", WORST)], balls)
    assert len(table) == 2
    assert table[COMPARISON].isna().all(axis=None)


def test_each_ball_of_a_pool_is_compared_by_itself(measured):
    shards = [measured(name, values) for name, values in (("a", PGA), ("b", WORST), ("c", WORST), ("d", PGA))]
    table = estimates(shards, {"fcnn": [["a", "c"], ["b", "d"]]})
    assert list(table["compared_with"]) == ["c", "d", "a", "b"]
    assert table["worst_share"].tolist() == pytest.approx([2.5 / 6, 4 / 5, 4 / 5, 2.5 / 6], rel=1e-14)


def test_at_every_rho_it_is_compared_anew(measured):
    shards = [measured("pga", PGA), measured("apgd", WORST)]
    shards += [measured("pga", WORST, rho=0.2), measured("apgd", WORST, rho=0.2)]
    table = estimates(shards)
    assert _row(table, measure="pga", rho=0.1)["worst_share"] == pytest.approx(2.5 / 6, rel=1e-14)
    assert _row(table, measure="pga", rho=0.2)["worst_share"] == pytest.approx(1, rel=1e-14)
    assert list(table["shared_batches"]) == [2, 2, 3, 3]


def test_measures_without_a_ball_are_described_and_not_compared(measured):
    table = estimates([measured("average_case", PGA), measured("another", WORST)], {})
    assert table[[*COMPARISON, "last_improvement", "gain_from_doubling"]].isna().all(axis=None)
    assert list(table["models"]) == [3, 3]


@pytest.mark.filterwarnings("error::FutureWarning")
def test_a_measure_without_a_radius_stands_beside_the_others(measured):
    improvement = {"last_improvement": 0.5}
    shards = [measured("hessian", WORST, rho=math.nan), measured("pga", PGA, columns=improvement)]
    table = estimates([*shards, measured("apgd", WORST, columns=improvement)])
    assert list(table["measure"]) == ["hessian", "pga", "apgd"]
    assert math.isnan(table["rho"][0])
    assert math.isnan(table["last_improvement"][0])
    assert table.loc[0, COMPARISON].isna().all()
    assert (table["batches"][0], table["models"][0]) == (3, 3)
    assert table["worst_share"][1] == pytest.approx(2.5 / 6, rel=1e-14)


def test_a_measure_without_a_radius_may_stand_alone(measured):
    shards = [
        measured("hessian", {1: WORST[1]}, rho=math.nan),
        measured("hessian", WORST | {1: [3, 3, 3]}, rho=math.nan, pool="gat"),
    ]
    table = estimates(shards)
    assert list(table["models"]) == [1, 3]
    assert table["rho"].isna().all()


def test_a_batch_that_was_measured_twice_is_refused(measured):
    with pytest.raises(ValueError, match=r"^Index contains duplicate entries, cannot reshape$"):
        estimates([measured("pga", PGA), measured("pga", {1: PGA[1]})])


# Quantities


def test_each_quantity_has_a_row_with_its_own_reliability(measured):
    columns = {"last_improvement": 0.5, "gain_from_doubling": 0.1}
    shards = [measured("pga", WORST, columns), measured("pga", PGA, columns, name="first_order", headline=False)]
    table = estimates(shards)
    assert table[["quantity", "models", "batches"]].to_numpy().tolist() == [["sharpness", 3, 3], ["first_order", 3, 2]]
    for (_, row), values in zip(table.iterrows(), (WORST, PGA), strict=True):
        assert row["reliability"] == reliability(np.array(list(values.values()), dtype=float))


def test_how_hard_a_measure_searched_and_how_near_it_came_is_said_of_its_headline_alone(measured):
    shards = []
    for measure in ("pga", "apgd"):
        shards.append(measured(measure, PGA, {"last_improvement": 0.5, "gain_from_doubling": 0.1}))
        shards.append(measured(measure, WORST, {"last_improvement": 0.5}, name="first_order", headline=False))
    table = estimates(shards)
    said = ["last_improvement", "gain_from_doubling", *COMPARISON]
    assert table.loc[table["quantity"] == "sharpness", said].notna().all(axis=None)
    assert table.loc[table["quantity"] == "first_order", said].isna().all(axis=None)
    assert _row(table, measure="pga", quantity="sharpness")["share_of_best"] == 1


@pytest.mark.parametrize("name", ["sharpness", "lambda_max"])
def test_a_model_without_a_quantity_counts_as_one_without_a_number(measured, name):
    """As one with a loss that is not finite, of which a measuring job knows no quantity, not even by name."""
    unknown = dict.fromkeys(("quantity", "value", "base_loss"))
    lost = measured("pga", {7: [0, 0]}, headline=True)
    pd.read_parquet(lost).assign(**unknown).astype({"value": float, "base_loss": float}).to_parquet(lost, index=False)
    found, wanted = estimates([measured("pga", PGA, name=name), lost]), estimates([measured("pga", PGA, name=name)])
    assert list(found["quantity"]) == [name]
    pd.testing.assert_frame_equal(found, wanted)


@pytest.mark.filterwarnings("error")
def test_where_no_model_has_a_quantity_it_is_called_sharpness(measured):
    lost = measured("pga", {7: [0, 0], 8: [0, 0]})
    pd.read_parquet(lost).assign(quantity=None, value=math.nan).to_parquet(lost, index=False)
    [row] = estimates([lost]).to_dict("records")
    assert (row["quantity"], row["models"]) == ("sharpness", 0)
