"""Measure the sharpness of every model of a checkpoint."""

import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional

from adaptive_sharpness import architectures
from adaptive_sharpness.dataset import Dataset, Nodes, Rows, Split
from adaptive_sharpness.measures import draw_batches, measure
from adaptive_sharpness.neighbourhood import Neighbourhood
from adaptive_sharpness.objective import NotFinite

log = logging.getLogger(__name__)


def networks(block: Mapping, checkpoint: str | Path, made_from: Mapping[str, str]) -> Iterator[tuple[int, nn.Module]]:
    """The trained networks of a checkpoint, one at a time.

    Args:
        block: the architecture's block in config: network, options, loss, training.
        checkpoint: what `pool.Pool.save` wrote.
        made_from: what it should have been made from, see `job.made_from`.

    Yields:
        Each model's seed and its network, in eval mode, on the CPU.

    Raises:
        ValueError: if the checkpoint was made from something else.
    """
    with safe_open(checkpoint, "pt") as file:
        found = json.loads((file.metadata() or {}).get("made_from", "{}"))
        for key, wanted in made_from.items():
            if (got := found.get(key, "nothing known")) != wanted:
                raise ValueError(f"{checkpoint}: made from {key} {got}, wanted {wanted}: delete it and rerun")
        states = {key.removeprefix("state."): file.get_tensor(key) for key in file.keys() if key != "seeds"}
        seeds = file.get_tensor("seeds").tolist()
    for position, seed in enumerate(seeds):
        with torch.random.fork_rng():  # the weights that build() draws are not used
            network = architectures.build(block["network"], block["options"])
        network.load_state_dict({key: value[position] for key, value in states.items()})
        yield seed, network.eval()


def sharpness(
    block: Mapping,
    how: Mapping,
    rho: float | None,
    checkpoint: str | Path,
    made_from: Mapping[str, str],
    dataset: Dataset,
    device: torch.device,
) -> pd.DataFrame:
    """Measure every model of a checkpoint, all on the same batches.

    Args:
        block: the architecture's block in config: network, options, loss, training.
        how: the measure's block: estimator, batches (a number, or "all": the whole split as one), batch_size, seed (a
            number, or "own": each model's), options; stacked and hops for this architecture.
        rho: radius of the ball, in units of its scale; None for a measure without one.
        checkpoint: what `pool.Pool.save` wrote.
        made_from: what it should have been made from, see `job.made_from`.
        dataset: on the CPU.
        device: where to measure.

    Returns:
        A row for every model and batch: seed, batch, sharpness, base_loss, and what the measure adds. Of a model with a
        loss that is not finite all values are nan.
    """
    split = dataset.train.to(device)
    tables, seen = [], None
    for seed, network in networks(block, checkpoint, made_from):
        draw = seed if how["seed"] == "own" else how["seed"]
        batches = _batches(len(split), how, draw)
        network = network.to(device)
        seen = seen or _seen(split, network, how["hops"], how["stacked"])  # what fits for one seed fits for all
        try:
            loss, given = _given(seen, getattr(functional, block["loss"]), batches)
            found = measure(how["estimator"], network, loss, given, _options(block, how, rho, draw)).columns()
        except NotFinite as error:
            log.warning("seed %d has no sharpness: %s", seed, error)
            missing = [math.nan] * len(batches)
            found = {"sharpness": missing, "base_loss": missing}
        tables.append(pd.DataFrame({"seed": seed, "batch": range(len(found["sharpness"])), **found}))
        log.info("seed %d sharpness %.6g", seed, tables[-1]["sharpness"].mean())
    return pd.concat(tables, ignore_index=True)


def _batches(examples: int, how: Mapping, seed: int) -> Tensor:
    if how["batches"] == "all":
        return torch.arange(examples)[None]
    return draw_batches(examples, how["batches"], how["batch_size"], seed)


def _given(split: Split, loss: Callable[..., Tensor], batches: Tensor) -> tuple[Callable[..., Tensor], Iterable]:
    """What a measure takes: rows are made once, not at each step; of a whole split the measure itself draws."""
    if isinstance(split, Rows) and len(batches) > 1:
        return loss, [(split.apply(lambda inputs: inputs, index), split.targets[index]) for index in batches]
    return partial(split.loss, loss), batches


def _options(block: Mapping, how: Mapping, rho: float | None, seed: int) -> dict:
    options = {**how["options"], "seed": seed}
    options |= {} if rho is None else {"rho": rho}
    options |= {} if how["stacked"] is None else {"stacked": how["stacked"]}
    if options.get("rate") == "training":
        options["rate"] = block["training"]["rate"]
    return options


@torch.no_grad()
def _seen(split: Split, network: nn.Module, hops: int | None, stacked: int | None) -> Split:
    """The split on the part of its graph that the network can see, if config says how far that is."""
    if hops is None:
        return split
    if not isinstance(split, Nodes):
        raise ValueError(f"hops: got {hops}, wanted none: the data set is no graph")
    alone = stacked in (None, 1)  # problems solved at once have their edges in common
    part = Neighbourhood(split, hops) if alone else split.within(hops)
    index = torch.arange(len(split), device=split.targets.device)
    outputs, wanted = part.apply(network, index), split.apply(network, index)
    if not torch.allclose(outputs, wanted, rtol=1e-4, atol=1e-5, equal_nan=True):
        raise ValueError(f"hops: got {hops}, wanted as many as the network has message passing layers: outputs differ")
    return part
