"""Measure the models of a shard, one measure at one radius, in one job."""

import inspect
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from adaptive_sharpness import plugins
from adaptive_sharpness.datasets import Dataset, Rows, Split
from adaptive_sharpness.landscape.batches import draw_batches
from adaptive_sharpness.landscape.objective import NotFinite
from adaptive_sharpness.measures import Measured
from adaptive_sharpness.study.config.measures import Measurement
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.measuring.checkpoint import read_networks, read_states
from adaptive_sharpness.study.measuring.neighbourhood import visible_part
from adaptive_sharpness.study.training.training_set import TrainingSets

log = logging.getLogger(__name__)
ASKED = ("initial", "train_split", "test_losses")  # what a measure may ask for by keyword


def measure_shard(
    pool: PoolSettings,
    way: Measurement,
    rho: float | None,
    *,
    checkpoint: str | Path,
    made_from: Mapping[str, str],
    dataset: Dataset,
    device: torch.device,
    initial: str | Path | None = None,
    test_losses: str | Path | None = None,
    folder: str | Path = "plugins",
) -> pd.DataFrame:
    """Measure every model of a shard, all on the same batches.

    Args:
        pool: how the models were trained, its architecture named.
        way: how the measure is taken.
        rho: radius of the ball, in units of its scale; None for a measure without one.
        checkpoint: what `TrainedShard.save` wrote.
        made_from: what it should have been made from, see `job.made_from`.
        dataset: on the CPU.
        device: where to measure.
        initial: the initial states, where the measure asks for them.
        test_losses: the losses of test examples, where the measure asks for them.
        folder: the user's plug-ins.

    Returns:
        A row for every model, batch and quantity: seed, batch, quantity, headline (whether it is the measure's), value,
        base_loss, and what else the measure knows of the batch. Of a model with a loss that is not finite there is a
        row a batch, without a quantity, all values nan.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from safetensors.torch import save_file
        >>> pool = PoolSettings.model_construct(architecture="fcnn", options={"widths": [1, 1]}, loss="mse_loss")
        >>> states = {"state.0.weight": torch.ones(1, 1, 1), "state.0.bias": torch.zeros(1, 1)}
        >>> rows = Rows(torch.ones(1, 1), torch.zeros(1, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> way = Measurement(estimator="worst_case", batches="all")
        >>> where = {"dataset": Dataset(rows, rows), "device": torch.device("cpu")}
        >>> with TemporaryDirectory() as folder:
        ...     save_file({"seeds": torch.tensor([3]), **states}, f"{folder}/states")
        ...     table = measure_shard(pool, way, 0.1, checkpoint=f"{folder}/states", made_from={}, **where)
        >>> table.loc[table["headline"], ["seed", "value"]].round(3).values.tolist()  # the loss 1 rises to 1.1 ** 2
        [[3.0, 0.21]]
    """
    splits = TrainingSets(getattr(pool, "training", None), dataset.train, device)
    loss = plugins.resolve("losses", pool.loss, folder)
    extras = _Extras(initial, test_losses, _asked(way.estimator, folder))
    tables, known, visible = [], None, None
    for seed, network in read_networks(pool, checkpoint, made_from, folder):
        draw = seed if way.seed == "own" else way.seed
        split, network = splits(seed), network.to(device)
        batches = _batches(len(split), way, draw)
        if split is not known:  # what fits for one seed fits for all that have the same examples
            known, visible = split, visible_part(split, network, way.hops, way.stacked)
        try:
            of_batch, inputs = _inputs(visible, loss, batches)
            options = {**_options(pool, way, rho, draw), **extras.of(seed, split)}
            found = _rows(take(way.estimator, network, of_batch, inputs, options, folder))
        except NotFinite as error:
            log.warning("seed %d has no sharpness: %s", seed, error)
            found = _missing_rows(len(batches))
        tables.append(found.assign(seed=seed))
        log.info("seed %d mean %.6g", seed, found.loc[found["headline"], "value"].mean())
    table = pd.concat(tables, ignore_index=True)
    return table[["seed", "batch", "quantity", "headline", "value", *table.columns.difference(ORDER, sort=False)]]


ORDER = ["seed", "batch", "quantity", "headline", "value"]


