"""The table of a pool's models that were trained elsewhere: a row a model."""

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from adaptive_sharpness.study.config.block import MOST
from adaptive_sharpness.study.config.messages import short

NEEDED = ("id", "path", "sha256")
LOSSES = ("train_loss", "test_loss", "accuracy")
KNOWN = (*NEEDED, "row", "layout_sha256", "seed", *LOSSES)
TAKEN = (  # columns of runs.parquet that say something else
    *("protocol", "pool", "setting", "measure", "rho", "quantity", "headline", "value", "standard_error", "base_loss"),
    *("max_loss", "device", "versions", "train_device", "train_versions", "used", "part"),
)
REACHED = ("reached", "keep_unreached")  # columns that say whether a model counts, as of a pool that was exported
ENDINGS = (".safetensors", ".pt", ".pth", ".npy")
OPTION = "options."  # what a column of the architecture's options begins with
HASH = re.compile("[0-9a-fA-F]{64}")
WANTED_HASH = "a sha256, 64 hexadecimal digits"


@dataclass(frozen=True)
class ModelRow:
    """What a table says of one model.

    Args:
        line: of the table, counted from 1.
        id: the model's name.
        file: that it lies in, below the calling folder.
        sha256: of the file.
        seed: that of the table, or else the model's number, from 0 in the table's order.
        row: which of a file's models it is, from 0; None for a file of one model.
        layout_sha256: of the layout beside a NumPy matrix; empty where it is not said.
        losses: train_loss, test_loss and accuracy, as far as they are said.
        options: the architecture's, of this model.
        columns: what else is said, as it stands there.
    """

    line: int
    id: str
    file: str
    sha256: str
    seed: int
    row: int | None = None
    layout_sha256: str = ""
    losses: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> list[str]:
        """The files that it is read from.

        Example:
            >>> ModelRow(line=2, id="a", file="pools/all.npy", sha256="", seed=0, row=3).files
            ['pools/all.npy', 'pools/all.layout.csv']
        """
        return [self.file, layout_path(self.file)] if self.file.endswith(".npy") else [self.file]

    def plain(self) -> dict[str, Any]:
        """Return all that determines the model, of which `ModelRow` can be made again; its line does not.

        Example:
            >>> ModelRow(line=2, id="a", file="a.pt", sha256="11", seed=0).plain()
            {'id': 'a', 'file': 'a.pt', 'sha256': '11', 'seed': 0}
        """
        return {key: value for key, value in asdict(self).items() if key != "line" and value not in (None, "", {})}


def layout_path(matrix: str) -> str:
    """Return the path of the layout beside a NumPy matrix.

    Example:
        >>> layout_path("pools/all.npy")
        'pools/all.layout.csv'
    """
    return f"{matrix.removesuffix('.npy')}.layout.csv"


def model_rows(table: str, sha256: str) -> tuple[ModelRow, ...]:
    """Return the rows of a table of models.

    Args:
        table: a csv file.
        sha256: the hash that it must have.

    Raises:
        ValueError: if there is no such table, it has another hash, or says something that cannot be; one line.

    Example:
        >>> from contextlib import chdir
        >>> from tempfile import TemporaryDirectory
        >>> said = f"id,path,sha256,lr\\nfirst,a.pt,{'0' * 64},0.1\\n"
        >>> with TemporaryDirectory() as folder, chdir(folder):
        ...     _ = Path("theirs.csv").write_text(said), Path("a.pt").touch()
        ...     [row] = model_rows("theirs.csv", hashlib.sha256(said.encode()).hexdigest())
        >>> row.id, row.file, row.seed, row.columns
        ('first', 'a.pt', 0, {'lr': '0.1'})
    """
    try:
        content = Path(table).read_bytes()
    except OSError as error:
        raise ValueError(f"{table}: got {error.strerror}, wanted a table of models") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(f"{table}: got sha256 {found}, wanted {sha256}")
    return _rows(table, content)


@lru_cache(maxsize=64)
def _rows(table: str, content: bytes) -> tuple[ModelRow, ...]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{table}: got no text (byte {error.start}), wanted csv in UTF-8") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [str(name) for name in reader.fieldnames or ()]
        _require_header(table, header)
        rows = [_row(table, reader.line_num, number, said) for number, said in enumerate(reader)]
    except csv.Error as error:
        raise ValueError(f"{table}, line {reader.reader.line_num}: got no csv, {error}, wanted csv") from error
    if not 1 <= len(rows) <= MOST:
        raise ValueError(f"{table}: got {len(rows)} rows, wanted from 1 to {MOST}, a row a model")
    _require_distinct(table, rows)
    return tuple(rows)


def _require_header(table: str, header: Sequence[str]) -> None:
    for name in NEEDED:
        if name not in header:
            raise ValueError(f"{table}: got columns {short(','.join(header))}, wanted one named {name}")
    for position, name in enumerate(header):
        if name in header[:position]:
            raise ValueError(f"{table}: got column {name} a second time, wanted every column once")
        if name in TAKEN or not re.fullmatch("[a-z][a-z0-9_]*([.][a-z0-9_]+)*", name):
            wanted = "a name of lower-case letters, digits, _ and dots, and none of " + ", ".join(TAKEN)
            raise ValueError(f"{table}: got column {short(name)}, wanted {wanted}")


