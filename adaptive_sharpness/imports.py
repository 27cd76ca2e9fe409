"""Which files of this package a script depends on, and what they hash to: when that changes, its results are remade."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def closure(*files: Path) -> set[Path]:
    """The files themselves and all files of this package that they import, however deeply, with their templates.

    Modules that are imported by a name from config are not seen; give them as files.

    Args:
        files: Python files, in this package or outside.

    Returns:
        Their paths.
    """
    found, left = set(), [path.resolve() for path in files]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += _imported(path)
    return found | {page for path in found if (page := path.with_suffix(".html")).exists()}


@cache
def digest(*files: Path) -> str:
    """The sha256 of the contents of `closure(*files)`, wherever the tree lies.

    Args:
        files: Python files, in this package or outside.

    Returns:
        Hexadecimal digits.
    """
    hashes = sorted(f"{_name(path)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in closure(*files))
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def _name(path: Path) -> str:
    """Where a file lies in the package, or what it is called if it lies outside."""
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name


@cache
def _imported(path: Path) -> list[Path]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    parts = (name.split(".") for name in names)
    return [file for each in parts if each[0] == PACKAGE.name for file in _files(each)]


def _files(parts: list[str]) -> Iterator[Path]:
    """The module of this name and the packages around it; nothing for the name of a function."""
    for depth in range(len(parts)):
        place = PACKAGE.joinpath(*parts[1 : depth + 1])
        yield from (file for file in (place.with_suffix(".py"), place / "__init__.py") if file.exists())
