"""docs/performance.md gives every aim and what it came to, as the benchmarks' tables have it."""

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = {
    "AMD EPYC": ROOT / "benchmarks/results/ratios.csv",
    "Intel Xeon": ROOT / "benchmarks/results/intel_xeon/ratios.csv",
}


def _measured(run: str) -> dict[tuple[str, str], dict[str, str]]:
    with open(RUNS[run], newline="") as file:
        return {(row["topic"], row["work"]): row for row in csv.DictReader(file) if row["aim"]}


def _documented() -> dict[tuple[str, str], tuple[str, ...]]:
    """By topic and work: the ratios on both machines, and the aim."""
    text = (ROOT / "docs/performance.md").read_text()
    rows = re.findall(r"^\| (\w+) \| (.+?) \| (\S+) \| (\S+) \| ([≥≤] \S+) \|$", text, re.MULTILINE)
    return {(topic, work): numbers for topic, work, *numbers in rows}


@pytest.mark.parametrize("run", RUNS)
def test_every_aim_stands_there_with_what_it_came_to(run):
    column = list(RUNS).index(run)
    found = {which: (numbers[column], numbers[2]) for which, numbers in _documented().items()}
    wanted = {which: (f"{float(row['median']):.3g}", row["aim"]) for which, row in _measured(run).items()}
    assert found == wanted
