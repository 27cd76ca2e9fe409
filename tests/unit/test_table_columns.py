"""What a statistic says of its columns, and how the page then writes them."""

import dataclasses

import pytest

from adaptive_sharpness.study.tables.columns import Column


def test_a_column_is_written_as_a_tau_unless_it_says_otherwise():
    assert Column("tau", "A question.").form.format(tau=0.25) == "+0.250"
    assert Column("n", "A number.", form="{n:.0f}").form.format(n=50.0) == "50"


def test_a_column_without_a_heading_or_a_source_has_empty_ones():
    column = Column("tau_low", "An end.")
    assert (column.heading, column.source) == ("", "")


def test_a_column_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Column("tau", "A question.").name = "other"
