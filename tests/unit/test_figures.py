"""The figures, by the artists that they are made of: what is drawn is what the tables hold."""

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from adaptive_sharpness.study.report.figures import ladder, share_of_best, tau_vs_rho, test_loss_vs_sharpness, trust
from adaptive_sharpness.study.report.style import save_figure
from adaptive_sharpness.study.report.tables import Tables
from adaptive_sharpness.study.tables.models import KEYS

PUBLISHED = {"fcnn": (0.2, -0.311), "lenet5": (0.1, -0.18), "gat": (0.4, -0.185)}
RHOS = (0.4, 0.1, 0.2)  # not sorted, as a config may have them
NAMES = ["fcnn", "lenet5", "gat", "mlp"]


def taus(*names: str, **columns) -> pd.DataFrame:
    """Rows of the tau table, each with values of its own."""
    rows = []
    for name in names:
        for rho in RHOS:
            tau = round(math.sin(len(rows) + 1) / 2, 4)
            at, published = PUBLISHED.get(name, (None, math.nan))
            row = {"protocol": "report", "pool": name, "measure": "report_pga", "rho": rho, "n": 5, "tau": tau}
            row |= {"quantity": "sharpness", "headline": True}
            row |= {"tau_low": tau - 0.2, "tau_high": tau + 0.3, "p_value": abs(tau) / 10}
            rows.append(row | {"published_tau": published if at == rho else math.nan})
    return pd.DataFrame(rows).assign(**columns)


def runs(tau: pd.DataFrame) -> pd.DataFrame:
    """Five models for every row of a tau table."""
    rng = np.random.default_rng(0)
    models = tau.loc[tau.index.repeat(5), [*KEYS, "headline"]]
    return models.assign(value=rng.normal(size=len(models)), test_loss=rng.normal(size=len(models)), train_loss=0.5)


NOTHING = {"runs": runs(taus("fcnn"))[:0], "tau": taus("fcnn")[:0], "estimates": pd.DataFrame(columns=KEYS)}


def scatter(models: pd.DataFrame, tau: pd.DataFrame) -> Figure:
    return only(test_loss_vs_sharpness.draw(Tables(**{**NOTHING, "runs": models, "tau": tau})))


def tau_against_rho(tau: pd.DataFrame) -> Figure:
    return only(tau_vs_rho.draw(Tables(**{**NOTHING, "tau": tau})))


def only(figures: dict[str, Figure]) -> Figure:
    [figure] = figures.values()
    return figure


def shown(figure) -> list:
    return [panel for panel in figure.axes if panel.get_visible()]


@pytest.mark.parametrize("n", [1, 3, 4])
@pytest.mark.parametrize("draw", [lambda tau: scatter(runs(tau), tau), tau_against_rho])
def test_every_pool_has_its_panel_in_the_order_of_the_table(tmp_path, draw, n):
    figure = draw(taus(*NAMES[:n]))
    assert [panel.get_title().split(",")[0] for panel in shown(figure)] == NAMES[:n]
    save_figure(figure, tmp_path / "a")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")
    assert "</svg>" in (tmp_path / "a.svg").read_text()


def test_each_protocol_and_measure_has_its_own_figure():
    tables = [
        taus("fcnn", tau=0.1),
        taus("fcnn", protocol="released", tau=0.2),
        taus("fcnn", measure="hessian", tau=0.3),
    ]
    table = pd.concat(tables, ignore_index=True)
    models = runs(table)
    tables = Tables(**{**NOTHING, "runs": models, "tau": table})
    wanted = {"report/report_pga": 0.1, "released/report_pga": 0.2, "report/hessian": 0.3}
    scatters, curves = test_loss_vs_sharpness.draw(tables), tau_vs_rho.draw(tables)
    assert list(scatters) == list(curves) == list(wanted)
    for folder, tau in wanted.items():
        assert f"τ = +{tau:.3f}" in shown(scatters[folder])[0].get_title()
        protocol, measure = folder.split("/")
        own = models[(models["protocol"] == protocol) & (models["measure"] == measure) & (models["rho"] == 0.2)]
        np.testing.assert_array_equal(shown(scatters[folder])[0].lines[0].get_xdata(), own["value"])
        [line] = [line for line in shown(curves[folder])[0].lines if line.get_label() == "ours"]
        assert line.get_xydata().tolist() == [[rho, tau] for rho in sorted(RHOS)]


