"""The page that a study ends with: readable without a network, and true to its tables."""

import base64
import math
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from adaptive_sharpness import figures, page

FCNN = {"rho": 0.025, "tau": -0.311, "n": 50}
PUBLISHED = {"report_pga": {"fcnn": FCNN, "gat": {"rho": 0.02, "tau": -0.185, "n": 50}}}
RUNS = pd.DataFrame({"device": ["cpu", "cpu"], "versions": ["python 3, torch 2", "python 3, torch 2"]})
ROW = {"protocol": "report", "architecture": "fcnn", "measure": "report_pga", "rho": 0.025, "n": 50}
ROW |= {"sharpness_mean": 0.0912, "sharpness_sd": 0.0123, "share_negative": 0.04}
ROW |= {"test_loss_mean": 0.4871, "test_loss_sd": 0.0211, "tau": 0.35, "tau_low": 0.151, "tau_high": 0.5221}
ROW |= {"p_value": 0.0003, "published_tau": -0.311}
TRUST = {
    "protocol": "report",
    "architecture": "fcnn",
    "measure": "report_pga",
    "rho": 0.025,
    "models": 50,
    "batches": 7,
}
TRUST |= {"reliability": 0.8912, "reliability_of_one": 0.14, "last_improvement": 0.754, "gain_from_doubling": 0.0123}
TRUST |= {"compared_with": "worst_case", "shared_batches": 7, "share_of_best": 0.4312, "worst_share": 0.0511}
TRUST = pd.DataFrame([TRUST | {"tau_of_rankings": 0.7712}])
UNKNOWN = ("last_improvement", "gain_from_doubling", "share_of_best", "worst_share", "tau_of_rankings")
NO_TAU = dict.fromkeys(("tau", "tau_low", "tau_high", "p_value"), math.nan)


class Reader(HTMLParser):
    """Collects the rows of every table, and everything that a browser would load."""

    def __init__(self, html: str):
        super().__init__()
        self.tables, self.tags, self.loaded, self._in_cell = [], [], [], False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loaded += [value for key, value in attributes if key in ("src", "href", "srcset", "data", "action")]
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag):
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self._in_cell:
            self.tables[-1][-1][-1] += data

    @property
    def rows(self) -> list[list[str]]:
        """The rows of the table of taus."""
        return self.tables[0]


def read(*rows: dict, drawn=(), published=PUBLISHED, runs=RUNS) -> Reader:
    return Reader(page.render(pd.DataFrame(rows), runs, TRUST.iloc[:0], drawn, published))


def cells(row: dict) -> dict[str, str]:
    """The cells of a page's only row, by their headings."""
    headings, values = read(row).rows
    return dict(zip(headings, values, strict=True))


@pytest.fixture
def drawn(tmp_path):
    """A real figure of each kind."""
    tau = pd.DataFrame([ROW, {**ROW, "rho": 0.05, "published_tau": math.nan}])
    runs = pd.DataFrame([ROW]).assign(sharpness=1.0, test_loss=2.0)
    both = {"test_loss_vs_sharpness": figures.scatter(runs, tau), "tau_vs_rho": figures.tau_against_rho(tau)}
    both["share_of_best"] = figures.share_of_best(TRUST)
    for name, figure in both.items():
        figures.save(figure, str(tmp_path / f"{name}.png"), str(tmp_path / f"{name}.svg"))
    labels = {"protocol": "report", "measure": "report_pga"}
    return [{**labels, "name": name, "path": str(tmp_path / f"{name}.svg")} for name in both]


def test_the_page_loads_nothing_from_elsewhere(drawn):
    html = page.render(pd.DataFrame([ROW]), RUNS, TRUST, drawn, PUBLISHED)
    reader = Reader(html)
    assert len(reader.loaded) == len(drawn)
    assert all(source.startswith("data:image/svg+xml;base64,") for source in reader.loaded)
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(reader.tags)
    assert not re.search(r"url\(|@import", html)


def test_the_figures_inside_are_whole_and_load_nothing_either(drawn):
    sources = read(ROW, drawn=drawn).loaded
    for source, figure in zip(sources, drawn, strict=True):
        svg = base64.b64decode(source.removeprefix("data:image/svg+xml;base64,"), validate=True).decode()
        with open(figure["path"], encoding="utf-8") as file:
            assert svg == file.read()
        assert all(target.startswith(("#", "data:")) for target in re.findall(r'href="([^"]*)"', svg))
        assert "<script" not in svg


def test_a_row_shows_what_the_table_holds():
    assert cells(ROW) == {
        "protocol": "report",
        "architecture": "fcnn",
        "measure": "report_pga",
        "ρ": "0.025",
        "n": "50",
        "sharpness": "0.0912 ± 0.012",
        "below 0": "4 %",
        "test loss": "0.4871 ± 0.021",
        "τ": "+0.350",
        "95 % interval": "+0.151 to +0.522",
        "p": "0.0003",
        "published τ": "-0.311",
        "z": "+4.98",
        "published τ is": "not consistent",
    }


