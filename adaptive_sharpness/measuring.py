"""Measure the sharpness of every model of a checkpoint."""

import json
import logging
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional

from adaptive_sharpness import architectures
from adaptive_sharpness.dataset import Dataset, Nodes, Split
from adaptive_sharpness.measures import draw_batches, measure
from adaptive_sharpness.objective import Objective

log = logging.getLogger(__name__)


def networks(
    name: str, block: Mapping, checkpoint: str | Path, made_from: Mapping[str, str]
) -> Iterator[tuple[int, nn.Module]]:
    """The trained networks of a checkpoint, one at a time.

    Args:
        name: the architecture's name in config.
        block: its block there.
        checkpoint: what `pool.Pool.save` wrote.
        made_from: what it should have been made from, see `job.made_from`.

    Yields:
        Each model's seed and its network, in eval mode, on the CPU.

    Raises:
        ValueError: if the checkpoint was made from something else.
    """
    with safe_open(checkpoint, "pt") as file:
        found = json.loads(file.metadata()["made_from"])
        for key, wanted in made_from.items():
            if (got := found[key]) != wanted:
                raise ValueError(f"{checkpoint}: made from {key} {got}, wanted {wanted}: delete it and rerun")
        states = {key.removeprefix("state."): file.get_tensor(key) for key in file.keys() if key != "seeds"}
        seeds = file.get_tensor("seeds").tolist()
    for position, seed in enumerate(seeds):
        with torch.random.fork_rng():  # the weights that build() draws are not used
            network = architectures.build(block["network"], block["options"])
        network.load_state_dict({key: value[position] for key, value in states.items()})
        yield seed, network.eval()


def sharpness(
    name: str,
    block: Mapping,
    how: Mapping,
    rho: float,
    checkpoint: str | Path,
    made_from: Mapping[str, str],
    dataset: Dataset,
    device: torch.device,
) -> pd.DataFrame:
    """Measure every model of a checkpoint, all on the same batches.

    Args:
        name: the architecture's name in config.
        block: its block there.
        how: the measure's block: estimator, batches, batch_size, seed, options; stacked and hops for this architecture.
        rho: radius of the ball, in units of its scale.
        checkpoint: what `pool.Pool.save` wrote.
        made_from: what it should have been made from, see `job.made_from`.
        dataset: on the CPU.
        device: where to measure.

    Returns:
        A row for every model and batch: seed, batch, base_loss, max_loss.
    """
    split = dataset.train.to(device)
    batches = draw_batches(len(split), how["batches"], how["batch_size"], how["seed"]).to(device)
    options = {**how["options"], "stacked": how["stacked"]}
    if options.get("rate") == "training":
        options["rate"] = block["training"]["rate"]
    tables = []
    for seed, network in networks(name, block, checkpoint, made_from):
        seen = _seen(split, network.to(device), how["hops"])
        objective = Objective(network, partial(seen.loss, getattr(functional, block["loss"])))
        found = measure(how["estimator"], objective, dict(network.named_parameters()), rho, batches, options)
        losses = {"base_loss": found.base_loss.cpu().double(), "max_loss": found.max_loss.cpu().double()}
        tables.append(pd.DataFrame({"seed": seed, "batch": range(len(batches)), **losses}))
        log.info("seed %d sharpness %.6g", seed, found.rise.mean().item())
    return pd.concat(tables, ignore_index=True)


@torch.no_grad()
def _seen(split: Split, network: nn.Module, hops: int | None) -> Split:
    """The split on the part of its graph that the network can see, if config says how far that is."""
    if hops is None:
        return split
    if not isinstance(split, Nodes):
        raise ValueError(f"hops: got {hops}, wanted none: the data set is no graph")
    part, index = split.within(hops), torch.arange(len(split), device=split.targets.device)
    if not torch.allclose(part.apply(network, index), split.apply(network, index), rtol=1e-4, atol=1e-5):
        raise ValueError(f"hops: got {hops}, wanted as many as the network has message passing layers: outputs differ")
    return part
