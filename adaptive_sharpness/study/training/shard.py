"""Train a shard: models of one pool, alike but for their seeds, in one job."""

import csv
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from adaptive_sharpness import plugins
from adaptive_sharpness.datasets import Dataset
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.training import Stop
from adaptive_sharpness.study.training.fitness import require_fit, require_loss, require_stackable
from adaptive_sharpness.study.training.networks import initial_network
from adaptive_sharpness.study.training.recipes import plain_optimiser, trainer_options
from adaptive_sharpness.study.training.scoring import score
from adaptive_sharpness.study.training.stacked import train_stacked
from adaptive_sharpness.study.training.training_set import TrainingSets

log = logging.getLogger(__name__)
States = dict[str, Tensor]


@dataclass(frozen=True)
class TrainedShard:
    """Some trained models, with one line about each.

    Args:
        states: by name, the parameters and buffers of all models, stacked, [models, *shape].
        initial: the same before training; nothing for models from elsewhere.
        table: of each model its seed, epochs, train_loss, test_loss and accuracy; and whether it reached the loss that
            its stop rule names, if it names one.
        test_losses: loss of every test example, [models, examples] float64.
    """

    states: States
    initial: States
    table: list[dict]
    test_losses: Tensor

    def save(
        self,
        checkpoint: str,
        initial: str | None,
        table: str,
        test_losses: str,
        *,
        made_from: Mapping[str, str],
        labels: Mapping[str, str],
        provenance: Mapping[str, str],
    ) -> None:
        """Write two files of states, a csv and the test losses.

        Args:
            checkpoint: a safetensors file for the states; its metadata tell what it was made from, and how.
            initial: the same for the initial states; None where there are none.
            table: a csv file.
            test_losses: a safetensors file.
            made_from: see `job.made_from`.
            labels: protocol, pool and setting; columns of the csv.
            provenance: see `job.provenance`; columns of the csv.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> row = {"seed": 3, "epochs": 1, "train_loss": 0.5, "test_loss": 0.6, "accuracy": 0.7}
            >>> state = {"weight": torch.ones(1, 2)}
            >>> shard = TrainedShard(state, state, [row], torch.tensor([[0.6]]))
            >>> with TemporaryDirectory() as folder:
            ...     files = [f"{folder}/{name}" for name in ("checkpoint", "initial", "table", "test_losses")]
            ...     shard.save(*files, made_from={}, labels={"pool": "gat"}, provenance={"device": "cpu"})
            ...     print(Path(files[2]).read_text())
            pool,seed,epochs,train_loss,test_loss,accuracy,device
            gat,3,1,0.5,0.6,0.7,cpu
        """
        seeds = torch.tensor([row["seed"] for row in self.table])
        # One entry, since safetensors writes several in an order that changes from run to run.
        metadata = {"made_from": json.dumps({**made_from, **provenance})}
        for states, path in ((self.states, checkpoint), (self.initial, initial))[: 2 if initial else 1]:
            save_file({"seeds": seeds, **{f"state.{name}": value for name, value in states.items()}}, path, metadata)
        save_file({"seeds": seeds, "test_losses": self.test_losses}, test_losses, {"labels": json.dumps(dict(labels))})
        rows = [{**labels, **row, **provenance} for row in self.table]
        with open(table, "w", newline="") as file:  # not by pandas, of which a new version would retrain all
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def train_shard(
    pool: PoolSettings, dataset: Dataset, seeds: Iterable[int], device: torch.device, folder: str | Path = "plugins"
) -> TrainedShard:
    """Train one model a seed, each as if it were alone.

    Args:
        pool: how it is trained, its architecture named.
        dataset: on the CPU.
        seeds: which models.
        device: where to train.
        folder: the user's plug-ins.

    Returns:
        The trained shard, on the CPU.

    Raises:
        ValueError: if the network, the loss, the optimiser or the trainer is not as it should be, see `fitness`.

    Example:
        >>> from adaptive_sharpness.datasets import Rows
        >>> rows = Rows(torch.ones(3, 1), torch.ones(3, 1), shift=torch.tensor(0.0), scale=torch.tensor(1.0))
        >>> network = {"architecture": "fcnn", "options": {"widths": [1, 1]}, "initialisation": "glorot"}
        >>> training = {"optimiser": {"name": "SGD", "lr": 0.1}, "stop": {"max_epochs": 2}}
        >>> pool = PoolSettings(dataset="ones", loss="mse_loss", training=training, **network)
        >>> shard = train_shard(pool, Dataset(rows, rows), [4, 7], torch.device("cpu"))
        >>> [(row["seed"], row["epochs"]) for row in shard.table], shard.states["0.weight"].shape
        ([(4, 2), (7, 2)], torch.Size([2, 1, 1]))
    """
    test_split, splits = dataset.test.to(device), TrainingSets(pool.training, dataset.train, device)
    loss = plugins.resolve("losses", pool.loss, folder)
    initial, trained, rows, test_losses = {}, [], [], []

    def networks() -> Iterator[tuple[int, nn.Module]]:
        for seed, network in _checked_networks(pool, dataset, loss, seeds, folder):
            initial[seed] = network_state(network)
            yield seed, network.to(device)

    for seed, network, epochs in _trained_networks(pool, networks(), splits, loss, folder):
        scores, test_each = score(seed, network, Dataset(splits(seed), test_split), loss)
        rows.append({"seed": seed, "epochs": epochs, **scores, **_reached(pool.training.stop, seed, **scores)})
        test_losses.append(test_each)
        trained.append(network_state(network))
    before = [initial[row["seed"]] for row in rows]
    return TrainedShard(stacked_states(trained), stacked_states(before), rows, torch.stack(test_losses))