def test_quantities_that_are_no_headline_are_in_no_figure():
    table = taus("fcnn", "gat", noise_ceiling=0.7)
    further = table.assign(quantity="first_order", headline=False, tau=0.9, published_tau=0.9)
    near = shares("fcnn", "gat")
    alone = Tables(runs(table), table, near)
    both = pd.concat([further, table], ignore_index=True)
    models = pd.concat([runs(further), runs(table)], ignore_index=True)
    together = Tables(models, both, pd.concat([near.assign(quantity="first_order", compared_with=math.nan), near]))
    for figure in (test_loss_vs_sharpness, tau_vs_rho, trust, share_of_best):
        for one, other in zip(figure.draw(alone).values(), figure.draw(together).values(), strict=True):
            assert said(one) == said(other)


def said(figure) -> str:
    """Every panel's title and the points of its lines."""
    return str([(panel.get_title(), [line.get_xydata().tolist() for line in panel.lines]) for panel in shown(figure)])


# Test loss against sharpness


@pytest.mark.parametrize(("name", "rho"), [("fcnn", 0.2), ("lenet5", 0.1), ("gat", 0.4), ("mlp", 0.2)])
def test_points_are_the_models_at_the_published_rho_or_else_at_the_middle_of_the_grid(name, rho):
    tau = taus(*NAMES)
    models = runs(tau)
    (points,) = shown(scatter(models, tau))[NAMES.index(name)].lines
    wanted = models[(models["pool"] == name) & (models["rho"] == rho)]
    np.testing.assert_array_equal(points.get_xdata(), wanted["value"])
    np.testing.assert_array_equal(points.get_ydata(), wanted["test_loss"])
    assert points.get_linestyle() == "None"


def test_a_model_that_is_not_used_is_no_point():
    tau = taus("fcnn")
    models = runs(tau)
    models["train_loss"] = np.where(np.arange(len(models)) % 5, 0.5, math.inf)
    (points,) = shown(scatter(models, tau))[0].lines
    assert len(points.get_xdata()) == 4


@pytest.mark.parametrize(
    ("tau", "p", "said"),
    [
        (-0.311, 0.0014, "τ = \N{MINUS SIGN}0.311, p = 0.001"),
        (0.35, 0.0645, "τ = +0.350, p = 0.065"),
        (0.8, 3.2e-7, "τ = +0.800, p = 3.2e-07"),
        (1.0, 0.02, "τ = +1.000, p = 0.020"),
    ],
)
def test_the_title_gives_tau_and_p(tau, p, said):
    table = taus("fcnn", tau=tau, p_value=p)
    (panel,) = shown(scatter(runs(table), table))
    assert said in panel.get_title()
    assert "ρ = 0.2" in panel.get_title()
    assert "n = 5" in panel.get_title()
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("sharpness", "test loss")


def varied(settings: list[str]) -> Figure:
    """Models of a pool, one a setting; test loss rises with the position of the setting."""
    tau, several = taus("fcnn"), len(settings)
    labels = {**PUBLISHED_ROW, "headline": True, "train_loss": 0.5}
    losses = {"value": np.arange(several), "test_loss": np.arange(float(several))}
    return scatter(pd.DataFrame(losses).assign(setting=settings, **labels), tau)


PUBLISHED_ROW = {"protocol": "report", "pool": "fcnn", "measure": "report_pga", "rho": 0.2, "quantity": "sharpness"}