def _row(table: str, line: int, number: int, said: Mapping[str | None, Any]) -> ModelRow:
    """A row, each of its cells held against what is wanted in it."""
    where = f"{table}, line {line}"
    if None in said or None in said.values():
        cells = len([value for key, value in said.items() if key is not None and value is not None])
        cells += len(said.get(None, ()))
        raise ValueError(f"{where}: got {cells} cells, wanted {len(set(said) - {None})}, one a column")

    def cell(column: str, wanted: str, made: Callable[[str], Any]) -> Any:
        try:
            return made(said[column]) if said.get(column) else None
        except ValueError:
            raise ValueError(f"{where}: {column}: got {short(said[column])}, wanted {wanted}") from None

    for column in NEEDED:
        if not said[column]:
            raise ValueError(f"{where}: {column}: is missing, wanted it of every model")
    seed = cell("seed", "a whole number from 0 to 2^63 - 1", _whole)
    if "seed" in said and seed is None:
        raise ValueError(f"{where}: seed: is missing, wanted it of every model, or no such column")
    file, position = _file(where, Path(table).parent, said["path"]), cell("row", "a whole number, at least 0", _whole)
    layout = cell("layout_sha256", WANTED_HASH, _hash) or ""
    _require_row(where, file, position)
    if layout and not file.endswith(".npy"):
        raise ValueError(f"{where}: layout_sha256: got {short(layout)}, wanted none: {file} is no matrix")
    for column in REACHED:
        cell(column, "True or False, or nothing", _truth)
    further = {key: value for key, value in said.items() if key not in KNOWN and value}
    return ModelRow(
        line=line,
        id=cell("id", "a name that can be printed", _printable),
        file=file,
        sha256=cell("sha256", WANTED_HASH, _hash),
        seed=number if seed is None else seed,
        row=position,
        layout_sha256=layout,
        losses={name: value for name in LOSSES if (value := cell(name, "a number", float)) is not None},
        options={key.removeprefix(OPTION): option_value(further[key]) for key in further if key.startswith(OPTION)},
        columns={key: value for key, value in said.items() if key not in KNOWN},
    )


def _file(where: str, folder: Path, path: str) -> str:
    """A model's file as seen from the calling folder, if it lies below the table's folder."""
    inside, file = Path(path), folder / path
    if inside.is_absolute() or ".." in inside.parts or not file.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{where}: path: got {short(path)}, wanted one below {folder}, without .. or a leading /")
    if inside.suffix not in ENDINGS:
        raise ValueError(f"{where}: path: got {short(path)}, wanted a file that ends in one of {', '.join(ENDINGS)}")
    for needed in (file, Path(layout_path(str(file)))) if inside.suffix == ".npy" else (file,):
        if not needed.is_file():
            raise ValueError(f"{where}: path: got no file {needed}, wanted one")
    return file.as_posix()


def _require_row(where: str, file: str, row: int | None) -> None:
    if row is None and file.endswith(".npy"):
        raise ValueError(f"{where}: row: is missing, wanted the model's row of the matrix {file}")
    if row is not None and file.endswith((".pt", ".pth")):
        raise ValueError(f"{where}: row: got {row}, wanted none: {file} holds one model")


def _require_distinct(table: str, rows: Sequence[ModelRow]) -> None:
    for what, key in (
        ("id", lambda row: row.id),
        ("seed", lambda row: row.seed),
        ("model", lambda row: f"{row.file}" + ("" if row.row is None else f", row {row.row}")),
    ):
        lines: dict[Any, int] = {}
        for row in rows:
            if lines.setdefault(key(row), row.line) != row.line:
                got = f"{what} {short(key(row))}, that of line {lines[key(row)]}"
                raise ValueError(f"{table}, line {row.line}: got {got}, wanted every {what} once")


def _whole(text: str) -> int:
    if not re.fullmatch("[0-9]+", text) or int(text) >= 2**63:
        raise ValueError
    return int(text)


def _truth(text: str) -> bool:
    if text not in ("True", "False"):
        raise ValueError
    return text == "True"


def _hash(text: str) -> str:
    if not HASH.fullmatch(text):
        raise ValueError
    return text.lower()


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError
    return text


def option_value(text: str) -> Any:
    """Return what a cell says of an option: what it spells in JSON, or else the text itself.

    Example:
        >>> option_value("[10, 64, 1]"), option_value("ReLU"), option_value('"1"')
        ([10, 64, 1], 'ReLU', '1')
    """
    with suppress(ValueError):
        value = json.loads(text)
        if not isinstance(value, float) or math.isfinite(value):
            return value
    return text


def option_cell(value: Any) -> str:
    """Return the cell that says so of an option.

    Example:
        >>> option_cell([10, 64, 1]), option_cell("ReLU"), option_cell("1")
        ('[10, 64, 1]', 'ReLU', '"1"')
    """
    return value if isinstance(value, str) and value and option_value(value) == value else json.dumps(value)


def ranges(rows: Sequence[ModelRow], size: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last number of the models of each job: neighbours of one shape, at most `size`.

    Example:
        >>> shapes = [{"width": 2}] * 3 + [{"width": 4}]
        >>> rows = [ModelRow(line=0, id="", file="", sha256="", seed=0, options=options) for options in shapes]
        >>> list(ranges(rows, 2))
        [(0, 1), (2, 2), (3, 3)]
    """
    first = 0
    for number, row in enumerate(rows):
        last = number + 1 == len(rows)
        if last or number + 1 - first == size or rows[number + 1].options != row.options:
            yield first, number
            first = number + 1
