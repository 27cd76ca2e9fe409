"""docs/tables.py: every column is explained, and the tables of the pages say what the published tables say."""

import inspect
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

import adaptive_sharpness
from adaptive_sharpness.landscape.scales import SCALES
from adaptive_sharpness.study.tables.tau import LABELS, statistic_columns

ROOT = Path(__file__).parents[2]
STUDY, HAMMOUD = ROOT / "docs/results", ROOT / "studies/hammoud2023/results"
PUBLISHED = {
    "runs.parquet": STUDY,
    "tau.csv": STUDY,
    "estimates.csv": STUDY,
    "ladder.csv": HAMMOUD / "ladder",
    "replicates.csv": HAMMOUD / "ladder",
    "prediction.csv": HAMMOUD / "ladder",
}
PAGES = ("networks", "measures", "statistics", "results", "replication")
TABLES = SimpleNamespace(**runpy.run_path(str(ROOT / "docs/tables.py")))


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A folder with all that the pages show."""
    folder = tmp_path_factory.mktemp("docs") / "_generated"
    TABLES.write(folder)
    return folder


# Columns


def _explained(table: str, folder: Path) -> list[str]:
    rows = TABLES.columns(folder)[table]
    assert rows["meaning"].str.endswith(".").all()
    return rows["column"].str.strip("`").tolist()


def test_all_tables_are_explained_and_no_others(tmp_path):
    assert list(TABLES.columns(tmp_path)) == list(PUBLISHED)


@pytest.mark.parametrize("table", PUBLISHED)
def test_all_columns_are_explained_in_the_order_of_the_table(table, tmp_path):
    path = PUBLISHED[table] / table
    columns = (pd.read_parquet if path.suffix == ".parquet" else pd.read_csv)(path).columns
    varying = {column.name for column in statistic_columns(tmp_path) if column.varying}  # nothing published varies
    assert [name for name in _explained(table, tmp_path) if name not in varying] == list(columns)


def test_the_columns_of_every_statistic_are_explained_and_no_others(tmp_path):
    columns = [*LABELS, *(column.name for column in statistic_columns(tmp_path))]
    assert _explained("tau.csv", tmp_path) == columns


def test_a_users_own_statistic_is_explained_last(tmp_path):
    file = tmp_path / "statistics/mine.py"
    file.parent.mkdir()
    file.write_text(
        "from adaptive_sharpness.study.tables.columns import Column\n\n"
        'COLUMNS = (Column("own", "A number."),)\n\n\ndef mine(comparisons):\n    return []\n'
    )
    assert _explained("tau.csv", tmp_path)[-1] == "own"


@pytest.mark.parametrize("measure", ["worst_case", "average_case", "hessian"])
def test_all_options_of_a_measure_are_explained_with_their_defaults(measure):
    rows = TABLES.options()
    rows = rows[rows["of"].str.contains(f"`{measure}`")]
    taken = inspect.signature(getattr(adaptive_sharpness, measure)).parameters.values()
    options = {each.name: each.default for each in taken if each.kind is each.KEYWORD_ONLY}
    defaults = {name: "" if value is inspect.Parameter.empty else f"`{value}`" for name, value in options.items()}
    assert dict(zip(rows["option"].str.strip("`"), rows["default"], strict=True)) == defaults
    assert rows["meaning"].str.endswith(".").all()


def test_all_scales_are_explained_in_their_order():
    rows = TABLES.scales()
    assert rows["scale"].str.strip("`").tolist() == list(SCALES)
    assert rows["source"].ne("").tolist() == [name != "none" for name in SCALES]


FACTORS = {  # by which weights are multiplied: of one dimension, of a linear layer, of a convolution
    "each weight by a factor of its own": [(4,), (4, 3), (4, 3, 2, 2)],
    "each filter by a factor, elsewhere each weight": [(4,), (4, 3), (4, 1, 1, 1)],
    "all weights into a filter or neuron by one factor": [(4,), (4, 1), (4, 1, 1, 1)],
}


@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize("scale", SCALES)
def test_a_scale_is_rescaled_with_the_weights_as_the_table_says(scale, factors):
    """So that the ball is. What may differ from weight to weight may be one for all, too."""
    draw = torch.Generator().manual_seed(0)
    found = TABLES.scales().set_index("scale").at[f"`{scale}`", "the value stays under rescaling"]
    stays = found in FACTORS and [*FACTORS].index(factors) >= [*FACTORS].index(found)
    is_rescaled = []
    for weights, shape in zip([(4,), (4, 3), (4, 3, 2, 2)], FACTORS[factors], strict=True):
        w = torch.randn(weights, generator=draw, dtype=torch.float64)
        r = torch.randn(shape, generator=draw, dtype=torch.float64).exp()
        is_rescaled.append(torch.allclose(SCALES[scale]("weight", r * w), r * SCALES[scale]("weight", w), rtol=1e-12))
    assert all(is_rescaled) is stays


# The pages


@pytest.mark.parametrize("page", PAGES)
def test_each_table_that_a_page_shows_is_there(page, written):
    text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
    shown = re.findall(r"^:file: (?:(_generated)/)?(\S+)$", text, re.MULTILINE)
    assert len(shown) == text.count("```{csv-table}") > 0
    for generated, file in shown:
        rows = pd.read_csv((written if generated else ROOT / "docs") / file)
        assert len(rows) > 1


def test_each_table_that_is_made_is_shown(written):
    pages = "".join((ROOT / f"docs/{page}.md").read_text(encoding="utf-8") for page in PAGES)
    assert [file.name for file in written.iterdir() if f":file: _generated/{file.name}\n" not in pages] == []


# The results


def test_the_result_has_a_row_for_the_published_tau_and_for_each_way_of_each_network(written):
    rows = pd.read_csv(written / "result.csv")
    for network in TABLES.NETWORKS:
        ways = rows[rows["network"] == network]["way"]
        assert set(ways) == {"published", *TABLES.WAYS}
        assert ways.iloc[0] == "published"
    runs = {run: TABLES.headline_rows(path) for run, path in TABLES.TAU.items()}
    missing = [
        (run, pool) for run in ("study", "ladder") for pool in TABLES.NETWORKS if pool not in set(runs[run].pool)
    ]
    assert missing == []
    assert len(rows) == 3 + 3 + 2 * 3 + len(runs["extended"])


MADE_UP = pd.DataFrame(
    {
        "protocol": ["report", "report", "released"],
        "pool": ["gat", "gat", "gat"],
        "measure": ["report_pga", "worst_case", "released"],
        "rho": [0.02, 0.5, 0.02],
        "n": [50, 50, 250],
        "tau": [-0.45633, 0.1, 0.02],
        "tau_low": [-0.6, 0.0, -0.1],
        "tau_high": [-0.2733, 0.2, 0.1],
        "permutation_p": [0.0001, 0.5, 0.64949],
        "z": [-2.216, float("nan"), 1.0],
        "partial_tau_gaussian": [-0.2, float("nan"), -0.1],
        "partial_tau_gaussian_low": [-0.4073, float("nan"), -0.2],
        "partial_tau_gaussian_high": [0.0301, float("nan"), 0.0],
    }
)
VALUES = {"gat": {"rho": 0.02, "tau": -0.185, "p_value": 0.0576, "n": 50}}


def test_a_result_is_the_row_of_its_way_at_the_published_radius():
    runs = {"study": MADE_UP, "ladder": MADE_UP, "extended": MADE_UP[:0]}
    assert TABLES.result(runs, VALUES).to_numpy().tolist() == [
        ["gat", "published", "50", "−0.185", "", "0.0576", "", ""],
        ["gat", "notebook as released", "250", "+0.020", "−0.100 to +0.100", "0.6495", "+1.00", "consistent"],
        ["gat", "text", "50", "−0.456", "−0.600 to −0.273", "0.0001", "−2.22", "not consistent"],
    ]


def test_a_way_has_a_row_for_each_run_that_differs():
    other = MADE_UP.assign(tau_low=-0.7, tau=-0.5)
    rows = TABLES.ways({"a": MADE_UP, "b": MADE_UP, "c": other}, VALUES, "gat")
    assert rows[["way", "run"]].to_numpy().tolist() == [
        ["notebook as released", "a"],
        ["notebook as released", "c"],
        ["text", "a"],
        ["text", "c"],
    ]
    assert rows["τ given training loss"].tolist()[2:] == ["−0.200 (−0.407 to +0.030)"] * 2


@pytest.mark.parametrize(
    ("low", "high", "bold"), [(0.01, 0.2, True), (-0.2, -0.01, True), (-0.1, 0.2, False), (0.0, 0.2, False)]
)
def test_a_change_is_bold_where_its_interval_excludes_0(low, high, bold):
    cell = TABLES.change(pd.Series({"delta_tau": 0.1, "delta_low": low, "delta_high": high}))
    assert cell.strip("*") == f"+0.100 ({TABLES.signed(low)} to {TABLES.signed(high)})"
    assert cell.startswith("**") is cell.endswith("**") is bold


def test_the_first_rung_has_no_change():
    assert TABLES.change(pd.Series({"delta_tau": float("nan"), "delta_low": -1.0, "delta_high": 1.0})) == ""


@pytest.mark.parametrize("network", TABLES.NETWORKS)
def test_a_ladder_has_a_row_a_rung_with_what_is_left_given_training_loss(network, written):
    rungs = pd.read_csv(HAMMOUD / "ladder/ladder.csv").query("pool == @network")
    rows = pd.read_csv(written / f"ladder_{network}.csv")
    assert rows["what changes"].tolist() == rungs["describes"].tolist()
    assert rows["τ given training loss"].notna().all()