def test_each_setting_has_its_points_and_its_place_in_the_legend():
    [panel] = shown(varied(["lr=10", "lr=9", "lr=0.1", "lr=9"]))
    assert {line.get_label(): list(line.get_xdata()) for line in panel.lines} == {
        "lr=0.1": [2],
        "lr=9": [1, 3],
        "lr=10": [0],
    }
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["lr=0.1", "lr=9", "lr=10"]
    looks = {(line.get_markerfacecolor(), line.get_marker()) for line in panel.lines}
    assert len(looks) == 3


def test_of_many_settings_the_axis_is_shown_that_tells_most_of_test_loss():
    [panel] = shown(varied([f"lr={rate}+size={size}" for size in (1, 2, 3) for rate in (1, 2, 3)]))
    assert panel.get_legend().get_title().get_text() == "size"
    assert [list(line.get_ydata()) for line in panel.lines] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_a_pool_of_one_setting_has_no_legend():
    [panel] = shown(varied(["", ""]))
    assert panel.get_legend() is None


def test_the_axis_is_named_after_the_quantity():
    table = taus("fcnn", quantity="lambda_max")
    (panel,) = shown(scatter(runs(table), table))
    assert panel.get_xlabel() == "lambda_max"


def test_a_pool_without_a_tau_is_drawn_and_its_title_is_readable(tmp_path):
    table = taus("fcnn", tau=math.nan, tau_low=math.nan, tau_high=math.nan, p_value=math.nan)
    for name, figure in (("a", scatter(runs(table), table)), ("b", tau_against_rho(table))):
        save_figure(figure, tmp_path / f"{name}")
        assert "nan" not in shown(figure)[0].get_title()


# Tau against rho


def bars(panel) -> list:
    """Lower and upper ends of the error bars, in the order of rho."""
    segments = [segment for lines in panel.collections for segment in lines.get_segments()]
    return [segment[:, 1] for segment in sorted(segments, key=lambda segment: segment[0, 0])]


def test_tau_is_drawn_over_rho_with_its_interval():
    tau = taus(*NAMES)
    for name, panel in zip(NAMES, shown(tau_against_rho(tau)), strict=True):
        rows = tau[tau["pool"] == name].sort_values("rho")
        assert rows[["rho", "tau"]].to_numpy().tolist() in [line.get_xydata().tolist() for line in panel.lines]
        np.testing.assert_allclose(bars(panel), rows[["tau_low", "tau_high"]], atol=1e-12)
        assert panel.get_xscale() == "log"
        assert [label.get_text() for label in panel.get_xticklabels()] == ["0.1", "0.2", "0.4"]


def test_an_interval_that_leaves_out_tau_is_drawn_where_it_is():
    """A BCa interval corrects for bias, and can lie on one side of the estimate."""
    table = taus("fcnn", tau=0.5, tau_low=0.55, tau_high=0.7)
    (panel,) = shown(tau_against_rho(table))
    np.testing.assert_allclose(bars(panel), [[0.55, 0.7]] * 3, atol=1e-12)


def published_points(panel) -> list:
    marked = [line for line in panel.lines if line.get_label() == "published"]
    return [point for line in marked for point in line.get_xydata().tolist() if not math.isnan(point[1])]


def test_a_published_tau_stands_at_its_rho_and_nowhere_else():
    panels = shown(tau_against_rho(taus(*NAMES)))
    assert [published_points(panel) for panel in panels] == [[[0.2, -0.311]], [[0.1, -0.18]], [[0.4, -0.185]], []]


@pytest.mark.parametrize("names", [["fcnn", "mlp"], ["mlp", "fcnn"]])
def test_the_legend_names_what_is_drawn_in_any_panel(names):
    (legend,) = tau_against_rho(taus(*names)).legends
    assert sorted(text.get_text() for text in legend.get_texts()) == ["ours", "published"]


def test_the_legend_does_not_name_what_is_not_drawn():
    (legend,) = tau_against_rho(taus("mlp")).legends
    assert [text.get_text() for text in legend.get_texts()] == ["ours"]


# Files


