"""Hold a study's config against its schema and against the modules that exist; every error is one line."""

import math
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError, best_match

from adaptive_sharpness import plan

PACKAGE = Path(__file__).parent


def check(config: dict, schema: Mapping) -> dict:
    """Check a config.

    Args:
        config: the study's config, as YAML gives it.
        schema: the JSON schema that it must fit.

    Returns:
        The config, with numbers in place of texts such as "1e-4", which one YAML reader takes for text.

    Raises:
        ValueError: where the config is wrong; one line that says which key, what was got and what is wanted.
    """
    config = {**config, **{key: _numbers(config[key]) for key in ("protocols", "measures", "rho") if key in config}}
    error = best_match(_Validator(schema).iter_errors(config), key=_depth_first)
    for line in [_line(error)] if error else _contradictions(config):
        raise ValueError(f"config: {line}")
    return config


def modules(folder: str) -> list[str]:
    """The modules of a folder of this package, such as "datasets"."""
    return sorted(path.stem for path in (PACKAGE / folder).glob("*.py") if path.stem != "__init__")


def _numbers(value):
    """Texts that spell a float in scientific notation become one; all else stays."""
    if isinstance(value, Mapping):
        return {key: _numbers(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_numbers(entry) for entry in value]
    if isinstance(value, str) and value[:1] in "+-.0123456789" and "e" in value.lower():
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _is_integer(_, value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_, value) -> bool:
    return _is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


_TYPES = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
_Validator = validators.extend(Draft202012Validator, type_checker=_TYPES)  # whole numbers are whole, and none is nan


def _depth_first(error: ValidationError):
    return -len(error.absolute_path), str(error.absolute_path)


def _line(error: ValidationError) -> str:
    if error.validator == "additionalProperties":
        allowed = list(error.schema.get("properties", ()))
        unknown = next(key for key in error.instance if key not in allowed)
        return _unknown(_where(error.absolute_path, unknown), unknown, allowed)
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return (
            f"{_where(error.absolute_path, missing)}: is missing, wanted {_wanted(error.schema['properties'][missing])}"
        )
    return f"{_where(error.absolute_path)}: got {error.instance!r}, wanted {_wanted(error.schema)}"


def _wanted(schema: Mapping) -> str:
    text = schema["description"]
    allowed = f" (one of {', '.join(map(str, schema['enum']))})" if "enum" in schema else ""
    return f"{text[0].lower()}{text[1:].rstrip('.')}{allowed}"


def _where(path, *more) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in (*path, *more)).lstrip(".") or "config"


def _unknown(where: str, name: str, allowed: list[str]) -> str:
    close = get_close_matches(str(name), allowed, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"{where}: got {name!r}, wanted one of {', '.join(allowed)}{hint}"


def _contradictions(config: Mapping) -> Iterator[str]:
    """What a schema cannot say: names that must exist elsewhere, in the config or as a module."""
    architectures = sorted({name for pool in config["protocols"].values() for name in pool})
    wanted = [(f"datasets.{name}", name, modules("datasets")) for name in config["datasets"]]
    for name, block in config["datasets"].items():
        for position, source in enumerate(block["sources"]):
            for key in ("files", "also"):
                where = f"datasets.{name}.sources[{position}].{key}"
                wanted += [(f"{where}.{file}", file, list(block["sha256"])) for file in source.get(key, {})]
    for protocol, pool in config["protocols"].items():
        for name, block in pool.items():
            where = f"protocols.{protocol}.{name}"
            wanted += [(f"{where}.dataset", block["dataset"], list(config["datasets"]))]
            wanted += [_module(where, "network", name, block, "architectures")]
    for name, block in config["measures"].items():
        wanted += [_module(f"measures.{name}", "estimator", name, block, "measures")]
        for key, value in {**{f"options.{key}": each for key, each in block["options"].items()}, **block}.items():
            own = value if isinstance(value, Mapping) and key != "options" else {}
            wanted += [(f"measures.{name}.{key}.{each}", each, architectures) for each in own]
    for key in ("rho", "published"):
        for measure, grids in config.get(key, {}).items():
            wanted += [(f"{key}.{measure}", measure, list(config["measures"]))]
            wanted += [(f"{key}.{measure}.{name}", name, architectures) for name in grids]
    wanted += [("only", name, architectures) for name in only(config)]
    yield from (_unknown(*each) for each in wanted if each[1] not in each[2])
    for name in architectures:
        if not any(name in grids for grids in config["rho"].values()):
            yield f"rho: got no radii for {name}, wanted some under at least one measure, such as {name}: [0.01, 0.1]"
    for name, block in config["measures"].items():
        yield from _estimator(name, block)
    for measure, grids in config["rho"].items():
        for name, grid in grids.items():
            yield from _grid(f"rho.{measure}.{name}", grid, config["measures"][measure].get("estimator", measure))
            if plan.measure(config, measure, name)["batches"] is None:
                yield f"measures.{measure}.batches.{name}: is missing, wanted a whole number of batches, at least 2"


def _module(where: str, key: str, name: str, block: Mapping, folder: str) -> tuple[str, str, list[str]]:
    """The module that a block names by a key, or else by its own name."""
    return f"{where}.{key}" if key in block else where, block.get(key, name), modules(folder)


def _estimator(name: str, block: Mapping) -> Iterator[str]:
    """What an estimator's function does not take."""
    estimator, where = block.get("estimator", name), f"measures.{name}"
    known = plan.options(estimator)
    if not known:
        yield f"{where}: got a module without {estimator}(..., *, seed), wanted one with it in measures/{estimator}.py"
    allowed = [key for key in known if key not in plan.NOT_IN_CONFIG]
    yield from (_unknown(f"{where}.options.{key}", key, allowed) for key in block["options"] if key not in allowed)
    if "stacked" in block and "stacked" not in known:
        yield f"{where}.stacked: got {block['stacked']}, wanted none: {estimator} solves one problem at a time"


def _grid(where: str, grid: list | str, estimator: str) -> Iterator[str]:
    if "rho" in plan.options(estimator):
        if grid == "none":
            yield f"{where}: got none, wanted a list of radii, such as [0.01, 0.02]: {estimator} measures in a ball"
    elif grid != "none":
        yield f"{where}: got {grid}, wanted none: {estimator} knows no radius"
    for position, rho in enumerate(grid):
        if grid != "none" and rho in grid[:position]:
            yield f"{where}[{position}]: got {rho} a second time, wanted every rho once"


def only(config: Mapping) -> list[str]:
    """The architectures that `--config only=fcnn,gat` asks for; none means all."""
    return [name.strip() for name in config["only"].split(",")] if config.get("only") else []
