"""The page that a study ends with: readable without a network, and true to its tables."""

import base64
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from adaptive_sharpness.study.report.drawings import Drawing, draw_figures, save_drawings
from adaptive_sharpness.study.report.page import render_page, replication_rows
from adaptive_sharpness.study.report.tables import Tables
from adaptive_sharpness.study.tables.columns import Column
from adaptive_sharpness.study.tables.tau import statistic_columns

LABELS = {"protocol": "report", "pool": "fcnn", "measure": "report_pga", "rho": 0.025, "quantity": "sharpness"}
ROW = {**LABELS, "headline": True, "n": 50, "value_mean": 0.0912, "value_sd": 0.0123, "share_negative": 0.04}
ROW |= {"test_loss_mean": 0.4871, "test_loss_sd": 0.0211, "tau": 0.35, "tau_low": 0.151, "tau_high": 0.5221}
ROW |= {"p_value": 0.0003, "published_tau": -0.311, "z": 4.976}
STATISTICS = {"p_holm": 0.0412, "p_max_t": 0.0007, "partial_tau_gaussian": -0.1234, "tau_gap": 0.2222}
STATISTICS |= {"partial_tau_gaussian_low": -0.3456, "partial_tau_gaussian_high": 0.1111}
STATISTICS |= {"noise_ceiling": 0.6543, "smallest_detectable_tau": 0.2661, "equivalence_p": 0.91, "reason": math.nan}
TRUST = {**LABELS, "models": 50, "batches": 7}
TRUST |= {"reliability": 0.8912, "reliability_of_one": 0.14, "last_improvement": 0.754, "gain_from_doubling": 0.0123}
TRUST |= {"compared_with": "worst_case", "shared_batches": 7, "share_of_best": 0.4312, "worst_share": 0.0511}
TRUST = pd.DataFrame([TRUST | {"tau_of_rankings": 0.7712}])
UNKNOWN = ("last_improvement", "gain_from_doubling", "share_of_best", "worst_share", "tau_of_rankings")
NO_TAU = dict.fromkeys(("tau", "tau_low", "tau_high", "p_value", "z"), math.nan)
RUNG = {"pool": "fcnn", "rung": 1, "switch": "crossed_clamp", "describes": "bounds", "protocol": "released"}
RUNG |= {"measure": "released", "rho": 0.025, "n": 50, "tau": 0.3, "tau_low": 0.1, "tau_high": 0.5, "same_pool": True}
RUNG |= {"delta_tau": -0.25, "delta_low": -0.4, "delta_high": -0.1, "sharpness_mean": 0.05, "test_loss_mean": 0.48}
LADDER = pd.DataFrame([{**RUNG, "rung": 0, **dict.fromkeys(("delta_tau", "delta_low", "delta_high"), math.nan)}, RUNG])
COLUMNS = statistic_columns("no such folder")
RUNS = pd.DataFrame([{**LABELS, "headline": True, "value": 1.0, "test_loss": 2.0, "train_loss": 0.5}])
REPLICATION, EVERY, NEAR = "Beside what is published", "Every tau", "How near the measures come to what they mean"
STEPS = "From the released code to the text, a switch at a time"


class Reader(HTMLParser):
    """Collects the rows of every table by the heading above it, and everything that a browser would load."""

    def __init__(self, html: str):
        super().__init__()
        self.tables, self.tags, self.loaded, self.headings, self.answer = {}, [], [], [], []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loaded += [value for key, value in attributes if key in ("src", "href", "srcset", "data", "action")]
        if tag == "h2":
            self.headings.append("")
        elif tag == "tr":
            self.tables.setdefault(self.headings[-1], []).append([])
        elif tag in ("td", "th"):
            self.tables[self.headings[-1]][-1].append("")
        elif tag == "p" and not self.headings and not attributes:
            self.answer.append("")
        self._inside = "" if tag == "p" and attributes else tag

    def handle_endtag(self, tag):
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data):
        if self._inside == "h2":
            self.headings[-1] += data
        elif self._inside in ("td", "th"):
            self.tables[self.headings[-1]][-1][-1] += data
        elif self._inside == "p" and not self.headings and self.answer:
            self.answer[-1] += data

    def column(self, table: str, heading: str) -> list[str]:
        headings, *rows = self.tables[table]
        return [row[headings.index(heading)] for row in rows]


