"""Tables of settings: a column a key of a pool's block, a row a setting."""

import csv
from pathlib import Path
from typing import Any

import yaml

from adaptive_sharpness.study.config.block import OpenBlock
from adaptive_sharpness.study.config.messages import short, unknown
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.yaml_file import plain_values

OF_POOL = ("seeds", "vary", "checkpoints")  # keys of a pool that say nothing of one model that is trained


def table_of_settings(place: str, path: Any) -> list[dict[str, Any]]:
    r"""Return the rows of a table of settings, its cells as YAML reads them.

    Args:
        place: where the config names it.
        path: a csv file, from the folder that Snakemake is called from; its columns are keys of a pool's block.

    Raises:
        ValueError: if there is no such table, or something in it is wrong; one line.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "settings.csv").write_text("training.batch_size,loss\n64,mse_loss")
        ...     table_of_settings("vary.table", f"{folder}/settings.csv")
        [{'training.batch_size': 64, 'loss': 'mse_loss'}]
    """
    if not isinstance(path, str):
        raise ValueError(f"{place}: got {short(path)}, wanted a csv file, with a column a key and a row a setting")
    try:
        with open(path, newline="", encoding="utf-8") as file:
            header, *lines = [line for line in csv.reader(file) if line] or [[]]
    except OSError as error:
        wanted = f"a csv file, read from {Path.cwd()}"
        raise ValueError(f"{place}: got {short(path)}, {error.strerror}, wanted {wanted}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{place}: got {short(path)}, which is no text, wanted a csv file in UTF-8") from error
    if not lines:
        raise ValueError(f"{place}: got {short(path)} without rows, wanted a header of keys and a row a setting")
    for key in header:
        if header.count(key) > 1:
            raise ValueError(f"{place}, {path}: got the column {short(key)} a second time, wanted every key once")
        require_key(f"{place}, {path}, column {key}", key)
    return [_cells(f"{place}, {path}, row {number}", header, line) for number, line in enumerate(lines, 1)]


def _cells(place: str, header: list[str], line: list[str]) -> dict[str, Any]:
    if len(line) != len(header):
        raise ValueError(f"{place}: got {len(line)} cells, wanted {len(header)}, one a column")
    found = {}
    for key, text in zip(header, line, strict=True):
        try:
            found[key] = plain_values(yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise ValueError(f"{place}, column {key}: got {short(text)}, wanted a value as YAML writes it") from error
        if found[key] is None:
            raise ValueError(f"{place}, column {key}: got {short(text)}, wanted a value in every cell")
    return found


def require_key(place: str, key: str) -> None:
    """Refuse a key that is none of a pool's block, nor an option in a part of it that takes what its plug-in does.

    Args:
        place: where the config says it.
        key: such as training.optimiser.lr.

    Raises:
        ValueError: one line.

    Example:
        >>> require_key("vary.training.clip.x", "training.clip.x")
        Traceback (most recent call last):
        ValueError: vary.training.clip.x: got 'x', wanted one of norm, value
    """
    if "" in key.split("."):
        raise ValueError(f"{place}: got the key {short(key)}, wanted names between dots, such as training.batch_size")
    block: Any = PoolSettings
    for part in key.split("."):
        if not isinstance(block, type) or not hasattr(block, "model_fields"):
            return
        fields = [name for name in block.model_fields if block is not PoolSettings or name not in OF_POOL]
        if part not in fields:
            if issubclass(block, OpenBlock):
                return
            raise ValueError(unknown(place, part, fields))
        block = block.model_fields[part].annotation
