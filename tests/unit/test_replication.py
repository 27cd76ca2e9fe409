"""The numbers and claims in the prose of docs/results.md and docs/replication.md are those of the published tables.

An interval belongs to its value: each "value (low to high)" is the tau, the change of tau or the partial tau of one
row, with the interval that this row has for it. No interval stands without a value, but "from a to b". Each other
decimal number is a number somewhere in the tables: which one it is meant to be is not checked. In a network's section
of docs/replication.md all tables are that network's. Tables of the pages are made from the published ones
(test_table_docs.py); code and the targets of links are not read.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

from adaptive_sharpness.stats.power import BOUND
from adaptive_sharpness.study.tables.answers import CRITICAL_Z

ROOT = Path(__file__).parents[2]
STUDY, HAMMOUD = ROOT / "docs/results", ROOT / "studies/hammoud2023/results"
INTERVALS = (  # partial_tau's is not among them: conclusions are read off the Gaussian one
    ("tau", "tau_low", "tau_high"),
    ("delta_tau", "delta_low", "delta_high"),
    ("partial_tau_gaussian", "partial_tau_gaussian_low", "partial_tau_gaussian_high"),
)
OTHERS = {  # numbers of the prose that no table has
    "fcnn": [0.072],  # mean sharpness in the stored outputs of the report's notebook
    None: [CRITICAL_Z, BOUND, 0.002],  # the last one has a test of its own
}

SIGNED = r"(?<![\w.+−-])([+−-]?\d+\.\d+)"
SPAN = rf"{SIGNED} to {SIGNED}"
WITH_INTERVAL = re.compile(rf"{SIGNED} \({SPAN}\)")
NUMBER = re.compile(SIGNED + r"(?![\w.]*\d)")


def prose(text: str) -> str:
    """Running text in one line, without tables, directives, images, code spans and the targets of links."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in text.splitlines() if not line.startswith(("|", "!["))]
    return re.sub(r"`[^`]*`|\]\([^)]*\)", "", " ".join(" ".join(lines).split()))


def agrees(quoted: str, value: float) -> bool:
    """Whether they are the same to the decimals that are quoted."""
    decimals = len(quoted.partition(".")[2])
    return abs(float(quoted.replace("−", "-")) - value) <= 0.5001 * 10**-decimals


def wrong(text: str, tables: Iterable[pd.DataFrame], others: Iterable[float] = ()) -> list[str]:
    """Values with an interval that no row has, intervals without a value, and other numbers that stand nowhere."""
    text, tables = prose(text), list(tables)
    rows = [row for table in tables for names in INTERVALS for row in _rows(table, names)]
    found = [
        quoted[0]
        for quoted in WITH_INTERVAL.finditer(text)
        if not any(all(map(agrees, quoted.groups(), row)) for row in rows)
    ]
    rest = re.sub(r"\bfrom " + SPAN, r"\1, \2", WITH_INTERVAL.sub("", text))
    found += [span[0] for span in re.finditer(SPAN, rest)]
    numbers = [*others, *(value for table in tables for value in _numbers(table))]
    rest = re.sub(SPAN, "", rest)
    return found + [quoted for quoted in NUMBER.findall(rest) if not any(agrees(quoted, value) for value in numbers)]


def _rows(table: pd.DataFrame, names: tuple[str, ...]) -> list:
    there = set(names) <= set(table.columns)
    return table[list(names)].dropna().to_numpy(dtype=float).tolist() if there else []


def _numbers(table: pd.DataFrame) -> Iterator[float]:
    for _, column in table.select_dtypes("number").items():
        yield from column.dropna()


def headline(path: Path) -> pd.DataFrame:
    """A table's rows of headline quantities; all of a table that has no others."""
    table = pd.read_csv(path)
    return table[table["headline"]] if "headline" in table else table


XEON = headline(ROOT / "docs/processors/intel_xeon.csv")
TAU, LADDER, EXTENDED = (headline(path / "tau.csv") for path in (STUDY, HAMMOUD / "ladder", HAMMOUD / "extended"))
TABLES = [XEON, *(headline(path) for folder in (STUDY, HAMMOUD) for path in sorted(folder.rglob("*.csv")))]
ELSEWHERE = yaml.safe_load((HAMMOUD.parent / "ladder.yaml").read_text(encoding="utf-8"))["replicates"]["elsewhere"]
KEYS = ["protocol", "pool", "measure", "rho"]


def sections(page: str) -> dict[str, str]:
    """What stands below each heading of a page."""
    parts = re.split(r"^## (.+)$", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def network_of(heading: str) -> str | None:
    """The network whose section this is; None for any other."""
    name = heading.lower().replace("-", "")
    return name if name in ELSEWHERE else None


SECTIONS = [(page, *section) for page in ("results", "replication") for section in sections(f"docs/{page}.md").items()]


def test_every_network_has_its_section():
    networks = [network_of(heading) for page, heading, _ in SECTIONS if page == "replication"]
    assert [network for network in networks if network] == ["fcnn", "lenet5", "gat"]


@pytest.mark.parametrize(("page", "heading", "text"), SECTIONS, ids=lambda value: value if len(value) < 60 else "")
def test_each_number_of_the_prose_stands_in_a_published_table(page, heading, text):
    network = network_of(heading)
    tables = TABLES if network is None else [table[table["pool"] == network] for table in TABLES]
    others = [*OTHERS[None], *OTHERS.get(network, [])]
    if network is None:
        others += [*OTHERS["fcnn"], *(value for known in ELSEWHERE.values() for value in known.values())]
    assert wrong(text, tables, others) == []


@pytest.mark.parametrize(("page", "least"), [("results", 2), ("replication", 8)])
def test_the_prose_has_values_with_intervals(page, least):
    assert sum(len(WITH_INTERVAL.findall(prose(text))) for of, _, text in SECTIONS if of == page) >= least


# What the prose says in words


def taus(table: pd.DataFrame, column: str = "tau", **labels: str) -> list[float]:
    """A column of the rows with these labels."""
    return table[(table[list(labels)] == pd.Series(labels)).all(axis=1)][column].tolist()


@pytest.mark.parametrize("table", [TAU, LADDER, EXTENDED, XEON], ids=["study", "ladder", "extended", "xeon"])
@pytest.mark.parametrize("measure", ["report_pga", "worst_case"])
def test_text_and_reference_have_the_same_signs(table, measure):
    at_published = table[table["published_tau"].notna()]
    for network, sign in (("fcnn", -1), ("lenet5", 1), ("gat", -1)):
        assert all(sign * tau > 0 for tau in taus(at_published, protocol="report", pool=network, measure=measure))


@pytest.mark.parametrize("table", [TAU, EXTENDED], ids=["study", "extended"])
def test_the_gap_turns_the_sign_of_gat(table):
    found = taus(table, "tau_gap", protocol="report", pool="gat", measure="report_pga")
    assert found
    assert min(found) > 0


def test_the_worst_case_turns_with_the_learning_rate_of_training():
    before, after = (
        taus(LADDER, protocol=name, pool="fcnn", measure="worst_case") for name in ("with_batches", "with_rate")
    )
    assert len(before) == len(after) == 1
    assert before[0] > 0 > after[0]


def test_given_training_loss_fcnn_is_negative_on_each_rung_or_cannot_be_told_from_0():
    rows = LADDER[LADDER["pool"] == "fcnn"]
    high, low = rows["partial_tau_gaussian_high"], rows["partial_tau_gaussian_low"]
    assert len(rows) >= 12
    assert ((high < 0) | ((low < 0) & (high > 0))).all()


def test_another_processor_changes_no_tau_of_fcnn_and_gat_by_more_than_0002():
    both = TAU.merge(XEON, on=KEYS, suffixes=("", "_xeon"), validate="1:1").query("pool != 'lenet5'")
    assert len(both) == len(TAU.query("pool != 'lenet5'"))
    assert (both["tau"] - both["tau_xeon"]).abs().max() <= 0.002


def test_the_notebooks_elsewhere_lie_inside_what_the_replicates_foretell():
    known = pd.read_csv(HAMMOUD / "ladder/prediction.csv").dropna(subset="elsewhere")
    assert set(zip(known["pool"], known["replicates"], strict=True)) == {("fcnn", 5), ("gat", 5)}
    assert len(known) == 6
    assert known["elsewhere"].between(known["low"], known["high"]).all()


def test_lenet5_as_released_is_near_the_one_model_of_the_notebook_elsewhere():
    released = LADDER.query("pool == 'lenet5' and measure == 'released'")
    assert released["value_mean"].between(0.40, 0.70).tolist() == [True]
    assert released["test_loss_mean"].between(0.28, 0.46).tolist() == [True]


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
        }
    ),
    pd.DataFrame({"delta_tau": [-1.1655, float("nan")], "delta_low": [-1.2436] * 2, "delta_high": [-1.0849] * 2}),
]


