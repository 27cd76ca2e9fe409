"""The table of taus: a row a quantity of a measurement of a pool, with the columns of every statistic."""

import json
import math
import re
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save_file
from scipy import stats

from adaptive_sharpness.datasets import Dataset, Rows
from adaptive_sharpness.stats.multiplicity import holm
from adaptive_sharpness.study.config.measures import Measurement
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.measuring.shard import measure_shard
from adaptive_sharpness.study.tables.estimates import estimates_table
from adaptive_sharpness.study.tables.models import KEYS, usable
from adaptive_sharpness.study.tables.runs import runs_table
from adaptive_sharpness.study.tables.tau import read_test_losses, statistic_columns, statistic_names, tau_table
from adaptive_sharpness.study.training.shard import TrainedShard, train_shard

POOL = {"protocol": "report", "pool": "fcnn"}
PGA = {**POOL, "measure": "report_pga", "rho": 0.1, "quantity": "sharpness"}
BASE = 1.0


def rows_of(value: list, test_loss: list, **labels) -> pd.DataFrame:
    """Rows of the runs table."""
    labels = {**PGA, "headline": True, "train_loss": 0.5, "accuracy": math.nan, "base_loss": BASE, **labels}
    values = pd.DataFrame({"value": value, "test_loss": test_loss}, dtype=float)
    return values.assign(seed=range(len(values)), **labels)


def taus_of(runs: pd.DataFrame, published: dict | None = None, folder: str | Path = "no such folder") -> pd.DataFrame:
    """The table of taus, with a reliability of 0.5 for all and test losses in which nothing differs."""
    used = usable(runs).groupby(KEYS, dropna=False).size().rename("models").reset_index()
    trusted = runs[KEYS].drop_duplicates().merge(used, how="left").assign(reliability=0.5)
    pools = runs[["protocol", "pool"]].drop_duplicates().itertuples(index=False, name=None)
    return tau_table(runs, published or {}, trusted, dict.fromkeys(pools, pd.DataFrame(np.ones((20, 2)))), folder)


def test_a_row_describes_its_pool():
    """Values -1, 1, 2, 4: mean 1.5, squared deviations 6.25 + 0.25 + 0.25 + 6.25. Of 6 pairs one is discordant."""
    row = taus_of(rows_of([-1, 1, 2, 4], [0.1, 0.4, 0.3, 0.6])).iloc[0]
    wanted = {"n": 4, "value_mean": 1.5, "value_sd": math.sqrt(13 / 3), "share_negative": 0.25, "rho": 0.1}
    wanted |= {"test_loss_mean": 0.35, "test_loss_sd": math.sqrt(0.13 / 3), "tau": (5 - 1) / 6}
    assert {name: row[name] for name in wanted} == pytest.approx(wanted)
    assert row["tau_low"] < row["tau"] < row["tau_high"]
    # Of 24 orders 1 has tau 1, 3 have 4/6: on both sides 8 are at least as extreme.
    assert row["p_value"] == pytest.approx(8 / 24)


def test_a_value_of_zero_is_not_negative():
    assert taus_of(rows_of([0, 0, 1, -1], [1, 2, 3, 4]))["share_negative"][0] == 0.25


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("column", ["value", "test_loss", "train_loss"])
def test_a_model_without_a_finite_value_is_left_out_of_its_pool(bad, column):
    runs = rows_of([-1, 1, 2, 4, 9], [0.1, 0.4, 0.3, 0.6, 9])
    without = taus_of(runs.iloc[:4])
    runs.loc[4, column] = bad
    pd.testing.assert_frame_equal(taus_of(runs), without.assign(left_out=1))
    assert without[["n", "left_out"]].to_numpy().tolist() == [[4, 0]]


def test_rows_stand_in_the_order_of_the_runs():
    labels = [{"pool": "gat"}, {"rho": 0.5}, {"rho": 0.2}, {"protocol": "other"}]
    runs = pd.concat([rows_of([1, 2, 3], [3, 1, 2], **each) for each in labels])
    taus = taus_of(runs)
    assert list(zip(taus["pool"], taus["rho"], taus["protocol"], strict=True)) == [
        ("gat", 0.1, "report"),
        ("fcnn", 0.5, "report"),
        ("fcnn", 0.2, "report"),
        ("fcnn", 0.1, "other"),
    ]