def _reached(stop: Stop, seed: int, train_loss: float, **_: float | None) -> dict[str, bool]:
    """What a model's row says of the loss that was wanted of it, where the rule names one."""
    if stop.rule != "loss_below":
        return {}
    if not (reached := train_loss < stop.loss):
        log.warning("seed %d did not reach a training loss below %g", seed, stop.loss)
    return {"reached": reached, **({"keep_unreached": True} if stop.keep_unreached else {})}


def _checked_networks(pool, dataset, loss, seeds, folder) -> Iterator[tuple[int, nn.Module]]:
    """Initial networks, of which the first is checked: what fits for one seed fits for all."""
    for position, seed in enumerate(seeds):
        network = initial_network(pool, seed, folder)
        if not position:
            for split in (dataset.train, dataset.test):
                require_fit(pool.architecture, network, split)
                require_loss(pool.loss, loss, network, split)
            if pool.stacked > 1:
                require_stackable(pool.architecture, network, dataset.train)
        yield seed, network


def _trained_networks(pool, networks, splits, loss, folder) -> Iterator[tuple[int, nn.Module, int]]:
    """Each network once it is trained, and for how many epochs it was."""
    training = pool.training
    given = {"batch_size": training.batch_size, "stop": training.stop}
    if pool.stacked > 1:
        together, optimiser = dict(networks), plain_optimiser(training, folder)
        split = splits(next(iter(together)))  # one for all, since labels are as they are
        losses = train_stacked(together, split, loss, stacked=pool.stacked, optimiser=optimiser, **given)
        yield from ((seed, network, len(losses[seed])) for seed, network in together.items())
        return
    train = plugins.resolve("trainers", training.trainer.name, folder)
    for seed, network in networks:
        split = splits(seed)
        losses = train(network, split, loss, seed, **given, **trainer_options(training, network, len(split), folder))
        if not isinstance(losses, list):
            got, wanted = type(losses).__name__, "a list with the training loss of every epoch"
            raise ValueError(f"trainer {training.trainer.name}: got {got} from train(), wanted {wanted}")
        yield seed, network, len(losses)


def network_state(network: nn.Module) -> States:
    """Return a copy of a network's parameters and buffers, on the CPU.

    Example:
        >>> network_state(nn.ReLU())
        {}
    """
    return {key: value.detach().clone().cpu().contiguous() for key, value in network.state_dict().items()}


def stacked_states(states: list[States]) -> States:
    """Return the states of models stacked, [models, *shape].

    Example:
        >>> stacked_states([{"weight": torch.zeros(3)}] * 2)["weight"].shape
        torch.Size([2, 3])
    """
    return {key: torch.stack([state[key] for state in states]) for key in states[0]}
