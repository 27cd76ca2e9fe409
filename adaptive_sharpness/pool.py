"""A pool: networks of one architecture, trained alike from different seeds, and what is measured on them."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from adaptive_sharpness import architectures, training
from adaptive_sharpness.dataset import Dataset
from adaptive_sharpness.initialisation import initialised
from adaptive_sharpness.measures import draw_batches, measure
from adaptive_sharpness.objective import Objective

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pool:
    """Some trained models, with one line about each.

    Args:
        states: by name, the parameters and buffers of all models, stacked, [models, *shape].
        table: seed, epochs, train_loss, test_loss and accuracy of each model.
        test_losses: loss of every test example, [models, examples] float64.
    """

    states: dict[str, Tensor]
    table: pd.DataFrame
    test_losses: Tensor

    def save(self, checkpoint: str, table: str, test_losses: str, metadata: dict[str, str]) -> None:
        """Write a checkpoint, a csv and the test losses; `metadata` says what the checkpoint was made from."""
        seeds = torch.tensor(self.table["seed"].to_numpy())
        save_file({f"state.{name}": value for name, value in self.states.items()} | {"seeds": seeds}, checkpoint, metadata)
        save_file({"seeds": seeds, "test_losses": self.test_losses}, test_losses)
        self.table.assign(**metadata).to_csv(table, index=False)


def train(name: str, block: Mapping, dataset: Dataset, seeds: Iterable[int], device: torch.device) -> Pool:
    """Train one model a seed, each as if it were alone.

    Args:
        name: the architecture's name in config.
        block: its block there: options, initialisation, loss, training, and network if it is not `name`.
        dataset: on the CPU.
        seeds: which models.
        device: where to train.

    Returns:
        The trained pool, on the CPU.
    """
    train_split, test_split = dataset.train.to(device), dataset.test.to(device)
    states, rows, test_losses = [], [], []
    for seed in seeds:
        network = initialised(block.get("network", name), block["options"], block["initialisation"], seed).to(device)
        losses = training.train(network, train_split, block["loss"], seed, **block["training"])
        train_each, _ = training.evaluate(network, train_split, block["loss"])
        test_each, accuracy = training.evaluate(network, test_split, block["loss"])
        means = {"train_loss": train_each.mean().item(), "test_loss": test_each.mean().item()}
        rows.append({"seed": seed, "epochs": len(losses), **means, "accuracy": accuracy})
        log.info("seed %d train_loss %.6g test_loss %.6g", seed, *means.values())
        test_losses.append(test_each)
        states.append({key: value.cpu().contiguous() for key, value in network.state_dict().items()})
    stacked = {key: torch.stack([state[key] for state in states]) for key in states[0]}
    return Pool(stacked, pd.DataFrame(rows), torch.stack(test_losses))


def networks(name: str, block: Mapping, checkpoint: str | Path) -> Iterator[tuple[int, nn.Module]]:
    """The trained networks of a checkpoint, one at a time.

    Args:
        name: the architecture's name in config.
        block: its block there.
        checkpoint: what `Pool.save` wrote.

    Yields:
        Each model's seed and its network, in eval mode, on the CPU.
    """
    with safe_open(checkpoint, "pt") as file:
        states = {key.removeprefix("state."): file.get_tensor(key) for key in file.keys() if key != "seeds"}
        seeds = file.get_tensor("seeds").tolist()
    for position, seed in enumerate(seeds):
        network = architectures.build(block.get("network", name), block["options"])
        network.load_state_dict({key: value[position] for key, value in states.items()})
        yield seed, network.eval().to(memory_format=torch.channels_last)


def sharpness(
    name: str, block: Mapping, how: Mapping, rho: float, checkpoint: str | Path, dataset: Dataset, device: torch.device
) -> pd.DataFrame:
    """Measure every model of a checkpoint, all on the same batches.

    Args:
        name: the architecture's name in config.
        block: its block there.
        how: the measure's block: estimator, batches, batch_size, seed, options, stacked.
        rho: radius of the ball, in units of its scale.
        checkpoint: what `Pool.save` wrote.
        dataset: on the CPU.
        device: where to measure.

    Returns:
        A row for every model and batch: seed, batch, base_loss, max_loss.
    """
    split = dataset.train.to(device)
    index = draw_batches(len(split), how["batches"], how["batch_size"], how["seed"]).to(device)
    options = {**how["options"], "stacked": how["stacked"]}
    if options.get("rate") == "training":
        options["rate"] = block["training"]["rate"]
    tables = []
    for seed, network in networks(name, block, checkpoint):
        objective = Objective(network.to(device), split, block["loss"])
        found = measure(how["estimator"], objective, dict(network.named_parameters()), rho, index, options)
        losses = {"base_loss": found.base_loss.cpu().double(), "max_loss": found.max_loss.cpu().double()}
        tables.append(pd.DataFrame({"seed": seed, "batch": range(len(index)), **losses}))
        log.info("seed %d sharpness %.6g", seed, found.rise.mean().item())
    return pd.concat(tables, ignore_index=True)
