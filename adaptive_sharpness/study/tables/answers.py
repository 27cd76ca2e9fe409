"""The rows of tau.csv that answer for a pool, and what they come to."""

import pandas as pd

TEXT = "report"  # the protocol that follows the report's text; without it, a pool's first protocol stands in
CRITICAL_Z = 1.96
LEVEL = 0.05


def answering_rows(tau: pd.DataFrame) -> pd.DataFrame:
    """Return the row of each pool that answers for it: of the text's protocol, at the published radius.

    Args:
        tau: what `tau_table` returns; only headline quantities count.

    Returns:
        A row a pool's name, in the table's order: the first of the text's protocol with a published tau; where nothing
        is published, the middle radius of the first measure.

    Example:
        >>> tau = pd.DataFrame({"pool": ["gat"] * 3, "rho": [0.1, 0.2, 0.3], "tau": [0.5, 0.6, 0.7]})
        >>> tau = tau.assign(protocol="report", measure="hessian", headline=True, published_tau=[None, None, -0.2])
        >>> answering_rows(tau)["tau"].tolist()
        [0.7]
    """
    headline = tau[tau["headline"]]
    return pd.DataFrame([answering_row(rows) for _, rows in headline.groupby("pool", sort=False)])


def answering_row(rows: pd.DataFrame) -> pd.Series:
    """Return the row that answers for a pool, see `answering_rows`.

    Args:
        rows: of one pool, of headline quantities.

    Example:
        >>> rows = pd.DataFrame({"rho": [0.1, 0.2, 0.3], "tau": [0.5, 0.6, 0.7], "published_tau": [None] * 3})
        >>> answering_row(rows.assign(protocol="report", measure="hessian"))["rho"].item()  # the middle radius
        0.2
    """
    by_text = rows[rows["protocol"] == TEXT]
    rows = rows if by_text.empty else by_text
    published = rows[rows["published_tau"].notna()]
    if len(published):
        return published.iloc[0]
    first = rows[(rows[["protocol", "measure"]] == rows[["protocol", "measure"]].iloc[0]).all(axis=1)]
    return first.sort_values("rho").iloc[len(first) // 2]


def main_protocol(tau: pd.DataFrame) -> str | None:
    """Return the text's protocol, or else the first of the table; None for a table without rows.

    Example:
        >>> main_protocol(pd.DataFrame({"protocol": ["notebook", "report"]}))
        'report'
    """
    protocols = [] if tau.empty else list(tau["protocol"])
    return TEXT if TEXT in protocols else next(iter(protocols), None)


def settled_sign(tau: pd.DataFrame) -> pd.Series:
    """Return the sign of each tau if it is settled, 0 if it is open.

    Args:
        tau: rows with tau_low, tau_high and, where the table has been corrected for its many tests, p_holm.

    Returns:
        1 or -1 where the 95 % interval excludes 0 and p_holm, if there is one, is below 0.05; else 0.

    Example:
        >>> tau = pd.DataFrame({"tau_low": [0.1, -0.1, -0.5, 0.1], "tau_high": [0.5, 0.1, -0.2, 0.5]})
        >>> settled_sign(tau.assign(p_holm=[None, None, 0.01, 0.2])).tolist()
        [1, 0, -1, 0]
    """
    sign = (tau["tau_low"] > 0).astype(int) - (tau["tau_high"] < 0).astype(int)
    return sign.where(tau["p_holm"].isna() | (tau["p_holm"] < LEVEL), 0)


def verdict(z: float) -> str:
    """Return whether a published tau is consistent with ours: where |z| < 1.96.

    Args:
        z: what `stats.kendall.consistency` returns.

    Returns:
        "consistent" or "not consistent"; empty for nan.

    Example:
        >>> verdict(-2.5)
        'not consistent'
    """
    return "" if pd.isna(z) else "consistent" if abs(z) < CRITICAL_Z else "not consistent"


def metrics(tau: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """Return one tau for each pool and measure, chosen as `answering_rows` chooses, for DVC to show and to compare.

    Args:
        tau: what `tau_table` returns.

    Returns:
        A mapping from pools to measures to tau; None where tau is unknown.

    Example:
        >>> tau = pd.DataFrame({"pool": ["gat"], "rho": [0.1], "tau": [0.5], "published_tau": [None]})
        >>> metrics(tau.assign(protocol="report", measure="hessian", headline=True))
        {'gat': {'hessian': 0.5}}
    """
    found: dict[str, dict[str, float | None]] = {name: {} for name in tau["pool"].unique()}
    for measure, rows in tau.groupby("measure", sort=False):
        for row in answering_rows(rows).itertuples():
            found[row.pool][measure] = None if pd.isna(row.tau) else row.tau
    return found
