"""Blocks without what is default, so that saying a default remakes nothing."""

from collections.abc import Callable, Mapping
from typing import Any

from adaptive_sharpness.plugins import NAMED_BY_TRAINING, Parameter
from adaptive_sharpness.study.config.block import sorted_keys
from adaptive_sharpness.study.config.pools import PoolSettings

# From the kind and the name of a plug-in to what it takes, as `plugins.options` says it.
OptionsOf = Callable[[str, str], Mapping[str, Parameter] | None]


def canonical_pool(block: PoolSettings, pool: str, options_of: OptionsOf) -> dict[str, Any]:
    """Return what determines the models of a pool, without its own defaults and those of its plug-ins, keys sorted.

    Args:
        block: the pool's, or that of one of its settings.
        pool: the pool's name.
        options_of: from the kind and the name of a plug-in to what it takes.

    Example:
        >>> from adaptive_sharpness.plugins import options as options_of
        >>> training = {"optimiser": {"name": "SGD", "lr": 0.1}, "stop": {"max_epochs": 3}}
        >>> options = {"hidden": 4, "heads": 1}  # one head is the default
        >>> pool = {"dataset": "cora", "options": options, "initialisation": "glorot", "loss": "nll_loss"}
        >>> canonical_pool(PoolSettings(**pool, training=training), "gat", options_of)["options"]
        {'hidden': 4}
    """
    known = block.for_training(pool)
    drop_defaults(options_of("architectures", known["architecture"]), known.setdefault("options", {}))
    training = known.get("training", {})  # none of models from elsewhere
    for key, kind in NAMED_BY_TRAINING.items():
        if key in training:
            drop_defaults(options_of(kind, training[key].get("name", "minibatches")), training[key])
    return sorted_keys(known)


def drop_defaults(taken: Mapping[str, Parameter] | None, options: dict[str, Any]) -> None:
    """Take out of options what is as it would be if it were not said.

    Args:
        taken: what the plug-in takes, see `plugins.options`.
        options: what is said of it.

    Example:
        >>> from adaptive_sharpness.plugins import options as options_of
        >>> options = {"heads": 1, "hidden": 4}
        >>> drop_defaults(options_of("architectures", "gat"), options)
        >>> options
        {'hidden': 4}
    """
    taken = taken or {}
    for key in [key for key in options if key in taken and not taken[key].required]:
        if type(options[key]) is type(taken[key].default) and options[key] == taken[key].default:
            del options[key]