def page(tau: pd.DataFrame, trust=TRUST.iloc[:0], drawn=(), made_by=(), ladder=None, columns=COLUMNS) -> str:
    """Drawings lie in the folder that they were saved in."""
    drawings, folder = drawn or ((), Path())
    return render_page(Tables(RUNS, tau, trust, ladder), columns, drawings, folder, dict(made_by))


def read(*rows: dict, **more) -> Reader:
    return Reader(page(pd.DataFrame(rows), **more))


def cells(reader: Reader, table: str, row: int = 0) -> dict[str, str]:
    """The cells of a row, by their headings."""
    headings, *rows = reader.tables[table]
    return dict(zip(headings, rows[row], strict=True))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> tuple[list[Drawing], Path]:
    """A real figure of each kind, and the folder with their files."""
    folder = tmp_path_factory.mktemp("figures")
    tau = pd.DataFrame([ROW | STATISTICS, {**ROW, **STATISTICS, "rho": 0.05, "published_tau": math.nan}])
    drawings = draw_figures(Tables(RUNS, tau, TRUST), "no such folder")
    drawings += [each for each in draw_figures(Tables(RUNS, tau, TRUST, LADDER), folder) if each.name == "ladder"]
    save_drawings(drawings, folder)
    assert len({each.name for each in drawings}) == len(drawings) == 5
    return drawings, folder


def test_the_page_loads_nothing_from_elsewhere(drawn):
    html = page(pd.DataFrame([ROW]), TRUST, drawn, ladder=LADDER)
    reader = Reader(html)
    assert len(reader.loaded) == len(drawn[0])
    assert all(source.startswith("data:image/svg+xml;base64,") for source in reader.loaded)
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(reader.tags)
    assert not re.search(r"url\(|@import|@font-face", html)


def test_the_figures_inside_are_whole_each_once_and_load_nothing_either(drawn):
    sources = read(ROW, trust=TRUST, drawn=drawn, ladder=LADDER).loaded
    inside = [base64.b64decode(each.removeprefix("data:image/svg+xml;base64,"), validate=True) for each in sources]
    drawings, folder = drawn
    files = [(folder / f"{drawing.file}.svg").read_bytes() for drawing in drawings]
    assert sorted(inside) == sorted(files)
    for svg in map(bytes.decode, inside):
        assert all(target.startswith(("#", "data:")) for target in re.findall(r'href="([^"]*)"', svg))
        assert "<script" not in svg


def test_every_figure_has_a_caption_and_an_alternative_text(drawn):
    html = page(pd.DataFrame([ROW]), TRUST, drawn, ladder=LADDER)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", html, re.DOTALL)
    assert len(captions) == len(re.findall(r'alt="[^"]{20,}"', html)) == len(drawn[0])
    assert all(len(re.sub("<b>.*</b>", "", caption)) > 80 for caption in captions)


def test_the_page_reads_in_this_order(drawn):
    headings = read(ROW, trust=TRUST, drawn=drawn, ladder=LADDER).headings
    figures_ = ["Test loss against sharpness", "Tau against the radius", STEPS, "How strong a tau could be seen at all"]
    assert headings == [REPLICATION, *figures_, NEAR, EVERY, "How this was made"]


def test_the_page_opens_with_three_sentences():
    reader = read(ROW)
    assert len(reader.answer) == 4
    assert (
        reader.answer[1].replace("\xa0", " ").endswith("is +0.350 for fcnn (95 % interval +0.151 to +0.522: positive).")
    )


