"""What a pool varies: its axes, and of each level the keys that it sets and how it is spelled."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations, product
from typing import Any

from adaptive_sharpness.study.config.levels import natural_order, safe_text, spelled_level
from adaptive_sharpness.study.config.messages import short
from adaptive_sharpness.study.config.model_table import LOSSES, REACHED, TAKEN
from adaptive_sharpness.study.config.table_of_settings import require_key, table_of_settings

TABLE, TIMES = "table", "times"  # what under vary is no axis of this name
COLUMNS = {"id", "seed", "epochs", *TAKEN, *LOSSES, *REACHED}  # of runs.parquet, in which an axis is a column more


@dataclass(frozen=True)
class Factor:
    """A number by which that is multiplied which stands at a key."""

    number: float


@dataclass(frozen=True)
class Level:
    """One level of an axis, or one row of a table.

    Args:
        spelled: by the short name of each axis, the level as it stands in a path.
        keys: by each key that it sets, such as training.optimiser.lr, the value or a Factor.
        places: by each key, where below `vary` the config sets it.
    """

    spelled: Mapping[str, str]
    keys: Mapping[str, Any]
    places: Mapping[str, str]


def axes_of(where: str, vary: Mapping[str, Any]) -> list[list[Level]]:
    """Return the levels of each axis, in an order that does not depend on how they are written down.

    Args:
        where: the place of `vary` in the config.
        vary: what stands there.

    Returns:
        A list of levels for each axis; a table is one, with a level a row.

    Raises:
        ValueError: where something is wrong; one line.

    Example:
        >>> axes_of("vary", {"training.optimiser.lr": [0.1, 0.01], "stacked": {"times": [2]}})[0][0].spelled
        {'lr': '0.01'}
    """
    table = table_of_settings(f"{where}.{TABLE}", vary[TABLE]) if TABLE in vary else []
    own = [key for key, value in vary.items() if _is_bundles(value)]
    keys = [key for key in vary if key not in (TABLE, *own)] + list(table[0] if table else ())
    names = _short_names(keys, own)
    found = [_table_levels(where, vary[TABLE], table, names)] if table else []
    for key, value in vary.items():
        if key != TABLE:
            found.append(_levels(where, key, value, names[key]))
    _refuse_overlaps(where, found)
    _refuse_columns(where, vary, found)
    return sorted((sorted(levels, key=_order) for levels in found), key=lambda levels: sorted(levels[0].spelled))


def _is_bundles(value: Any) -> bool:
    return isinstance(value, dict) and list(value) != [TIMES]


def _short_names(keys: Iterable[str], own: Iterable[str]) -> dict[str, str]:
    """The last part of each key, or more of it where several end alike; an axis of one's own name has that."""
    taken = set(keys) | set(own)
    return {key: next(_unlike(key, taken)) for key in keys} | {name: name for name in own}


def _unlike(key: str, taken: set[str]) -> Iterator[str]:
    parts = key.split(".")
    for first in range(len(parts) - 1, -1, -1):
        end = ".".join(parts[first:])
        if not first or not any(other == end or other.endswith(f".{end}") for other in taken - {key}):
            yield safe_text(end)


def _levels(where: str, key: str, value: Any, name: str) -> list[Level]:
    place = f"{where}.{key}"
    if isinstance(value, str):
        raise ValueError(f"{place}: got {short(value)}, wanted a list of levels; only {TABLE} takes a file")
    if _is_bundles(value):
        return _bundles(place, key, value)
    require_key(place, key)
    factors = isinstance(value, dict)
    values = value[TIMES] if factors else value
    place, name, said = (f"{place}.{TIMES}", f"{name}_{TIMES}", TIMES) if factors else (place, name, "levels")
    if not isinstance(values, list) or not values:
        kind = "factors, such as [0.3, 1, 3]" if factors else "levels"
        raise ValueError(f"{place}: got {short(values)}, wanted a list of {kind}")
    levels = []
    for position, each in enumerate(values):
        if factors and (type(each) not in (int, float) or not math.isfinite(each)):
            raise ValueError(f"{place}[{position}]: got {short(each)}, wanted a finite number")
        at = f"{key}.{said}[{position}]" if factors else f"{key}[{position}]"
        levels.append(Level({name: spelled_level(each)}, {key: Factor(each) if factors else each}, {key: at}))
        _refuse_twin(f"{place}[{position}]", each, levels, values)
    return levels


