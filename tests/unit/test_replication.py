"""Every number that docs/replication.md and the README's tables quote stands in a published table."""

import re
from pathlib import Path

import pandas as pd
import pytest

DOCS = Path(__file__).parents[2] / "docs"
NUMBER = re.compile(r"(?<![\w.−+-])([+−-]?)(\d+\.\d+)(?![\w.]*\d)")


def quoted(text: str) -> list[str]:
    """Decimal numbers in running text and tables, without what stands in code spans or links."""
    bare = re.sub(r"`[^`]*`|\]\([^)]*\)", "", text)
    return [sign.replace("−", "-").replace("+", "") + digits for sign, digits in NUMBER.findall(bare)]


def sections(page: str) -> dict[str, str]:
    parts = re.split(r"^## (\w+)$", (DOCS / page).read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def known(network: str) -> pd.Series:
    """All numbers of a network in the published tables."""
    tables = [pd.read_csv(path) for path in sorted((DOCS / "results").rglob("*.csv"))]
    own = [table[table["architecture"] == network].select_dtypes("number") for table in tables]
    return pd.concat([column for table in own for _, column in table.items()]).dropna()


def stands(number: str, values: pd.Series) -> bool:
    decimals = len(number.split(".")[1])
    return bool(((values - float(number)).abs() <= 0.5001 * 10**-decimals).any())


@pytest.mark.parametrize("network", sections("replication.md"))
def test_each_number_about_a_network_is_one_of_its_tables(network):
    numbers, values = quoted(sections("replication.md")[network]), known(network)
    assert len(numbers) > 10
    assert [number for number in numbers if not stands(number, values)] == []


def test_a_number_that_stands_nowhere_is_found():
    values = pd.Series([0.1234, -0.5])
    assert [number for number in quoted("τ is +0.123, −0.50 and +0.124") if not stands(number, values)] == ["0.124"]


def test_signs_and_code_are_read_as_people_do():
    assert quoted("−0.25 to +0.5, `0.7`, [a](b-1.5.csv), v1.2.3, 95 %, (0.75)") == ["-0.25", "0.5", "0.75"]
