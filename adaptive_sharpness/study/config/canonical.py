"""Blocks without what is default, so that saying a default remakes nothing."""

from typing import Any

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.block import sorted_keys
from adaptive_sharpness.study.config.pools import PoolSettings

# The blocks of a pool's training that name a plug-in, and the kind of each.
NAMED_BY_TRAINING = {"optimiser": "optimisers", "schedule": "schedules", "trainer": "trainers"}


def canonical_pool(block: PoolSettings, pool: str, folder: str) -> dict[str, Any]:
    """Return what determines the models of a pool, without its own defaults and those of its plug-ins, keys sorted.

    Args:
        block: the pool's, or that of one of its settings.
        pool: the pool's name.
        folder: the user's plug-ins.

    Example:
        >>> training = {"optimiser": {"name": "SGD", "lr": 0.1}, "stop": {"max_epochs": 3}}
        >>> options = {"hidden": 4, "heads": 1}  # one head is the default
        >>> pool = {"dataset": "cora", "options": options, "initialisation": "glorot", "loss": "nll_loss"}
        >>> canonical_pool(PoolSettings(**pool, training=training), "gat", "plugins")["options"]
        {'hidden': 4}
    """
    known = block.for_training(pool)
    drop_defaults("architectures", known["architecture"], known.setdefault("options", {}), folder)
    for key, kind in NAMED_BY_TRAINING.items():
        if key in known["training"]:
            chosen = known["training"][key]
            drop_defaults(kind, chosen.get("name", "minibatches"), chosen, folder)
    return sorted_keys(known)


def drop_defaults(kind: str, name: str, options: dict[str, Any], folder: str) -> None:
    """Take out of options what is as it would be if it were not said.

    Args:
        kind: of the plug-in.
        name: its name.
        options: what is said of it.
        folder: the user's plug-ins.

    Example:
        >>> options = {"heads": 1, "hidden": 4}
        >>> drop_defaults("architectures", "gat", options, "plugins")
        >>> options
        {'hidden': 4}
    """
    taken = plugins.options(kind, name, folder) or {}
    for key in [key for key in options if key in taken and not taken[key].required]:
        if type(options[key]) is type(taken[key].default) and options[key] == taken[key].default:
            del options[key]
