"""What docs/reproducibility.md says of two processors, against the published tables of both."""

import re
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reproducibility.md").read_text(encoding="utf-8")
LABELS = ["pool", "measure", "rho"]


def published(path: str) -> pd.DataFrame:
    """The rows of headline quantities, by pool, measure and rho; the Xeon's table has no others."""
    table = pd.read_csv(ROOT / path)
    headline = table["headline"] if "headline" in table else slice(None)
    return table[headline].fillna({"rho": -1}).set_index(LABELS).sort_index()


EPYC, XEON = published("docs/results/tau.csv"), published("docs/processors/intel_xeon.csv")


@pytest.mark.parametrize("measure", ["report_pga", "worst_case"])
def test_the_page_has_lenet5s_tau_on_both_processors_and_its_interval_holds_both(measure):
    (quoted,) = re.findall(rf"^\| `{measure}` \| (\S+) \| (\S+) \|$", PAGE, re.MULTILINE)
    which = ("lenet5", measure, 0.0001)
    assert quoted == tuple(f"{table.loc[which, 'tau']:+.3f}".replace("-", "−") for table in (EPYC, XEON))
    assert EPYC.loc[which, "tau_low"] < XEON.loc[which, "tau"] < EPYC.loc[which, "tau_high"]


def test_no_tau_of_fcnn_and_gat_changed_by_more_than_the_page_says():
    (bound,) = re.findall(r"no τ of FCNN and GAT changed by more than (0\.\d+)\b", PAGE.replace("\n", " "))
    changes = (EPYC["tau"] - XEON["tau"]).abs().dropna().drop("lenet5")
    assert len(changes) == len(XEON.drop("lenet5"))
    assert changes.max() <= float(bound)
