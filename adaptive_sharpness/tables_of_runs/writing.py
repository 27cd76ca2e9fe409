"""The tables as csv files, and all answers as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd


def write_tables(tables: Mapping[str, pd.DataFrame], folder: str) -> None:
    """Write each table as a csv file.

    Args:
        tables: by name.
        folder: where; it is made if need be.

    Raises:
        ValueError: if it cannot be written to.

    Example:
        >>> write_tables({"tau": pd.DataFrame({"tau": [0.5]})}, "answers")
        >>> Path("answers/tau.csv").read_text()
        'tau\\n0.5\\n'
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            table.to_csv(Path(folder) / f"{name}.csv", index=False, lineterminator="\n")
    except OSError as error:
        raise ValueError(f"--out: got {folder} ({error.strerror}), wanted a folder to write to") from None


def as_json(tables: Mapping[str, pd.DataFrame], about: Mapping[str, object]) -> str:
    """Return all answers as JSON.

    Args:
        tables: by name.
        about: what stands before them.

    Returns:
        An object: `about`, then a list of objects a table; null where there is no value.

    Example:
        >>> print(as_json({"tau": pd.DataFrame({"tau": [float("nan")], "n": [2]})}, {"seed": 0}))
        {
          "seed": 0,
          "tau": [
            {
              "tau": null,
              "n": 2
            }
          ]
        }
    """
    rows = {name: table.astype(object).where(table.notna(), None).to_dict("records") for name, table in tables.items()}
    return json.dumps({**about, **rows}, indent=2, allow_nan=False, default=_plain)


def _plain(value: object) -> object:
    """A number of numpy as Python's, all else, such as a date, as text."""
    return value.item() if hasattr(value, "item") else str(value)