def test_a_published_tau_stands_at_its_rho_alone():
    runs = pd.concat([rows_of([1, 2, 3], [3, 1, 2], rho=rho) for rho in (0.025, 0.05)])
    runs = pd.concat([runs, runs.assign(pool="gat"), runs.assign(measure="other")])
    taus = taus_of(runs, {"report_pga": {"fcnn": {"rho": 0.025, "tau": -0.311, "n": 50}}})
    found = taus[taus["published_tau"].notna()]
    assert found[["pool", "measure", "rho", "published_tau", "published_n"]].to_numpy().tolist() == [
        ["fcnn", "report_pga", 0.025, -0.311, 50]
    ]
    assert taus["published_n"].notna().sum() == 1


def test_a_pool_without_a_usable_model_has_a_row_with_n_0():
    row = taus_of(rows_of([math.nan] * 3, [1, 2, 3])).iloc[0]
    assert row["n"] == 0
    assert np.isnan(row[["value_mean", "tau", "tau_low", "tau_high", "p_value"]].astype(float)).all()


def test_reliabilities_are_found_whether_or_not_there_is_a_radius():
    """As in a csv whose rows stand in another order."""
    runs = pd.concat([rows_of([1, 2, 3], [3, 1, 2], rho=rho) for rho in (0.1, math.nan, 0.3)])
    losses = {("report", "fcnn"): pd.DataFrame(np.eye(3))}
    trusted = pd.DataFrame({**PGA, "rho": [math.nan, 0.3, 0.1], "models": 3, "reliability": [0.25, 0.5, 0.75]})
    table = tau_table(runs, {}, trusted, losses)
    assert table["reliability_value"].tolist() == [0.75, 0.25, 0.5]
    assert table["rho"].isna().tolist() == [False, True, False]
    labels = re.escape("('report', 'fcnn', 'report_pga', 0.1, 'sharpness')")
    with pytest.raises(ValueError, match=f"^{labels}: got no row of estimates, wanted one for every row of the table$"):
        tau_table(runs, {}, trusted[:2], losses)


@pytest.mark.parametrize("seeds", [[0, 1], None])
def test_a_model_without_test_losses_is_refused(seeds):
    losses = {("report", "fcnn"): pd.DataFrame(np.ones((2, 2)), index=seeds)} if seeds else {}
    trusted = pd.DataFrame([{**PGA, "models": 3, "reliability": 0.5}])
    wanted = rf"^pool report/fcnn: got no test losses of seed {2 if seeds else 0}, wanted them of every model measured$"
    with pytest.raises(ValueError, match=wanted):
        tau_table(rows_of([1, 2, 3], [3, 1, 2]), {}, trusted, losses)


@pytest.mark.parametrize(("models", "wanted"), [(3, 0.5), (4, math.nan)])
def test_a_reliability_that_is_of_other_models_is_not_given(models, wanted):
    """The model whose test loss is infinite has a value, on which the estimates count."""
    trusted = pd.DataFrame([{**PGA, "models": models, "reliability": 0.5}])
    losses = {("report", "fcnn"): pd.DataFrame(np.eye(4))}
    row = tau_table(rows_of([1, 2, 3, 4], [3, 1, 2, math.inf]), {}, trusted, losses).iloc[0]
    assert (row["n"], row["left_out"]) == (3, 1)
    assert row["reliability_value"] == pytest.approx(wanted, nan_ok=True)
    assert math.isnan(row["noise_ceiling"]) == math.isnan(wanted)


def test_test_losses_are_matched_by_seed():
    """Seeds 5 and 9 differ by 1 on both examples; the shard's other model is not measured."""
    runs = rows_of([1, 2], [1, 2]).assign(seed=[9, 5])
    losses = pd.DataFrame([[8.0, 0.0], [1.0, 2.0], [2.0, 3.0]], index=[7, 5, 9])
    trusted = pd.DataFrame([{**PGA, "models": 2, "reliability": 0.25}])
    row = tau_table(runs, {}, trusted, {("report", "fcnn"): losses}).iloc[0]
    assert (row["reliability_test_loss"], row["resolvable_pairs"]) == (1, 1)
    assert row["noise_ceiling"] == pytest.approx(1 / 3)


