"""How the levels of a setting are spelled in its name, put in order, and read back."""

import re
from collections.abc import Mapping
from typing import Any

UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")  # in the name of a folder
BETWEEN = "+"  # levels: a comma would part them on the command line of a cluster's job


def setting_name(spelled: Mapping[str, str]) -> str:
    """Return the name of a setting, which is that of its folder.

    Args:
        spelled: the level of each axis.

    Example:
        >>> setting_name({"widths": "10-64-1", "lr": "0.1"})
        'lr=0.1+widths=10-64-1'
    """
    return BETWEEN.join(f"{axis}={spelled[axis]}" for axis in sorted(spelled))


def levels_of(setting: str) -> dict[str, str]:
    """Return the level of each axis of a setting, as it is spelled.

    Example:
        >>> levels_of("lr=0.1+widths=10-64-1"), levels_of("")
        ({'lr': '0.1', 'widths': '10-64-1'}, {})
    """
    return dict(part.split("=", 1) for part in setting.split(BETWEEN)) if setting else {}


def spelled_level(value: Any) -> str:
    """Return a level as it stands in the name of a folder, without letters that a shell or a file system minds.

    Example:
        >>> spelled_level(0.1), spelled_level(1.0), spelled_level([10, 64, 1]), spelled_level({"name": "a b"})
        ('0.1', '1', '10-64-1', 'name-a_b')
    """
    if isinstance(value, list | tuple):
        return "-".join(map(spelled_level, value)) or "empty"
    if isinstance(value, dict):
        return "-".join(f"{spelled_level(key)}-{spelled_level(each)}" for key, each in _sorted_items(value)) or "empty"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    text = str(value).lower() if value is None or isinstance(value, bool) else str(value)
    text = text.replace("e+", "e") if isinstance(value, float) else text
    return safe_text(text) or "_"


def _sorted_items(value: Mapping) -> list[tuple]:
    return sorted(value.items(), key=lambda item: str(item[0]))


def safe_text(text: str) -> str:
    """Return a text without letters that a shell or a file system minds, nor those that part levels.

    Example:
        >>> safe_text("a b+c=d")
        'a_b_c_d'
    """
    return UNSAFE.sub("_", text)


def natural_order(level: str) -> tuple:
    """Return what levels are sorted by: numbers before texts, and 9 before 10 inside of texts.

    Example:
        >>> sorted(["10-64-1", "10-8-1", "10", "9"], key=natural_order)
        ['9', '10', '10-8-1', '10-64-1']
    """
    try:
        return (0, float(level), ())
    except ValueError:
        parts = re.split(r"(\d+)", level)
        return (1, 0.0, tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part))
