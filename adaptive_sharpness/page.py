"""The study's report: one HTML page with its tables and figures inside, readable without a network."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from importlib import resources

import pandas as pd
from jinja2 import Environment

from adaptive_sharpness import answer
from adaptive_sharpness.cells import Column, number, span, table, words

POOL = (words("network", "architecture"), words("protocol", "protocol"), words("measure", "measure"))
RHO = number("ρ", "rho", "g")
WAY = ("architecture", "protocol", "measure")
TAU = (number("τ", "tau"), span("95 % interval", "tau_low", "tau_high"))
REPLICATION = (  # what a narrow screen shows without scrolling comes first
    words("network", "architecture"),
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
    words("network", "architecture"),
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
    *POOL,
    RHO,
    number("batches", "batches", ".0f"),
    number("reliability", "reliability", ".3f"),
    number("share of best", "share_of_best", ".3f"),
    number("lowest model", "worst_share", ".3f"),
    number("τ of rankings", "tau_of_rankings"),
    number("last improvement", "last_improvement", ".0%"),
    number("gain from doubling", "gain_from_doubling", ".2%"),
)
ALL = (
    *POOL,
    RHO,
    number("n", "n", ".0f"),
    number("left out", "left_out", ".0f"),
    Column("sharpness", "{sharpness_mean:.4g} ± {sharpness_sd:.2g}", ("sharpness_mean", "sharpness_sd")),
    number("below 0", "share_negative", ".0%"),
    Column("test loss", "{test_loss_mean:.4f} ± {test_loss_sd:.2g}", ("test_loss_mean", "test_loss_sd")),
    *TAU,
    number("p", "p_value", ".2g"),
    number("p, Holm", "p_holm", ".2g"),
    number("p, max-T", "p_max_t", ".2g"),
    number("partial τ", "partial_tau_gaussian"),
    span("95 % interval of partial τ", "partial_tau_gaussian_low", "partial_tau_gaussian_high"),
    number("τ with the gap", "tau_gap"),
    number("ceiling", "noise_ceiling", ".3f"),
    number("detectable", "smallest_detectable_tau", ".3f"),
    number("p, equivalence", "equivalence_p", ".2g"),
    number("published τ", "published_tau"),
    number("z", "z", "+.2f"),
    words("why no τ", "reason"),
)


def render(
    tau: pd.DataFrame,
    estimates: pd.DataFrame,
    figures: Iterable[Mapping],
    made_by: Mapping[str, str],
    ladder: pd.DataFrame | None = None,
) -> str:
    """Render the page.

    Args:
        tau: what `tables.tau_table` returns.
        estimates: what `estimates.estimates` returns.
        figures: {protocol, measure, name, path} of each SVG; those that do not belong to one lack it.
        made_by: what the page says of how the results came about, by a name each.
        ladder: a row a rung, where the study has a ladder.

    Returns:
        HTML.
    """
    template = resources.files("adaptive_sharpness").joinpath("page.html").read_text(encoding="utf-8")
    left_out = tau.reindex(columns=["left_out"])["left_out"].fillna(0)
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(template)
    return page.render(
        answer=answer.sentences(tau),
        replication=table(REPLICATION, replication(tau, ladder)),
        ladder=table(LADDER, pd.DataFrame() if ladder is None else ladder),
        estimates=table(ESTIMATES, estimates),
        all=table(ALL, tau.assign(left_out=left_out.where(left_out > 0))),
        terms=set(tau.columns) - (set() if left_out.any() else {"left_out"}),
        figures=[{"protocol": None, **each, "source": _inline(each["path"])} for each in figures],
        main=answer.main_protocol(tau),
        made_by=made_by,
    )


def replication(tau: pd.DataFrame, ladder: pd.DataFrame | None = None) -> pd.DataFrame:
    """The rows with a published tau, a network's together, and whether it is consistent with ours.

    Args:
        tau: what `tables.tau_table` returns.
        ladder: a row a rung, where the study has a ladder: its rungs between the first one and the text's protocol
            claim to be nobody's, and are left out.

    Returns:
        The rows with a column `verdict`, see `answer.verdict`.
    """
    if ladder is not None:
        first = set(ladder[ladder["rung"] == 0][list(WAY)].itertuples(index=False, name=None))
        way = pd.Series(tau[list(WAY)].itertuples(index=False, name=None), index=tau.index)
        tau = tau[way.isin(first) | (tau["protocol"] == answer.TEXT)]
    needed = ("architecture", "published_tau", "z")
    tau = tau.reindex(columns=[*tau.columns, *(name for name in needed if name not in tau)])
    names = list(tau["architecture"].unique())
    ordered = tau.sort_values("architecture", key=lambda each: each.map(names.index), kind="stable")
    compared = ordered[ordered["published_tau"].notna()]
    return compared.assign(verdict=[answer.verdict(z) for z in compared["z"]])


def _inline(path: str) -> str:
    with open(path, "rb") as file:
        return f"data:image/svg+xml;base64,{b64encode(file.read()).decode()}"
