"""Import a shard: models of one pool and one shape that were trained elsewhere."""

import math
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import torch

from adaptive_sharpness import plugins
from adaptive_sharpness.datasets import Dataset
from adaptive_sharpness.study.config.model_table import ModelRow, layout_path
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.importing.fitting import fitted_state
from adaptive_sharpness.study.importing.readers import read_state
from adaptive_sharpness.study.running.records import sha256
from adaptive_sharpness.study.training.fitness import require_fit, require_loss
from adaptive_sharpness.study.training.networks import build_network
from adaptive_sharpness.study.training.scoring import score
from adaptive_sharpness.study.training.shard import TrainedShard, network_state, stacked_states

TOLERANCE = 1e-3  # by which a loss that is said may differ from the one that is found, relative to it


def import_shard(
    pool: PoolSettings,
    rows: Iterable[ModelRow],
    dataset: Dataset,
    device: torch.device,
    folder: str | Path = "plugins",
) -> TrainedShard:
    """Return models that were trained elsewhere, with their losses on this data set.

    Args:
        pool: its architecture named, with the options that these models have.
        rows: what their table says of each.
        dataset: on the CPU.
        device: where the losses are computed.
        folder: the user's plug-ins.

    Returns:
        A shard as `train_shard` gives it, but for initial states, on the CPU.

    Raises:
        ValueError: if a file has another hash, cannot be read, or holds no such network, or a loss is another one than
            the table says; one line.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from adaptive_sharpness.datasets import Rows
        >>> ones = Rows(torch.ones(3, 1), torch.ones(3, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> pool = PoolSettings(dataset="ones", architecture="fcnn", options={"widths": [1, 1]}, loss="mse_loss")
        >>> with TemporaryDirectory() as folder:
        ...     file = f"{folder}/a.pt"
        ...     torch.save({"0.weight": torch.ones(1, 1), "0.bias": torch.ones(1)}, file)
        ...     row = ModelRow(line=2, id="a", file=file, sha256=sha256(file), seed=0)
        ...     [model] = import_shard(pool, [row], Dataset(ones, ones), torch.device("cpu")).table
        >>> model  # the network gives 1 + 1
        {'seed': 0, 'id': 'a', 'train_loss': 1.0, 'test_loss': 1.0, 'accuracy': None}
    """
    loss, hashed = plugins.resolve("losses", pool.loss, folder), cache(sha256)
    on_device = Dataset(dataset.train.to(device), dataset.test.to(device))
    states, table, test_losses = [], [], []
    for row in rows:
        _require_hash(row.file, row.sha256, hashed)
        if row.layout_sha256:
            _require_hash(layout_path(row.file), row.layout_sha256, hashed)
        network = build_network(pool.architecture, pool.options, folder)
        network.load_state_dict(fitted_state(row.file, read_state(row.file, row.row), network))
        if not states:  # what fits for one fits for all
            for split in (dataset.train, dataset.test):
                require_fit(pool.architecture, network, split)
                require_loss(pool.loss, loss, network, split)
        scores, test_each = score(row.seed, network.eval().to(device), on_device, loss)
        _require_losses(row, scores)
        table.append({"seed": row.seed, "id": row.id, **scores, **row.columns})
        states.append(network_state(network))
        test_losses.append(test_each)
    return TrainedShard(stacked_states(states), {}, table, torch.stack(test_losses))


def _require_hash(file: str, wanted: str, hashed) -> None:
    if (found := hashed(file)) != wanted:
        raise ValueError(f"{file}: got sha256 {found}, wanted {wanted}, as its table says")


def _require_losses(row: ModelRow, found: dict[str, float | None]) -> None:
    for name, said in row.losses.items():
        value = found[name]
        if value is None:
            raise ValueError(f"{row.file}: {name}: got {said} for {row.id}, wanted none: its targets are no classes")
        if not (math.isclose(said, value, rel_tol=TOLERANCE) or (math.isnan(said) and math.isnan(value))):
            raise ValueError(
                f"{row.file}: {name}: got {said} for {row.id} from its table, wanted {value:.6g}, as computed"
            )