def test_a_row_shows_what_the_table_holds():
    assert cells(read(ROW | STATISTICS), EVERY) == {
        "pool": "fcnn",
        "protocol": "report",
        "measure": "report_pga",
        "ρ": "0.025",
        "quantity": "sharpness",
        "n": "50",
        "value": "0.0912 ± 0.012",
        "below 0": "4 %",
        "test loss": "0.4871 ± 0.021",
        "τ": "+0.350",
        "95 % interval": "+0.151 to +0.522",
        "p": "0.0003",
        "p, Holm": "0.041",
        "p, max-T": "0.0007",
        "partial τ": "−0.123",
        "95 % interval of partial τ": "−0.346 to +0.111",
        "τ with the gap": "+0.222",
        "ceiling": "0.654",
        "detectable": "0.266",
        "p, equivalence": "0.91",
        "published τ": "−0.311",
        "z": "+4.98",
    }


def test_a_replication_shows_the_published_tau_beside_ours():
    assert cells(read(ROW), REPLICATION) == {
        "pool": "fcnn",
        "published τ": "−0.311",
        "τ": "+0.350",
        "95 % interval": "+0.151 to +0.522",
        "z": "+4.98",
        "published τ is": "not consistent",
        "protocol": "report",
        "measure": "report_pga",
        "ρ": "0.025",
        "n": "50",
        "p": "0.0003",
    }


def test_replications_are_those_with_a_published_tau_a_pools_together():
    rows = [
        {**ROW, "protocol": protocol, "pool": name, "tau": tau, "published_tau": published}
        for protocol, name, tau, published in [
            ("report", "lenet5", 0.1, -0.18),
            ("report", "fcnn", 0.2, -0.311),
            ("report", "fcnn", 0.3, math.nan),
            ("released", "lenet5", 0.4, -0.18),
            ("released", "fcnn", 0.5, -0.311),
        ]
    ]
    reader = read(*rows)
    assert reader.column(REPLICATION, "pool") == ["lenet5", "lenet5", "fcnn", "fcnn"]
    assert reader.column(REPLICATION, "τ") == ["+0.100", "+0.400", "+0.200", "+0.500"]
    assert reader.column(REPLICATION, "protocol") == ["report", "released", "report", "released"]
    assert reader.column(EVERY, "τ") == ["+0.100", "+0.200", "+0.300", "+0.400", "+0.500"]


def test_of_a_ladder_the_first_rung_and_the_texts_protocol_are_replications(drawn):
    rows = [
        {**ROW, "protocol": protocol, "measure": measure, "tau": tau}
        for protocol, measure, tau in [
            ("released", "released", 0.1),
            ("released", "report_pga", 0.2),
            ("with_relu", "report_pga", 0.3),
            ("report", "report_pga", 0.4),
            ("report", "worst_case", 0.5),
        ]
    ]
    rungs = [{**row, "rung": number, "switch": "one"} for number, row in enumerate(rows)]
    reader = read(*rows, drawn=drawn, ladder=pd.DataFrame(rungs))
    assert reader.column(REPLICATION, "τ") == ["+0.100", "+0.400", "+0.500"]
    assert reader.column(EVERY, "τ") == ["+0.100", "+0.200", "+0.300", "+0.400", "+0.500"]


def test_a_pool_without_a_tau_says_why():
    row = {**ROW, **NO_TAU, "n": 2, "left_out": 1, "reason": "2 usable models, wanted at least 3"}
    every = cells(read(row, {**ROW, "rho": 0.05}), EVERY)
    assert (every["τ"], every["95 % interval"], every["p"], every["z"]) == ("", "", "", "")
    assert every["why no τ"] == "2 usable models, wanted at least 3"
    assert (every["n"], every["left out"]) == ("2", "1")
    assert cells(read(row), REPLICATION)["published τ"] == "−0.311"
    assert "published τ is" not in cells(read(row), REPLICATION)


@pytest.mark.parametrize("changes", [{"tau_low": math.nan, "tau_high": math.nan, "tau": 1.0, "z": math.inf}, NO_TAU])
def test_nothing_says_nan(changes):
    rows = [{**ROW, **changes}, {**ROW, **changes, "rho": math.nan}]
    reader = read(*rows, trust=TRUST.assign(rho=math.nan), ladder=LADDER.assign(tau=math.nan))
    assert NEAR in reader.tables
    said = [cell for rows in reader.tables.values() for row in rows for cell in row] + reader.answer
    assert [text for text in said if "nan" in text.lower()] == []


