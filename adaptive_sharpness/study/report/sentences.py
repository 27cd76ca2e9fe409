"""What a study's table of taus comes to, in sentences that are read off it: first in words alone, then with numbers."""

import math
from collections.abc import Iterable

import pandas as pd

from adaptive_sharpness.study.report.columns import MINUS
from adaptive_sharpness.study.tables.answers import TEXT, answering_rows, settled_sign, verdict

USED = ("tau", "tau_low", "tau_high", "p_holm", "published_tau", "z", "reason")
SHARPNESS = "sharpness"


def sentences(tau: pd.DataFrame) -> list[str]:
    """Return the answer in words, what tau is, whether the published one is consistent, and how the measure changes it.

    Args:
        tau: what `tau_table` returns; of its statistics any may be missing. Headline quantities alone count.

    Returns:
        Three sentences, one more where something is published, and one more where a pool varies; one for a table
        without rows.

    Example:
        >>> tau = pd.DataFrame({"pool": ["gat"], "rho": [0.1], "tau": [0.5], "tau_low": [0.3], "tau_high": [0.7]})
        >>> tau = tau.assign(protocol="report", measure="worst_case", quantity="sharpness", headline=True)
        >>> sentences(tau)[0]
        'A sharper minimum goes with a higher test loss for gat.'
    """
    if tau.empty:
        return ["Nothing has been measured yet."]
    tau = tau[tau["headline"]]
    tau = tau.reindex(columns=[*tau.columns, *(name for name in USED if name not in tau)]).reset_index(drop=True)
    chosen = answering_rows(tau)
    varied = chosen[chosen["settings"].notna()] if "tau_within" in chosen else chosen[:0]
    by_setting = [] if varied.empty else [_by_setting(varied)]
    published = [_published(chosen)] if chosen["published_tau"].notna().any() else []
    return [in_words(chosen), _ours(chosen), *by_setting, *published, _elsewhere(tau)]


def in_words(rows: pd.DataFrame) -> str:
    """Return whether models with a larger value have a larger test loss, in a sentence without numbers.

    Args:
        rows: with pool, quantity, tau, tau_low and tau_high; one a pool. The sign is what the 95 % interval settles.

    Example:
        >>> column = {"quantity": "sharpness", "tau": 0.5, "tau_low": 0.3, "tau_high": 0.7}
        >>> in_words(pd.DataFrame([{"pool": "lenet5", **column}]))
        'A sharper minimum goes with a higher test loss for lenet5.'
    """
    sharper = "a larger value" if set(rows.get("quantity", [SHARPNESS])) - {SHARPNESS} else "a sharper minimum"
    pools: dict[int, list[str]] = {1: [], -1: [], 0: []}
    for _, row in rows.iterrows():
        pools[interval_sign(row)].append(row["pool"])
    high, low, open_ = pools.values()
    untold = f"these models cannot tell for {_join(open_)}." if open_ else ""
    if not high and not low:
        return f"Whether {sharper} goes with a higher or a lower test loss, {untold}"
    parts = [f"a higher test loss for {_join(high)}"] if high else []
    parts += [f"a lower {'one' if high else 'test loss'} for {_join(low)}"] if low else []
    said = f"{sharper} goes with {' and with '.join(parts)}"
    said += f"; {untold}" if untold else "."
    return f"It depends on the network: {said}" if high and low else said[0].upper() + said[1:]


def interval_sign(row: pd.Series) -> int:
    """Return 1 or -1 where the 95 % interval of tau lies on that side of 0, else 0; 0 without an interval.

    Example:
        >>> interval_sign(pd.Series({"tau_low": -0.4, "tau_high": -0.1}))
        -1
    """
    return int(row["tau_low"] > 0) - int(row["tau_high"] < 0)


def _ours(chosen: pd.DataFrame) -> str:
    ways = [_way(row) for _, row in chosen.iterrows()]
    alike = len(set(ways)) == 1
    parts = [
        _one(row) + ("" if alike else f", by {way}") for (_, row), way in zip(chosen.iterrows(), ways, strict=True)
    ]
    return f"{f'By {ways[0]}, ' if alike else ''}Kendall's τ between sharpness and test loss is {_join(parts)}."


