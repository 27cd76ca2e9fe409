"""Lines about pools that contradict themselves, the rest of the config, or the plug-ins that there are."""

import json
from collections.abc import Iterator
from functools import cache, partial

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.canonical import canonical_pool
from adaptive_sharpness.study.config.imported_lines import imported_lines
from adaptive_sharpness.study.config.messages import short
from adaptive_sharpness.study.config.option_lines import among, named, spellable, with_options
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.settings_of_pool import Setting, settings_of
from adaptive_sharpness.study.config.study import Study
from adaptive_sharpness.study.config.training_lines import BY_MODEL, training_lines

OF_TRAINING = {  # what a pool says whose models are trained
    "initialisation": "how weights are drawn: a file of initialisations/",
    "training": "a mapping with optimiser, batch_size and stop",
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
            where, lines = f"protocols.{protocol}.{pool}", _of_settings if block.vary else _of_block
            yield from _whole(where, block)
            yield from lines(where, pool, block, study, {})
            if block.checkpoints:
                yield from imported_lines(where, protocol, pool, study)


def _whole(where: str, block: PoolSettings) -> Iterator[str]:
    """A pool is trained, or its models come from elsewhere."""
    if block.checkpoints:
        for key in (*OF_TRAINING, "vary"):
            if getattr(block, key) not in (None, {}):
                yield f"{where}.{key}: got both it and checkpoints, wanted one: these models are trained already"
    else:
        for key, text in OF_TRAINING.items():
            if getattr(block, key) is None:
                yield f"{where}.{key}: is missing, wanted {text}; or checkpoints, a mapping with table and sha256"


def _of_block(where: str, pool: str, block: PoolSettings, study: Study, found: dict[str, list[str]]) -> Iterator[str]:
    """Lines about one block; what was found before of a part that is the same is not looked for again."""
    yield from among(f"{where}.dataset", block.dataset, study.datasets)
    for check, *arguments in _plugins_of_pool(where, pool, block, study.plugins):
        key = repr((check.__name__, arguments))
        if key not in found:
            found[key] = list(check(*arguments))
        yield from found[key]
    yield from spellable(f"{where}.options", block.options)
    if not block.checkpoints:
        yield from training_lines(f"{where}.training", block.training, study.plugins)
        yield from _stacked(where, block)


def _of_settings(
    where: str, pool: str, block: PoolSettings, study: Study, found: dict[str, list[str]]
) -> Iterator[str]:
    """Lines about each setting of a pool that varies, and about what its settings have in common."""
    try:
        settings = settings_of(where, block)
    except ValueError as error:
        yield str(error)
        return
    plain = set(_of_block(where, pool, block, study, found))  # these are no level's
    for setting in settings:
        for said in _of_block(where, pool, setting.block, study, found):
            yield said if said in plain else setting.told(where, said)
    yield from _one_test_split(where, settings, study)
    seen: dict[str, str] = {}
    options_of = cache(partial(plugins.options, folder=study.plugins))
    for setting in settings:
        made_of = json.dumps(canonical_pool(setting.block, pool, options_of), sort_keys=True)
        if (twin := seen.setdefault(made_of, setting.name)) != setting.name:
            yield f"{where}.vary: got the setting {twin} again as {setting.name}, wanted every setting once"


def _one_test_split(where: str, settings: list[Setting], study: Study) -> Iterator[str]:
    """Models are compared by test loss, so that all have one test split."""
    first, *others = settings
    blocks = {name: study.datasets[name] for name in {setting.block.dataset for setting in settings}}
    splits = {name: (block.raw or name, block.limit.test) for name, block in blocks.items()}
    for setting in others:
        name, wanted = setting.block.dataset, first.block.dataset
        if splits[name] != splits[wanted]:
            text = f"a data set with the raw files and the test split of {wanted}"
            yield setting.told(where, f"{where}.dataset: got {short(name)}, wanted {text}")


def _plugins_of_pool(where: str, pool: str, block: PoolSettings, folder: str) -> Iterator[tuple]:
    """Checks for names that nothing has, and for options that a plug-in does not take, each with its arguments."""
    yield named, f"{where}.loss", "losses", block.loss, folder
    yield _reduction, f"{where}.loss", block.loss, folder
    if block.checkpoints:  # its architecture is held against each model's options, see `imported_lines`
        return
    place, name = f"{where}.architecture" if block.architecture else where, block.architecture or pool
    yield with_options, place, f"{where}.options", "architectures", name, block.options, folder
    yield named, f"{where}.initialisation", "initialisations", block.initialisation, folder


def _reduction(where: str, loss: str, folder: str) -> Iterator[str]:
    taken = plugins.parameters("losses", loss, folder)
    if taken is not None and "reduction" not in taken:
        wanted = f"{loss}(outputs, targets, reduction) in {plugins.file('losses', loss, folder)}"
        yield f"{where}: got a function without reduction, wanted {wanted}"


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
        for text, said in (
            ("dampening", training.optimiser.options.get("dampening")),
            ("a schedule", training.schedule),
            *((key, getattr(training, key)) for key in ("sam", "clip", "label_noise", "augmentation")),
            (f"the rule {training.stop.rule}", training.stop.rule in BY_MODEL),
        ):
            if said:
                yield f"{where}.stacked: got {block.stacked}, wanted 1: {text} takes one model at a time"
