"""What docs/replication.md and the README's result quote stands in a published table.

These are the study's, in docs/results, and those of the report's notebooks, in studies/hammoud2023/results. Of tau.csv
the rows of headline quantities count.

An interval belongs to its value: each "value (low to high)" is the tau, the change of tau or the partial tau of one
row, with the interval that this row has for it. No interval stands without a value; a range that is none is written
"from a to b" or "between a and b". Each "z = x" is the z of a row. In docs/replication.md the row is one of the
section's network, in the README of any.

Each row of the README's table of results is the row that WAYS names for it, column by column; the
published rows are the config's, and no row is missing.

Each other decimal number of a network's section in docs/replication.md is a number of that network somewhere in the
tables or the config, or in ELSEWHERE: which one it is meant to be is not checked. Nor are the README's others at all.

Numbers agree where they do to the decimals that are quoted. Code spans, images and the targets of links are not read.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

from adaptive_sharpness.study.tables.answers import verdict

ROOT = Path(__file__).parents[2]
STUDY, HAMMOUD = ROOT / "docs/results", ROOT / "studies/hammoud2023/results"
TAU, LADDER, EXTENDED = STUDY / "tau.csv", HAMMOUD / "ladder/tau.csv", HAMMOUD / "extended/tau.csv"
CONFIGS = ("config/config.yaml", "studies/hammoud2023/ladder.yaml")
INTERVALS = (  # partial_tau's is not among them: conclusions are read off the Gaussian one
    ("tau", "tau_low", "tau_high"),
    ("delta_tau", "delta_low", "delta_high"),
    ("partial_tau_gaussian", "partial_tau_gaussian_low", "partial_tau_gaussian_high"),
)
WAYS = {  # of the README's table: file, protocol, measure
    "published": None,
    "notebook as released": (LADDER, "released", "released"),
    "text (`report_pga`)": (TAU, "report", "report_pga"),
    "text, 500 models": (EXTENDED, "report", "report_pga"),
    "reference (`worst_case`)": (TAU, "report", "worst_case"),
}
# FCNN: mean sharpness in the stored outputs of the report's notebook. LeNet-5: tau of the study as it was published
# before, when dropout drew other numbers (docs/results/tau.csv until 2026-11-26).
ELSEWHERE = {"fcnn": [0.072], "lenet5": [0.433, 0.491]}

SIGNED = r"(?<![\w.+−-])([+−-]?\d+\.\d+)"
SPAN = rf"{SIGNED} to {SIGNED}"
WITH_INTERVAL = re.compile(rf"{SIGNED} \((?:95 % interval )?{SPAN}(?=[);,])")
Z = re.compile(r"\bz = ([+−-]?\d+(?:\.\d+)?)")
NUMBER = re.compile(SIGNED + r"(?![\w.]*\d)")


def plain(text: str) -> str:
    """Running text in one line, without tables, code spans and the targets of links."""
    lines = [line for line in text.splitlines() if not line.startswith(("|", "!["))]
    return re.sub(r"`[^`]*`|\]\([^)]*\)", "", " ".join(" ".join(lines).split()))


def agrees(quoted: str, value: float) -> bool:
    decimals = len(quoted.partition(".")[2])
    return abs(float(quoted.replace("−", "-")) - value) <= 0.5001 * 10**-decimals


def quoted_wrong(text: str, tables: Iterable[pd.DataFrame]) -> list[str]:
    """Values with an interval that no row has, intervals without a value, and a z that is none."""
    text, tables = plain(text), list(tables)
    rows = [row for table in tables for names in INTERVALS for row in _rows(table, names)]
    zs = [z for table in tables for (z,) in _rows(table, ("z",))]
    wrong = [
        found[0]
        for found in WITH_INTERVAL.finditer(text)
        if not any(all(map(agrees, found.groups(), row)) for row in rows)
    ]
    rest = re.sub(r"\bfrom " + SPAN, "", WITH_INTERVAL.sub("", text))
    wrong += [found[0] for found in re.finditer(SPAN, rest)]
    return wrong + [found[0] for found in Z.finditer(text) if not any(agrees(found[1], z) for z in zs)]


def _rows(table: pd.DataFrame, names: tuple[str, ...]) -> list:
    there = set(names) <= set(table.columns)
    return table[list(names)].dropna().to_numpy(dtype=float).tolist() if there else []


def nowhere(text: str, values: Iterable[float]) -> list[str]:
    """Decimal numbers that are none of these, apart from those that `quoted_wrong` looks at."""
    rest, values = Z.sub("", WITH_INTERVAL.sub("", plain(text))), list(values)
    return [number for number in NUMBER.findall(rest) if not any(agrees(number, value) for value in values)]


def differing(row: dict[str, str], values: pd.Series) -> list[str]:
    """The columns in which a row of the README's table is not what it should be; an empty cell is a missing value."""
    low, high = [*row["95 % interval"].split(" to "), ""][:2]
    said = {"τ": row["τ"], "p": row["p"], "n": row["n"], "z": row["z"], "low": low, "high": high}
    names = {"τ": "tau", "p": "permutation_p", "n": "n", "z": "z", "low": "tau_low", "high": "tau_high"}
    wrong = [key for key, cell in said.items() if not _cell_agrees(cell, values.get(names[key]))]
    return wrong + (["published τ is"] if row["published τ is"] != verdict(values.get("z")) else [])


