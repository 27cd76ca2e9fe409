"""The table of runs from small shards whose values are worked out by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from adaptive_sharpness.study.tables.runs import runs_table

POOL = {"protocol": "report", "pool": "fcnn", "setting": ""}
PGA = {**POOL, "measure": "report_pga"}
BASE = 1.0


@pytest.fixture
def training(tmp_path):
    """training({seed: test_loss}): a shard as a training job writes it."""

    def write(test_losses: dict, device: str = "cpu", **labels) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.csv"
        rows = [{"seed": seed, "epochs": 7, "train_loss": 0.5, "test_loss": loss} for seed, loss in test_losses.items()]
        table = pd.DataFrame([{**POOL, **labels, **row} for row in rows])
        table.assign(accuracy=0.75, device=device, versions="torch 1").to_csv(path, index=False)
        return str(path)

    return write


@pytest.fixture
def measured(tmp_path):
    """measured({seed: rises}): a shard as a measuring job writes it, a row a batch and quantity."""

    def write(rises: dict, rho: float = 0.1, device: str = "cpu", further: dict | None = None, **labels) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.parquet"
        rows = []
        for seed, values in rises.items():
            for batch, rise in enumerate(values):
                known = {"seed": seed, "batch": batch, "base_loss": BASE, "max_loss": BASE + rise}
                rows.append({**known, "quantity": "sharpness", "headline": True, "value": rise})
                for name, factor in (further or {}).items():
                    rows.append({**known, "quantity": name, "headline": False, "value": factor * rise})
        table = pd.DataFrame([{**PGA, **labels, "rho": rho, **row} for row in rows])
        table.assign(device=device, versions="torch 2").to_parquet(path, index=False)
        return str(path)

    return write


@pytest.fixture
def unmeasured(tmp_path):
    """unmeasured(seed): a shard of a model that has a loss that is not finite: a row a batch, of no quantity."""

    def write(*seeds: int, rho: float = 0.1, **labels) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.parquet"
        known = {"quantity": None, "headline": True, "value": math.nan, "base_loss": math.nan}
        rows = [{**PGA, **labels, "rho": rho, "seed": seed, "batch": batch} for seed in seeds for batch in range(2)]
        table = pd.DataFrame(rows).assign(**known, device="cpu", versions="torch 2").astype({"quantity": object})
        table.to_parquet(path, index=False)
        return str(path)

    return write


def test_a_value_is_the_mean_rise_over_batches_with_its_standard_error(training, measured):
    """Rises 1, 2, 3, 6: mean 3, squared deviations 4 + 1 + 0 + 9, variance 14 / 3, divided by 4 batches."""
    row = runs_table([training({4: 0.25})], [measured({4: [1, 2, 3, 6]})]).iloc[0]
    assert row["value"] == pytest.approx(3, rel=1e-15)
    assert row["standard_error"] == pytest.approx(math.sqrt(14 / 3 / 4), rel=1e-15)
    assert row["base_loss"] == BASE
    assert row["max_loss"] == BASE + 3


@pytest.mark.filterwarnings("error")
def test_a_row_joins_what_was_measured_with_what_was_trained(training, measured):
    row = runs_table([training({4: 0.25}, device="gpu")], [measured({4: [1, 2]}, rho=1e-4)]).iloc[0]
    assert {name: row[name] for name in PGA} == PGA
    wanted = {"seed": 4, "rho": 1e-4, "test_loss": 0.25, "train_loss": 0.5, "accuracy": 0.75, "epochs": 7}
    wanted |= {"quantity": "sharpness", "headline": True}
    assert {name: row[name] for name in wanted} == wanted
    made = {"device": "cpu", "versions": "torch 2", "train_device": "gpu", "train_versions": "torch 1"}
    assert {name: row[name] for name in made} == made


def test_labels_and_values_stand_first_among_the_columns(training, measured):
    runs = runs_table([training({4: 0.25})], [measured({4: [1, 2]})])
    first = "protocol pool setting seed measure rho quantity headline value standard_error base_loss max_loss"
    assert list(runs)[:12] == first.split()
    others = "epochs train_loss test_loss accuracy device versions train_device train_versions used"
    assert sorted(list(runs)[12:]) == sorted(others.split())


def test_rows_stand_in_the_order_of_the_shards(training, measured):
    trained = [training({2: 0.2, 3: 0.3}), training({0: 0.0, 1: 0.1})]
    shards = [measured({3: [1, 1], 2: [1, 1]}, 0.5), measured({0: [1, 1]}, 0.5), measured({1: [1, 1]}, 0.1)]
    runs = runs_table(trained, shards)
    assert list(zip(runs["rho"], runs["seed"], strict=True)) == [(0.5, 3), (0.5, 2), (0.5, 0), (0.1, 1)]
    assert list(runs["test_loss"]) == [0.3, 0.2, 0.0, 0.1]


def test_seeds_of_two_pools_are_not_confused(training, measured):
    trained = [training({0: 0.25}), training({0: 0.75}, pool="gat")]
    runs = runs_table(trained, [measured({0: [1, 1]}, pool="gat"), measured({0: [2, 2]})])
    assert list(runs["pool"]) == ["gat", "fcnn"]
    assert list(runs["test_loss"]) == [0.75, 0.25]


def test_seeds_of_two_settings_of_a_pool_are_not_confused(training, measured):
    trained = [training({0: loss}, setting=setting) for setting, loss in (("lr=0.1", 0.25), ("lr=0.2", 0.75))]
    runs = runs_table(trained, [measured({0: [1, 1]}, setting="lr=0.2"), measured({0: [2, 2]}, setting="lr=0.1")])
    assert list(runs["setting"]) == ["lr=0.2", "lr=0.1"]
    assert list(runs["test_loss"]) == [0.75, 0.25]


def test_a_seed_that_was_trained_twice_is_refused(training, measured):
    with pytest.raises(ValueError, match="not unique"):
        runs_table([training({0: 0.25}), training({0: 0.5})], [measured({0: [1, 1]})])


def test_a_model_whose_ascent_ends_in_nan_on_a_batch_has_no_value(training, measured):
    """The mean over the other batches would be too low: the ascent leaves the numbers where the loss is steepest."""
    runs = runs_table([training({0: 0.25, 1: 0.5})], [measured({0: [1, math.nan, 3], 1: [1, 2, 3]})])
    assert math.isnan(runs["value"][0])
    assert runs["value"][1] == pytest.approx(2)


@pytest.mark.parametrize(("trained_on", "measured_on"), [("train_device", "cpu"), ("cpu", "device")])
def test_a_pool_of_mixed_devices_is_refused(training, measured, trained_on, measured_on):
    trained = [training({0: 0.25}), training({1: 0.5}, device=trained_on)]
    shards = [measured({0: [1, 1]}), measured({1: [1, 1]}, device=measured_on)]
    column = "train_device" if measured_on == "cpu" else "device"
    pool = "pool report/fcnn, measure report_pga, rho 0.1"
    with pytest.raises(ValueError, match=f"^{pool}: {column} is cpu and {column}, wanted one device for a pool$"):
        runs_table(trained, shards)


def test_pools_of_different_devices_stand_side_by_side(training, measured):
    trained = [training({0: 0.25}), training({0: 0.5}, pool="gat", device="gpu")]
    runs = runs_table(trained, [measured({0: [1, 1]}), measured({0: [1, 1]}, device="gpu", pool="gat")])
    assert list(runs["device"]) == list(runs["train_device"]) == ["cpu", "gpu"]


@pytest.mark.parametrize(("rho", "spelled"), [(0.1, ", rho 0\\.1"), (math.nan, "")])
def test_a_model_that_was_measured_and_not_trained_is_refused(training, measured, rho, spelled):
    wanted = rf"^pool report/fcnn, measure report_pga{spelled}: got no training row of seed 1, wanted one for every .*$"
    with pytest.raises(ValueError, match=wanted):
        runs_table([training({0: 0.25})], [measured({0: [1, 2], 1: [1, 2]}, rho=rho)])


@pytest.mark.parametrize(("rho", "spelled"), [(0.1, ", rho 0\\.1"), (math.nan, "")])
def test_a_model_that_was_measured_twice_is_refused(training, measured, rho, spelled):
    wanted = rf"^pool report/fcnn, measure report_pga{spelled}: got two rows of seed 0, wanted one for every model .*$"
    with pytest.raises(ValueError, match=wanted):
        runs_table([training({0: 0.25})], [measured({0: [1, 2]}, rho=rho), measured({0: [1, 2]}, rho=rho)])


def test_a_model_that_was_measured_with_and_without_numbers_is_refused_too(training, measured, unmeasured):
    with pytest.raises(ValueError, match=r": got two rows of seed 0, wanted one for every model measured$"):
        runs_table([training({0: 0.25})], [measured({0: [1, 2]}), unmeasured(0)])


def test_a_row_says_whether_its_model_is_used(training, measured):
    losses = {0: 0.25, 1: math.nan, 2: math.inf, 3: 0.5}
    runs = runs_table([training(losses)], [measured({0: [1, 2], 1: [1, 2], 2: [1, 2], 3: [1, math.nan]})])
    assert runs["used"].tolist() == [True, False, False, False]


def test_whether_a_loss_was_reached_is_a_column_only_where_a_pool_asks(training, measured):
    plain, asked, kept = training({0: 0.1}), {"pool": "gat"}, {"pool": "gat", "keep_unreached": True}
    shards = [measured({0: [1, 2]}), measured({0: [1, 2], 1: [1, 2]}, **asked)]
    assert "reached" not in runs_table([plain], shards[:1])
    csvs = [training({0: 0.1}, **asked, reached=True), training({1: 0.1}, **asked, reached=False)]
    runs = runs_table([plain, *csvs], shards)
    assert runs["reached"].dtype == "boolean"
    assert runs["reached"].tolist() == [pd.NA, True, False]
    assert runs["used"].tolist() == [True, True, False]
    csvs = [training({0: 0.1}, **kept, reached=True), training({1: 0.1}, **kept, reached=False)]
    assert runs_table([plain, *csvs], shards)["used"].all()


def test_a_measure_without_a_radius_has_rows_of_its_own(training, measured):
    runs = runs_table(
        [training({0: 0.25})], [measured({0: [1, 2]}), measured({0: [3, 5]}, math.nan, measure="hessian")]
    )
    assert runs["rho"].isna().tolist() == [False, True]
    assert runs["value"].tolist() == [1.5, 4]


def test_a_measure_without_a_highest_loss_leaves_it_empty(training, measured):
    shard = measured({0: [1, 2]}, math.nan, measure="hessian")
    pd.read_parquet(shard).drop(columns="max_loss").to_parquet(shard, index=False)
    alone = runs_table([training({0: 0.25})], [shard])
    beside = runs_table([training({0: 0.25})], [measured({0: [1, 2]}), shard])
    assert alone["max_loss"].isna().all()
    assert beside["max_loss"].isna().tolist() == [False, True]


# Quantities


def test_each_quantity_of_a_model_has_a_row(training, measured):
    shard = measured({1: [1, 3], 0: [2, 6]}, further={"first_order": 0.5, "trace": -10})
    runs = runs_table([training({0: 0.25, 1: 0.5})], [shard])
    assert runs[["seed", "quantity", "headline", "value"]].to_numpy().tolist() == [
        [1, "sharpness", True, 2],
        [1, "first_order", False, 1],
        [1, "trace", False, -20],
        [0, "sharpness", True, 4],
        [0, "first_order", False, 2],
        [0, "trace", False, -40],
    ]
    assert runs["headline"].dtype == bool
    assert runs["test_loss"].tolist() == [0.5] * 3 + [0.25] * 3


def test_a_model_of_which_nothing_is_known_has_a_row_for_each_quantity(training, measured, unmeasured):
    """As others of its measurement have them, and at its place among them."""
    shards = [
        measured({0: [1, 3]}, further={"first_order": 0.5}),
        unmeasured(2),
        measured({1: [2, 6]}, further={"first_order": 0.5}),
    ]
    runs = runs_table([training({0: 0.1, 1: 0.2, 2: 0.3})], shards)
    assert runs[["seed", "quantity", "headline", "used"]].to_numpy().tolist() == [
        [0, "sharpness", True, True],
        [0, "first_order", False, True],
        [2, "sharpness", True, False],
        [2, "first_order", False, False],
        [1, "sharpness", True, True],
        [1, "first_order", False, True],
    ]
    assert runs.loc[runs["seed"] == 2, ["value", "standard_error", "base_loss", "max_loss"]].isna().all(axis=None)
    assert runs["headline"].dtype == bool


def test_models_of_which_nothing_is_known_are_named_as_others_of_their_own_measurement(training, measured, unmeasured):
    shards = [unmeasured(0), measured({1: [2, 6]}, further={"trace": 2}), unmeasured(0, 1, rho=0.5)]
    runs = runs_table([training({0: 0.1, 1: 0.2})], shards)
    assert runs[["rho", "seed", "quantity"]].to_numpy().tolist() == [
        [0.1, 0, "sharpness"],
        [0.1, 0, "trace"],
        [0.1, 1, "sharpness"],
        [0.1, 1, "trace"],
        [0.5, 0, "sharpness"],
        [0.5, 1, "sharpness"],
    ]
    assert runs.loc[runs["rho"] == 0.5, "headline"].all()
    assert not np.isfinite(runs.loc[runs["rho"] == 0.5, "value"]).any()
