"""Lines about names that nothing has, and about options that a plug-in does not take."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.block import Block
from adaptive_sharpness.study.config.messages import short, unknown


def among(where: str, name: str, allowed: Iterable[str]) -> Iterator[str]:
    """Yield a line if a name is none of those that are allowed.

    Example:
        >>> list(among("only", "fcn", ["fcnn", "gat"])), list(among("only", "gat", ["fcnn", "gat"]))
        (["only: got 'fcn', wanted one of fcnn, gat (did you mean fcnn?)"], [])
    """
    if name not in allowed:
        yield unknown(where, name, allowed)


def named(where: str, kind: str, name: str, folder: str) -> Iterator[str]:
    """Yield a line if no plug-in of a kind has a name, nor torch.

    Raises:
        ValueError: if its file is no Python, or lacks its function; one line that names the file.

    Example:
        >>> list(named("pool.architecture", "architectures", "cnn", "plugins"))
        ["pool.architecture: got 'cnn', wanted one of fcnn, gat, lenet5, resnet, transformer, vit (did you mean fcnn?)"]
    """
    allowed = plugins.all_names(kind, folder)
    yield from among(where, name, allowed)
    if name in allowed:
        plugins.parameters(kind, name, folder)


def with_options(
    place: str,
    holder: str,
    kind: str,
    name: str,
    options: Mapping[str, Any],
    folder: str,
    whole: Mapping[str, Any] | None = None,
    block: type[Block] | None = None,
) -> Iterator[str]:
    """Yield a line about a name that nothing has, or about each option that it does not take or that it lacks.

    Args:
        place: where the name stands in the config.
        holder: where its options stand.
        kind: of the plug-in.
        name: its name.
        options: those that stand there.
        folder: the user's plug-ins.
        whole: all options that are given, if some stand elsewhere.
        block: the settings beside which the options stand.

    Yields:
        KEY: got ..., wanted ...

    Example:
        >>> where = "measures.hessian"
        >>> list(with_options(where, where, "measures", "hessian", {"vectors": 1.5}, "plugins"))
        ['measures.hessian.vectors: got 1.5, wanted a whole number, at least 0']
    """
    lines = list(named(place, kind, name, folder))
    yield from lines
    taken = None if lines else plugins.options(kind, name, folder)
    if taken is None:
        return
    beside = list(block.model_fields if block else ())
    for key in sorted(options, key=lambda key: not get_close_matches(key, beside)):  # first those that are misspelt
        value = options[key]
        if key not in taken:
            yield unknown(f"{holder}.{key}", key, [*beside, *taken])
        else:
            yield from (
                f"{holder}.{key}: got {short(value)}, wanted {text}" for text in _kind_wanted(key, value, taken[key])
            )
    given = options if whole is None else whole
    for key, parameter in taken.items():
        if parameter.required and key not in given:
            yield f"{holder}.{key}: is missing, wanted what {name} takes under this name"


def spellable(where: str, options: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line if options could not be written down beside what is made with them.

    Example:
        >>> list(spellable("options", {"slope": 0.1})), len(list(spellable("options", {"slope": math.nan})))
        ([], 1)
    """
    try:
        json.dumps(options, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError):
        wanted = "texts, finite numbers, true, false, and lists and mappings of them"
        yield f"{where}: got {short(options)}, wanted {wanted}"


def _kind_wanted(key: str, value: Any, parameter: plugins.Parameter) -> Iterator[str]:
    """What is wanted of a value that a plug-in cannot take."""
    if parameter.choices and not (isinstance(value, str | int) and value in parameter.choices):
        yield f"one of {', '.join(map(str, parameter.choices))}"
    elif parameter.kind == "bool" and not isinstance(value, bool):
        yield "true or false"
    elif parameter.kind == "int" and (type(value) is not int or value < 0):
        yield "a whole number, at least 0"
    elif key == "rate":
        if value != "training" and not (is_number(value) and value > 0):
            yield "a finite number above 0, or training: the rate that trained it"
    elif parameter.kind == "float" and not is_number(value) and (value, parameter.default) != (None, None):
        yield "a finite number"


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number, and no truth value.

    Example:
        >>> is_number(1), is_number(True), is_number(math.inf), is_number("1")
        (True, False, False, False)
    """
    return type(value) in (int, float) and math.isfinite(value)