@pytest.mark.parametrize("draw", [lambda tau: scatter(runs(tau), tau), tau_against_rho])
def test_the_same_tables_give_the_same_bytes(tmp_path, draw):
    for name in ("a", "b"):
        save_figure(draw(taus(*NAMES[:3])), tmp_path / f"{name}")
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "<dc:date>" not in (tmp_path / "a.svg").read_text()
    assert b"CreationDate" not in (tmp_path / "a.pdf").read_bytes()


def test_other_tables_give_other_bytes(tmp_path):
    for name, tau in (("a", taus("fcnn")), ("b", taus("fcnn", tau=0.5))):
        save_figure(tau_against_rho(tau), tmp_path / f"{name}")
    assert (tmp_path / "a.pdf").read_bytes() != (tmp_path / "b.pdf").read_bytes()
    assert (tmp_path / "a.svg").read_bytes() != (tmp_path / "b.svg").read_bytes()


def drawn_whole(figure) -> None:
    """Nothing lies outside the page, and no panel or legend over another."""
    figure.draw_without_rendering()
    page, drawn = figure.bbox, figure.get_tightbbox().transformed(figure.dpi_scale_trans)
    assert page.x0 <= drawn.x0 < drawn.x1 <= page.x1
    assert page.y0 <= drawn.y0 < drawn.y1 <= page.y1
    boxes = [artist.get_tightbbox() for artist in [*shown(figure), *figure.legends]]
    assert not [1 for one, other in combinations(boxes, 2) if one.overlaps(other)]


def test_nothing_of_a_figure_lies_outside_its_page_or_over_something_else():
    tau = taus(*NAMES, tau_high=0.9)
    for figure in (scatter(runs(tau), tau), tau_against_rho(tau)):
        drawn_whole(figure)


# How near each measure comes to the best


def shares(*names: str) -> pd.DataFrame:
    """Rows of the estimates table: two measures that are compared, and one that is not."""
    rows = []
    for name in names:
        for measure in ("report_pga", "worst_case", "average_case"):
            for rho in RHOS:
                share = math.nan if measure == "average_case" else 1 / (len(rows) + 2)
                row = {"protocol": "report", "pool": name, "measure": measure, "rho": rho, "quantity": "sharpness"}
                row |= {"models": 5, "share_of_best": share}
                other = {"report_pga": "worst_case", "worst_case": "report_pga"}.get(measure, math.nan)
                rows.append(row | {"worst_share": share / 2, "compared_with": other})
    return pd.DataFrame(rows)


def near(estimates: pd.DataFrame) -> Figure:
    return only(share_of_best.draw(Tables(**{**NOTHING, "estimates": estimates})))


def test_each_protocol_has_a_figure_of_what_is_compared_in_it():
    table = pd.concat([shares("fcnn"), shares("gat").assign(protocol="released")])
    found = share_of_best.draw(Tables(**{**NOTHING, "estimates": table}))
    titles = {protocol: [panel.get_title() for panel in shown(figure)] for protocol, figure in found.items()}
    assert titles == {"report": ["fcnn, n = 5"], "released": ["gat, n = 5"]}
    alone = table[table["measure"] == "average_case"]
    assert share_of_best.draw(Tables(**{**NOTHING, "estimates": alone})) == {}


def test_each_measure_that_is_compared_has_its_shares_and_its_lowest_model():
    table = shares("fcnn", "gat")
    figure = near(table)
    for panel, name in zip(shown(figure), ["fcnn", "gat"], strict=True):
        own = table[table["pool"] == name].sort_values("rho")
        drawn = {line.get_label(): line for line in panel.get_lines()}
        assert [label for label in drawn if not label.startswith("_")] == ["report_pga", "worst_case"]
        for measure in ("report_pga", "worst_case"):
            rows = own[own["measure"] == measure]
            np.testing.assert_array_equal(drawn[measure].get_xdata(), rows["rho"])
            np.testing.assert_array_equal(drawn[measure].get_ydata(), rows["share_of_best"])
            dotted = [line for line in panel.get_lines() if line.get_linestyle() == ":"]
            assert any(np.array_equal(line.get_ydata(), rows["worst_share"]) for line in dotted)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["report_pga", "worst_case"]


