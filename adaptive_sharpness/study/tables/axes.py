"""What varies in a pool, as columns: from the name of a setting to the level of each axis."""

import pandas as pd

from adaptive_sharpness.study.config.levels import levels_of


def with_axes(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a table with a column more for each axis that some pool varies.

    Args:
        runs: rows with a column setting, such as lr=0.1+widths=10-64-1; empty for a pool that varies nothing.

    Returns:
        The table with the level of each axis, behind the setting: numbers where all levels are numbers,
        else texts; where a pool does not vary the axis, what such a column says already, as of models from elsewhere,
        or missing. As it is where nothing varies.

    Example:
        >>> runs = pd.DataFrame({"setting": ["", "lr=0.1+recipe=sam"], "value": [1.0, 2.0]})
        >>> with_axes(runs)[["lr", "recipe"]].values.tolist()
        [[nan, nan], [0.1, 'sam']]
    """
    settings = runs["setting"].drop_duplicates()
    levels = {setting: levels_of(setting) for setting in settings}
    names = sorted({name for each in levels.values() for name in each})
    table = runs.copy()
    for name in reversed(names):
        of_setting = {setting: each.get(name) for setting, each in levels.items()}
        said = runs["setting"].map(of_setting)
        if name in table:
            said = said.where(said.notna(), table.pop(name))
        table.insert(table.columns.get_loc("setting") + 1, name, _column(said))
    return table


def _column(levels: pd.Series) -> pd.Series:
    try:
        return pd.to_numeric(levels)
    except ValueError:
        return levels.astype(object)