def _cell_agrees(cell: str, value: float | None) -> bool:
    number = re.fullmatch(r"[+−-]?\d+(?:\.\d+)?", cell)
    return agrees(cell, value) if number and pd.notna(value) else cell == "" and pd.isna(value)


def table_of(text: str) -> list[dict[str, str]]:
    """The rows of the only table in a text."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]


def config(path: str) -> dict:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


PUBLISHED = config(CONFIGS[0])["published"]["report_pga"]


def wanted(network: str, way: str) -> pd.Series | None:
    """What a row of the README's table should say; None where that was not run."""
    published = PUBLISHED[network]
    if WAYS[way] is None:
        return pd.Series({"tau": published["tau"], "permutation_p": published["p_value"], "n": published["n"]})
    file, protocol, measure = WAYS[way]
    table = read(file)
    measurement = {"protocol": protocol, "pool": network, "measure": measure, "rho": published["rho"]}
    rows = table[(table[list(measurement)] == pd.Series(measurement)).all(axis=1)]
    assert len(rows) <= 1
    return None if rows.empty else rows.iloc[0]


def read(path: Path) -> pd.DataFrame:
    """A table's rows of headline quantities; all of a table that has no others."""
    table = pd.read_csv(path)
    return table[table["headline"]] if "headline" in table else table


def tables(network: str | None = None) -> list[pd.DataFrame]:
    """All published tables, or what they have of one network."""
    found = [read(path) for folder in (STUDY, HAMMOUD) for path in sorted(folder.rglob("*.csv"))]
    return found if network is None else [table[table["pool"] == network] for table in found]


def numbers(network: str) -> Iterator[float]:
    """All numbers of a network in the published tables, in the config and in ELSEWHERE."""
    for table in tables(network):
        for _, column in table.select_dtypes("number").items():
            yield from column.dropna()
    for path in CONFIGS:
        yield from _below(config(path), network, inside=False)
    yield from ELSEWHERE.get(network, [])


