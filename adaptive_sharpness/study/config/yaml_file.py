"""Read a config file, and refuse what other readers pass over."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml


def plain_values(value: Any) -> Any:
    """Return a value in which texts that spell a number, true or false are it.

    Snakemake's --config gives nothing but texts, and YAML 1.1 reads 1e-4 as text.

    Example:
        >>> plain_values({"lr": "1e-2", "names": ["a", "true"]})
        {'lr': 0.01, 'names': ['a', True]}
    """
    if isinstance(value, dict):
        return {key: plain_values(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [plain_values(entry) for entry in value]
    if isinstance(value, str) and value[:1] in tuple("+-.0123456789"):
        for kind in (int, float):
            with suppress(ValueError):
                return kind(value)
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def read_yaml(path: str | Path) -> dict:
    r"""Return what a config file holds, and refuse what other readers pass over.

    Snakemake runs the Python in a file that says `__use_yte__`, and of a key that stands twice YAML keeps the last.

    Args:
        path: a YAML file.

    Returns:
        What it holds.

    Raises:
        ValueError: if there is no such file, it is no YAML, no mapping, or not to be trusted; one line that says where.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "quick.yaml").write_text("seeds: 8\nonly: gat")
        ...     read_yaml(Path(folder, "quick.yaml"))
        {'seeds': 8, 'only': 'gat'}
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
        if key.value in [before.value for before in keys[:position]] and key.tag != "tag:yaml.org,2002:merge":
            yield key.start_mark, f"got {key.value!r} a second time, wanted every key once"
    within = [value for _, value in node.value] if keys else node.value
    for each in within if isinstance(node, yaml.CollectionNode) else ():
        yield from _nodes(each, (*around, node))
