"""All tables that answer a question, one after the other."""

import re
from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd

from adaptive_sharpness.tables_of_runs import axes, information, selection, sign_errors, tau
from adaptive_sharpness.tables_of_runs.columns import Question
from adaptive_sharpness.tables_of_runs.comparisons import Comparison

OTHERS = {"axes": axes, "information": information, "sign_errors": sign_errors, "selection": selection}
COLUMNS = {name: module.COLUMNS for name, module in {"tau": tau, **OTHERS}.items()}


def answers(
    comparisons: Sequence[Comparison], question: Question, draws: int, seed: int
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Return the tables, each as soon as it is computed.

    Args:
        comparisons: those of a group and target one after the other.
        question: which columns are what.
        draws: exchanges of a test.
        seed: of the exchanges.

    Returns:
        The name of each table, and the table; nan, None or an empty text where there is no value, and then a reason.

    Example:
        >>> from adaptive_sharpness.tables_of_runs.comparisons import comparisons
        >>> question = Question(("sharpness",), ("loss",))
        >>> table = pd.DataFrame({"sharpness": [1.0, 2.0, 3.0], "loss": [1.0, 2.0, 3.0]})
        >>> tables = dict(answers(list(comparisons(table, question)), question, 9, 0))
        >>> list(tables), tables["tau"]["tau"].round(3).tolist()
        (['tau', 'axes', 'information', 'sign_errors', 'selection'], [1.0])
    """
    labelled = partial(_labelled, question=question)
    found = zip(comparisons, tau.rows(comparisons, draws, seed), strict=True)
    yield "tau", tau.with_holm(_table("tau", [labelled(each, row) for each, row in found], question))
    for name, module in OTHERS.items():
        rows = [labelled(each, row) for each in comparisons for row in module.rows(each, draws, seed)]
        yield name, _table(name, rows, question)


def _labelled(each: Comparison, row: dict, question: Question) -> dict:
    labels = {} if question.by is None else {question.by: each.group}
    labels |= {"measure": each.measure, "target": each.target}
    if "p_max_t" in row:
        row |= {"maximised": each.target in question.maximised, "given": question.given}
    return labels | row | {"reason": _in_words(row["reason"])}


def _in_words(reason: str) -> str:
    """A reason without the letters of formulas."""
    for letter, word in ((r"\bmu\b", "the measure"), (r"\bg\b", "the target"), (r"\bmodel", "row")):
        reason = re.sub(letter, word, reason)
    return reason


def _table(name: str, rows: list[dict], question: Question) -> pd.DataFrame:
    by = [] if question.by is None else [question.by]
    return pd.DataFrame(rows).reindex(columns=[*by, *COLUMNS[name]])
