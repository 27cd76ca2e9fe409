"""A pool cut into replicates, and where the next one's numbers are to be expected."""

import numpy as np
import pandas as pd
import pytest

from adaptive_sharpness.study.tables.replicates import prediction_table, replicates_table

LABELS = {"protocol": "released", "pool": "fcnn", "measure": "released", "rho": 0.1}


def runs(value, test_loss, **labels) -> pd.DataFrame:
    table = pd.DataFrame({"seed": range(len(value)), "value": value, "test_loss": test_loss, "train_loss": 0.5})
    return table.assign(**{**LABELS, "quantity": "sharpness", "headline": True, **labels})


def test_each_replicate_has_its_own_seeds_and_numbers_by_hand():
    """Seeds 0 to 2 rise together, 3 to 5 do not; seed 6 fills no replicate."""
    table = runs([1, 2, 3, 1, 2, 3, 9], [1, 2, 3, 6, 5, 4, 9]).sample(frac=1, random_state=0)
    found = replicates_table(table, 3)
    assert found[["replicate", "n"]].to_numpy().tolist() == [[0, 3], [1, 3]]
    assert found[["sharpness_mean", "test_loss_mean", "tau"]].to_numpy().tolist() == [[2, 2, 1], [2, 5, -1]]


def test_a_model_without_a_number_is_left_out_of_its_replicate_and_of_no_other():
    found = replicates_table(runs([1, np.nan, 3, 1, 2, 3], [1, 2, 3, np.inf, 5, 4]), 3)
    assert found["n"].tolist() == [2, 2]
    assert found["sharpness_mean"].tolist() == [2, 2.5]
    assert found["tau"].isna().all()


def test_measurements_are_kept_apart_also_where_there_is_no_radius():
    table = pd.concat([runs([1, 2, 3], [1, 2, 3]), runs([1, 2, 3], [3, 2, 1], measure="hessian", rho=np.nan)])
    assert replicates_table(table, 3)["tau"].tolist() == [1, -1]


def test_quantities_that_are_no_headline_make_no_replicate():
    headline = runs([1, 2, 3], [1, 2, 3])
    further = runs([3, 2, 1], [1, 2, 3], quantity="first_order", headline=False)
    pd.testing.assert_frame_equal(replicates_table(pd.concat([further, headline]), 3), replicates_table(headline, 3))


def test_too_few_seeds_make_no_replicate():
    assert replicates_table(runs([1, 2], [1, 2]), 3).empty


def test_replicates_of_fewer_than_three_are_refused():
    with pytest.raises(ValueError, match=r"^replicates: got 2 models a replicate, wanted at least 3$"):
        replicates_table(runs([1, 2, 3], [1, 2, 3]), 2)


def made(values) -> pd.DataFrame:
    numbers = {"sharpness_mean": values, "test_loss_mean": 1.0, "tau": np.nan}
    return pd.DataFrame({"replicate": range(len(values)), "n": 50, **numbers}).assign(**LABELS)


def test_the_interval_is_that_of_five_replicates_by_hand():
    """Mean 3, sd sqrt(2.5); Student's t with 4 degrees of freedom leaves 0.5 % above 4.60409 (any table of it)."""
    row = prediction_table(made([1.0, 2.0, 3.0, 4.0, 5.0]), {"fcnn": {"sharpness_mean": 11.0}}).iloc[0]
    reach = 4.60409 * np.sqrt(2.5) * np.sqrt(1.2)
    assert [row["low"], row["high"]] == pytest.approx([3 - reach, 3 + reach], rel=1e-5)
    assert row[["number", "replicates", "mean", "lowest", "highest"]].tolist() == ["sharpness_mean", 5, 3, 1, 5]


@pytest.mark.parametrize(("elsewhere", "inside"), [(10.9, True), (11.0, False), (-4.9, True), (-5.0, False)])
def test_a_pool_from_elsewhere_is_inside_or_not(elsewhere, inside):
    found = prediction_table(made([1.0, 2.0, 3.0, 4.0, 5.0]), {"fcnn": {"sharpness_mean": elsewhere}})
    assert found["inside"].tolist() == [inside, None, None]


def test_no_replicate_gives_a_table_without_rows_that_can_be_read_from_its_file(tmp_path):
    found = prediction_table(replicates_table(runs([1, 2], [1, 2]), 3), {})
    found.to_csv(tmp_path / "prediction.csv", index=False)
    read = pd.read_csv(tmp_path / "prediction.csv")
    assert read.empty
    assert list(read.columns) == list(prediction_table(made([1.0]), {}).columns)


def test_one_replicate_foretells_nothing():
    found = prediction_table(made([1.0]), {"fcnn": {"sharpness_mean": 1.0}})
    assert found[["low", "high"]].isna().all(axis=None)
    assert found["inside"].tolist() == [None, None, None]


def test_the_interval_holds_the_next_replicate_99_times_in_100():
    draw = np.random.default_rng(0)
    held = []
    for values in draw.normal(size=(2000, 6)):
        row = prediction_table(made(values[:5]), {"fcnn": {"sharpness_mean": values[5]}}).iloc[0]
        held.append(row["inside"])
    assert np.mean(held) == pytest.approx(0.99, abs=0.007)  # three standard errors
