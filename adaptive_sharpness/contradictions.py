"""What a schema cannot say of a config: names that must exist elsewhere, options that fit, radii that differ."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from adaptive_sharpness import imports, plan

LONGEST = 120  # characters of a wrong value that a line repeats
Name = tuple[str, str, list[str]]  # where it stands in the config, the name, and which names exist


def contradictions(config: Mapping) -> Iterator[str]:
    """Where a config contradicts itself, or the modules that there are.

    Args:
        config: the study's, as the schema wants it.

    Yields:
        One line each. A line may rest on those before it: only the first is sure to be true.

    Raises:
        ValueError: if a trainer or an estimator is no Python; see `plan.options`.
    """
    names = (each for part in (_datasets, _protocols, _measures, _radii, _others) for each in part(config))
    yield from (unknown(*each) for each in names if each[1] not in each[2])
    yield from _no_json(config)
    yield from _not_stacked(config)
    yield from _never_reached(config)
    yield from _missing(config)
    for measure in config["measures"]:
        yield from _estimators(config, measure)
    for measure, grids in config["rho"].items():
        for architecture, grid in grids.items():
            yield from _grid(f"rho.{measure}.{architecture}", grid, plan.measure(config, measure, architecture))
    yield from (unknown(*each) for each in _rungs(config) if each[1] not in each[2])


def unknown(where: str, name: str, allowed: list[str]) -> str:
    """The line about a name that does not exist, with the nearest one that does.

    Args:
        where: its place in the config.
        name: what was got.
        allowed: what was wanted.

    Returns:
        One line.
    """
    close = get_close_matches(str(name), allowed, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"{where}: got {short(name)}, wanted one of {', '.join(allowed)}{hint}"


def short(value) -> str:
    """A value as a line repeats it: as Python spells it, cut where it is long."""
    said = repr(value)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."


def modules(folder: str) -> list[str]:
    """The modules of a folder of this package, such as "datasets"."""
    return sorted(path.stem for path in (imports.PACKAGE / folder).glob("*.py") if path.stem != "__init__")


def only(config: Mapping) -> list[str]:
    """The architectures that `--config only=fcnn,gat` asks for; none means all."""
    return [name.strip() for name in config["only"].split(",")] if config.get("only") else []


def _architectures(config: Mapping) -> list[str]:
    return sorted({name for pool in config["protocols"].values() for name in pool})


def _datasets(config: Mapping) -> Iterator[Name]:
    owners = [name for name, block in config["datasets"].items() if "raw" not in block]
    for name, block in config["datasets"].items():
        yield f"datasets.{name}", name, modules("datasets")
        if "raw" in block:
            yield f"datasets.{name}.raw", block["raw"], owners
        for position, source in enumerate(block.get("sources", ())):
            for key in ("files", "also"):
                where = f"datasets.{name}.sources[{position}].{key}"
                yield from ((f"{where}.{file}", file, list(block["sha256"])) for file in source.get(key, {}))


def _protocols(config: Mapping) -> Iterator[Name]:
    for protocol, pool in config["protocols"].items():
        for name, block in pool.items():
            where = f"protocols.{protocol}.{name}"
            yield f"{where}.dataset", block["dataset"], list(config["datasets"])
            yield (
                f"{where}.network" if "network" in block else where,
                plan.network(name, block),
                modules("architectures"),
            )
            taken = list(plan.options(plan.trainer(block), "train"))
            yield from ((f"{where}.training.{key}", key, taken) for key in block["training"])


def _measures(config: Mapping) -> Iterator[Name]:
    known = [*modules("measures"), *(f"released.{name}" for name in modules("released") if name != "training")]
    for name, block in config["measures"].items():
        where, given = f"measures.{name}", block.get("estimator", name)
        for key, value in {**{f"options.{key}": each for key, each in block["options"].items()}, **block}.items():
            own = value if isinstance(value, Mapping) and key != "options" else {}
            yield from ((f"{where}.{key}.{each}", each, _architectures(config)) for each in own)
        place = f"{where}.estimator" if "estimator" in block else where
        for estimator in given.values() if isinstance(given, Mapping) else [given]:
            yield place, estimator, known
        yield from ((f"{where}.protocols", each, list(config["protocols"])) for each in block.get("protocols", ()))


def _radii(config: Mapping) -> Iterator[Name]:
    for key in ("rho", "published"):
        for measure, grids in config.get(key, {}).items():
            yield f"{key}.{measure}", measure, list(config["measures"])
            yield from ((f"{key}.{measure}.{name}", name, _architectures(config)) for name in grids)


def _others(config: Mapping) -> Iterator[Name]:
    yield from (("only", name, _architectures(config)) for name in only(config))
    for key in ("seeds", "seeds_per_job", "ladder"):
        named = config.get(key) if isinstance(config.get(key), Mapping) else {}
        yield from ((f"{key}.{name}", name, _architectures(config)) for name in named)
    if cut := config.get("pools"):
        yield "pools.protocol", cut["protocol"], list(config["protocols"])
        networks = config["protocols"].get(cut["protocol"], ())
        yield "pools.measure", cut["measure"], _measured(config, cut["protocol"], networks)
        yield from ((f"pools.elsewhere.{name}", name, _architectures(config)) for name in cut.get("elsewhere", {}))


def _no_json(config: Mapping) -> Iterator[str]:
    """Options that could not be written down beside what is made with them."""
    for protocol, pool in config["protocols"].items():
        for name, block in pool.items():
            try:
                json.dumps(block["options"], sort_keys=True, allow_nan=False)
            except (TypeError, ValueError):
                got = f"protocols.{protocol}.{name}.options: got {short(block['options'])}"
                yield f"{got}, wanted texts, finite numbers, true, false, and lists and mappings of them"


def _not_stacked(config: Mapping) -> Iterator[str]:
    """Networks that are to be trained at once by what trains one at a time."""
    for protocol, pool in config["protocols"].items():
        for name, block in pool.items():
            if block.get("stacked", 1) > 1 and not plan.stacks(block):
                got = f"protocols.{protocol}.{name}.stacked: got {block['stacked']}"
                yield f"{got}, wanted 1: {block['trainer']} trains one model at a time"


def _never_reached(config: Mapping) -> Iterator[str]:
    """Numbers of epochs of which training would pass over one: it always ends at the largest."""
    for protocol, pool in config["protocols"].items():
        for name, block in pool.items():
            least, most = block["training"].get("min_epochs", 1), block["training"]["max_epochs"]
            if least > most:
                yield f"protocols.{protocol}.{name}.training.min_epochs: got {least}, wanted at most max_epochs, {most}"


def _missing(config: Mapping) -> Iterator[str]:
    """What each architecture, and each measure on it, needs."""
    for name in _architectures(config):
        if not any(name in grids for grids in config["rho"].values()):
            yield f"rho: got no radii for {name}, wanted some under at least one measure, such as {name}: [0.01, 0.1]"
        if plan.seeds(config, name) is None:
            yield f"seeds.{name}: is missing, wanted a whole number of models, at least 1"
    for measure, grids in config["rho"].items():
        for name in grids:
            block = plan.measure(config, measure, name)
            if block["batches"] is None:
                yield f"measures.{measure}.batches.{name}: is missing, wanted a whole number of batches, at least 2"
            if block["estimator"] is None:
                yield f"measures.{measure}.estimator.{name}: is missing, wanted a module of adaptive_sharpness/measures"


def _estimators(config: Mapping, measure: str) -> Iterator[str]:
    """What an estimator's function does not take."""
    block, where = config["measures"][measure], f"measures.{measure}"
    asked = {measure: {**block, "estimator": block.get("estimator", measure)}}
    if isinstance(block.get("estimator"), Mapping):
        asked = {name: plan.measure(config, measure, name) for name in block["estimator"]}
    for own in asked.values():
        estimator = own["estimator"]
        known = plan.options(plan.module(estimator))
        if not known:
            file, function = plan.module(estimator), estimator.split(".")[-1]
            yield f"{where}: got a module without {function}(..., *, seed), wanted one with it in {file}.py"
        allowed = [key for key in known if key not in plan.NOT_IN_CONFIG]
        yield from (unknown(f"{where}.options.{key}", key, allowed) for key in own["options"] if key not in allowed)
        yield from (f"{where}.options.{key}: {said}" for key, said in _values(own["options"], plan.module(estimator)))
        if own.get("stacked") and "stacked" not in known:
            yield f"{where}.stacked: got {own['stacked']}, wanted none: {estimator} solves one problem at a time"


