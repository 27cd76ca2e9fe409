"""Whether a study is a part of another one that writes to the same place."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from adaptive_sharpness.study.config.study import Study

MOST = 4  # things of one kind that a line lists


def lacking(study: Study, wholes: Iterable[Study]) -> Iterator[str]:
    """Yield in what a study is less than others.

    Args:
        study: its settings, in which `only` and the number of seeds may be smaller.
        wholes: the settings that it is held against.

    Yields:
        A few words about each lack, such as "10 of 50 models of report/gat"; nothing for a whole study.

    Example:
        >>> from adaptive_sharpness.study.config.pools import PoolSettings
        >>> protocols = {"report": {"gat": PoolSettings.model_construct()}}
        >>> few, whole = (Study.model_construct(seeds=n, protocols=protocols, measures={}) for n in (10, 50))
        >>> list(lacking(few, [whole]))
        ['10 of 50 models of report/gat']
    """
    models, measurements, wanted_models, wanted_measurements = _models(study), _measurements(study), {}, {}
    for whole in wholes:
        for pool, number in _models(whole).items():
            wanted_models[pool] = max(number, wanted_models.get(pool, 0))
        wanted_measurements |= dict.fromkeys(_measurements(whole))
    without = [pool for pool in wanted_models if pool not in models]
    if without:
        yield f"no models of {_listed(without)}"
    fewer = [f"{models[pool]} of {n} models of {pool}" for pool, n in wanted_models.items() if models.get(pool, n) < n]
    if fewer:
        yield _listed(fewer)
    left: dict[str, list[str]] = defaultdict(list)
    for pool, measure, rho in wanted_measurements:
        if pool in models and (pool, measure, rho) not in measurements:
            left[f"{measure} of {pool}"].append(rho)
    if left:
        yield f"no {_listed([words + _at(radii) for words, radii in left.items()])}"


def _models(study: Study) -> dict[str, int]:
    """The number of models of each pool that is done, such as report/gat."""
    return {f"{protocol}/{pool}": study.seeds_of(protocol, pool) for protocol, pool in study.pools_done()}


def _measurements(study: Study) -> dict[tuple[str, str, str], None]:
    """The pool, measure and radius of each measurement, the radius empty where there is no ball."""
    return {
        (f"{protocol}/{pool}", measure, rho): None
        for protocol, pool in study.pools_done()
        for measure in study.measures
        if study.is_taken(measure, protocol, pool)
        for rho in map(str, study.measures[measure].on[pool].rho or [""])
    }


def _at(radii: list[str]) -> str:
    return f" at rho {', '.join(radii)}" if any(radii) else ""


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - MOST} more" if len(words) > MOST else ""
    return ", ".join(words[:MOST]) + more