def test_a_perfect_tau_is_shown_and_compared():
    row = cells(read({**ROW, "tau": 1.0, "tau_low": math.nan, "tau_high": math.nan, "z": math.inf}), REPLICATION)
    assert row["τ"] == "+1.000"
    assert row["published τ is"] == "not consistent"


def test_a_study_without_anything_published_has_a_page():
    reader = read({**ROW, "published_tau": math.nan, "z": math.nan})
    assert REPLICATION not in reader.headings
    assert cells(reader, EVERY)["τ"] == "+0.350"


@pytest.mark.parametrize(
    ("more", "said"),
    [({}, "differ in their seed alone."), ({"settings": 9}, "in a pool that varies in its setting.")],
)
def test_the_page_says_in_what_models_of_a_pool_differ(more, said):
    tau = pd.DataFrame([{**LABELS, "headline": True, "tau": 0.5, **more}])
    page = render_page(Tables(RUNS, tau, tau.drop(columns="headline")), COLUMNS, [], Path("none"), {})
    assert said in " ".join(page.split())


def test_a_table_of_the_pools_and_tau_alone_has_a_page():
    few = {key: ROW[key] for key in (*LABELS, "headline", "n", "tau")}
    assert list(cells(read(few), EVERY)) == ["pool", "protocol", "measure", "ρ", "quantity", "n", "τ"]


def test_a_study_that_measured_nothing_has_a_page():
    reader = Reader(page(pd.DataFrame([ROW])[:0]))
    assert reader.answer == ["Nothing has been measured yet."]
    assert reader.headings == [EVERY, "How this was made"]


@pytest.mark.parametrize(
    ("column", "word"), [("p_holm", "P, Holm:"), ("p_max_t", "P, max-T:"), ("noise_ceiling", "Ceiling:")]
)
def test_a_statistic_is_explained_where_it_is_shown(column, word):
    table = pd.DataFrame([ROW])
    assert word not in page(table, TRUST)
    assert word in page(table.assign(**{column: 0.5}), TRUST)


def test_the_page_says_how_it_was_made_and_escapes_it():
    html = page(pd.DataFrame([ROW]), TRUST, made_by={"Commit": "v1-2-gabc", "Devices": "<b>, cpu"})
    assert "<dt>Commit</dt><dd>v1-2-gabc</dd>" in html
    assert "<dt>Devices</dt><dd>&lt;b&gt;, cpu</dd>" in html
    assert "<b>" not in html