@pytest.mark.parametrize("n", [1, 4])
def test_the_first_panel_of_every_line_says_what_is_drawn(n):
    for figure in (near(shares(*NAMES[:n])), tau_against_rho(taus(*NAMES[:n]))):
        labels = [bool(panel.get_ylabel()) for panel in shown(figure)]
        assert labels == [position % 3 == 0 for position in range(n)]


@pytest.mark.parametrize("diverged", [["fcnn"], ["fcnn", "gat"]])
def test_a_pool_without_a_usable_model_keeps_its_panel(diverged, tmp_path):
    table = shares("fcnn", "gat")
    none = table["pool"].isin(diverged)
    table.loc[none, ["share_of_best", "worst_share"]] = math.nan
    figure = near(table.assign(models=np.where(none, 0, 5)))
    wanted = [f"{name}, n = {0 if name in diverged else 5}" for name in ("fcnn", "gat")]
    assert [panel.get_title() for panel in shown(figure)] == wanted
    save_figure(figure, tmp_path / "a")


def test_a_measure_without_a_radius_has_a_scatter_and_no_point_against_rho():
    table = taus("fcnn").assign(published_tau=math.nan)
    single = table.iloc[:1].assign(rho=math.nan)
    (panel,) = shown(scatter(runs(single), single))
    assert len(panel.get_lines()[0].get_xdata()) == 5
    assert panel.get_title().startswith("fcnn, n = 5")
    both = pd.concat([table, single.assign(pool="gat")])
    assert [panel.get_title().split(",")[0] for panel in shown(tau_against_rho(both))] == ["fcnn"]


def test_a_measure_looks_the_same_in_every_panel_and_unlike_the_others_in_grey_too():
    table = shares("fcnn", "gat")
    table = table[(table["pool"] == "fcnn") | (table["measure"] == "worst_case")]
    fcnn, gat = (
        {line.get_label(): (line.get_color(), line.get_marker()) for line in panel.get_lines()}
        for panel in shown(near(table))
    )
    assert gat["worst_case"] == fcnn["worst_case"]
    assert all(one != other for one, other in zip(fcnn["report_pga"], fcnn["worst_case"], strict=True))


def test_more_measures_than_colours_are_all_drawn():
    table = pd.concat([shares("fcnn").query("measure == 'worst_case'").assign(measure=f"m{k}") for k in range(9)])
    (panel,) = shown(near(table))
    assert sorted(text.get_text() for text in panel.figure.legends[0].get_texts()) == [f"m{k}" for k in range(9)]
    labels = [line.get_label() for line in panel.get_lines()]
    assert [label for label in labels if label[0] == "m"] == [f"m{k}" for k in range(9)]


# The ladder


def rungs(*names: str) -> pd.DataFrame:
    """Three rungs a pool, in no order; the second and the third change tau, up and down, but only in fcnn."""
    rows = []
    for name in names:
        for rung in (2, 0, 1):
            tau = round(math.cos(len(rows) + 1) / 2, 4)
            row = {"pool": name, "rung": rung, "switch": f"{name}_{rung}", "tau": tau}
            row |= {"tau_low": tau - 0.1, "tau_high": tau + 0.2, "delta_low": -0.1, "delta_high": 0.1}
            if name == "fcnn":
                row |= {1: {"delta_low": 0.01}, 2: {"delta_high": -0.01}}.get(rung, {})
            rows.append(row | ({"delta_low": math.nan, "delta_high": math.nan} if rung == 0 else {}))
    return pd.DataFrame(rows)


def stairs(rungs: pd.DataFrame, published: dict[str, float]) -> Figure:
    rows = [taus(name)[:1].assign(published_tau=tau) for name, tau in published.items()]
    return only(ladder.draw(Tables(**{**NOTHING, "tau": pd.concat([NOTHING["tau"], *rows]), "ladder": rungs})))


