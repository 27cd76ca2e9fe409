"""Tables of pools whose settings vary: columns of axes, and statistics that take models of one setting for no draws."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from adaptive_sharpness.stats.kendall import kendall, tau_b
from adaptive_sharpness.stats.multiplicity import holm
from adaptive_sharpness.stats.reliability import reliability
from adaptive_sharpness.stats.within_between import within_between
from adaptive_sharpness.study.tables.axes import with_axes
from adaptive_sharpness.study.tables.comparison import PERMUTATIONS
from adaptive_sharpness.study.tables.models import KEYS
from adaptive_sharpness.study.tables.tau import read_test_losses, statistic_columns, tau_table

VARYING = [column.name for column in statistic_columns("no such folder") if column.varying]
INDEPENDENT = ["fisher_low", "fisher_high", "loo_low", "loo_high", "p_max_t", "noise_ceiling", "z"]
INDEPENDENT += ["partial_tau_gaussian_low", "partial_tau_gaussian_high", "smallest_detectable_tau", "equivalence_p"]
SETTINGS, REPEATS = 12, 4


def models(pool: str, settings: list[str]) -> pd.DataFrame:
    """Rows of the runs table: repeats of each setting, in which value and test loss fall together; settings rise."""
    rng = np.random.default_rng(1)
    level = np.repeat(np.arange(len(settings)), REPEATS)
    noise = rng.normal(size=len(level))
    rows = {"setting": np.repeat(settings, REPEATS), "seed": np.tile(np.arange(REPEATS), len(settings))}
    rows |= {"value": level + noise / 2, "test_loss": level - noise / 2 + rng.normal(size=len(level)) / 9}
    rows |= {"train_loss": rng.normal(size=len(level)), "accuracy": math.nan, "base_loss": 1.0}
    labels = {"protocol": "report", "pool": pool, "measure": "pga", "quantity": "sharpness", "headline": True}
    return pd.DataFrame(rows).assign(**labels, rho=0.1)


VARIED, PLAIN = models("varied", [f"lr={at / 10}" for at in range(SETTINGS)]), models("plain", [""])
PLAIN = pd.concat([PLAIN.assign(seed=PLAIN["seed"] + REPEATS * at, value=PLAIN["value"] ** at) for at in (1, 2)])


def losses_of(runs: pd.DataFrame, tmp_path) -> dict:
    """Read back from files as training jobs write them, a shard a setting."""
    rng, paths = np.random.default_rng(2), []
    for (pool, setting), rows in runs.groupby(["pool", "setting"]):
        labels = json.dumps({"protocol": "report", "pool": pool, "setting": setting})
        noise = rng.normal(size=(len(rows), 30)) / 3
        arrays = {"seeds": rows["seed"].to_numpy(), "test_losses": rows[["test_loss"]].to_numpy() + noise}
        paths.append(tmp_path / f"{len(paths)}")
        save_file(arrays, paths[-1], {"labels": labels})
    return read_test_losses(paths)


def table(tmp_path, *pools: pd.DataFrame, published: dict | None = None) -> pd.DataFrame:
    runs = pd.concat(pools, ignore_index=True)
    trusted = runs.groupby(KEYS, sort=False).size().rename("models").reset_index().assign(reliability=0.5)
    losses = losses_of(runs, tmp_path)
    return tau_table(runs, published or {}, trusted, losses, "no such folder").set_index("pool")


@pytest.fixture
def row(tmp_path) -> pd.Series:
    published = {"pga": {"varied": {"rho": 0.1, "tau": 0.1, "n": 50}}}
    return table(tmp_path, VARIED, published=published).loc["varied"]


def test_tau_takes_settings_as_clusters(row):
    found = kendall(VARIED["value"], VARIED["test_loss"], clusters=VARIED["setting"], permutations=PERMUTATIONS)
    assert (row["tau"], row["p_value"], row["permutation_p"]) == (found.statistic, found.pvalue, found.pvalue)
    assert (row["tau_low"], row["tau_high"]) == found.confidence_interval()
    assert row["tau"] == tau_b(VARIED["value"], VARIED["test_loss"])


def test_tau_within_and_between_settings_may_have_opposite_signs(row):
    values = VARIED["value"].to_numpy(), VARIED["test_loss"].to_numpy()
    found = within_between(*values, VARIED["setting"].to_numpy(), permutations=PERMUTATIONS)
    ends = [end for interval in found.confidence_interval() for end in interval]
    assert row["settings"] == SETTINGS
    assert [row["tau_within"], row["tau_between"]] == list(found.statistic)
    assert [row[f"tau_{kind}_{end}"] for kind in ("within", "between") for end in ("low", "high")] == ends
    assert (row["tau_within_p"], row["tau_between_p"]) == found.pvalue
    means = VARIED.groupby("setting")[["value", "test_loss"]].mean()
    assert row["tau_between"] == pytest.approx(tau_b(means["value"], means["test_loss"]))
    assert row["tau_within"] < 0 < row["tau_between"]


def test_what_needs_independent_models_is_left_empty(row):
    assert {name for name in INDEPENDENT if pd.notna(row[name])} == set()
    assert row["published_tau"] == 0.1


def test_what_is_said_of_models_and_pairs_holds_for_all_of_them(row, tmp_path):
    losses = losses_of(VARIED, tmp_path)["report", "varied"]
    keys = pd.MultiIndex.from_frame(VARIED[["setting", "seed"]])
    assert row["reliability_test_loss"] == reliability(losses.loc[keys].to_numpy())
    assert row["n"] == SETTINGS * REPEATS
    assert row["tau_gap"] == tau_b(VARIED["value"], VARIED["test_loss"] - VARIED["train_loss"])


def test_a_pool_beside_one_that_varies_keeps_its_numbers(tmp_path):
    alone, both = table(tmp_path, PLAIN), table(tmp_path, VARIED, PLAIN)
    assert list(both) == [*alone, *VARYING]
    assert both.loc["plain", VARYING].isna().all()
    same = [
        name for name in alone if name not in ("p_holm", "reliability_test_loss", "resolvable_pairs", "noise_ceiling")
    ]
    pd.testing.assert_series_equal(both.loc["plain", same], alone.loc["plain", same])
    assert list(both["p_holm"]) == list(holm(both["permutation_p"].to_numpy(dtype=float)))


def test_a_pool_of_one_setting_does_not_vary(tmp_path):
    one = models("one", ["lr=0.1"])
    named, unnamed = table(tmp_path, one), table(tmp_path, one.assign(setting=""))
    pd.testing.assert_frame_equal(named, unnamed)
    assert not set(VARYING) & set(named)


def test_a_model_of_a_setting_without_test_losses_is_named(tmp_path):
    losses = losses_of(VARIED[1:], tmp_path)
    trusted = VARIED.groupby(KEYS).size().rename("models").reset_index().assign(reliability=0.5)
    with pytest.raises(ValueError, match=r"pool report/varied, lr=0\.0: got no test losses of seed 0, wanted them"):
        tau_table(VARIED, {}, trusted, losses, "no such folder")


def test_an_axis_is_a_column_of_numbers_where_all_its_levels_are():
    runs = pd.DataFrame({"pool": "a", "setting": ["", "lr=0.1+size=3", "lr=1e-05+size=3-4"], "value": 1.0})
    found = with_axes(runs)
    assert list(found) == ["pool", "setting", "lr", "size", "value"]
    assert found["lr"].tolist()[1:] == [0.1, 1e-5]
    assert found["size"].tolist()[1:] == ["3", "3-4"]
    assert found[["lr", "size"]].isna().iloc[0].all()
    pd.testing.assert_frame_equal(with_axes(runs[:1]), runs[:1])


@pytest.mark.parametrize(
    ("said", "wanted"), [([0.3, np.nan, np.nan], [0.3, 0.1, 1e-5]), (["fast", None, None], ["fast", "0.1", "1e-05"])]
)
def test_an_axis_is_one_column_with_what_a_table_of_models_says_of_it(said, wanted):
    runs = pd.DataFrame({"setting": ["", "lr=0.1", "lr=1e-05"], "value": 1.0, "lr": said})
    found = with_axes(runs)
    assert list(found) == ["setting", "lr", "value"]
    assert found["lr"].tolist() == wanted
