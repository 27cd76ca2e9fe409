"""The study's report: one HTML page with its tables and figures inside, readable without a network."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from string import Formatter

import pandas as pd
from jinja2 import Environment

from adaptive_sharpness.study.report import columns as cells
from adaptive_sharpness.study.report.columns import number, span, table, words
from adaptive_sharpness.study.report.drawings import FIRST, Drawing
from adaptive_sharpness.study.report.sentences import sentences
from adaptive_sharpness.study.report.tables import Tables
from adaptive_sharpness.study.tables import answers
from adaptive_sharpness.study.tables.columns import Column

LABELS = (words("pool", "pool"), words("protocol", "protocol"), words("measure", "measure"))
RHO = number("ρ", "rho", "g")
WAY = ("pool", "protocol", "measure")
TAU = (number("τ", "tau"), span("95 % interval", "tau_low", "tau_high"))
REPLICATION = (  # what a narrow screen shows without scrolling comes first
    words("pool", "pool"),
    number("published τ", "published_tau"),
    *TAU,
    number("z", "z", "+.2f"),
    words("published τ is", "verdict"),
    words("protocol", "protocol"),
    words("measure", "measure"),
    RHO,
    number("n", "n", ".0f"),
    number("p", "p_value", ".2g"),
)
LADDER = (
    words("pool", "pool"),
    number("rung", "rung", ".0f"),
    words("switch", "switch"),
    words("what changes", "describes"),
    *TAU,
    number("change of τ", "delta_tau"),
    span("95 % interval of the change", "delta_low", "delta_high"),
    number("test loss", "test_loss_mean", ".4f"),
    number("sharpness", "sharpness_mean", ".4g"),
)
ESTIMATES = (
    *LABELS,
    RHO,
    number("batches", "batches", ".0f"),
    number("reliability", "reliability", ".3f"),
    number("share of best", "share_of_best", ".3f"),
    number("lowest model", "worst_share", ".3f"),
    number("τ of rankings", "tau_of_rankings"),
    number("last improvement", "last_improvement", ".0%"),
    number("gain from doubling", "gain_from_doubling", ".2%"),
)


def render_page(
    tables: Tables,
    columns: Iterable[Column],
    drawings: Iterable[Drawing],
    figures: Path,
    made_by: Mapping[str, str],
    part: str = "",
) -> str:
    """Return the page.

    Args:
        tables: of the study.
        columns: what each statistic says of its columns.
        drawings: the figures.
        figures: the folder in which they lie.
        made_by: what the page says of how the results came about, by a name each.
        part: what the study leaves out, see `lacking` of the config; empty for a whole one.

    Returns:
        HTML.

    Example:
        >>> tau = pd.DataFrame(columns=["protocol", "pool", "measure", "rho", "quantity", "headline", "tau"])
        >>> tables = Tables(runs=tau, tau=tau, estimates=tau.drop(columns="headline"))
        >>> page = render_page(tables, columns=[], drawings=[], figures=Path("figures"), made_by={"Commit": "a1b2c3"})
        >>> "Nothing has been measured yet." in page, "a1b2c3" in page
        (True, True)
    """
    template = resources.files("adaptive_sharpness.study.report").joinpath("page.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(template)
    tau, shown = _without_zeros(tables.tau), [column for column in columns if column.heading]
    every = [*LABELS, RHO, words("quantity", "quantity"), *map(_cell, shown)]
    return page.render(
        answer=sentences(tables.tau),
        replication=table(REPLICATION, replication_rows(tables.tau, tables.ladder)),
        ladder=table(LADDER, pd.DataFrame() if tables.ladder is None else tables.ladder),
        estimates=table(ESTIMATES, tables.headline().estimates),
        headline=table(every, tau[tau["headline"]]),
        others=table(every, tau[~tau["headline"]]),
        terms=[(column.heading, column.answers) for column in shown if column.name in tau],
        figures=[(drawing, _inline(figures / f"{drawing.file}.svg")) for drawing in drawings],
        placed=FIRST,
        main=answers.main_protocol(tables.tau),
        varies="settings" in tables.tau,
        made_by=made_by,
        part=part,
    )


def replication_rows(tau: pd.DataFrame, ladder: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the rows with a published tau, a pool's together, and whether it is consistent with ours.

    Args:
        tau: what `tau_table` returns.
        ladder: a row a rung, where the study has a ladder: its rungs between the first one and the text's protocol
            claim to be nobody's, and are left out.

    Returns:
        The rows with a column `verdict`, see `answers.verdict`.

    Example:
        >>> tau = pd.DataFrame({"pool": ["fcnn", "gat"], "published_tau": [None, -0.2], "z": [None, 2.5]})
        >>> replication_rows(tau)[["pool", "verdict"]].values.tolist()  # of fcnn nothing is published
        [['gat', 'not consistent']]
    """
    if ladder is not None:
        first = set(ladder[ladder["rung"] == 0][list(WAY)].itertuples(index=False, name=None))
        way = pd.Series(tau[list(WAY)].itertuples(index=False, name=None), index=tau.index)
        tau = tau[way.isin(first) | (tau["protocol"] == answers.TEXT)]
    needed = ("pool", "published_tau", "z")
    tau = tau.reindex(columns=[*tau.columns, *(name for name in needed if name not in tau)])
    names = list(tau["pool"].unique())
    ordered = tau.sort_values("pool", key=lambda each: each.map(names.index), kind="stable")
    compared = ordered[ordered["published_tau"].notna()]
    return compared.assign(verdict=[answers.verdict(z) for z in compared["z"]])


def _without_zeros(tau: pd.DataFrame) -> pd.DataFrame:
    """Models are left out only here and there: a column of zeros says nothing."""
    left_out = tau.reindex(columns=["left_out"])["left_out"].fillna(0)
    return tau.assign(left_out=left_out.where(left_out > 0))


def _cell(column: Column) -> cells.Column:
    needs = tuple(name for _, name, _, _ in Formatter().parse(column.form) if name)
    return cells.Column(column.heading, column.form, needs, text=column.form == f"{{{column.name}}}")


def _inline(path: Path) -> str:
    return f"data:image/svg+xml;base64,{b64encode(path.read_bytes()).decode()}"
