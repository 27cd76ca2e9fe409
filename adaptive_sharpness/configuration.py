"""Hold a study's config against its schema and against itself; every error is one line."""

import math
from collections.abc import Mapping
from contextlib import suppress

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError, best_match

from adaptive_sharpness import contradictions

NUMBERS = ("seeds", "protocols", "measures", "rho", "ladder", "pools")  # keys that hold numbers, however deep


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
    config = {**config, **{key: _numbers(config[key]) for key in NUMBERS if key in config}}
    error = best_match(_Validator(schema).iter_errors(config), key=_depth_first)
    for line in [_line(error)] if error else contradictions.contradictions(config):
        raise ValueError(f"config: {line}")
    return config


def _numbers(value):
    """Texts that spell a number, true or false become it: --config gives nothing else, and YAML 1.1 no 1e-4."""
    if isinstance(value, Mapping):
        return {key: _numbers(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_numbers(entry) for entry in value]
    if isinstance(value, str) and value[:1] in tuple("+-.0123456789"):
        for kind in (int, float):
            with suppress(ValueError):
                return kind(value)
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


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
        return contradictions.unknown(_where(error.absolute_path, unknown), unknown, allowed)
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
