"""All figures of a study: the package's own and the user's, what is said of them, and what is refused."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from adaptive_sharpness.study.report.drawings import FIRST, Drawing, draw_figures, save_drawings
from adaptive_sharpness.study.report.tables import Tables

ROW = {"protocol": "report", "pool": "fcnn", "measure": "pga", "rho": 0.1, "quantity": "sharpness", "headline": True}
TAU = pd.DataFrame([{**ROW, "n": 3, "tau": 0.3, "tau_low": 0.1, "tau_high": 0.5, "p_value": 0.04}])
TAU = TAU.assign(published_tau=math.nan)
RUNS = pd.DataFrame([ROW] * 3).assign(value=[1.0, 2, 3], test_loss=[1.0, 3, 2], train_loss=0.5)
SHARE = {"models": 3, "share_of_best": 0.9, "worst_share": 0.8, "compared_with": "apgd"}
TABLES = Tables(RUNS, TAU, pd.DataFrame([{**ROW, **SHARE}]).drop(columns="headline"))
NONE = "no such folder"

OWN = """
from matplotlib.figure import Figure


def draw(tables):
    return {found}
"""


def own(folder: Path, found: str, said: str = '"""Mine."""', name: str = "mine") -> Path:
    """A folder of plug-ins with a figure whose draw() returns this."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    (folder / f"figures/{name}.py").write_text(said + OWN.format(found=found))
    return folder


def test_figures_stand_in_the_order_of_the_package_each_with_its_title_and_caption():
    found = draw_figures(TABLES, NONE)
    assert [drawing.file for drawing in found] == [
        "report/pga/test_loss_vs_sharpness",
        "report/pga/tau_vs_rho",
        "report/trust",
        "report/share_of_best",
    ]
    assert all(isinstance(drawing.figure, Figure) for drawing in found)
    assert [drawing.title for drawing in found][:2] == ["Test loss against sharpness", "Tau against the radius"]
    for drawing in found:
        assert len(drawing.caption) > 80
        assert "\n" not in drawing.title + drawing.caption
        assert not drawing.title.endswith(".")


def test_a_figure_of_the_whole_study_lies_beside_the_folders_of_protocols():
    ladder = {"pool": "fcnn", "rung": 0, "switch": "none", "tau": 0.3, "tau_low": 0.1, "tau_high": 0.5}
    ladder = pd.DataFrame([{**ladder, "delta_low": math.nan, "delta_high": math.nan}])
    drawings = draw_figures(Tables(TABLES.runs, TABLES.tau, TABLES.estimates, ladder), NONE)
    [drawing] = [drawing for drawing in drawings if drawing.name == "ladder"]
    assert (drawing.file, drawing.folder, drawing.protocol, drawing.measure) == ("ladder", "", "", "")


@pytest.mark.parametrize(
    ("folder", "protocol", "measure", "file"),
    [
        ("", "", "", "mine"),
        ("report", "report", "", "report/mine"),
        ("report/worst_case", "report", "worst_case", "report/worst_case/mine"),
    ],
)
def test_a_figures_folder_says_what_it_is_of(folder, protocol, measure, file):
    drawing = Drawing("mine", "Mine", "", folder, Figure())
    assert (drawing.protocol, drawing.measure, drawing.file) == (protocol, measure, file)


def test_every_figure_is_written_as_svg_and_as_pdf(tmp_path):
    drawings = draw_figures(TABLES, NONE)
    save_drawings(drawings, tmp_path / "figures")
    files = sorted(str(path.relative_to(tmp_path / "figures")) for path in tmp_path.rglob("*.*"))
    assert files == sorted(f"{drawing.file}.{ending}" for drawing in drawings for ending in ("svg", "pdf"))


def test_without_a_figure_there_is_an_empty_folder(tmp_path):
    save_drawings([], tmp_path / "results/figures")
    assert list((tmp_path / "results/figures").iterdir()) == []


# Figures of the user's own


def test_a_file_of_the_users_adds_its_figures_at_the_end(tmp_path):
    folder = own(tmp_path, "{'': Figure(), 'report/' + tables.tau['measure'][0]: Figure()}")
    *package, whole, of_measure = draw_figures(TABLES, folder)
    assert [drawing.file for drawing in package] == [drawing.file for drawing in draw_figures(TABLES, NONE)]
    assert (whole.file, of_measure.file) == ("mine", "report/pga/mine")
    save_drawings([whole, of_measure], tmp_path / "made")
    assert (tmp_path / "made/mine.svg").exists()
    assert (tmp_path / "made/report/pga/mine.pdf").exists()


@pytest.mark.parametrize(
    ("said", "title", "caption"),
    [
        ('"""Mine.\n\nWhat it\n  shows.\n"""', "Mine", "What it shows."),
        ('"""Mine"""', "Mine", ""),
        ("", "mine", ""),
    ],
)
def test_the_first_line_of_a_files_docstring_is_the_title_and_the_rest_the_caption(tmp_path, said, title, caption):
    drawing = draw_figures(TABLES, own(tmp_path, "{'report': Figure()}", said))[-1]
    assert (drawing.name, drawing.title, drawing.caption) == ("mine", title, caption)


def test_a_file_may_draw_nothing_and_helpers_are_not_asked(tmp_path):
    own(tmp_path, "1 / 0", name="_helper")
    assert len(draw_figures(TABLES, own(tmp_path, "{}"))) == len(draw_figures(TABLES, NONE))


def test_files_of_the_users_follow_by_name(tmp_path):
    for name in ("second", "first"):
        own(tmp_path, "{'': Figure()}", name=name)
    assert [drawing.name for drawing in draw_figures(TABLES, tmp_path)][-2:] == ["first", "second"]


@pytest.mark.parametrize(
    ("found", "got"),
    [
        ("None", "NoneType"),
        ("Figure()", "Figure"),
        ("[Figure()]", "list"),
        ("{'report': 'figure.svg'}", "a mapping to something else"),
        ("{'report': Figure(), 'other': None}", "a mapping to something else"),
        ("{'report': [Figure()]}", "a mapping to something else"),
    ],
)
def test_something_else_than_figures_by_folder_is_refused(tmp_path, found, got):
    wanted = re.escape(f"figure mine: got {got} from draw(), wanted a mapping from folders to Matplotlib's figures")
    with pytest.raises(ValueError, match=f"^{wanted}$"):
        draw_figures(TABLES, own(tmp_path, found))


@pytest.mark.parametrize(
    "place", ["'/tmp'", "'../elsewhere'", "'report/../../elsewhere'", "('report', 'pga')", "None", "7"]
)
def test_a_folder_that_leads_elsewhere_is_refused(tmp_path, place):
    wanted = re.escape(f"figure mine: got {place} for a folder, wanted one such as report/worst_case")
    with pytest.raises(ValueError, match=f"^{wanted}$"):
        draw_figures(TABLES, own(tmp_path, f"{{{place}: Figure()}}"))


@pytest.mark.parametrize("name", FIRST)
def test_a_figure_that_has_a_name_of_the_package_is_refused(tmp_path, name):
    path = re.escape(str(own(tmp_path, "{}", name=name) / f"figures/{name}.py"))
    with pytest.raises(ValueError, match=f"^{path}: got the name of a plug-in of the package, wanted another name$"):
        draw_figures(TABLES, tmp_path)
