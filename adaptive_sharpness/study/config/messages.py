"""The one line that is said of a wrong config: which key, what was got, what was wanted, and the nearest name."""

import types
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from adaptive_sharpness.plugins import wanted_one_of

LONGEST = 120  # characters of a wrong value that a line repeats
PLACE = "[key]"  # what pydantic calls the place of a wrong key


def line(error: ValidationError, settings: type[BaseModel], config: Mapping) -> str:
    """Return the line about the first error of a config, of those that lie nearest to its root.

    Args:
        error: what pydantic says.
        settings: the class of the whole config.
        config: what was to be made such settings.

    Returns:
        KEY: got ..., wanted ...
    """
    lines = [_place(each["loc"], config, each["type"]) for each in error.errors(include_url=False)]
    path, kind = min(lines, key=lambda each: (len(each[0]), str(each[0])))
    if kind == "invalid_key":
        key = next(key for key in _value(config, path) if not isinstance(key, str))
        return f"{spelled(path)}: got the key {short(key)}, wanted a text for a key"
    if kind == "wrong_key":
        return f"{spelled(path[:-1])}: got {short(path[-1])}, wanted {_wanted(settings, path[:-1], key=True)}"
    if kind == "extra_forbidden":
        return unknown(spelled(path), path[-1], list(_class_at(settings, path[:-1]).model_fields))
    if kind == "missing":
        named = list(_class_at(settings, path[:-1]).model_fields)
        others = [key for key in _value(config, path[:-1]) if isinstance(key, str) and key not in named]
        for key in get_close_matches(path[-1], others, n=1):
            return unknown(spelled((*path[:-1], key)), key, named)
        return f"{spelled(path)}: is missing, wanted {_wanted(settings, path)}"
    return f"{spelled(path)}: got {short(_value(config, path))}, wanted {_wanted(settings, path)}"


def unknown(where: str, name: Any, allowed: Iterable[str]) -> str:
    """Return the line about a name that does not exist, with the nearest one that does.

    Args:
        where: its place in the config.
        name: what was got.
        allowed: what was wanted.

    Returns:
        One line.

    Example:
        >>> unknown("only", "fcn", ["fcnn", "gat"])
        "only: got 'fcn', wanted one of fcnn, gat (did you mean fcnn?)"
    """
    return f"{where}: got {short(name)}, {wanted_one_of(name, allowed)}"


def short(value: Any) -> str:
    """Return a value as a line repeats it: as Python spells it, cut where it is long.

    Example:
        >>> short("abc")
        "'abc'"
    """
    said = repr(value)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."


def spelled(path: Iterable) -> str:
    """Return a path as a line spells it.

    Example:
        >>> spelled(["measures", "mine", "rho", 1])
        'measures.mine.rho[1]'
    """
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".") or "config"


def printable(text: str) -> str:
    """Return a text in which each letter that cannot be printed is escaped.

    Example:
        >>> printable("a\\nb")
        'a\\\\nb'
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _place(location: tuple, config: Any, kind: str) -> tuple[tuple, str]:
    """The path of an error in the config, without the names of types that pydantic tried, and its kind.

    Of a key that is no text (invalid_key) it is the path of the mapping around it: pydantic spells the key as a text.
    """
    if location[-1] == PLACE:
        location, kind = location[:-1], "invalid_key" if kind == "string_type" else "wrong_key"
    path, value = (), config
    for part in location[:-1] if kind == "invalid_key" else location:
        inside = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        if part in inside:
            path, value = (*path, part), value[part]
        elif kind == "missing" and part == location[-1]:
            path = (*path, part)
    return path, kind


def _value(config: Any, path: tuple) -> Any:
    for key in path:
        config = config[key]
    return config


def _class_at(settings: type[BaseModel], path: tuple) -> type[BaseModel]:
    return next(each for each in _types(_at(settings, path)) if _is_block(each))


def _wanted(settings: type[BaseModel], path: tuple, key: bool = False) -> str:
    annotation = _at(settings, path)
    if key:
        annotation = next(get_args(each)[0] for each in _types(annotation) if get_origin(each) is dict)
    text = _description(annotation)
    choices = [value for each in _types(annotation) if get_origin(each) is Literal for value in get_args(each)]
    one_of = f" (one of {', '.join(map(str, choices))})" if choices and "; or " not in text else ""
    return f"{text[0].lower()}{text[1:].rstrip('.')}{one_of}"


def _at(annotation: Any, path: tuple) -> Any:
    """The annotation of what stands at a path, with its description."""
    for key in path:
        annotation = next(found for each in _types(annotation) if (found := _inside(each, key)) is not None)
    return annotation


def _inside(annotation: Any, key: Any) -> Any:
    if _is_block(annotation):
        return annotation.model_fields.get(key)
    arguments = get_args(annotation)
    return {dict: arguments[-1:], list: arguments[:1]}.get(get_origin(annotation), (None,))[0]


def _types(annotation: Any) -> list:
    """The plain types of an annotation: what is annotated, and each of several that are allowed."""
    if isinstance(annotation, FieldInfo):
        return _types(annotation.annotation)
    if get_origin(annotation) is Annotated:
        return _types(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [each for part in get_args(annotation) for each in _types(part)]
    return [annotation]


def _description(annotation: Any) -> str:
    """What is said of a field, or of what is annotated, or of a block; the outermost counts."""
    if isinstance(annotation, FieldInfo):
        return annotation.description or _description(annotation.annotation)
    if get_origin(annotation) is Annotated:
        inner, *notes = get_args(annotation)
        said = [note.description for note in notes if isinstance(note, FieldInfo) and note.description]
        return said[-1] if said else _description(inner)
    return (annotation.__doc__ or "").splitlines()[0]


def _is_block(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