def test_without_a_ladder_there_is_no_figure_of_it_and_with_it_no_curve_of_tau():
    tau = taus("fcnn")
    without, empty = Tables(**{**NOTHING, "tau": tau}), Tables(**{**NOTHING, "tau": tau, "ladder": rungs("fcnn")[:0]})
    assert ladder.draw(without) == ladder.draw(empty) == {}
    assert list(tau_vs_rho.draw(without)) == ["report/report_pga"]
    together = Tables(**{**NOTHING, "tau": tau, "ladder": rungs("fcnn")})
    assert list(ladder.draw(together)) == [""]
    assert tau_vs_rho.draw(together) == {}


def test_beside_a_ladder_models_are_drawn_of_measures_with_a_published_tau_alone():
    tau = pd.concat([taus("fcnn"), taus("mlp", measure="other")], ignore_index=True)
    tables = Tables(**{**NOTHING, "runs": runs(tau), "tau": tau, "ladder": rungs("fcnn")})
    assert list(test_loss_vs_sharpness.draw(tables)) == ["report/report_pga"]


def height(panel, label: str) -> float:
    """Where a rung stands on the page."""
    labels = [text.get_text() for text in panel.get_yticklabels()]
    return panel.transData.transform((0, panel.get_yticks()[labels.index(label)]))[1]


def points(panel, label: str) -> dict[int, float]:
    (line,) = [line for line in panel.lines if line.get_label() == label]
    return {int(y): x for x, y in line.get_xydata().tolist() if not math.isnan(x)}


def test_rungs_stand_from_top_to_bottom_with_their_tau_and_interval():
    table = rungs("fcnn", "gat")
    panels = shown(stairs(table, {}))
    assert [panel.get_title(loc="left") for panel in panels] == ["fcnn", "gat"]
    for name, panel in zip(("fcnn", "gat"), panels, strict=True):
        assert height(panel, f"{name}_0") > height(panel, f"{name}_1") > height(panel, f"{name}_2")
        rows = table[table["pool"] == name].sort_values("rung")
        drawn = points(panel, "τ") | points(panel, "τ, changed by its switch")
        assert [drawn[rung] for rung in range(3)] == rows["tau"].tolist()
        segments = [segment for lines in panel.collections for segment in lines.get_segments()]
        np.testing.assert_allclose([s[:, 0] for s in segments], rows[["tau_low", "tau_high"]], atol=1e-12)
        np.testing.assert_array_equal([s[:, 1] for s in segments], [[0, 0], [1, 1], [2, 2]])


def test_a_rung_is_marked_where_the_interval_of_its_change_excludes_zero():
    fcnn, gat = shown(stairs(rungs("fcnn", "gat"), {}))
    assert set(points(fcnn, "τ, changed by its switch")) == {1, 2}
    assert set(points(fcnn, "τ")) == {0}
    assert set(points(gat, "τ, changed by its switch")) == set()
    markers = {line.get_label(): line.get_marker() for line in fcnn.lines}
    assert markers["τ"] != markers["τ, changed by its switch"]


def test_the_published_tau_is_a_line_for_the_pool_that_has_one():
    panels = shown(stairs(rungs("fcnn", "gat"), {"gat": -0.185, "lenet5": -0.18}))
    lines = [[line.get_xdata() for line in panel.lines if line.get_label() == "published"] for panel in panels]
    assert lines == [[], [[-0.185, -0.185]]]


@pytest.mark.parametrize("names", [["fcnn"], NAMES])
def test_a_ladder_is_drawn_whole_and_nothing_overlaps(names, tmp_path):
    figure = stairs(rungs(*names), {"fcnn": -0.311})
    drawn_whole(figure)


def test_a_rung_without_a_tau_keeps_its_place():
    table = rungs("gat")
    table.loc[table["rung"] == 1, ["tau", "tau_low", "tau_high"]] = math.nan
    (panel,) = shown(stairs(table, {}))
    assert [text.get_text() for text in panel.get_yticklabels()] == ["gat_0", "gat_1", "gat_2"]
    assert set(points(panel, "τ")) == {0, 2}


# How far tau can be trusted


