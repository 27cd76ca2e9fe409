"""Hold a study's config against its schema and against itself; every error is one line."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError, best_match

from adaptive_sharpness import contradictions, imports, plan

# keys that hold numbers, however deep
NUMBERS = ("seeds", "seeds_per_job", "protocols", "measures", "rho", "ladder", "pools")


def read(path: str | Path) -> dict:
    """Read a config file, and refuse what other readers pass over.

    Snakemake runs the Python in a file that says `__use_yte__`, and of a key that stands twice YAML keeps the last.

    Args:
        path: a YAML file.

    Returns:
        What it holds.

    Raises:
        ValueError: if there is no such file, it is no YAML, no mapping, or not to be trusted; one line that says where.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        for line in _mistakes(yaml.compose(text, Loader=yaml.SafeLoader)):
            raise ValueError(f"{path}{line}")
        return yaml.safe_load(text)
    except OSError as error:
        raise ValueError(f"{path}: got {error.strerror}, wanted a config file") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: got no text (byte {error.start}), wanted YAML in UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or error).splitlines()[0]
        raise ValueError(f"{path}{_place(mark)}: got no YAML, {problem}, wanted YAML") from error


def _place(mark: yaml.Mark | None) -> str:
    return f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _mistakes(root: yaml.Node | None) -> Iterator[str]:
    """What is wrong with a file that is YAML; each with its place."""
    if not isinstance(root, yaml.MappingNode):
        yield ": got no mapping, wanted keys such as seeds: 50"
        return
    yield from (f"{_place(mark)}: {line}" for mark, line in _nodes(root, ()))
    for key, _ in root.value:
        if key.value == "__use_yte__":
            yield f"{_place(key.start_mark)}: got __use_yte__, wanted YAML alone: Snakemake would run the code in it"


def _nodes(node: yaml.Node, around: tuple[yaml.Node, ...]) -> Iterator[tuple[yaml.Mark, str]]:
    if node in around:
        yield node.start_mark, "got an alias inside of what it stands for, wanted values that end"
        return
    keys = [key for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    for position, key in enumerate(keys):
        if key.value in [each.value for each in keys[:position]] and key.tag != "tag:yaml.org,2002:merge":
            yield key.start_mark, f"got {key.value!r} a second time, wanted every key once"
    within = [value for _, value in node.value] if keys else node.value
    for each in within if isinstance(node, yaml.CollectionNode) else ():
        yield from _nodes(each, (*around, node))


def check(config: dict, schema: Mapping) -> dict:
    """Check a config, and that Python can read the modules that it names.

    Args:
        config: the study's config, as YAML gives it.
        schema: the JSON schema that it must fit.

    Returns:
        The config, with numbers in place of texts such as "1e-4", which one YAML reader takes for text.

    Raises:
        ValueError: where the config is wrong; one line that says which key, what was got and what is wanted. Or where a
            module is wrong, see `imports.closure`: Snakemake would say it in many lines.
    """
    config = {**config, **{key: _numbers(config[key]) for key in NUMBERS if key in config}}
    error = best_match(_Validator(schema).iter_errors(config), key=_depth_first)
    for line in [_line(error)] if error else contradictions.contradictions(config):
        raise ValueError(f"config: {''.join(map(_printable, line))}")
    imports.closure(*(imports.PACKAGE / f"{name}.py" for name in plan.files(config)))
    return config


def _printable(letter: str) -> str:
    return letter if letter.isprintable() else repr(letter)[1:-1]


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
    return isinstance(value, int) and _is_number(_, value)  # bounds are looked at for numbers alone


def _is_number(_, value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_string(_, value) -> bool:
    return isinstance(value, str) and value.isprintable()  # in a pattern, $ would let a line break at the end pass


_KINDS = {"integer": _is_integer, "number": _is_number, "string": _is_string}
_TYPES = Draft202012Validator.TYPE_CHECKER.redefine_many(_KINDS)
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
    return f"{_where(error.absolute_path)}: got {contradictions.short(error.instance)}, wanted {_wanted(error.schema)}"


def _wanted(schema: Mapping) -> str:
    text = schema["description"]
    allowed = f" (one of {', '.join(map(str, schema['enum']))})" if "enum" in schema else ""
    return f"{text[0].lower()}{text[1:].rstrip('.')}{allowed}"


def _where(path, *more) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in (*path, *more)).lstrip(".") or "config"
