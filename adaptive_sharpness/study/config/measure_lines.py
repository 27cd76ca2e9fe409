"""Lines about measures that contradict themselves, the rest of the config, or the plug-ins that there are."""

from collections.abc import Iterator

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.messages import short
from adaptive_sharpness.study.config.option_lines import among, spellable, with_options
from adaptive_sharpness.study.config.settings_of_pool import settings_of
from adaptive_sharpness.study.config.study import Study


def measure_lines(study: Study) -> Iterator[str]:
    """Yield a line about each thing that is wrong with a measure.

    Example:
        >>> from adaptive_sharpness.study.config.measures import MeasureSettings
        >>> measure = MeasureSettings(on={"gta": {}})
        >>> study = Study.model_construct(measures={"hessian": measure}, protocols={"report": {"gat": None}})
        >>> next(measure_lines(study))
        "measures.hessian.on.gta: got 'gta', wanted one of gat (did you mean gat?)"
    """
    for measure, block in study.measures.items():
        where = f"measures.{measure}"
        for pool in block.on:
            yield from among(f"{where}.on.{pool}", pool, study.pool_names())
        for protocol in block.protocols or ():
            yield from among(f"{where}.protocols", protocol, study.protocols)
        if not block.on:
            place = f"{where}.estimator" if block.estimator else where
            name = block.estimator or measure
            yield from with_options(place, where, "measures", name, block.options, study.plugins, block=type(block))
        for pool in block.on:
            yield from _on_pool(where, measure, pool, study)


def _on_pool(where: str, measure: str, pool: str, study: Study) -> Iterator[str]:
    """What one measure on one pool lacks, or what its function does not take."""
    block, closer = study.measures[measure], study.measures[measure].on[pool]
    at, way = f"{where}.on.{pool}", block.on_pool(measure, pool)
    place = f"{at}.estimator" if closer.estimator else f"{where}.estimator" if block.estimator else where
    for holder, chosen in ((at, closer), (where, block)):
        whole, kind = way["options"], type(chosen)
        yield from with_options(
            place, holder, "measures", way["estimator"], chosen.options, study.plugins, whole=whole, block=kind
        )
        yield from spellable(holder, chosen.options)
    taken = plugins.parameters("measures", way["estimator"], study.plugins)
    if taken is not None and "seed" not in taken:
        file = plugins.file("measures", way["estimator"], study.plugins)
        yield f"{place}: got a function without seed, wanted {way['estimator']}(..., *, seed) in {file}"
    if "stacked" in way and taken is not None and "stacked" not in taken:
        holder = at if closer.stacked is not None else where
        yield f"{holder}.stacked: got {way['stacked']}, wanted none: {way['estimator']} solves one problem at a time"
    if "batches" not in way:
        yield f"{at}.batches: is missing, wanted a whole number of batches, at least 2"
    for place_of_pool in _imported(pool, measure, study) if taken is not None and "initial" in taken else ():
        wanted = f"another on {pool}: {place_of_pool} has no weights of before training"
        yield f"{place}: got {way['estimator']}, which asks for initial, wanted {wanted}"
    if way["options"].get("rate") == "training":
        yield from _rate_of_training(at, pool, measure, study)
    done = any(each == pool for _, each in study.pools_done())  # a pool that is left out needs no radii
    yield from _radii(f"{at}.rho", closer.rho, way["estimator"], taken is None or "rho" in taken, done)


def _imported(pool: str, measure: str, study: Study) -> list[str]:
    """The places of the pools of a name whose models were trained elsewhere."""
    return [
        f"protocols.{protocol}.{pool}"
        for protocol, pools in study.protocols.items()
        if pool in pools and pools[pool].checkpoints and study.is_taken(measure, protocol, pool)
    ]


def _rate_of_training(at: str, pool: str, measure: str, study: Study) -> Iterator[str]:
    for place in _imported(pool, measure, study):
        yield f"{at}.rate: got training, wanted a number: {place} was trained elsewhere"
    for protocol, pools in study.protocols.items():
        if pool in pools and not pools[pool].checkpoints and study.is_taken(measure, protocol, pool):
            where = f"protocols.{protocol}.{pool}"
            if any("lr" not in each.block.training.optimiser.options for each in settings_of(where, pools[pool])):
                yield f"{at}.rate: got training, wanted a number: {where} gives its optimiser no lr"


def _radii(where: str, radii: list[float] | None, estimator: str, has_ball: bool, done: bool) -> Iterator[str]:
    if has_ball and radii is None and done:
        yield f"{where}: is missing, wanted a list of radii, such as [0.01, 0.02]: {estimator} measures in a ball"
    if not has_ball and radii is not None:
        yield f"{where}: got {short(radii)}, wanted none: {estimator} knows no radius"
    for position, rho in enumerate(radii or ()):
        if rho in radii[:position]:
            yield f"{where}[{position}]: got {rho} a second time, wanted every rho once"