def test_every_tau_of_the_table_is_on_the_page_in_its_order():
    taus = [0.101, -0.202, 0.303]
    rows = [
        {**ROW, "tau": tau, "rho": rho, "published_tau": math.nan} for tau, rho in zip(taus, (3, 1, 2), strict=True)
    ]
    assert [row[8] for row in read(*rows).rows[1:]] == ["+0.101", "-0.202", "+0.303"]


@pytest.mark.parametrize(
    ("z", "verdict"),
    [
        (0, "consistent"),
        (1.9599, "consistent"),
        (-1.9599, "consistent"),
        (1.9601, "not consistent"),
        (-1.9601, "not consistent"),
    ],
)
@pytest.mark.parametrize("n", [8, 50])
def test_a_published_tau_is_consistent_within_196_deviations(z, verdict, n):
    """The tau that lies z deviations of the difference from the published one."""
    tau = math.tanh(math.atanh(FCNN["tau"]) + z * math.sqrt(0.437 / (n - 4) + 0.437 / 46))
    (row,) = page.replication(pd.DataFrame([{**ROW, "tau": tau, "n": n}]), PUBLISHED).to_dict("records")
    assert row["z"] == pytest.approx(z, abs=1e-9)
    assert row["verdict"] == verdict
    assert cells({**ROW, "tau": tau, "n": n})["published τ is"] == verdict


def test_a_row_without_a_published_tau_has_no_verdict():
    row = cells({**ROW, "rho": 0.05, "published_tau": math.nan})
    assert (row["published τ"], row["z"], row["published τ is"]) == ("", "", "")
    assert row["τ"] == "+0.350"


def test_rows_are_compared_with_what_is_published_of_their_own_architecture():
    rows = [ROW, {**ROW, "architecture": "gat", "rho": 0.02, "published_tau": -0.185}]
    fcnn, gat = page.replication(pd.DataFrame(rows), PUBLISHED)["z"]
    assert gat == pytest.approx((math.atanh(0.35) + math.atanh(0.185)) / math.sqrt(2 * 0.437 / 46))
    assert gat < fcnn


def test_a_row_without_a_tau_says_why():
    row = cells({**ROW, **NO_TAU, "n": 2})
    assert (row["τ"], row["p"]) == ("", "")
    assert row["95 % interval"] == "too few models, or all alike"
    assert row["published τ is"] == ""


@pytest.mark.parametrize(
    "changes", [{"tau_low": math.nan, "tau_high": math.nan, "tau": 1.0, "n": 4}, {**NO_TAU, "n": 2}]
)
def test_no_cell_says_nan(changes):
    """A tau of 1 has no interval."""
    assert [value for value in cells({**ROW, **changes}).values() if "nan" in value] == []


def test_a_perfect_tau_is_shown_and_compared():
    row = cells({**ROW, "tau": 1.0, "tau_low": math.nan, "tau_high": math.nan})
    assert row["τ"] == "+1.000"
    assert row["published τ is"] == "not consistent"


@pytest.mark.parametrize("changes", [{"n": 4}, {**NO_TAU, "n": 2}])
def test_what_is_published_is_shown_even_where_a_pool_is_too_small_to_compare(changes):
    row = cells({**ROW, **changes})
    assert row["published τ"] == "-0.311"
    assert row["published τ is"] != "consistent"


def test_the_page_says_on_what_it_was_measured_and_escapes_it():
    html = page.render(pd.DataFrame([ROW]), RUNS.assign(device=["cpu", "<b>"]), TRUST, [], PUBLISHED)
    assert "Measured on &lt;b&gt;, cpu; python 3, torch 2." in html
    assert "<b>" not in html


def test_a_study_without_anything_published_has_a_page():
    assert read({**ROW, "published_tau": math.nan}, published={}).rows[1][8] == "+0.350"


def _trusted(trust: pd.DataFrame) -> dict[str, str]:
    """The cells of the second table's only row, by their headings."""
    headings, values = Reader(page.render(pd.DataFrame([ROW]), RUNS, trust, [], PUBLISHED)).tables[1]
    return dict(zip(headings, values, strict=True))


def test_a_row_shows_how_far_a_number_can_be_trusted():
    assert _trusted(TRUST) == {
        "protocol": "report",
        "architecture": "fcnn",
        "measure": "report_pga",
        "ρ": "0.025",
        "batches": "7",
        "reliability": "0.891",
        "share of best": "0.431",
        "lowest model": "0.051",
        "τ of rankings": "+0.771",
        "last improvement": "75 %",
        "gain from doubling": "1.23 %",
    }


def test_what_a_measure_does_not_say_is_left_empty():
    """As of a Hessian, which knows no radius and seeks no maximum."""
    row = _trusted(TRUST.assign(rho=math.nan, reliability=math.nan, **dict.fromkeys(UNKNOWN, math.nan)))
    assert list(row.values()) == ["report", "fcnn", "report_pga", "", "7", "", "", "", "", "", ""]
    assert cells({**ROW, "rho": math.nan, "published_tau": math.nan})["ρ"] == ""