def test_the_columns_are_those_that_are_documented(tmp_path):
    """docs/statistics.md shows a row for each column, in the order of the table."""
    documented = runpy.run_path(str(Path(__file__).parents[2] / "docs/tables.py"))["columns"](tmp_path)["tau.csv"]
    names, columns = documented["column"].str.strip("`").tolist(), statistic_columns(tmp_path)
    varying = [column.name for column in columns if column.varying]
    settings = ["lr=1", "lr=1", "lr=2", "lr=2"]
    assert list(taus_of(rows_of([1, 2, 3, 4], [1, 3, 2, 4], setting=settings))) == names
    assert list(taus_of(rows_of([1, 2, 3], [1, 3, 2]))) == [name for name in names if name not in varying]


def test_the_columns_stand_in_the_order_of_their_statistics():
    columns = "protocol pool measure rho quantity headline n left_out value_mean value_sd share_negative"
    columns += (
        " test_loss_mean test_loss_sd tau tau_low tau_high p_value fisher_low fisher_high loo_low loo_high reason"
    )
    columns += " published_tau z published_n permutation_p p_holm p_max_t partial_tau partial_tau_low partial_tau_high"
    columns += " partial_tau_gaussian partial_tau_gaussian_low partial_tau_gaussian_high"
    columns += " tau_max_loss tau_base_loss tau_ratio tau_accuracy tau_gap"
    columns += " reliability_value reliability_test_loss resolvable_pairs noise_ceiling smallest_detectable_tau"
    columns += " equivalence_p"
    assert list(taus_of(rows_of([1, 2, 3], [1, 3, 2]))) == columns.split()


def test_a_table_without_rows_has_its_columns():
    runs = rows_of([1, 2, 3], [1, 3, 2])
    assert list(taus_of(runs[:0])) == list(taus_of(runs))
    assert len(taus_of(runs[:0])) == 0


# Quantities


PUBLISHED = {"rho": 0.1, "tau": -0.311, "n": 50}


def test_each_quantity_has_a_row_and_only_the_headline_a_published_tau():
    further = rows_of([3, 2, 1], [3, 1, 2], quantity="first_order", headline=False)
    taus = taus_of(pd.concat([rows_of([1, 2, 3], [3, 1, 2]), further]), {"report_pga": {"fcnn": PUBLISHED}})
    assert taus[["quantity", "headline"]].to_numpy().tolist() == [["sharpness", True], ["first_order", False]]
    assert taus["tau"].tolist() == pytest.approx([-1 / 3, 1 / 3])
    assert taus["published_tau"].fillna(0).tolist() == [-0.311, 0]
    assert taus["headline"].dtype == bool


def test_a_reliability_is_that_of_its_own_quantity():
    runs = pd.concat([rows_of([1, 2, 3], [3, 1, 2], quantity=name, headline=name == "a") for name in ("a", "b")])
    trusted = pd.DataFrame({**PGA, "quantity": ["b", "a"], "models": 3, "reliability": [0.25, 0.75]})
    table = tau_table(runs, {}, trusted, {("report", "fcnn"): pd.DataFrame(np.eye(3))})
    assert table["reliability_value"].tolist() == [0.75, 0.25]


def test_headline_quantities_and_others_are_corrected_by_holm_apart():
    draw = np.random.default_rng(0)
    test_loss = draw.normal(size=20)
    runs = [
        rows_of(test_loss + draw.normal(size=20), test_loss, measure=measure, quantity=name, headline=name == "a")
        for measure in ("one", "two", "three")
        for name in ("a", "b", "c")
    ]
    taus = taus_of(pd.concat(runs))
    assert len(taus) == 9
    for family in (taus["headline"], ~taus["headline"]):
        p = taus.loc[family, "permutation_p"].to_numpy()
        assert taus.loc[family, "p_holm"].tolist() == holm(p).tolist()
    assert taus["p_holm"].tolist() != holm(taus["permutation_p"].to_numpy()).tolist()


# From measures and training to the table


