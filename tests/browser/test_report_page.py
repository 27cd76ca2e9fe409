"""The page as a reader meets it: in a real Chromium, on a desk and on a telephone."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from adaptive_sharpness.study.report.drawings import Drawing, draw_figures, save_drawings
from adaptive_sharpness.study.report.page import render_page
from adaptive_sharpness.study.report.tables import Tables
from adaptive_sharpness.study.tables.tau import statistic_columns

SIZES = {"desk": {"width": 1280, "height": 800}, "telephone": {"width": 390, "height": 844}}
POOLS = {"fcnn": -0.311, "lenet5": -0.18, "gat": -0.185}
MEASURES = {"report_pga": (0.01, 0.02, 0.05), "worst_case": (0.01, 0.02, 0.05), "hessian": (math.nan,)}


def measurements() -> pd.DataFrame:
    """A row for every pool, measure and radius."""
    keys = [(name, measure, rho) for name in POOLS for measure, radii in MEASURES.items() for rho in radii]
    table = pd.DataFrame(keys, columns=["pool", "measure", "rho"]).assign(
        protocol="report", n=50, quantity="sharpness", headline=True
    )
    return table.assign(tau=np.sin(np.arange(len(table))) / 2)


def taus() -> pd.DataFrame:
    table = measurements()
    published = [
        POOLS[row.pool] if (row.measure, row.rho) == ("report_pga", 0.02) else math.nan for row in table.itertuples()
    ]
    of_models = {"value_mean": 0.0912, "value_sd": 0.0123, "test_loss_mean": 0.4871, "test_loss_sd": 0.0211}
    of_tests = {"p_value": 3e-7, "p_holm": 0.04, "p_max_t": 0.01, "equivalence_p": 0.9, "share_negative": 0.04}
    of_trust = {"noise_ceiling": 0.7, "smallest_detectable_tau": 0.266, "partial_tau_gaussian": -0.1, "tau_gap": 0.2}
    table = table.assign(tau_low=table["tau"] - 0.2, tau_high=table["tau"] + 0.2, published_tau=published)
    return table.assign(z=np.where(table["published_tau"].notna(), 2.5, math.nan), **of_models, **of_tests, **of_trust)


def estimates() -> pd.DataFrame:
    table = measurements().drop(columns=["n", "headline"])
    table = table.assign(models=50, batches=50, reliability=0.95, share_of_best=0.8, worst_share=0.7)
    table = table[table["rho"].notna()].assign(compared_with="apgd", tau_of_rankings=0.9)
    return table.assign(last_improvement=0.8, gain_from_doubling=0.001)


def ladder() -> pd.DataFrame:
    rows = [(name, rung) for name in POOLS for rung in range(4)]
    table = pd.DataFrame(rows, columns=["pool", "rung"]).assign(switch="crossed_clamp", tau=0.1)
    table = table.assign(protocol="report", measure="report_pga")
    table = table.assign(tau_low=-0.1, tau_high=0.3, delta_tau=0.2, delta_low=0.1, delta_high=0.3)
    return table.assign(describes="bounds that are crossed for negative weights", test_loss_mean=0.48)


def tables(**more) -> Tables:
    tau = taus()
    models = tau.loc[tau.index.repeat(9)].assign(value=np.arange(9 * len(tau)) % 7, test_loss=1.0, train_loss=0.5)
    return Tables(models, tau, estimates(), **more)


def drawn() -> list[Drawing]:
    """Every kind of figure: that of a ladder too, and one kind by two protocols."""
    drawings = draw_figures(tables(), "no such folder")
    steps = [each for each in draw_figures(tables(ladder=ladder()), "no such folder") if each.name == "ladder"]
    curves = [each for each in drawings if each.name == "tau_vs_rho"]
    others = [replace(each, folder=each.folder.replace("report/", "released/")) for each in curves]
    return [*drawings, *steps, *others]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report with all of its pieces; its address and how many figures it holds."""
    folder = tmp_path_factory.mktemp("report")
    made_by = {"Commit": "v1-2-g0123abc", "Config, sha256": "0" * 64, "Versions": "python 3, torch 2"}
    drawings = drawn()
    save_drawings(drawings, folder / "figures")
    columns = statistic_columns("no such folder")
    html = render_page(tables(ladder=ladder()), columns, drawings, folder / "figures", made_by)
    (folder / "report.html").write_text(html, encoding="utf-8")
    return (folder / "report.html").as_uri(), len(drawings)


@pytest.fixture(params=SIZES)
def opened(chromium, report, request):
    """The page at one size, with what it asked for and complained of."""
    window = chromium.new_page(viewport=SIZES[request.param])
    window.asked, window.complaints = [], []
    window.on("request", lambda sent: window.asked.append(sent.url))
    window.on("console", lambda message: window.complaints.append(message.text))
    window.on("pageerror", lambda error: window.complaints.append(str(error)))
    window.goto(report[0], wait_until="load")
    yield window
    window.close()


def test_it_asks_for_nothing_but_itself_and_complains_of_nothing(opened, report):
    assert [url for url in opened.asked if not url.startswith("data:")] == [report[0]]
    assert opened.complaints == []


def test_every_figure_is_drawn(opened, report):
    sizes = opened.eval_on_selector_all("img", "all => all.map(i => [i.complete, i.naturalWidth, i.naturalHeight])")
    assert len(sizes) == report[1]
    assert all(complete and width > 0 and height > 0 for complete, width, height in sizes)
    images = opened.locator("img")
    assert [images.nth(number).is_visible() for number in range(report[1])].count(False) == 2
    opened.locator("summary").click()
    assert all(images.nth(number).is_visible() for number in range(report[1]))


def test_the_page_is_as_wide_as_the_screen_and_wide_things_scroll_inside(opened):
    width = opened.viewport_size["width"]
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    assert opened.evaluate("document.body.scrollWidth") <= width
    boxes = opened.eval_on_selector_all(".wide", "all => all.map(b => [b.scrollWidth > b.clientWidth, b.clientWidth])")
    assert any(scrolls for scrolls, _ in boxes)
    assert all(0 < inside <= width for _, inside in boxes)


def test_text_is_dark_on_white_and_large_enough_to_read(opened):
    style = opened.eval_on_selector("body", "b => [getComputedStyle(b).color, getComputedStyle(b).backgroundColor]")
    assert style == ["rgb(34, 34, 34)", "rgb(255, 255, 255)"]
    sizes = opened.eval_on_selector_all(
        "p, td, th, figcaption", "all => all.map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 12


def test_the_answer_stands_above_the_fold_of_a_desk(chromium, report):
    window = chromium.new_page(viewport=SIZES["desk"])
    window.goto(report[0])
    sentences = window.locator(".answer p")
    assert sentences.count() == 4
    boxes = [sentences.nth(number).bounding_box() for number in range(4)]
    assert all(box["y"] >= 0 and box["y"] + box["height"] <= 800 for box in boxes)
    window.close()


def test_on_paper_no_figure_and_no_table_is_cut_off(chromium, report):
    window = chromium.new_page(viewport={"width": 964, "height": 703})  # what A4 and Letter both hold
    window.emulate_media(media="print")
    window.goto(report[0])
    rights = window.eval_on_selector_all("img, table", "all => all.map(e => e.getBoundingClientRect().right)")
    assert max(rights) <= 964
    heights = window.eval_on_selector_all("img", "all => all.map(e => e.getBoundingClientRect().height)")
    assert max(heights) <= 703
    window.close()