def take(
    estimator: str,
    model: nn.Module,
    loss: Callable[..., Tensor],
    batches: Iterable,
    options: Mapping[str, Any],
    folder: str | Path = "plugins",
) -> Measured:
    """Return what the measure of this name finds on each batch.

    Args:
        estimator: the name of a plug-in.
        model: a network in eval mode.
        loss: see `landscape.objective.Objective`.
        batches: see `landscape.problems.Problems`.
        options: what the measure takes besides, by name.
        folder: the user's plug-ins.

    Returns:
        Measured.

    Raises:
        ValueError: if the measure does not take these options, or returns something else.

    Example:
        >>> model, batches = nn.Linear(1, 1, bias=False).eval(), [(torch.ones(1, 1), torch.zeros(1, 1))]
        >>> _ = nn.init.ones_(model.weight)
        >>> found = take("worst_case", model, nn.functional.mse_loss, batches, {"rho": 0.1, "seed": 0})
        >>> round(found.per_batch.item(), 3)  # the loss 1 rises to 1.1 ** 2
        0.21
    """
    function = plugins.resolve("measures", estimator, folder)
    try:
        inspect.signature(function).bind(model, loss, batches, **options)
    except TypeError as error:
        raise ValueError(f"measure {estimator}: options {dict(options)} do not fit it: {error}") from error
    found = function(model, loss, batches, **options)
    if not isinstance(found, Measured):
        raise ValueError(f"measure {estimator}: got {type(found).__name__} from it, wanted Measured")
    for name, value in found.quantities.items():
        if not isinstance(value, Tensor) or value.dim() != 1 or value.shape != found.per_batch.shape:
            got = f"shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"measure {estimator}: got {got} for {name}, wanted a tensor with a number a batch")
    return found


class _Extras:
    """What a measure asks for of each model, besides its network and its batches."""

    def __init__(self, initial, test_losses, asked: set[str]):
        self._asked = asked
        self._initial = dict(read_states(initial)) if "initial" in asked else {}
        self._losses = {}
        if "test_losses" in asked:
            stored = load_file(test_losses)
            self._losses = dict(zip(stored["seeds"].tolist(), stored["test_losses"], strict=True))

    def of(self, seed: int, split: Split) -> dict[str, Any]:
        device = split.targets.device
        known = {
            "initial": lambda: {name: value.to(device) for name, value in self._initial[seed].items()},
            "train_split": lambda: split,
            "test_losses": lambda: self._losses[seed],
        }
        return {name: known[name]() for name in ASKED if name in self._asked}


def _asked(estimator: str, folder: str | Path) -> set[str]:
    return set(ASKED) & set(plugins.parameters("measures", estimator, folder) or ())


def _rows(found: Measured) -> pd.DataFrame:
    known = {name: value.tolist() for name, value in found.diagnostics().items()}
    batches = range(len(found.per_batch))
    tables = [
        pd.DataFrame(
            {"batch": batches, "quantity": name, "headline": name == found.headline, "value": value.tolist(), **known}
        )
        for name, value in found.quantities.items()
    ]
    return pd.concat(tables, ignore_index=True)


def _missing_rows(batches: int) -> pd.DataFrame:
    """The rows of a model of which no quantity is known, not even by name."""
    known = {"quantity": None, "headline": True, "value": math.nan, "base_loss": math.nan}
    return pd.DataFrame({"batch": range(batches), **known}).astype({"quantity": object})


def _batches(examples: int, way: Measurement, seed: int) -> Tensor:
    if way.batches == "all":
        return torch.arange(examples)[None]
    return draw_batches(examples, way.batches, way.batch_size, seed)


def _inputs(split: Split, loss: Callable[..., Tensor], batches: Tensor) -> tuple[Callable[..., Tensor], Iterable]:
    """What a measure takes: rows are made once, not at each step; of a whole split the measure itself draws."""
    if isinstance(split, Rows) and len(batches) > 1:
        return loss, [(split.apply(lambda inputs: inputs, index), split.targets[index]) for index in batches]
    return partial(split.loss, loss), batches


def _options(pool: PoolSettings, way: Measurement, rho: float | None, seed: int) -> dict[str, Any]:
    options = {**way.options, "seed": seed}
    options |= {} if rho is None else {"rho": rho}
    options |= {} if way.stacked is None else {"stacked": way.stacked}
    if options.get("rate") == "training":
        options["rate"] = pool.training.optimiser.options["lr"]
    return options