MEASURE = """
import torch

from adaptive_sharpness.measures import Measured


def three(model, loss, batches, *, seed):
    weight = next(model.parameters()).detach().double().abs().max().cpu()
    batch = torch.arange(1.0, len(batches) + 1, dtype=torch.float64)
    return Measured(
        per_batch=weight * batch,
        base_loss=batch,
        headline="largest",
        further={"twice": 2 * weight * batch, "none": torch.full_like(batch, torch.nan)},
    )
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The files of four models with a measure of the user's own, as the jobs write them."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "plugins/measures").mkdir(parents=True)
    (folder / "plugins/measures/three.py").write_text(MEASURE)
    pool = PoolSettings.model_validate(
        {
            "dataset": "made_up",
            "architecture": "fcnn",
            "options": {"widths": [3, 4, 1], "activation": "ReLU"},
            "initialisation": "xavier_uniform",
            "loss": "mse_loss",
            "training": {"optimiser": {"name": "SGD", "lr": 0.01}, "batch_size": 8, "stop": {"max_epochs": 1}},
        }
    )
    draw = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(24, 3, generator=draw), torch.randn(24, 1, generator=draw)
    split = Rows(inputs, targets, torch.tensor(0.0), torch.tensor(1.0))
    dataset, cpu, plugins_folder = Dataset(split, split.first(8)), torch.device("cpu"), folder / "plugins"
    names = ("checkpoint", "initial", "table", "test_losses")
    files = {name: str(folder / name) for name in names}
    here = {"device": "cpu", "versions": "torch 2"}
    labels = {**POOL, "setting": ""}
    shard = train_shard(pool, dataset, range(4), cpu)
    shard.save(**files, made_from={}, labels=labels, provenance=here)
    way = Measurement.model_validate({"estimator": "three", "batches": 2, "batch_size": 8, "seed": 0})
    options = {"made_from": {}, "dataset": dataset, "device": cpu, "folder": plugins_folder}
    rows = measure_shard(pool, way, None, checkpoint=files["checkpoint"], **options)
    files["sharpness"] = str(folder / "sharpness.parquet")
    rows.assign(**labels, measure="mine", rho=math.nan, **here).to_parquet(files["sharpness"], index=False)
    return files


def test_the_quantities_of_a_measure_reach_the_tables_and_their_files(measured, tmp_path):
    runs = runs_table([measured["table"]], [measured["sharpness"]])
    assert runs["quantity"].tolist() == ["largest", "twice", "none"] * 4
    assert runs["headline"].tolist() == [True, False, False] * 4
    by_name = {name: rows["value"].to_numpy() for name, rows in runs.groupby("quantity")}
    np.testing.assert_allclose(by_name["twice"], 2 * by_name["largest"])
    assert (runs["base_loss"] == 1.5).all()
    estimates = estimates_table([measured["sharpness"]], {})
    losses = read_test_losses([measured["test_losses"]])
    runs.to_parquet(tmp_path / "runs.parquet", index=False)
    estimates.to_csv(tmp_path / "estimates.csv", index=False)
    files = pd.read_parquet(tmp_path / "runs.parquet"), pd.read_csv(tmp_path / "estimates.csv")
    taus = tau_table(runs, {}, estimates, losses)
    pd.testing.assert_frame_equal(tau_table(files[0], {}, files[1], losses), taus)
    assert taus[["pool", "measure", "quantity", "headline", "n"]].to_numpy().tolist() == [
        ["fcnn", "mine", "largest", True, 4],
        ["fcnn", "mine", "twice", False, 4],
        ["fcnn", "mine", "none", False, 0],
    ]
    wanted = stats.kendalltau(by_name["largest"], losses["report", "fcnn"].mean(axis=1)).statistic
    assert taus["tau"].tolist() == pytest.approx([wanted, wanted, math.nan], nan_ok=True)
    assert taus["reason"].tolist() == ["", "", "0 usable models, wanted at least 3"]
    assert taus["n"].tolist() == runs.groupby("quantity", sort=False)["used"].sum().tolist()
    assert taus["left_out"].tolist() == [0, 0, 4]


def unknown(path: str, **labels) -> str:
    """A shard of four models that have a loss that is not finite, as a measuring job writes it."""
    known = {"quantity": None, "headline": True, "value": math.nan, "base_loss": math.nan}
    table = pd.DataFrame([{**POOL, "setting": "", **labels, "seed": seed, "batch": 0} for seed in range(4)])
    table.assign(**known, device="cpu", versions="torch 2").astype({"quantity": object}).to_parquet(path, index=False)
    return path


def test_models_of_which_nothing_is_known_at_one_radius_have_a_row(measured, tmp_path):
    """Whatever the headline of their measure is called elsewhere."""
    sharpness = [measured["sharpness"], unknown(str(tmp_path / "other"), measure="mine", rho=0.5)]
    runs, estimates = runs_table([measured["table"]], sharpness), estimates_table(sharpness, {})
    taus = tau_table(runs, {}, estimates, read_test_losses([measured["test_losses"]]))
    [row] = taus[taus["rho"] == 0.5].to_dict("records")
    assert (row["headline"], row["n"], row["left_out"]) == (True, 0, 4)


# Statistics of the user's own


STATISTIC = """
from adaptive_sharpness.study.tables.columns import Column

