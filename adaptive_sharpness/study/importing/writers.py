"""Write models to files of each format that `readers` reads."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from adaptive_sharpness.study.config.model_table import layout_path
from adaptive_sharpness.study.importing.layout import layout_of, write_layout
from adaptive_sharpness.study.running.records import sha256

FORMATS = ("safetensors", "pytorch", "numpy")
States = Mapping[str, Tensor]


def write_models(form: str, folder: str | Path, name: str, models: Iterable[States]) -> list[dict[str, str | int]]:
    """Write models, and return where each stands: path, sha256, and for a matrix row and layout_sha256.

    Args:
        form: one of FORMATS: a file a model, or for numpy a matrix of all models of one shape, with its layout.
        folder: that exists.
        name: what the files' names begin with.
        models: of each its parameters and buffers by name.

    Returns:
        Cells of a table of models, each path from the folder.

    Raises:
        ValueError: if a number cannot be kept in the format.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     found = write_models("numpy", folder, "mine", [{"weight": torch.ones(2)}] * 2)
        ...     [(each["path"], each["row"]) for each in found], np.load(f"{folder}/mine-0.npy").tolist()
        ([('mine-0.npy', 0), ('mine-0.npy', 1)], [[1.0, 1.0], [1.0, 1.0]])
    """
    if form == "numpy":
        return _write_matrices(Path(folder), name, models)
    ending, write = {"safetensors": ("safetensors", save_file), "pytorch": ("pt", torch.save)}[form]
    found = []
    for number, state in enumerate(models):
        path = Path(folder, f"{name}-{number:03d}.{ending}")
        write({key: value.clone() for key, value in state.items()}, path)  # else all that a part is of is written
        found.append({"path": path.name, "sha256": sha256(path)})
    return found


def _write_matrices(folder: Path, name: str, models: Iterable[States]) -> list[dict[str, str | int]]:
    """A matrix for each layout that there is, in the order of the models."""
    matrices: dict[tuple, list[np.ndarray]] = {}
    places = []
    for state in models:
        layout = tuple((key, tuple(value.shape)) for key, value in state.items())
        rows = matrices.setdefault(layout, [])
        places.append((list(matrices).index(layout), len(rows)))
        rows.append(np.concatenate([_numbers(key, value) for key, value in state.items()]))
    hashes = []
    for number, (layout, rows) in enumerate(matrices.items()):
        path = folder / f"{name}-{number}.npy"
        np.save(path, np.stack(rows))
        write_layout(layout_path(str(path)), layout_of(dict(layout)))
        hashes.append({"path": path.name, "sha256": sha256(path), "layout_sha256": sha256(layout_path(str(path)))})
    return [{**hashes[number], "row": row} for number, row in places]


def _numbers(name: str, value: Tensor) -> np.ndarray:
    single = value.float()
    if not torch.equal(single.to(value.dtype), value):
        kind = str(value.dtype).removeprefix("torch.")
        raise ValueError(f"{name}: got numbers of {kind} that float32 does not have, wanted another format than numpy")
    return single.flatten().numpy()
