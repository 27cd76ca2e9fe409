"""The layout of a matrix of models: which of its columns are which parameter of a network."""

import csv
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("name", "first", "last", "shape")


@dataclass(frozen=True)
class Place:
    """Where a parameter or buffer stands.

    Args:
        name: the parameter's.
        first: its first column, counted from 0.
        last: its last one.
        shape: what its numbers are brought into, the last axis running fastest.
    """

    name: str
    first: int
    last: int
    shape: tuple[int, ...]


def layout_of(shapes: Mapping[str, Iterable[int]]) -> list[Place]:
    """Return the layout of parameters of some shapes, one after another.

    Example:
        >>> layout_of({"weight": (2, 3), "bias": (2,)})[1]
        Place(name='bias', first=6, last=7, shape=(2,))
    """
    places, first = [], 0
    for name, shape in shapes.items():
        size = math.prod(shape := tuple(shape))
        places.append(Place(name, first, first + size - 1, shape))
        first += size
    return places


def write_layout(path: str | Path, places: Iterable[Place]) -> None:
    """Write a layout.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_layout(f"{folder}/a.layout.csv", layout_of({"weight": (2, 3)}))
        ...     print(Path(folder, "a.layout.csv").read_text())
        name,first,last,shape
        weight,0,5,"[2, 3]"
    """
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([place.name, place.first, place.last, json.dumps(place.shape)] for place in places)


def read_layout(path: str | Path, columns: int) -> list[Place]:
    """Return the layout of a matrix.

    Args:
        path: a csv file with the columns name, first, last and shape, such as "[64, 10]".
        columns: how many the matrix has; each must belong to one parameter.

    Raises:
        ValueError: if the file is no layout, or not of so many columns; one line.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_layout(f"{folder}/a.layout.csv", layout_of({"weight": (2, 3)}))
        ...     read_layout(f"{folder}/a.layout.csv", columns=6)
        [Place(name='weight', first=0, last=5, shape=(2, 3))]
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: got no csv, {error}, wanted the layout of a matrix") from error
    if not lines or tuple(lines[0]) != COLUMNS:
        raise ValueError(f"{path}: got columns {','.join(lines[0]) if lines else ''}, wanted {','.join(COLUMNS)}")
    places = [_place(f"{path}, line {number}", cells) for number, cells in enumerate(lines[1:], 2) if cells]
    free = 0
    for place in sorted(places, key=lambda place: (place.first, place.last)):
        if place.first != free:
            raise ValueError(f"{path}: got {place.name} from column {place.first} on, wanted it from {free} on")
        free = place.last + 1
    if free != columns:
        raise ValueError(f"{path}: got parameters for {free} columns, wanted {columns}, all that the matrix has")
    if len({place.name for place in places}) < len(places):
        raise ValueError(f"{path}: got a name a second time, wanted every name once")
    return places


def _place(where: str, cells: list[str]) -> Place:
    if len(cells) != len(COLUMNS):
        raise ValueError(f"{where}: got {len(cells)} cells, wanted {len(COLUMNS)}")
    name, first, last, shape = cells
    if not re.fullmatch("[0-9]+", first) or not re.fullmatch("[0-9]+", last):
        raise ValueError(f"{where}: got {first} to {last}, wanted two whole numbers, the first and the last column")
    if not re.fullmatch(r"\[([0-9]+(, *[0-9]+)*)?\]", shape):
        raise ValueError(f"{where}: shape: got {shape!r}, wanted such as [64, 10]")
    place = Place(name, int(first), int(last), tuple(json.loads(shape)))
    if math.prod(place.shape) != place.last - place.first + 1:
        raise ValueError(f"{where}: got columns {first} to {last}, wanted {math.prod(place.shape)} for shape {shape}")
    return place
