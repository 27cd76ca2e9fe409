"""Lines about pools that contradict themselves, the rest of the config, or the plug-ins that there are."""

from collections.abc import Iterator

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.option_lines import among, named, spellable, with_options
from adaptive_sharpness.study.config.pools import PoolSettings
from adaptive_sharpness.study.config.study import Study
from adaptive_sharpness.study.config.training_lines import BY_MODEL, training_lines


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
            yield from _plugins_of_pool(where, pool, block, study.plugins)
            yield from training_lines(f"{where}.training", block.training, study.plugins)
            yield from spellable(f"{where}.options", block.options)
            yield from _stacked(where, block)


def _plugins_of_pool(where: str, pool: str, block: PoolSettings, folder: str) -> Iterator[str]:
    """Names that nothing has, and options that an architecture does not take."""
    place = f"{where}.architecture" if block.architecture else where
    yield from with_options(
        place, f"{where}.options", "architectures", block.architecture or pool, block.options, folder
    )
    for key, kind in (("initialisation", "initialisations"), ("loss", "losses")):
        yield from named(f"{where}.{key}", kind, getattr(block, key), folder)
    taken = plugins.parameters("losses", block.loss, folder)
    if taken is not None and "reduction" not in taken:
        wanted = f"{block.loss}(outputs, targets, reduction) in {plugins.file('losses', block.loss, folder)}"
        yield f"{where}.loss: got a function without reduction, wanted {wanted}"


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
