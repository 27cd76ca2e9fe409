"""Say of a table that it is made from a part of a study."""

import pandas as pd


def marked(table: pd.DataFrame, part: str) -> pd.DataFrame:
    """Return a table with a column `part`, or as it is where the study is whole.

    Args:
        table: any.
        part: what is left out, as `lacking` of the config says it; empty for a whole study.

    Example:
        >>> marked(pd.DataFrame({"tau": [0.5]}), "no models of report/gat")
           tau                     part
        0  0.5  no models of report/gat
    """
    return table.assign(part=part) if part else table