def _refuse_twin(place: str, value: Any, levels: list[Level], values: list) -> None:
    """A level that stands there before, or one that is spelled like it."""
    *before, last = levels
    for twin, other in zip(before, values, strict=False):
        if twin.spelled == last.spelled:
            if other == value:
                raise ValueError(f"{place}: got {short(value)} a second time, wanted every level once")
            name = next(iter(last.spelled.values()))
            raise ValueError(f"{place}: got {short(value)}, spelled {name} as {short(other)} is, wanted another level")


def _bundles(place: str, name: str, value: Mapping) -> list[Level]:
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        wanted = f"a list of levels, {{{TIMES}: [...]}}, or for named levels an axis of lower-case letters and digits"
        raise ValueError(f"{place}: got {short(value)}, wanted {wanted}")
    if not value:
        raise ValueError(f"{place}: got {{}}, wanted a mapping from names of levels to the keys that each sets")
    levels = []
    for level, keys in value.items():
        if not isinstance(keys, dict) or not keys:
            wanted = "a mapping of keys, such as {training.batch_size: 32}"
            raise ValueError(f"{place}.{level}: got {short(keys)}, wanted {wanted}")
        for key in keys:
            if not isinstance(key, str):
                raise ValueError(f"{place}.{level}: got the key {short(key)}, wanted a text for a key")
            require_key(f"{place}.{level}.{key}", key)
        places = {key: f"{name}.{level}.{key}" for key in keys}
        levels.append(Level({name: spelled_level(level)}, keys, places))
        _refuse_twin(f"{place}.{level}", level, levels, list(value))
    return levels


def _table_levels(where: str, path: str, rows: list[dict[str, Any]], names: Mapping[str, str]) -> list[Level]:
    found: dict[tuple, int] = {}
    levels = []
    for number, row in enumerate(rows, 1):
        spelled = {names[key]: spelled_level(value) for key, value in row.items()}
        levels.append(Level(spelled, row, {key: f"{TABLE}, {path}, row {number}, {key}" for key in row}))
        if (first := found.setdefault(tuple(spelled.values()), number)) != number:
            said = f"row {number} equal to row {first}, or spelled like it"
            raise ValueError(f"{where}.{TABLE}, {path}: got {said}, wanted every setting once")
    return levels


def _refuse_columns(where: str, vary: Mapping, axes: list[list[Level]]) -> None:
    names = [name for levels in axes for name in levels[0].spelled]
    for name in names:
        if name in COLUMNS:
            key = next((key for key in vary if key.split(".")[-1] == name), TABLE)
            wanted = "an axis of another name, with named levels"
            raise ValueError(f"{where}.{key}: got the name {name}, which is a column of runs.parquet, wanted {wanted}")
        if names.count(name) > 1:
            raise ValueError(f"{where}: got two axes that are spelled {name}, wanted names that differ")


def _refuse_overlaps(where: str, axes: list[list[Level]]) -> None:
    """One axis sets a key, or what lies around it; a factor may stand beside that."""
    places = [{key: place for level in reversed(levels) for key, place in _set_by(level).items()} for levels in axes]
    for first, second in combinations(places, 2):
        for key, other in product(first, second):
            if _is_in(key, other) or _is_in(other, key):
                wanted = "one axis to set it"
                raise ValueError(
                    f"{where}.{second[other]}: got a key that {where}.{first[key]} sets too, wanted {wanted}"
                )
    for level in (level for levels in axes for level in levels):
        for inner, outer in permutations(_set_by(level), 2):
            if _is_in(inner, outer):
                raise ValueError(f"{where}.{level.places[inner]}: got a key inside of {outer}, wanted one of both")


def _set_by(level: Level) -> dict[str, str]:
    return {key: level.places[key] for key, value in level.keys.items() if not isinstance(value, Factor)}


def _is_in(key: str, other: str) -> bool:
    return f"{key}.".startswith(f"{other}.")


def _order(level: Level) -> list:
    return [natural_order(level.spelled[name]) for name in sorted(level.spelled)]
