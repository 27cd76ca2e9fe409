"""docs/performance.csv has every aim and what it came to, as the benchmarks' tables have it."""

import csv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = {
    "AMD EPYC": ROOT / "benchmarks/results/ratios.csv",
    "Intel Xeon": ROOT / "benchmarks/results/intel_xeon/ratios.csv",
}
SAME = ("ratio of", "to", "aim")


def rows(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The rows by topic and work."""
    with open(path, newline="", encoding="utf-8") as file:
        return {(row["topic"], row["work"]): row for row in csv.DictReader(file)}


@pytest.mark.parametrize("run", RUNS)
def test_every_aim_stands_there_with_what_it_came_to(run):
    measured = {which: row for which, row in rows(RUNS[run]).items() if row["aim"]}
    wanted = {
        which: ([row[column] for column in SAME], f"{float(row['median']):.3g}", row["met"] == "no")
        for which, row in measured.items()
    }
    found = {
        which: ([row[column] for column in SAME], row[run], run in row["missed on"])
        for which, row in rows(ROOT / "docs/performance.csv").items()
    }
    assert found == wanted