COLUMNS = {columns}


def mine(comparisons):
    return {found}
"""
ONE = "(Column('mine', 'Mine.'),)"


def own(folder: Path, found: str = "[{'mine': each.tau.n} for each in comparisons]", columns: str = ONE) -> Path:
    """A folder of plug-ins whose statistic `mine` returns this."""
    (folder / "statistics").mkdir(parents=True, exist_ok=True)
    (folder / "statistics/mine.py").write_text(STATISTIC.format(found=found, columns=columns))
    return folder


RUNS = pd.concat([rows_of([1, 2, 3], [1, 3, 2]), rows_of([1, 2, 3, 4], [1, 3, 2, 4], measure="other")])


def test_a_file_of_the_users_adds_its_columns_at_the_end(tmp_path):
    without, found = taus_of(RUNS), taus_of(RUNS, folder=own(tmp_path))
    assert list(found) == [*without, "mine"]
    assert found["mine"].tolist() == [3, 4]
    pd.testing.assert_frame_equal(found[list(without)], without)


def test_a_statistic_gets_all_rows_at_once_and_its_result_is_matched_by_place(tmp_path):
    folder = own(tmp_path, "({'mine': f'{place} of {len(comparisons)}'} for place, _ in enumerate(comparisons))")
    assert taus_of(RUNS, folder=folder)["mine"].tolist() == ["0 of 2", "1 of 2"]


def test_the_order_of_a_rows_keys_does_not_matter(tmp_path):
    columns = "(Column('first', '1.'), Column('second', '2.'))"
    table = taus_of(RUNS, folder=own(tmp_path, "[{'second': 2, 'first': 1} for _ in comparisons]", columns))
    assert table[["first", "second"]].to_numpy().tolist() == [[1, 2]] * 2
    assert list(table)[-2:] == ["first", "second"]


def test_files_of_the_users_follow_by_name_and_helpers_are_none(tmp_path):
    own(tmp_path)
    for name in ("also", "_helper"):
        (tmp_path / f"statistics/{name}.py").write_text(
            STATISTIC.format(
                columns=f"(Column('{name}', 'Mine.'),)", found="[{'also': 0} for _ in comparisons]"
            ).replace("def mine", f"def {name}")
        )
    assert statistic_names(tmp_path) == [*statistic_names("no such folder"), "also", "mine"]
    assert [column.name for column in statistic_columns(tmp_path)][-2:] == ["also", "mine"]
    assert list(taus_of(RUNS, folder=tmp_path))[-2:] == ["also", "mine"]


def test_a_statistic_without_a_row_to_describe_adds_its_column_too(tmp_path):
    assert list(taus_of(RUNS[:0], folder=own(tmp_path)))[-1] == "mine"


@pytest.mark.parametrize(
    "columns", ["None", "[Column('mine', 'Mine.')]", "('mine',)", "Column('mine', 'Mine.')", "()\ndel COLUMNS"]
)
def test_a_statistic_without_a_tuple_of_columns_is_refused(tmp_path, columns):
    folder = own(tmp_path, columns=columns)
    for ask in (lambda: taus_of(RUNS, folder=folder), lambda: statistic_columns(folder)):
        with pytest.raises(ValueError, match=r"^statistic mine: got no COLUMNS, wanted a tuple of Column$"):
            ask()


@pytest.mark.parametrize("name", ["tau", "n", "p_holm", "pool", "headline", "quantity"])
def test_a_column_that_the_table_has_is_refused(tmp_path, name):
    folder = own(tmp_path, columns=f"(Column('{name}', 'Mine.'),)")
    wanted = f"^statistic mine: got the column {name}, which the table has, wanted another name$"
    with pytest.raises(ValueError, match=wanted):
        taus_of(RUNS, folder=folder)


@pytest.mark.parametrize(
    ("found", "got"),
    [("[]", 0), ("[{'mine': 1}]", 1), ("[{'mine': 1}] * 3", 3), ("({'mine': 1} for _ in '1')", 1), ("{}", 0)],
)
def test_another_number_of_rows_is_refused(tmp_path, found, got):
    with pytest.raises(ValueError, match=f"^statistic mine: got {got} rows from it, wanted 2$"):
        taus_of(RUNS, folder=own(tmp_path, found))


@pytest.mark.parametrize(("found", "got"), [("None", "NoneType"), ("0.5", "float")])
def test_a_statistic_that_returns_no_rows_is_refused(tmp_path, found, got):
    with pytest.raises(ValueError, match=f"^statistic mine: got {got} from it, wanted a row for each comparison$"):
        taus_of(RUNS, folder=own(tmp_path, found))


def test_a_column_that_a_statistic_names_twice_is_refused(tmp_path):
    folder = own(tmp_path, columns="(Column('mine', 'Mine.'), Column('mine', 'Mine too.'))")
    with pytest.raises(ValueError, match=r"^statistic mine: got the column mine, which the table has, wanted another"):
        taus_of(RUNS, folder=folder)


@pytest.mark.parametrize(
    ("row", "got"),
    [
        ("{}", ""),
        ("{'other': 1}", "other"),
        ("{'mine': 1, 'other': 1}", "mine, other"),
        ("{'mine': 1, 7: 1}", "mine, 7"),
        ("0.5", "float"),
        ("(1,)", "tuple"),
        ("None", "NoneType"),
    ],
)
def test_a_row_of_another_shape_is_refused(tmp_path, row, got):
    """It may be the second that is wrong."""
    folder = own(tmp_path, f"[{{'mine': 1}}, {row}]")
    with pytest.raises(ValueError, match=f"^statistic mine: got a row with {got}, wanted mine$"):
        taus_of(RUNS, folder=folder)


def test_a_statistic_that_has_a_name_of_the_package_is_refused(tmp_path):
    own(tmp_path)
    (tmp_path / "statistics/mine.py").rename(tmp_path / "statistics/power.py")
    path = re.escape(str(tmp_path / "statistics/power.py"))
    with pytest.raises(ValueError, match=f"^{path}: got the name of a plug-in of the package, wanted another name$"):
        taus_of(RUNS, folder=tmp_path)


# Files of test losses


def test_shards_of_a_pool_come_together(tmp_path):
    paths = []
    for number, (pool, seeds) in enumerate([("fcnn", [2, 3]), ("gat", [2]), ("fcnn", [0])]):
        path = tmp_path / f"{number}.safetensors"
        labels = {"protocol": "report", "pool": pool, "setting": ""}
        losses = np.array(seeds)[:, None] + np.array([0.25, 0.5])
        tensors = {"seeds": np.array(seeds), "test_losses": losses}
        save_file(tensors, path, {"labels": json.dumps(labels)})
        paths.append(str(path))
    found = read_test_losses(paths)
    assert list(found) == [("report", "fcnn"), ("report", "gat")]
    assert found["report", "fcnn"].index.tolist() == [2, 3, 0]
    assert found["report", "fcnn"].loc[3].tolist() == [3.25, 3.5]
    assert found["report", "gat"].to_numpy().tolist() == [[2.25, 2.5]]


def test_what_training_writes_is_read(tmp_path):
    files = {name: str(tmp_path / name) for name in ("checkpoint", "initial", "table", "test_losses")}
    losses = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], dtype=torch.float64)
    states = {"weight": torch.zeros(2, 1)}
    shard = TrainedShard(states, states, [{"seed": 7}, {"seed": 8}], losses)
    shard.save(**files, made_from={}, labels={**POOL, "setting": ""}, provenance={})
    found = read_test_losses([files["test_losses"]])
    assert found["report", "fcnn"].loc[8].tolist() == losses[1].tolist()
