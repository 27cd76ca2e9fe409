"""Lines about pools that contradict themselves, the rest of the config, or the plug-ins that there are."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.imported_lines import imported_lines
from adaptive_sharpness.study.config.messages import short
from adaptive_sharpness.study.config.option_lines import among, named, spellable, with_options
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.study import Study

INITIALISATION = "how weights are drawn: a file of initialisations/"
TRAINING = "a mapping with optimiser, batch_size and stop"
RATES = {  # what optimisers call alike
    "lr": ("a learning rate, above 0", lambda value: 0 < value < math.inf),
    "momentum": ("a number from 0 to below 1", lambda value: 0 <= value < 1),
    "weight_decay": ("a number, at least 0", lambda value: 0 <= value < math.inf),
}


def pool_lines(study: Study) -> Iterator[str]:
    """Yield a line about each thing that is wrong with a pool.

    Example:
        >>> training = {"optimiser": {"name": "SGD", "lr": 0.1}, "stop": {"max_epochs": 3}}
        >>> pool = PoolSettings(dataset="coar", initialisation="glorot", loss="nll_loss", training=training)
        >>> next(pool_lines(Study.model_construct(datasets={"cora": None}, protocols={"report": {"gat": pool}})))
        "protocols.report.gat.dataset: got 'coar', wanted one of cora (did you mean cora?)"
    """
    for protocol, pools in study.protocols.items():
        for pool, block in pools.items():
            where = f"protocols.{protocol}.{pool}"
            yield from among(f"{where}.dataset", block.dataset, study.datasets)
            yield from _whole(where, block)
            if block.checkpoints:
                yield from imported_lines(where, protocol, pool, study)
            else:
                place = f"{where}.architecture" if block.architecture else where
                name, holder = block.architecture or pool, f"{where}.options"
                yield from with_options(place, holder, "architectures", name, block.options, study.plugins)
                yield from _training(where, block, study.plugins)
            yield from _loss(f"{where}.loss", block.loss, study.plugins)
            yield from spellable(f"{where}.options", block.options)


def _whole(where: str, block: PoolSettings) -> Iterator[str]:
    """A pool is trained, or its models come from elsewhere."""
    for key, text in {"initialisation": INITIALISATION, "training": TRAINING}.items():
        if getattr(block, key) is None and not block.checkpoints:
            yield f"{where}.{key}: is missing, wanted {text}; or checkpoints, a mapping with table and sha256"
        elif getattr(block, key) is not None and block.checkpoints:
            yield f"{where}.{key}: got both it and checkpoints, wanted one: these models are trained already"


def _training(where: str, block: PoolSettings, folder: str) -> Iterator[str]:
    yield from named(f"{where}.initialisation", "initialisations", block.initialisation, folder)
    training = block.training
    for key, kind in (("optimiser", "optimisers"), ("schedule", "schedules"), ("trainer", "trainers")):
        chosen, at = getattr(training, key), f"{where}.training.{key}"
        if chosen is not None:
            yield from with_options(f"{at}.name", at, kind, chosen.name, chosen.options, folder, block=type(chosen))
    yield from _rates(f"{where}.training.optimiser", training.optimiser.options)
    yield from _stacked(where, block)
    stop = training.stop
    if stop.min_epochs > stop.max_epochs:
        got = f"{where}.training.stop.min_epochs: got {stop.min_epochs}"
        yield f"{got}, wanted at most max_epochs, {stop.max_epochs}"


def _loss(where: str, name: str, folder: str) -> Iterator[str]:
    yield from named(where, "losses", name, folder)
    taken = plugins.parameters("losses", name, folder)
    if taken is not None and "reduction" not in taken:
        wanted = f"{name}(outputs, targets, reduction) in {plugins.file('losses', name, folder)}"
        yield f"{where}: got a function without reduction, wanted {wanted}"


def _rates(where: str, options: Mapping[str, Any]) -> Iterator[str]:
    for key, (text, is_right) in RATES.items():
        value = options.get(key, 0.5)
        if type(value) not in (int, float) or not is_right(value):
            yield f"{where}.{key}: got {short(value)}, wanted {text}"


def _stacked(where: str, block: PoolSettings) -> Iterator[str]:
    """Models that are to be trained at once by what trains one at a time."""
    training = block.training
    if block.stacked > 1:
        for key, chosen, able in (
            ("trainer", training.trainer, "minibatches"),
            ("optimiser", training.optimiser, "SGD"),
        ):
            if chosen.name != able:
                wanted = f"1: the {key} {chosen.name} takes one model at a time"
                yield f"{where}.stacked: got {block.stacked}, wanted {wanted}"
        if training.optimiser.options.get("dampening"):
            yield f"{where}.stacked: got {block.stacked}, wanted 1: dampening takes one model at a time"
        if training.schedule is not None:
            yield f"{where}.stacked: got {block.stacked}, wanted 1: a schedule takes one model at a time"
