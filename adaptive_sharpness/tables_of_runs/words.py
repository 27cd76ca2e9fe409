"""What a table of taus says in plain words: a sentence a measure and target."""

import math
from collections.abc import Iterator
from itertools import groupby

import pandas as pd

from adaptive_sharpness.tables_of_runs.columns import Question

LEVEL = 0.05
SIGNS = {1: "a higher", -1: "a lower"}


def sentences(tau: pd.DataFrame, axes: pd.DataFrame, question: Question) -> Iterator[str]:
    """Return a sentence for each measure and target.

    A sign is told where Holm's p is below 0.05, or where there is no p and the interval is without 0.

    Args:
        tau: the table of that name.
        axes: the table of that name.
        question: which columns are what.

    Returns:
        Sentences.

    Example:
        >>> row = {"measure": "sharpness", "target": "loss", "tau": 0.5, "tau_low": 0.4, "tau_high": 0.6, "n": 90}
        >>> more = {"p_holm": 0.001, "clusters": 90, "maximised": False, "partial_tau_gaussian": None, "reason": ""}
        >>> print(*sentences(pd.DataFrame([row | more]), pd.DataFrame(), Question(("sharpness",), ("loss",))))
        A higher sharpness goes with a higher loss: tau 0.500 (95 % interval 0.400 to 0.600, Holm's p 0.001, 90 rows).
    """
    ordered = sorted(tau.to_dict("records"), key=lambda row: _place(row, question))  # stable: groups keep their order
    for (measure, target), found in groupby(ordered, lambda row: (row["measure"], row["target"])):
        rows = list(found)
        yield _of_groups(measure, target, rows, question.by) if question.by else _of_one(rows[0], axes, question)


def sign(row: dict) -> int | None:
    """Return the sign of a tau that can be told: 1, -1, or 0 where none can; None where there is no tau.

    Args:
        row: of the table of taus.

    Example:
        >>> sign({"tau": -0.5, "p_holm": 0.01}), sign({"tau": -0.5, "p_holm": 0.2})
        (-1, 0)
    """
    if math.isnan(row["tau"]):
        return None
    told = row["p_holm"] < LEVEL
    if _missing(row["p_holm"]):
        told = row["tau_low"] > 0 or row["tau_high"] < 0
    return int(math.copysign(1, row["tau"])) if told else 0


def number(value: float) -> str:
    """Return a tau with three decimals.

    Example:
        >>> number(-0.12345), number(0.0)
        ('-0.123', '0.000')
    """
    return f"{value:.3f}"


def probability(value: float) -> str:
    """Return a p with three decimals, the smallest as a bound.

    Example:
        >>> probability(0.0321), probability(1e-9)
        ('0.032', '< 0.001')
    """
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _place(row: dict, question: Question) -> tuple[int, int]:
    return question.measures.index(row["measure"]), question.targets.index(row["target"])


def _of_one(row: dict, axes: pd.DataFrame, question: Question) -> str:
    measure, target, found = row["measure"], row["target"], sign(row)
    if found is None:
        return f"{measure} and {target} have no tau: {row['reason']}."
    if found:
        start = f"A higher {measure} goes with {SIGNS[found * _turned(row)]} {target}"
    else:
        start = f"The table cannot tell whether {measure} and {target} go together"
    return f"{start}: tau {number(row['tau'])} ({_detail(row)}){''.join(_further(row, axes, question))}."


def _detail(row: dict) -> str:
    parts = []
    if not _missing(row["tau_low"]):
        parts.append(f"95 % interval {_range(row['tau_low'], row['tau_high'])}")
    if not _missing(row["p_holm"]):
        parts.append(f"Holm's p {probability(row['p_holm'])}")
    clusters = f" in {row['clusters']:,} clusters" if row["clusters"] < row["n"] else ""
    return ", ".join([*parts, f"{row['n']:,} rows{clusters}"])


def _further(row: dict, axes: pd.DataFrame, question: Question) -> Iterator[str]:
    if not sign(row) and not _missing(row.get("smallest_detectable_tau")):
        yield f"; so many would show a tau of {number(row['smallest_detectable_tau'])} four times in five"
    if not _missing(row["partial_tau_gaussian"]):
        yield f"; given {row['given']} it is {number(row['partial_tau_gaussian'])}"
        if not _missing(row["partial_tau_gaussian_low"]):
            yield f" ({_range(row['partial_tau_gaussian_low'], row['partial_tau_gaussian_high'])})"
    if _opposed(row):
        yield f"; between settings it is {number(row['tau_between'])}, within them {number(row['tau_within'])}"
    if question.vary:
        of = axes[(axes["measure"] == row["measure"]) & (axes["target"] == row["target"])]
        yield from _granulated(of.iloc[0].to_dict())


def _granulated(psi: dict) -> Iterator[str]:
    if _missing(psi["psi"]):
        return
    yield f"; with one hyper-parameter varied at a time it is {number(psi['psi'])}"
    if not _missing(psi["psi_low"]):
        yield f" ({_range(psi['psi_low'], psi['psi_high'])})"


def _of_groups(measure: str, target: str, rows: list[dict], by: str) -> str:
    groups: dict[int | None, list[str]] = {}
    for row in rows:
        shown = "" if sign(row) is None else f" ({number(row['tau'])})"
        groups.setdefault(sign(row), []).append(f"{row[by]}{shown}")
    parts = []
    for found, name in SIGNS.items():
        if found * _turned(rows[0]) in groups:
            start = "with" if parts else f"a higher {measure} goes with"
            parts.append(f"{start} {name} {target} for {_listed(groups[found * _turned(rows[0])])}")
    both = "" if parts else f" whether {measure} and {target} go together"
    if 0 in groups:
        parts.append(f"the table cannot tell{both} for {_listed(groups[0])}")
    if None in groups:
        parts.append(f"there is no tau{'' if parts else f' of {measure} and {target}'} for {_listed(groups[None])}")
    return f"By {by}: {', '.join(parts)}."


def _turned(row: dict) -> int:
    """-1 where a high tau means a low target, since more of it is better."""
    return -1 if row["maximised"] else 1


def _opposed(row: dict) -> bool:
    shown = [row.get("p_within"), row.get("p_between")]
    if any(_missing(each) or each >= LEVEL for each in shown):
        return False
    return row["tau_within"] * row["tau_between"] < 0


def _range(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _missing(value: float | None) -> bool:
    return value is None or pd.isna(value)
