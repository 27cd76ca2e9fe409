"""Read one model's parameters and buffers from a file of each format. No file of these can run code."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from adaptive_sharpness.plugins import reason
from adaptive_sharpness.study.config.model_table import layout_path
from adaptive_sharpness.study.importing.layout import read_layout

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")  # what a state_dict may stand under in a file


def read_state(file: str | Path, row: int | None = None) -> dict[str, Tensor]:
    """Return a model's parameters and buffers by name, as they stand in a file.

    Args:
        file: .safetensors, of one model or stacked, [models, *shape]; .pt or .pth, what torch.save made of a
            state_dict, or of a dict with one; .npy, [models, parameters] float32, with its layout beside it.
        row: which model of the file, from 0; None for a file of one.

    Raises:
        ValueError: if it is no such file, or has no such row; one line.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     torch.save({"state_dict": {"weight": torch.ones(2)}}, f"{folder}/a.pt")
        ...     read_state(f"{folder}/a.pt")
        {'weight': tensor([1., 1.])}
    """
    path = Path(file)
    if path.suffix == ".safetensors":
        return _safetensors(path, row)
    return _matrix(path, row) if path.suffix == ".npy" else _pytorch(path)


def _safetensors(path: Path, row: int | None) -> dict[str, Tensor]:
    try:
        with safe_open(path, "pt") as file:
            if row is None:
                return {name: file.get_tensor(name) for name in file.keys()}
            slices = {name: file.get_slice(name) for name in file.keys()}
            for name, each in slices.items():
                _require_row(path, row, (each.get_shape() or [0])[0], name)
            return {name: each[row] for name, each in slices.items()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: cannot be read as safetensors: {reason(error)}") from error


def _pytorch(path: Path) -> dict[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch finds wrong with the file
        if names := re.findall(r"GLOBAL ([\w.]+)", str(error)):
            raise ValueError(f"{path}: got {names[0]} in it, wanted tensors alone; nothing of it was run") from None
        raise ValueError(f"{path}: cannot be read as tensors of PyTorch: {reason(error)}") from error
    state = _unwrapped(found)
    if not isinstance(state, Mapping) or not state or not all(map(_is_dense, state.values())):
        raise ValueError(f"{path}: got {_spelled(state)}, wanted a state_dict, or one under {', '.join(WRAPPERS)}")
    return {str(name): value.detach() for name, value in state.items()}


def _unwrapped(found: Any) -> Any:
    if isinstance(found, Mapping):
        for key in WRAPPERS:
            if isinstance(found.get(key), Mapping):
                return _unwrapped(found[key])
    return found


def _is_dense(value: Any) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and value.device.type == "cpu"


def _spelled(found: Any) -> str:
    """What a file holds, in few words."""
    if not isinstance(found, Mapping) or not found:
        return f"{type(found).__name__}" if found or not isinstance(found, Mapping) else "an empty mapping"
    name, value = next((name, value) for name, value in found.items() if not _is_dense(value))
    return f"{type(value).__name__} for {name!r}"


def _matrix(path: Path, row: int | None) -> dict[str, Tensor]:
    try:
        matrix = np.load(path, allow_pickle=False, mmap_mode="r")
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path}: cannot be read as an array of NumPy: {reason(error)}") from error
    shape = getattr(matrix, "shape", ())
    if len(shape) != 2 or matrix.dtype != np.float32:
        got = f"{matrix.dtype} {list(shape)}" if shape else type(matrix).__name__
        raise ValueError(f"{path}: got {got}, wanted float32 [models, parameters]")
    _require_row(path, row, len(matrix))
    numbers = torch.from_numpy(np.array(matrix[row]))
    places = read_layout(layout_path(str(path)), matrix.shape[1])
    return {place.name: numbers[place.first : place.last + 1].reshape(place.shape) for place in places}


def _require_row(path: Path, row: int, rows: int, name: str = "it") -> None:
    if row >= rows:
        raise ValueError(f"{path}: got row {row}, wanted one below {rows}, all that {name} has")
