"""How a page's tables write their values, and which columns they show."""

import math

import pandas as pd
import pytest

from adaptive_sharpness.study.report.columns import number, span, table, words


@pytest.mark.parametrize(
    ("column", "row", "said"),
    [
        (number("τ", "tau"), {"tau": -0.2}, "−0.200"),
        (number("p", "p", ".2g"), {"p": 3.14e-7}, "3.1e−07"),
        (number("share", "share", ".0%"), {"share": 0.25}, "25 %"),
        (number("n", "n", ".0f"), {"n": 50.0}, "50"),
        (span("interval", "low", "high"), {"low": -0.1, "high": 0.25}, "−0.100 to +0.250"),
        (words("measure", "measure"), {"measure": "worst-case"}, "worst-case"),
    ],
)
def test_a_value_is_written_for_a_reader(column, row, said):
    assert column.cell(row) == said


@pytest.mark.parametrize("row", [{}, {"low": 0.1}, {"low": 0.1, "high": math.nan}, {"low": None, "high": 0.1}])
def test_a_cell_is_empty_where_a_value_is_missing(row):
    assert span("interval", "low", "high").cell(row) == ""


def test_a_column_without_anything_to_say_is_left_out_and_a_row_is_not():
    columns = [words("a", "a"), number("b", "b", "g"), number("c", "c", "g")]
    shown = table(columns, pd.DataFrame({"a": ["x", None], "b": [math.nan, math.nan], "c": [math.nan, 0.0]}))
    assert [column.heading for column in shown["columns"]] == ["a", "c"]
    assert shown["rows"] == [["x", ""], ["", "0"]]


def test_no_rows_make_an_empty_table():
    assert table([words("a", "a")], pd.DataFrame()) == {"columns": [], "rows": []}
