"""Read the trained networks of a shard."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.training.networks import build_network


def require_made_from(checkpoint: str | Path, made_from: Mapping[str, str]) -> None:
    """Refuse a checkpoint that was made from something else.

    Args:
        checkpoint: what `TrainedShard.save` wrote.
        made_from: what it should have been made from, see `job.made_from`.

    Raises:
        ValueError: if a value differs; one line that names it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from safetensors.torch import save_file
        >>> with TemporaryDirectory() as folder:  # doctest: +ELLIPSIS
        ...     save_file({"seeds": torch.tensor([3])}, f"{folder}/states", {"made_from": '{"torch": "2.0"}'})
        ...     require_made_from(f"{folder}/states", {"torch": "2.1"})
        Traceback (most recent call last):
        ValueError: ...states: made from torch 2.0, wanted 2.1: delete it and rerun
    """
    with safe_open(checkpoint, "pt") as file:
        found = json.loads((file.metadata() or {}).get("made_from", "{}"))
    for key, wanted in made_from.items():
        if (got := found.get(key, "nothing known")) != wanted:
            raise ValueError(f"{checkpoint}: made from {key} {got}, wanted {wanted}: delete it and rerun")


def read_states(checkpoint: str | Path) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Yield each model's seed and its parameters and buffers, by name.

    Args:
        checkpoint: what `TrainedShard.save` wrote, trained or initial states.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from safetensors.torch import save_file
        >>> with TemporaryDirectory() as folder:
        ...     save_file({"seeds": torch.tensor([3]), "state.weight": torch.tensor([[2.0]])}, f"{folder}/states")
        ...     list(read_states(f"{folder}/states"))
        [(3, {'weight': tensor([2.])})]
    """
    with safe_open(checkpoint, "pt") as file:
        states = {key.removeprefix("state."): file.get_tensor(key) for key in file.keys() if key != "seeds"}
        seeds = file.get_tensor("seeds").tolist()
    for position, seed in enumerate(seeds):
        yield seed, {key: value[position] for key, value in states.items()}


def read_networks(
    pool: PoolSettings, checkpoint: str | Path, made_from: Mapping[str, str], folder: str | Path = "plugins"
) -> Iterator[tuple[int, nn.Module]]:
    """Yield each model's seed and its trained network, in eval mode, on the CPU.

    Args:
        pool: its architecture and options.
        checkpoint: what `TrainedShard.save` wrote.
        made_from: what it should have been made from, see `job.made_from`.
        folder: the user's plug-ins.

    Raises:
        ValueError: if the checkpoint was made from something else.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from safetensors.torch import save_file
        >>> pool = PoolSettings.model_construct(architecture="fcnn", options={"widths": [2, 1]})
        >>> states = {"state.0.weight": torch.ones(1, 1, 2), "state.0.bias": torch.ones(1, 1)}
        >>> with TemporaryDirectory() as folder:
        ...     save_file({"seeds": torch.tensor([3]), **states}, f"{folder}/states")
        ...     [(seed, network)] = read_networks(pool, f"{folder}/states", made_from={})
        >>> seed, network(torch.tensor([4.0, 5.0])).item()  # 4 + 5 + 1
        (3, 10.0)
    """
    require_made_from(checkpoint, made_from)
    for seed, state in read_states(checkpoint):
        with torch.random.fork_rng():  # the weights that build() draws are not used
            network = build_network(pool.architecture, pool.options, folder)
        network.load_state_dict(state)
        yield seed, network.eval()
