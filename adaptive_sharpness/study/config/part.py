"""Whether a study is a part of another one that writes to the same place."""

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
    left = [words for pool, words in wanted_measurements if pool in models and (pool, words) not in measurements]
    if left:
        yield f"no {_listed(left)}"


def _models(study: Study) -> dict[str, int]:
    """The number of models of each pool that is done, such as report/gat."""
    return {f"{protocol}/{pool}": study.seeds_of(protocol, pool) for protocol, pool in study.pools_done()}


def _measurements(study: Study) -> dict[tuple[str, str], None]:
    """Each pool that is done, with each measurement on it in words."""
    found = {}
    for protocol, pool in study.pools_done():
        place = f"{protocol}/{pool}"
        for measure in (name for name in study.measures if study.is_taken(name, protocol, pool)):
            radii = study.measures[measure].on[pool].rho
            balls = [""] if radii is None else [f" at rho {float(rho)!r}" for rho in radii]
            found |= {(place, f"{measure} of {place}{ball}"): None for ball in balls}
    return found


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - MOST} more" if len(words) > MOST else ""
    return ", ".join(words[:MOST]) + more
