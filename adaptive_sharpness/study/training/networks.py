"""A network of a pool before it is trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from adaptive_sharpness.landscape.randomness import default_generator, generator
from adaptive_sharpness.plugins import reason, resolve
from adaptive_sharpness.study.config.pools import PoolSettings


def build_network(architecture: str, options: Mapping[str, Any], folder: str | Path = "plugins") -> nn.Module:
    """Return a network; how its weights are drawn is `initial_network`'s business.

    Args:
        architecture: the name of a plug-in.
        options: what its `build` takes.
        folder: the user's plug-ins.

    Returns:
        The network, on the CPU.

    Raises:
        ValueError: if `build` does not take these options, or gives no network with parameters.

    Example:
        >>> build_network("fcnn", {"widths": [3, 1]})
        Sequential(
          (0): Linear(in_features=3, out_features=1, bias=True)
        )
    """
    build = resolve("architectures", architecture, folder)
    try:
        built = build(**options)
    except Exception as error:  # whatever a user's build() or torch finds wrong with them
        raise ValueError(
            f"architecture {architecture}: options {options} do not fit its build(): {reason(error)}"
        ) from error
    if not isinstance(built, nn.Module) or not list(built.parameters()):
        got = "no parameters" if isinstance(built, nn.Module) else type(built).__name__
        raise ValueError(f"architecture {architecture}: build() gave {got}, wanted a network with parameters")
    return built


def initial_network(pool: PoolSettings, seed: int, folder: str | Path = "plugins") -> nn.Module:
    """Return a seed's network before training; it depends on the seed alone, never on the shard or the machine.

    Args:
        pool: its architecture, options and initialisation.
        seed: the model's seed.
        folder: the user's plug-ins.

    Returns:
        The network, on the CPU.

    Example:
        >>> options = {"widths": [3, 2, 1]}
        >>> pool = PoolSettings.model_construct(architecture="fcnn", options=options, initialisation="glorot")
        >>> one, same, other = (initial_network(pool, seed)[0].weight for seed in (0, 0, 1))
        >>> bool((one == same).all()), bool((one == other).all())
        (True, False)
    """
    with default_generator(seed, "layers"):
        built = build_network(pool.architecture, pool.options, folder)
    resolve("initialisations", pool.initialisation, folder)(built, generator(seed, "weights"))
    return built
