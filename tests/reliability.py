"""The table docs/faults.csv: a row for every test that is marked with a fault. `make reliability` writes it.

@pytest.mark.fault(fault="what happens", sees="what the user sees", lost="what is lost")

A test that is parametrised, with one mark for all its cases, is one row with their number; cases that have marks of
their own, pytest.param(..., marks=pytest.mark.fault(...)), are a row each.
"""

import csv
import io
from collections import Counter
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[1] / "docs/faults.csv"
HEAD = ("fault", "sees", "lost", "test", "cases")
TABLE = pytest.StashKey[str]()


def pytest_configure(config):
    config.addinivalue_line("markers", "fault(fault, sees, lost='nothing'): a row of docs/faults.csv")


def pytest_addoption(parser):
    parser.addoption("--reliability", action="store_true", help="write the table of faults to docs/faults.csv")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Before any test is deselected."""
    rows = [(*row, cases) for row, cases in Counter(map(_row, filter(_mark, items))).items()]
    config.stash[TABLE] = _table(rows)
    if config.getoption("reliability"):
        DOCUMENT.write_text(config.stash[TABLE], encoding="utf-8")


@pytest.fixture
def reliability(pytestconfig) -> tuple[str, str]:
    """The table as it is, and as the tests would have it."""
    if {Path(each).resolve() for each in pytestconfig.args} != {Path(__file__).parent}:
        pytest.skip("only a call of pytest without paths knows all tests")
    return DOCUMENT.read_text(encoding="utf-8"), pytestconfig.stash[TABLE]


def _table(rows: list[tuple[str, str, str, str, int]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEAD, *rows])
    return text.getvalue()


def _mark(item) -> pytest.Mark | None:
    return item.get_closest_marker("fault")


def _row(item) -> tuple[str, str, str, str]:
    said = {"lost": "nothing", **_mark(item).kwargs}
    return said["fault"], said["sees"], said["lost"], f"`{item.nodeid.split('[')[0].removeprefix('tests/')}`"
