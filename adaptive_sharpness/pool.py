"""Train a pool: networks of one architecture, alike but for their seeds."""

import csv
import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from adaptive_sharpness import sanity, stacks, training
from adaptive_sharpness.dataset import Dataset, Split
from adaptive_sharpness.initialisation import initialised

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pool:
    """Some trained models, with one line about each.

    Args:
        states: by name, the parameters and buffers of all models, stacked, [models, *shape].
        table: of each model its seed, epochs, train_loss, test_loss and accuracy.
        test_losses: loss of every test example, [models, examples] float64.
    """

    states: dict[str, Tensor]
    table: list[dict]
    test_losses: Tensor

    def save(
        self, checkpoint: str, table: str, test_losses: str, *, made_from: dict[str, str], provenance: dict[str, str]
    ) -> None:
        """Write a checkpoint, a csv and the test losses.

        Args:
            checkpoint: a safetensors file for the states; its metadata tell what it was made from, and how.
            table: a csv file.
            test_losses: a safetensors file.
            made_from: see `job.made_from`.
            provenance: see `job.provenance`; columns of the csv.
        """
        seeds = torch.tensor([row["seed"] for row in self.table])
        states = {f"state.{name}": value for name, value in self.states.items()}
        # One entry, since safetensors writes several in an order that changes from run to run.
        save_file({"seeds": seeds, **states}, checkpoint, {"made_from": json.dumps({**made_from, **provenance})})
        save_file({"seeds": seeds, "test_losses": self.test_losses}, test_losses)
        with open(table, "w", newline="") as file:  # not by pandas, of which a new version would retrain all
            writer = csv.DictWriter(file, [*self.table[0], *provenance], lineterminator="\n")
            writer.writeheader()
            writer.writerows({**row, **provenance} for row in self.table)


def train(block: Mapping, dataset: Dataset, seeds: Iterable[int], device: torch.device) -> Pool:
    """Train one model a seed, each as if it were alone.

    Args:
        block: the architecture's block in config: network, options, initialisation, loss, training; and stacked, how
            many models are trained at once, 1 if not given; or trainer, the module whose `train` is called, `training`
            if not given.
        dataset: on the CPU.
        seeds: which models.
        device: where to train.

    Returns:
        The trained pool, on the CPU.

    Raises:
        ValueError: if the network does not fit the data set, see `sanity.fits`, or cannot be stacked, see
            `sanity.stackable`.
    """
    train_split, test_split = dataset.train.to(device), dataset.test.to(device)
    states, rows, test_losses = [], [], []
    networks = _checked(block, dataset, seeds, device)
    fit = _stacked if block.get("stacked", 1) > 1 else _one_by_one
    for seed, network, epochs in fit(block, networks, train_split):
        train_each, _ = training.evaluate(network, train_split, block["loss"])
        test_each, accuracy = training.evaluate(network, test_split, block["loss"])
        means = {"train_loss": train_each.mean().item(), "test_loss": test_each.mean().item()}
        rows.append({"seed": seed, "epochs": epochs, **means, "accuracy": accuracy})
        log.info("seed %d train_loss %.6g test_loss %.6g", seed, *means.values())
        if not all(map(math.isfinite, means.values())):
            log.warning("seed %d diverged: it counts in no tau", seed)
        test_losses.append(test_each)
        states.append({key: value.cpu().contiguous() for key, value in network.state_dict().items()})
    together = {key: torch.stack([state[key] for state in states]) for key in states[0]}
    return Pool(together, rows, torch.stack(test_losses))


def _checked(block, dataset, seeds, device) -> Iterator[tuple[int, nn.Module]]:
    """Initial networks, of which the first is checked: what fits for one seed fits for all."""
    for position, seed in enumerate(seeds):
        network = initialised(block["network"], block["options"], block["initialisation"], seed)
        if not position:
            for split in (dataset.train, dataset.test):
                sanity.fits(block["network"], network, split)
            if block.get("stacked", 1) > 1:
                sanity.stackable(block["network"], network, dataset.train)
        yield seed, network.to(device)


def _one_by_one(block, networks, split: Split) -> Iterator[tuple[int, nn.Module, int]]:
    """Each network once it is trained, and for how many epochs it was."""
    fit = import_module(f"adaptive_sharpness.{block.get('trainer', 'training')}").train
    for seed, network in networks:
        yield seed, network, len(fit(network, split, block["loss"], seed, **block["training"]))


def _stacked(block, networks, split: Split) -> Iterator[tuple[int, nn.Module, int]]:
    """The same, of networks that are trained at once."""
    networks = dict(networks)
    losses = stacks.train(networks, split, block["loss"], stacked=block["stacked"], **block["training"])
    yield from ((seed, network, len(losses[seed])) for seed, network in networks.items())