def trusted() -> pd.DataFrame:
    """Two measures; the second knows no radius and only one of the pools."""
    table = taus("fcnn", "gat", noise_ceiling=[0.9, 0.8, 0.7, 0.6, 0.5, 0.4], smallest_detectable_tau=0.266)
    return pd.concat([table, table.iloc[:1].assign(measure="hessian", rho=math.nan)], ignore_index=True)


def strength(tau: pd.DataFrame) -> Figure:
    return only(trust.draw(Tables(**{**NOTHING, "tau": tau})))


def test_the_strength_of_tau_has_a_figure_for_each_protocol():
    both = pd.concat([taus("fcnn"), taus("gat", protocol="released")])
    found = trust.draw(Tables(**{**NOTHING, "tau": both}))
    titles = {protocol: [panel.get_title() for panel in shown(figure)] for protocol, figure in found.items()}
    assert titles == {"report": ["fcnn, report_pga"], "released": ["gat, report_pga"]}


def heights(panel, label: str) -> list[list[float]]:
    drawn = [each for each in panel.collections if each.get_label() == label]
    return [segment[:, 1].tolist() for each in drawn for segment in each.get_segments()]


def test_the_strength_of_tau_stands_beside_its_ceiling_and_what_is_detectable():
    table = trusted()
    panels = {panel.get_title(): panel for panel in shown(strength(table))}
    assert list(panels) == ["fcnn, report_pga", "gat, report_pga", "fcnn, hessian"]
    for title, panel in panels.items():
        name, measure = title.split(", ")
        rows = table[(table["measure"] == measure) & (table["pool"] == name)].sort_values("rho")
        drawn = {line.get_label(): line.get_ydata() for line in panel.lines}
        np.testing.assert_array_equal(drawn["|τ|, with 95 % interval"], rows["tau"].abs())
        np.testing.assert_array_equal(drawn["noise ceiling"], rows["noise_ceiling"])
        assert heights(panel, "detectable") == [[0.266, 0.266]] * len(rows)
        labels = [text.get_text() for text in panel.get_xticklabels()]
        assert labels == (["0.1", "0.2", "0.4"] if measure == "report_pga" else [""])


@pytest.mark.parametrize(
    ("tau", "low", "high", "ends"),
    [
        (0.3, 0.1, 0.5, [0.1, 0.5]),
        (-0.3, -0.5, -0.1, [0.1, 0.5]),
        (-0.2, -0.4, 0.05, [-0.05, 0.4]),
        (0.0, -0.2, 0.1, [-0.2, 0.1]),
    ],
)
def test_the_interval_follows_the_sign_of_tau(tau, low, high, ends):
    (panel,) = shown(strength(taus("fcnn", tau=tau, tau_low=low, tau_high=high)))
    drawn = [segment[:, 1] for lines in panel.collections for segment in lines.get_segments()]
    np.testing.assert_allclose(drawn, [ends] * 3, atol=1e-12)


def test_every_line_of_panels_says_what_is_drawn_even_where_its_first_panel_is_missing():
    table = trusted()
    table.loc[table["measure"] == "hessian", "pool"] = "gat"
    panels = {panel.get_title(): panel for panel in shown(strength(table))}
    assert {title: panel.get_ylabel() for title, panel in panels.items()} == {
        "fcnn, report_pga": "|τ|",
        "gat, report_pga": "",
        "gat, hessian": "|τ|",
    }
    panels["gat, hessian"].figure.draw_without_rendering()
    assert any(text.get_visible() and text.get_text() for text in panels["gat, hessian"].get_yticklabels())


def test_a_table_without_the_ceiling_is_drawn_without_it():
    figure = strength(taus("fcnn"))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["|τ|, with 95 % interval"]


@pytest.mark.parametrize("names", [["fcnn"], ["fcnn", "gat"], NAMES], ids=len)
def test_the_strength_of_tau_lies_on_its_page_however_few_pools_there_are(names):
    drawn_whole(strength(taus(*names, noise_ceiling=0.9, smallest_detectable_tau=0.266, tau_high=0.9)))
