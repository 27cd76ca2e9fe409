"""docs/tables.md explains every column of every table, and none that is not there."""

import re
from pathlib import Path

import pandas as pd
import pytest

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


def _documented(table: str) -> list[str]:
    """The names in code at the beginnings of a section's items, and of sentences that define one more."""
    text = (ROOT / "docs/tables.md").read_text()
    section = re.search(rf"^## {re.escape(table)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]
    items = re.findall(r"^- ((?:.+\n)(?:  .+\n)*)", section, re.MULTILINE)
    heads = [head for item in items for head in re.findall(r"(?:^|\. )((?:`\w+`(?:, )?)+):", " ".join(item.split()))]
    return [name for head in heads for name in re.findall(r"`(\w+)`", head)]


@pytest.mark.parametrize("table", PUBLISHED)
def test_all_columns_are_explained(table):
    path = PUBLISHED[table] / table
    columns = (pd.read_parquet if path.suffix == ".parquet" else pd.read_csv)(path).columns
    assert sorted(_documented(table)) == sorted(columns)


def test_the_columns_of_every_statistic_are_explained_and_no_others(tmp_path):
    columns = [*LABELS, *(column.name for column in statistic_columns(tmp_path))]
    assert sorted(_documented("tau.csv")) == sorted(columns)
