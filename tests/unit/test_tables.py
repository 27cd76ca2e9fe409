"""The tables from small shards whose values are worked out by hand."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from adaptive_sharpness import tables
from adaptive_sharpness.correlation import usable

POOL = {"protocol": "report", "architecture": "fcnn"}
PGA = {**POOL, "measure": "report_pga"}
BASE = 1.0


@pytest.fixture
def training(tmp_path):
    """training({seed: test_loss}): a shard as a training job writes it."""

    def write(test_losses: dict, device: str = "cpu", **labels) -> dict:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.csv"
        rows = [{"seed": seed, "epochs": 7, "train_loss": 0.5, "test_loss": loss} for seed, loss in test_losses.items()]
        pd.DataFrame(rows).assign(accuracy=0.75, device=device, versions="torch 1").to_csv(path, index=False)
        return {**POOL, **labels, "path": str(path)}

    return write


@pytest.fixture
def measured(tmp_path):
    """measured({seed: rises}): a shard as a measuring job writes it, a row a batch."""

    def write(rises: dict, rho: str = "0.1", device: str = "cpu", **labels) -> dict:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.parquet"
        rows = [
            {"seed": seed, "batch": batch, "sharpness": rise, "base_loss": BASE, "max_loss": BASE + rise}
            for seed, values in rises.items()
            for batch, rise in enumerate(values)
        ]
        pd.DataFrame(rows).assign(device=device, versions="torch 2").to_parquet(path, index=False)
        return {**PGA, **labels, "rho": rho, "path": str(path)}

    return write


def pool(sharpness: list, test_loss: list, **labels) -> pd.DataFrame:
    """Rows of the runs table."""
    labels = {**PGA, "rho": 0.1, "train_loss": 0.5, "accuracy": math.nan, "base_loss": BASE, **labels}
    values = pd.DataFrame({"sharpness": sharpness, "test_loss": test_loss}, dtype=float)
    return values.assign(seed=range(len(values)), **labels)


def taus_of(runs: pd.DataFrame, published: dict | None = None) -> pd.DataFrame:
    """The table of taus, with a reliability of 0.5 for all and test losses in which nothing differs."""
    used = usable(runs).groupby(tables.POOL, dropna=False).size().rename("models").reset_index()
    pools = runs[tables.POOL].drop_duplicates().merge(used, how="left").assign(reliability=0.5)
    names = runs[["protocol", "architecture"]].drop_duplicates().itertuples(index=False, name=None)
    return tables.tau_table(runs, published or {}, pools, dict.fromkeys(names, pd.DataFrame(np.ones((10, 2)))))


# A row a model


def test_sharpness_is_the_mean_rise_over_batches_with_its_standard_error(training, measured):
    """Rises 1, 2, 3, 6: mean 3, squared deviations 4 + 1 + 0 + 9, variance 14 / 3, divided by 4 batches."""
    row = tables.runs([training({4: 0.25})], [measured({4: [1, 2, 3, 6]})]).iloc[0]
    assert row["sharpness"] == pytest.approx(3, rel=1e-15)
    assert row["standard_error"] == pytest.approx(math.sqrt(14 / 3 / 4), rel=1e-15)
    assert row["base_loss"] == BASE
    assert row["max_loss"] == BASE + 3


def test_a_row_joins_what_was_measured_with_what_was_trained(training, measured):
    row = tables.runs([training({4: 0.25}, device="gpu")], [measured({4: [1, 2]}, rho="1e-4")]).iloc[0]
    assert {name: row[name] for name in PGA} == PGA
    wanted = {"seed": 4, "rho": 1e-4, "test_loss": 0.25, "train_loss": 0.5, "accuracy": 0.75, "epochs": 7}
    assert {name: row[name] for name in wanted} == wanted
    made = {"device": "cpu", "versions": "torch 2", "train_device": "gpu", "train_versions": "torch 1"}
    assert {name: row[name] for name in made} == made


def test_rows_stand_in_the_order_of_the_shards(training, measured):
    trained = [training({2: 0.2, 3: 0.3}), training({0: 0.0, 1: 0.1})]
    shards = [measured({3: [1, 1], 2: [1, 1]}, "0.5"), measured({0: [1, 1]}, "0.5"), measured({1: [1, 1]}, "0.1")]
    runs = tables.runs(trained, shards)
    assert list(zip(runs["rho"], runs["seed"], strict=True)) == [(0.5, 3), (0.5, 2), (0.5, 0), (0.1, 1)]
    assert list(runs["test_loss"]) == [0.3, 0.2, 0.0, 0.1]


def test_seeds_of_two_architectures_are_not_confused(training, measured):
    trained = [training({0: 0.25}), training({0: 0.75}, architecture="gat")]
    runs = tables.runs(trained, [measured({0: [1, 1]}, architecture="gat"), measured({0: [2, 2]})])
    assert list(runs["architecture"]) == ["gat", "fcnn"]
    assert list(runs["test_loss"]) == [0.75, 0.25]


def test_a_seed_that_was_trained_twice_is_refused(training, measured):
    with pytest.raises(ValueError, match="not unique"):
        tables.runs([training({0: 0.25}), training({0: 0.5})], [measured({0: [1, 1]})])


def test_a_model_whose_ascent_ends_in_nan_on_a_batch_has_no_sharpness(training, measured):
    """The mean over the other batches would be too low: the ascent leaves the numbers where the loss is steepest."""
    runs = tables.runs([training({0: 0.25, 1: 0.5})], [measured({0: [1, math.nan, 3], 1: [1, 2, 3]})])
    assert math.isnan(runs["sharpness"][0])
    assert runs["sharpness"][1] == pytest.approx(2)


@pytest.mark.parametrize(("trained_on", "measured_on"), [("train_device", "cpu"), ("cpu", "device")])
def test_a_pool_of_mixed_devices_is_refused(training, measured, trained_on, measured_on):
    trained = [training({0: 0.25}), training({1: 0.5}, device=trained_on)]
    shards = [measured({0: [1, 1]}), measured({1: [1, 1]}, device=measured_on)]
    column = "train_device" if measured_on == "cpu" else "device"
    with pytest.raises(ValueError, match=f"fcnn.*0.1.*: {column} is cpu and {column}, wanted one device for a pool"):
        tables.runs(trained, shards)


def test_pools_of_different_devices_stand_side_by_side(training, measured):
    trained = [training({0: 0.25}), training({0: 0.5}, architecture="gat", device="gpu")]
    runs = tables.runs(trained, [measured({0: [1, 1]}), measured({0: [1, 1]}, device="gpu", architecture="gat")])
    assert list(runs["device"]) == list(runs["train_device"]) == ["cpu", "gpu"]


def test_a_model_that_was_measured_and_not_trained_is_refused(training, measured):
    wanted = r"^pool \('report', 'fcnn', 'report_pga', 0\.1\): got no training row of seed 1, wanted one for every .*$"
    with pytest.raises(ValueError, match=wanted):
        tables.runs([training({0: 0.25})], [measured({0: [1, 2], 1: [1, 2]})])


def test_a_model_that_was_measured_twice_is_refused(training, measured):
    wanted = r"^pool \(.report., .fcnn., .report_pga., 0\.1\): got two rows of seed 0, wanted one for every model .*$"
    with pytest.raises(ValueError, match=wanted):
        tables.runs([training({0: 0.25})], [measured({0: [1, 2]}), measured({0: [1, 2]})])


def test_a_row_says_whether_its_model_is_used(training, measured):
    losses = {0: 0.25, 1: math.nan, 2: math.inf, 3: 0.5}
    runs = tables.runs([training(losses)], [measured({0: [1, 2], 1: [1, 2], 2: [1, 2], 3: [1, math.nan]})])
    assert runs["used"].tolist() == [True, False, False, False]
    assert taus_of(runs)[["n", "left_out"]].to_numpy().tolist() == [[1, 3]]


def test_a_measure_without_a_radius_has_rows_of_its_own(training, measured):
    runs = tables.runs([training({0: 0.25})], [measured({0: [1, 2]}), measured({0: [3, 5]}, "none", measure="hessian")])
    assert runs["rho"].isna().tolist() == [False, True]
    assert runs["sharpness"].tolist() == [1.5, 4]
    taus = taus_of(runs)
    assert taus["rho"].isna().tolist() == [False, True]


# A row a tau


def test_a_row_describes_its_pool():
    """Sharpness -1, 1, 2, 4: mean 1.5, squared deviations 6.25 + 0.25 + 0.25 + 6.25. Of 6 pairs one is discordant."""
    row = taus_of(pool([-1, 1, 2, 4], [0.1, 0.4, 0.3, 0.6])).iloc[0]
    wanted = {"n": 4, "sharpness_mean": 1.5, "sharpness_sd": math.sqrt(13 / 3), "share_negative": 0.25, "rho": 0.1}
    wanted |= {"test_loss_mean": 0.35, "test_loss_sd": math.sqrt(0.13 / 3), "tau": (5 - 1) / 6}
    assert {name: row[name] for name in wanted} == pytest.approx(wanted)
    assert row["tau_low"] < row["tau"] < row["tau_high"]
    # Of 24 orders 1 has tau 1, 3 have 4/6: on both sides 8 are at least as extreme.
    assert row["p_value"] == pytest.approx(8 / 24)


def test_a_sharpness_of_zero_is_not_negative():
    assert taus_of(pool([0, 0, 1, -1], [1, 2, 3, 4]))["share_negative"][0] == 0.25


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("column", ["sharpness", "test_loss", "train_loss"])
def test_a_model_without_a_finite_value_is_left_out_of_its_pool(bad, column):
    runs = pool([-1, 1, 2, 4, 9], [0.1, 0.4, 0.3, 0.6, 9])
    without = taus_of(runs.iloc[:4])
    runs.loc[4, column] = bad
    pd.testing.assert_frame_equal(taus_of(runs), without.assign(left_out=1))
    assert without[["n", "left_out"]].to_numpy().tolist() == [[4, 0]]


def test_pools_stand_in_the_order_of_the_runs():
    labels = [{"architecture": "gat"}, {"rho": 0.5}, {"rho": 0.2}, {"protocol": "other"}]
    runs = pd.concat([pool([1, 2, 3], [3, 1, 2], **each) for each in labels])
    taus = taus_of(runs)
    assert list(zip(taus["architecture"], taus["rho"], taus["protocol"], strict=True)) == [
        ("gat", 0.1, "report"),
        ("fcnn", 0.5, "report"),
        ("fcnn", 0.2, "report"),
        ("fcnn", 0.1, "other"),
    ]


def test_a_published_tau_stands_at_its_rho_alone():
    runs = pd.concat([pool([1, 2, 3], [3, 1, 2], rho=rho) for rho in (0.025, 0.05)])
    runs = pd.concat([runs, runs.assign(architecture="gat"), runs.assign(measure="other")])
    taus = taus_of(runs, {"report_pga": {"fcnn": {"rho": 0.025, "tau": -0.311, "n": 50}}})
    found = taus[taus["published_tau"].notna()]
    assert found[["architecture", "measure", "rho", "published_tau", "published_n"]].to_numpy().tolist() == [
        ["fcnn", "report_pga", 0.025, -0.311, 50]
    ]
    assert taus["published_n"].notna().sum() == 1


def test_a_pool_without_a_usable_model_has_a_row_with_n_0():
    row = taus_of(pool([math.nan] * 3, [1, 2, 3])).iloc[0]
    assert row["n"] == 0
    assert np.isnan(row[["sharpness_mean", "tau", "tau_low", "tau_high", "p_value"]].astype(float)).all()


def test_reliabilities_are_found_whether_or_not_there_is_a_radius():
    """As in a csv whose rows stand in another order."""
    runs = pd.concat([pool([1, 2, 3], [3, 1, 2], rho=rho) for rho in (0.1, math.nan, 0.3)])
    losses = {("report", "fcnn"): pd.DataFrame(np.eye(3))}
    trusted = pd.DataFrame({**PGA, "rho": [math.nan, 0.3, 0.1], "models": 3, "reliability": [0.25, 0.5, 0.75]})
    assert tables.tau_table(runs, {}, trusted, losses)["reliability_sharpness"].tolist() == [0.75, 0.25, 0.5]
    wanted = r"^pool \('report', 'fcnn', 'report_pga', 0\.1\): got no row of estimates, wanted one for every pool$"
    with pytest.raises(ValueError, match=wanted):
        tables.tau_table(runs, {}, trusted[:2], losses)


@pytest.mark.parametrize("seeds", [[0, 1], None])
def test_a_model_without_test_losses_is_refused(seeds):
    losses = {("report", "fcnn"): pd.DataFrame(np.ones((2, 2)), index=seeds)} if seeds else {}
    trusted = pd.DataFrame([{**PGA, "rho": 0.1, "models": 3, "reliability": 0.5}])
    pool_of = r"pool \('report', 'fcnn', 'report_pga', 0\.1\)"
    wanted = rf"^{pool_of}: got no test losses of seed {2 if seeds else 0}, wanted them of every model measured$"
    with pytest.raises(ValueError, match=wanted):
        tables.tau_table(pool([1, 2, 3], [3, 1, 2]), {}, trusted, losses)


@pytest.mark.parametrize(("models", "wanted"), [(3, 0.5), (4, math.nan)])
def test_a_reliability_that_is_of_other_models_is_not_given(models, wanted):
    """The model whose test loss is infinite has a sharpness, on which the estimates count."""
    trusted = pd.DataFrame([{**PGA, "rho": 0.1, "models": models, "reliability": 0.5}])
    losses = {("report", "fcnn"): pd.DataFrame(np.eye(4))}
    row = tables.tau_table(pool([1, 2, 3, 4], [3, 1, 2, math.inf]), {}, trusted, losses).iloc[0]
    assert (row["n"], row["left_out"]) == (3, 1)
    assert row["reliability_sharpness"] == pytest.approx(wanted, nan_ok=True)
    assert math.isnan(row["noise_ceiling"]) == math.isnan(wanted)


def test_test_losses_are_matched_by_seed():
    """Seeds 5 and 9 differ by 1 on both examples; the shard's other model is not measured."""
    runs = pool([1, 2], [1, 2]).assign(seed=[9, 5])
    losses = pd.DataFrame([[8.0, 0.0], [1.0, 2.0], [2.0, 3.0]], index=[7, 5, 9])
    trusted = pd.DataFrame([{**PGA, "rho": 0.1, "models": 2, "reliability": 0.25}])
    row = tables.tau_table(runs, {}, trusted, {("report", "fcnn"): losses}).iloc[0]
    assert (row["reliability_test_loss"], row["resolvable_pairs"]) == (1, 1)
    assert row["noise_ceiling"] == pytest.approx(1 / 3)


def test_the_columns_are_those_that_are_documented():
    """docs/statistics.md has a paragraph for each column, in the order of the table."""
    text = (Path(__file__).parents[2] / "docs/statistics.md").read_text()
    assert list(taus_of(pool([1, 2, 3], [1, 3, 2]))) == re.findall(r"^\*\*`(\w+)`\*\*", text, re.MULTILINE)


def test_new_columns_stand_after_those_that_were_there_first():
    columns = "n sharpness_mean sharpness_sd share_negative test_loss_mean test_loss_sd tau tau_low tau_high p_value"
    columns += " published_tau permutation_p p_holm p_max_t fisher_low fisher_high partial_tau partial_tau_low"
    columns += " partial_tau_high partial_tau_gaussian partial_tau_gaussian_low partial_tau_gaussian_high"
    columns += " tau_max_loss tau_base_loss tau_ratio tau_accuracy tau_gap"
    columns += " reliability_sharpness reliability_test_loss resolvable_pairs noise_ceiling smallest_detectable_tau"
    columns += " equivalence_p loo_low loo_high reason z published_n left_out"
    assert list(taus_of(pool([1, 2, 3], [1, 3, 2])))[4:] == columns.split()
