"""Whether a study is a part of another one that writes to the same place."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from adaptive_sharpness.study.config.settings_of_pool import settings_of
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
        for pool, seeds in _models(whole).items():
            known = wanted_models.setdefault(pool, {})
            known |= {setting: max(number, known.get(setting, 0)) for setting, number in seeds.items()}
        wanted_measurements |= dict.fromkeys(_measurements(whole))
    without = [pool for pool in wanted_models if pool not in models]
    if without:
        yield f"no models of {_listed(without)}"
    fewer = [
        f"{there} of {number} models of {pool}"
        for pool, seeds in wanted_models.items()
        if pool in models and (there := _shared(models[pool], seeds)) < (number := sum(seeds.values()))
    ]
    if fewer:
        yield _listed(fewer)
    left: dict[str, list[str]] = defaultdict(list)
    for pool, measure, rho in wanted_measurements:
        if pool in models and (pool, measure, rho) not in measurements:
            left[f"{measure} of {pool}"].append(rho)
    if left:
        yield f"no {_listed([words + _at(radii) for words, radii in left.items()])}"


def _models(study: Study) -> dict[str, dict[str, int]]:
    """The number of models of each setting of each pool that is done, such as report/gat."""
    return {
        f"{protocol}/{pool}": {
            setting.name: study.seeds_of(protocol, pool)
            for setting in settings_of(f"protocols.{protocol}.{pool}", study.protocols[protocol][pool])
        }
        for protocol, pool in study.pools_done()
    }


def _shared(models: dict[str, int], wanted: dict[str, int]) -> int:
    return sum(min(number, models.get(setting, 0)) for setting, number in wanted.items())


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
