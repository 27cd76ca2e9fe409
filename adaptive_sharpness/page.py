"""The study's report: one HTML page with its tables and figures inside, readable without a network."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from importlib import resources

import pandas as pd
from jinja2 import Environment

from adaptive_sharpness.correlation import consistency

CRITICAL_Z = 1.96


def render(
    tau: pd.DataFrame, runs: pd.DataFrame, estimates: pd.DataFrame, figures: Iterable[Mapping], published: Mapping
) -> str:
    """Render the page.

    Args:
        tau: what `tables.tau_table` returns.
        runs: what `tables.runs` returns.
        estimates: what `estimates.estimates` returns.
        figures: {protocol, measure, name, path} of each SVG; one that compares measures has no measure.
        published: published[measure][architecture] with rho, tau and n.

    Returns:
        HTML.
    """
    template = resources.files("adaptive_sharpness").joinpath("page.html").read_text()
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(template)
    return page.render(
        rows=replication(tau, published).to_dict("records"),
        estimates=estimates.to_dict("records"),
        figures=[{**each, "source": _inline(each["path"])} for each in figures],
        devices=sorted(runs["device"].unique()),
        versions=sorted(runs["versions"].unique()),
    )


def replication(tau: pd.DataFrame, published: Mapping) -> pd.DataFrame:
    """The tau table with z, the distance to the published value, and whether the two are consistent.

    Args:
        tau: what `tables.tau_table` returns.
        published: published[measure][architecture] with rho, tau and n.

    Returns:
        The table with columns z (nan where nothing is published) and verdict ("consistent", "not consistent" or "").
    """
    rows = []
    for row in tau.to_dict("records"):
        z = float("nan")
        if pd.notna(row["published_tau"]):
            entry = published[row["measure"]][row["architecture"]]
            z = consistency(row["tau"], row["n"], entry["tau"], entry["n"])
        verdict = "" if pd.isna(z) else "consistent" if abs(z) < CRITICAL_Z else "not consistent"
        rows.append({**row, "z": z, "verdict": verdict})
    return pd.DataFrame(rows)


def _inline(path: str) -> str:
    with open(path, "rb") as file:
        return f"data:image/svg+xml;base64,{b64encode(file.read()).decode()}"