def _values(given: Mapping, module: str) -> Iterator[tuple[str, str]]:
    """Options of an estimator, or of one architecture, whose values it cannot take."""
    defaults, choices = plan.options(module), plan.choices(module)
    for key, values in given.items():
        for value in values.values() if isinstance(values, Mapping) else [values]:
            if key in choices and value not in choices[key]:
                yield key, f"got {short(value)}, wanted one of {', '.join(choices[key])}"
            elif isinstance(defaults[key], bool) and not isinstance(value, bool):
                yield key, f"got {short(value)}, wanted true or false"
            elif type(defaults[key]) is int and (type(value) is not int or value < 0):
                yield key, f"got {short(value)}, wanted a whole number, at least 0"
            elif key == "rate" and value != "training" and not (type(value) in (int, float) and 0 < value < math.inf):
                yield key, f"got {short(value)}, wanted a finite number above 0, or training: the rate that trained it"


def _grid(where: str, grid: list | str, block: Mapping) -> Iterator[str]:
    estimator = block["estimator"]
    if "rho" in plan.options(plan.module(estimator)):
        if grid == "none":
            yield f"{where}: got none, wanted a list of radii, such as [0.01, 0.02]: {estimator} measures in a ball"
    elif grid != "none":
        yield f"{where}: got {grid}, wanted none: {estimator} knows no radius"
    for position, rho in enumerate(grid):
        if grid != "none" and rho in grid[:position]:
            yield f"{where}[{position}]: got {rho} a second time, wanted every rho once"


def _rungs(config: Mapping) -> Iterator[Name]:
    """What a rung names must be trained, and measured at its radius."""
    for name, rungs in config.get("ladder", {}).items():
        for position, rung in enumerate(rungs):
            where, measure = f"ladder.{name}[{position}]", rung["measure"]
            yield f"{where}.protocol", rung["protocol"], [p for p, pool in config["protocols"].items() if name in pool]
            yield f"{where}.measure", measure, _measured(config, rung["protocol"], [name])
            yield f"{where}.rho", plan.label(rung["rho"]), plan.radii(config, measure, name)


def _measured(config: Mapping, protocol: str, architectures: Iterable[str]) -> list[str]:
    """The measures that are taken on some of these architectures, as this protocol trains them."""
    taken = [measure for measure in config["measures"] if plan.taken(config, measure, protocol)]
    return [measure for measure in taken if any(plan.radii(config, measure, name) for name in architectures)]
