"""Write the answer and its table into README.md: `python docs/readme.py`, which `make publish` calls."""

import re
from pathlib import Path

import pandas as pd

from adaptive_sharpness.study.report.columns import number, span
from adaptive_sharpness.study.report.sentences import in_words, interval_sign
from adaptive_sharpness.study.tables.answers import answering_rows, verdict

ROOT = Path(__file__).parents[1]
HEAD = "| pool | measure | τ | 95 % interval | sharper models have | the published τ is |\n|---|---|---|---|---|---|\n"
HAVE = {1: "the higher test loss", -1: "the lower test loss", 0: "neither for certain"}
BETWEEN = re.compile(r"(<!-- (answer|table): by make publish -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, tau: pd.DataFrame) -> str:
    """Return README's text with what is between its comments `answer` and `table` read off the table of taus.

    Args:
        text: of README.md.
        tau: docs/results/tau.csv; shown are the headline quantities that have a published tau.
    """
    parts = {"answer": f"{in_words(answering_rows(tau))}\n", "table": HEAD + "".join(map(_row, _published(tau)))}
    return BETWEEN.sub(lambda found: found[1] + parts[found[2]] + found[3], text)


def _published(tau: pd.DataFrame) -> list[pd.Series]:
    return [row for _, row in tau[tau["headline"] & tau["published_tau"].notna()].iterrows()]


def _row(row: pd.Series) -> str:
    numbers = (column.cell(row) for column in (number("τ", "tau"), span("95 % interval", "tau_low", "tau_high")))
    cells = (row["pool"], f"`{row['measure']}`", *numbers, HAVE[interval_sign(row)], verdict(row["z"]))
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    readme = ROOT / "README.md"
    found = readme.read_text(encoding="utf-8")
    readme.write_text(filled(found, pd.read_csv(ROOT / "docs/results/tau.csv")), encoding="utf-8")