@pytest.mark.parametrize(
    "text",
    [
        "τ is +0.277 (+0.193 to\n+0.357), or 0.277 (0.193 to 0.357)",
        "by −1.165 (−1.244 to −1.085), -0.020 (-0.109 to +0.074), τ −0.02, ±0.02, 95 %, v1.2.3, 7.5",
        "from +0.277 to −0.300, `0.9 to 1.5`\n| +0.7 to +0.9 |\n![a](b-0.1 to 0.3.csv)\n```{x}\n:file: 0.9\n```\n",
    ],
)
def test_what_stands_in_a_row_is_right(text):
    assert wrong(text, MADE_UP, [7.5, 0.02]) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("+0.276 (+0.193 to +0.357)", "+0.276 (+0.193 to +0.357)"),
        ("−0.277 (+0.193 to +0.357)", "−0.277 (+0.193 to +0.357)"),
        ("+0.277 (+0.194 to +0.357)", "+0.277 (+0.194 to +0.357)"),
        ("+0.277 (+0.193 to −0.357)", "+0.277 (+0.193 to −0.357)"),
        ("+0.277 (−0.109 to +0.074)", "+0.277 (−0.109 to +0.074)"),  # another row's
        ("+0.277 (−1.244 to −1.085)", "+0.277 (−1.244 to −1.085)"),  # another table's
        ("−0.300 (−0.400 to −0.200)", "−0.300 (−0.400 to −0.200)"),  # not to be read
        ("τ, +0.193 to +0.357", "+0.193 to +0.357"),
        ("+0.277, +0.193 to +0.357", "+0.193 to +0.357"),
        ("from +0.277 to +0.278", "+0.278"),
        ("τ is +0.124", "+0.124"),
        ("τ is −0.277", "−0.277"),
    ],
)
def test_what_stands_nowhere_is_found(text, found):
    assert wrong(text, MADE_UP) == [found]