def test_a_row_shows_how_far_a_number_can_be_trusted():
    assert cells(read(ROW, trust=TRUST), NEAR) == {
        "pool": "fcnn",
        "protocol": "report",
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
    """As of a Hessian, which knows no radius and seeks no maximum; the other row keeps the columns on the page."""
    hessian = TRUST.assign(rho=math.nan, reliability=math.nan, **dict.fromkeys(UNKNOWN, math.nan))
    rows = [{**ROW, "rho": math.nan}, ROW]
    row = cells(read(*rows, trust=pd.concat([hessian, TRUST])), NEAR)
    assert list(row.values()) == ["fcnn", "report", "report_pga", "", "7", "", "", "", "", "", ""]


def test_a_ladder_shows_its_rungs_and_their_changes(drawn):
    reader = read(ROW, drawn=drawn, ladder=LADDER)
    assert cells(reader, STEPS, 1) == {
        "pool": "fcnn",
        "rung": "1",
        "switch": "crossed_clamp",
        "what changes": "bounds",
        "τ": "+0.300",
        "95 % interval": "+0.100 to +0.500",
        "change of τ": "−0.250",
        "95 % interval of the change": "−0.400 to −0.100",
        "test loss": "0.4800",
        "sharpness": "0.05",
    }
    assert cells(reader, STEPS, 0)["change of τ"] == ""
    assert STEPS not in read(ROW, drawn=drawn).headings


# Quantities, and figures and statistics of the user's own


FURTHER = {
    **ROW,
    "quantity": "first_order",
    "headline": False,
    "tau": -0.4567,
    "published_tau": math.nan,
    "z": math.nan,
}


def test_quantities_that_are_no_headline_stand_apart_and_folded():
    html = page(pd.DataFrame([FURTHER, ROW]))
    reader = Reader(html)
    assert reader.answer == read(ROW).answer
    assert reader.column(REPLICATION, "τ") == ["+0.350"]
    [first, second] = [row for row in reader.tables[EVERY] if "fcnn" in row]
    assert ("sharpness" in first, "first_order" in second, "−0.457" in second) == (True, True, True)
    [folded] = re.findall("<details>(.*?)</details>", html, re.DOTALL)
    assert "Further quantities of the measures: 1</summary>" in folded
    assert ("first_order" in folded, "sharpness" in folded) == (True, False)
    assert "<details>" not in page(pd.DataFrame([ROW]))


def test_how_far_a_quantity_can_be_trusted_is_said_of_the_headline_alone():
    trust = pd.concat([TRUST.assign(quantity="first_order", reliability=0.1), TRUST])
    assert read(FURTHER, ROW, trust=trust).column(NEAR, "reliability") == ["0.891"]


def test_models_that_are_left_out_have_a_column_where_there_are_any():
    none, some = {**ROW, "left_out": 0}, {**ROW, "rho": 0.05, "left_out": 3}
    assert "left out" not in cells(read(none), EVERY)
    assert read(none, some).column(EVERY, "left out") == ["", "3"]


def test_a_column_of_the_users_own_is_shown_and_explained_if_it_has_a_heading():
    own = [
        Column("mine", "What is mine.", heading="my τ"),
        Column("kind", "Which kind.", heading="kind", form="{kind}"),
        Column("hidden", "What is not shown."),
    ]
    table = pd.DataFrame([ROW]).assign(mine=-0.25, kind="one-sided", hidden=0.7654)
    html = page(table, columns=[*COLUMNS, *own])
    row = cells(Reader(html), EVERY)
    assert (row["my τ"], row["kind"]) == ("−0.250", "one-sided")
    assert "My τ: What is mine." in html
    assert "What is not shown." not in html
    assert "0.765" not in html


def test_a_figure_of_the_users_own_has_its_section_before_the_estimates(tmp_path, drawn):
    (tmp_path / "figures").mkdir()
    text = '"""Nothing at all.\n\nAn empty <figure>."""\nfrom matplotlib.figure import Figure\n\n\n'
    text += "def draw(tables):\n    return {'': Figure(), 'report/pga': Figure()}\n"
    (tmp_path / "figures/mine.py").write_text(text)
    tau = pd.DataFrame([ROW | STATISTICS])
    mine = [each for each in draw_figures(Tables(RUNS, tau, TRUST), tmp_path) if each.name == "mine"]
    drawings, folder = drawn
    save_drawings(mine, folder)
    html = page(tau, TRUST, ([*drawings, *mine], folder), ladder=LADDER)
    headings = Reader(html).headings
    at = headings.index("Nothing at all")
    assert headings[at - 1 : at + 2] == ["How strong a tau could be seen at all", "Nothing at all", NEAR]
    assert html.count("An empty &lt;figure&gt;.") == 2
    assert len(Reader(html).loaded) == len(drawings) + 2


def test_figures_by_other_protocols_are_folded(drawn):
    drawings, folder = drawn
    [curve] = [each for each in drawings if each.name == "tau_vs_rho"]
    other = replace(curve, folder="released/report_pga")
    save_drawings([other], folder)
    html = page(pd.DataFrame([ROW | STATISTICS]), TRUST, ([*drawings, other], folder), ladder=LADDER)
    [folded] = re.findall("<details>(.*?)</details>", html, re.DOTALL)
    assert "<summary>By other protocols: 1</summary>" in folded
    assert "<b>Protocol released, measure report_pga.</b>" in folded
    assert folded.count("<figure>") == 1


def test_the_rows_of_a_replication_say_whether_they_agree():
    rows = [{**ROW, "z": z} for z in (4.976, 1.0, math.nan)] + [FURTHER]
    found = replication_rows(pd.DataFrame(rows))
    assert found["verdict"].tolist() == ["not consistent", "consistent", ""]
    assert replication_rows(pd.DataFrame(rows).drop(columns=["published_tau", "z"])).empty