def _by_setting(varied: pd.DataFrame) -> str:
    """Of pools that vary: what holds between repeats, and what between settings."""
    parts = []
    for _, row in varied.iterrows():
        taus = [_one(_renamed(row, f"tau_{kind}")) for kind in ("within", "between")]
        parts.append(
            f"{taus[0]} between repeats of {row['settings']:.0f} settings and {taus[1]} between these settings"
        )
    return f"Where settings vary, τ is {_join(parts, '; ')}."


def _renamed(row: pd.Series, name: str) -> pd.Series:
    known = {"tau": row[name], "tau_low": row[f"{name}_low"], "tau_high": row[f"{name}_high"], "reason": math.nan}
    return pd.Series({"pool": row["pool"], **known})


def _way(row: pd.Series) -> str:
    protocol = "the text's protocol" if row["protocol"] == TEXT else f"protocol {row['protocol']}"
    return f"{protocol} and the measure {row['measure']}"


def _one(row: pd.Series) -> str:
    if pd.notna(row["tau"]):
        return f"{_number(row['tau'])} for {row['pool']} ({_certainty(row)})"
    return f"unknown for {row['pool']}" + ("" if pd.isna(row["reason"]) else f" ({row['reason']})")


def _certainty(row: pd.Series) -> str:
    if pd.isna(row["tau_low"]) or pd.isna(row["tau_high"]):
        return "no interval"
    said = {1: "positive", -1: "negative", 0: "its sign is open"}[interval_sign(row)]
    return f"95 % interval {_number(row['tau_low'])} to {_number(row['tau_high'])}: {said}"


def _published(chosen: pd.DataFrame) -> str:
    kinds = {"consistent with ours": [], "not consistent with ours": [], "not to be compared": [], "unknown": []}
    for _, row in chosen.iterrows():
        said = verdict(row["z"])
        kind = "unknown" if pd.isna(row["published_tau"]) else f"{said} with ours" if said else "not to be compared"
        z = f", z = {_number(row['z'], 1)}" if said else ""
        value = "" if kind == "unknown" else f" ({_number(row['published_tau'])}{z})"
        kinds[kind].append(f"{row['pool']}{value}")
    parts = [f"{kind} for {_join(names)}" for kind, names in kinds.items() if names]
    return f"The published τ is {'; it is '.join(parts)}."


def _elsewhere(tau: pd.DataFrame) -> str:
    corrected = " and p is below 0.05 after Holm's correction" if tau["p_holm"].notna().any() else ""
    way = ["measure"] if tau["protocol"].nunique() == 1 else ["protocol", "measure"]
    parts = [_range(name, rows, way) for name, rows in tau.groupby("pool", sort=False)]
    return (
        f"Over all protocols, measures and radii, τ is {_join(parts, '; ')} "
        f"(settled: the 95 % interval excludes 0{corrected})."
    )


def _range(name: str, rows: pd.DataFrame, way: list[str]) -> str:
    known = rows[rows["tau"].notna()]
    if known.empty:
        return f"unknown for {name}"
    low, high = (known.loc[at] for at in (known["tau"].idxmin(), known["tau"].idxmax()))
    ends = [f"{_number(row['tau'])} ({', '.join(row[way])})" for row in (low, high)]
    return f"{ends[0]}{f' to {ends[1]}' if len(known) > 1 else ''} for {name}, {_counts(settled_sign(known))}"


def _counts(sign: pd.Series) -> str:
    """Of how many rows the sign is settled, and how."""
    kinds = {"positive": (sign > 0).sum(), "negative": (sign < 0).sum()}
    met = [(count, kind) for kind, count in kinds.items() if count]
    how = f"all {met[0][1]}" if len(met) == 1 else _join(f"{count} {kind}" for count, kind in met) if met else ""
    return f"{(sign != 0).sum()} of {len(sign)} signs settled" + (f", {how}" if how else "")


def _number(value: float, digits: int = 3) -> str:
    return f"{value:+.{digits}f}".replace("-", MINUS).replace("inf", "∞")


def _join(parts: Iterable[str], comma: str = ", ") -> str:
    *head, last = parts
    return f"{comma.join(head)}{comma.replace(',', '')}and {last}" if head else last