def _below(node, network: str, inside: bool) -> Iterator[float]:
    """Numbers of a tree that stand below a key of this name."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _below(value, network, inside or key == network)
    elif isinstance(node, list):
        for value in node:
            yield from _below(value, network, inside)
    elif inside and isinstance(node, int | float) and not isinstance(node, bool):
        yield float(node)


def sections(page: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


NETWORKS = sections("docs/replication.md")
RESULT = sections("README.md")["The result"]


def test_every_network_has_its_section():
    assert list(NETWORKS) == list(PUBLISHED)


@pytest.mark.parametrize("network", NETWORKS)
def test_each_value_with_its_interval_and_each_z_is_one_of_the_networks_rows(network):
    text = plain(NETWORKS[network])
    assert len(WITH_INTERVAL.findall(text)) > 10
    assert len(Z.findall(text)) >= 5
    assert quoted_wrong(NETWORKS[network], tables(network)) == []


@pytest.mark.parametrize("network", NETWORKS)
def test_each_other_decimal_number_is_one_of_the_networks(network):
    assert nowhere(NETWORKS[network], numbers(network)) == []


def test_the_notebooks_elsewhere_lie_inside_what_the_replicates_foretell():
    known = read(LADDER.with_name("prediction.csv")).dropna(subset="elsewhere")
    assert set(zip(known["pool"], known["replicates"], strict=True)) == {("fcnn", 5), ("gat", 5)}
    assert len(known) == 6
    assert known["elsewhere"].between(known["low"], known["high"]).all()


def test_lenet5_as_released_is_near_the_one_model_of_the_notebook_elsewhere():
    released = read(LADDER).query("pool == 'lenet5' and measure == 'released'")
    assert released["value_mean"].between(0.40, 0.70).tolist() == [True]
    assert released["test_loss_mean"].between(0.28, 0.46).tolist() == [True]


def test_each_value_with_its_interval_and_each_z_of_the_readme_is_of_some_row():
    assert len(WITH_INTERVAL.findall(plain(RESULT))) > 5
    assert quoted_wrong(RESULT, tables()) == []


def test_the_readmes_table_has_a_row_for_each_network_and_way_that_was_run():
    run = [(network, way) for network in PUBLISHED for way in WAYS if wanted(network, way) is not None]
    assert [(row["network"], row["way"]) for row in table_of(RESULT)] == run


@pytest.mark.parametrize("row", table_of(RESULT), ids=lambda row: f"{row['network']}: {row['way']}")
def test_each_row_of_the_readmes_table_is_that_of_the_results(row):
    assert differing(row, wanted(row["network"], row["way"])) == []


# That the above can fail: made-up text and tables.

MADE_UP = [
    pd.DataFrame(
        {
            "tau": [0.2768, -0.0196],
            "tau_low": [0.1934, -0.1086],
            "tau_high": [0.3571, 0.0739],
            "partial_tau": [-0.3, 0.1],
            "partial_tau_low": [-0.4, 0.0],
            "partial_tau_high": [-0.2, 0.2],
            "z": [5.706, float("nan")],
        }
    ),
    pd.DataFrame({"delta_tau": [-1.1655, float("nan")], "delta_low": [-1.2436] * 2, "delta_high": [-1.0849] * 2}),
]


@pytest.mark.parametrize(
    "text",
    [
        "τ is +0.277 (95 % interval +0.193 to\n+0.357), or 0.277 (0.193 to 0.357)",
        "by −1.165 (−1.244 to −1.085; z = +5.71), -0.020 (-0.109 to +0.074), z = 5.7",
        "from +0.208 to +0.445, between 1.5 and 2.5, `0.9 to 1.5`\n| +0.7 to +0.9 |\n![a](b-0.1 to 0.3.csv)",
    ],
)
def test_what_stands_in_a_row_is_right(text):
    assert quoted_wrong(text, MADE_UP) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("+0.276 (+0.193 to +0.357)", "+0.276 (+0.193 to +0.357"),
        ("−0.277 (+0.193 to +0.357)", "−0.277 (+0.193 to +0.357"),
        ("+0.277 (95 % interval +0.194 to +0.357)", "+0.277 (95 % interval +0.194 to +0.357"),
        ("+0.277 (+0.193 to +0.358; z = +5.71)", "+0.277 (+0.193 to +0.358"),
        ("+0.277 (+0.193 to −0.357)", "+0.277 (+0.193 to −0.357"),
        ("+0.277 (−0.109 to +0.074)", "+0.277 (−0.109 to +0.074"),  # another row's
        ("+0.277 (−1.244 to −1.085)", "+0.277 (−1.244 to −1.085"),  # another table's
        ("−0.300 (−0.400 to −0.200)", "−0.300 (−0.400 to −0.200"),  # not to be read
        ("τ, +0.193 to +0.357", "+0.193 to +0.357"),
        ("+0.277, +0.193 to +0.357", "+0.193 to +0.357"),
        ("z = +5.70", "z = +5.70"),
        ("z = −5.71", "z = −5.71"),
        ("z = 6.1 and z = +5.71", "z = 6.1"),
    ],
)
def test_what_stands_in_no_row_is_found(text, wrong):
    assert quoted_wrong(text, MADE_UP) == [wrong]


def test_a_number_that_stands_nowhere_is_found():
    text = "τ is +0.123, −0.50, z = 9.9, +0.124 and 0.5 (0.123), +0.9 (+0.8 to +1.0), 95 %, v1.2.3, `0.7`"
    assert nowhere(text, [0.1234, -0.5]) == ["+0.124", "0.5"]


def test_the_numbers_of_a_network_are_not_anothers():
    assert list(_below({"rate": 0.1, "a": {"gat": {"b": [0.2, True, "0.3"]}, "fcnn": 0.4}}, "gat", False)) == [0.2]


ROW = "| network | way | τ | 95 % interval | p | n | z | published τ is |\n|---|---|---|---|---|---|---|---|\n| {} |"
RIGHT = ["gat", "a way", "−0.456", "−0.600 to −0.273", "0.0001", "50", "−2.22", "not consistent"]
VALUES = pd.Series(
    {"tau": -0.4563, "tau_low": -0.6, "tau_high": -0.2733, "permutation_p": 0.0001, "n": 50, "z": -2.216}
)


def made_up_row(**other: str) -> dict[str, str]:
    [row] = table_of(ROW.format(" | ".join(RIGHT)))
    return row | other


def test_a_right_row_differs_nowhere_and_an_empty_cell_is_a_value_that_is_missing():
    assert differing(made_up_row(), VALUES) == []
    published = made_up_row(**{"95 % interval": "", "z": "", "published τ is": ""})
    assert differing(published, VALUES[["tau", "permutation_p", "n"]]) == []
    assert differing(published, VALUES) == ["z", "low", "high", "published τ is"]
    assert differing(made_up_row(), VALUES[["tau", "permutation_p", "n"]]) == ["z", "low", "high", "published τ is"]


@pytest.mark.parametrize(
    ("column", "cell", "wrong"),
    [
        ("τ", "−0.457", ["τ"]),
        ("τ", "+0.456", ["τ"]),
        ("τ", "about −0.456", ["τ"]),
        ("95 % interval", "−0.601 to −0.273", ["low"]),
        ("95 % interval", "−0.600 to −0.274", ["high"]),
        ("95 % interval", "−0.600", ["high"]),
        ("p", "0.0002", ["p"]),
        ("n", "500", ["n"]),
        ("z", "−2.14", ["z"]),
        ("published τ is", "consistent", ["published τ is"]),
        ("published τ is", "", ["published τ is"]),
    ],
)
def test_a_wrong_cell_is_found(column, cell, wrong):
    assert differing(made_up_row(**{column: cell}), VALUES) == wrong
