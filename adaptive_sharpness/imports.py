"""Which files of this package a script depends on, and on which others: when these change, its results are remade."""

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions, version
from importlib.util import resolve_name
from pathlib import Path

from adaptive_sharpness.checksums import sha256

PACKAGE = Path(__file__).resolve().parent
_NOT_INSTALLED = sys.stdlib_module_names | {PACKAGE.name}


def closure(*files: Path) -> set[Path]:
    """The files themselves and all files of this package that they import, however deeply, with their templates.

    Modules that are imported by a name from config are not seen; give them as files.

    Args:
        files: Python files, in this package or outside.

    Returns:
        Their paths.

    Raises:
        ValueError: see `parse`; or if an import leads out of this package.
    """
    found, left = set(), [path.resolve() for path in files]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += _imported(path)
    return found | {page for path in found if (page := path.with_suffix(".html")).exists()}


def distributions(*files: Path) -> dict[str, str]:
    """The installed packages that `closure(*files)` imports by name, not those that these in turn depend on.

    Args:
        files: Python files, in this package or outside.

    Returns:
        The version of each, such as {"scikit-learn": "1.9.1"}.

    Raises:
        ValueError: see `closure`.
    """
    modules = {name.split(".")[0] for path in closure(*files) if path.suffix == ".py" for name in _names(path)}
    found = {name for module in modules for name in _providers().get(module, ()) if module not in _NOT_INSTALLED}
    return {name: version(name) for name in found}


@cache
def digest(*files: Path) -> str:
    """The sha256 of the contents of `closure(*files)` and of the versions of what they import, wherever the tree lies.

    Args:
        files: Python files, in this package or outside.

    Returns:
        Hexadecimal digits.

    Raises:
        ValueError: see `closure`.
    """
    lines = [f"{_name(path)} {sha256(path)}\n" for path in closure(*files)]
    lines += [f"{name}=={number}\n" for name, number in distributions(*files).items()]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def parse(path: Path) -> ast.Module:
    """Parse a Python file, as Python itself would decode it.

    Args:
        path: the file.

    Returns:
        Its syntax tree.

    Raises:
        ValueError: if it is no Python; one line that says where.
    """
    try:
        return ast.parse(path.read_bytes())
    except SyntaxError as error:
        place = f", line {error.lineno}" if error.lineno else ""
        wanted = f"Python {sys.version_info.major}.{sys.version_info.minor}"
        raise ValueError(f"{path}{place}: got no Python: {error.msg}, wanted {wanted}") from error


def _name(path: Path) -> str:
    """Where a file lies in the package, or what it is called if it lies outside."""
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name


def _imported(path: Path) -> list[Path]:
    parts = (name.split(".") for name in _names(path))
    return [file for each in parts if each[0] == PACKAGE.name for file in _files(each)]


@cache
def _providers() -> dict[str, list[str]]:
    """The installed packages that provide each module; a module is often not called as its package is."""
    return packages_distributions()


@cache
def _names(path: Path) -> set[str]:
    """All that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = _module(node, path)
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


def _module(node: ast.ImportFrom, path: Path) -> str:
    """The module that a file imports from, in full where the file names it by dots."""
    around = path.parent.relative_to(PACKAGE.parent).parts if path.is_relative_to(PACKAGE) else ()
    name = "." * node.level + (node.module or "")
    try:
        return resolve_name(name, ".".join(around))
    except ImportError as error:
        wanted = f"one from {PACKAGE.name} or from an installed package"
        raise ValueError(f"{path}, line {node.lineno}: got an import from {name}, wanted {wanted}") from error


def _files(parts: list[str]) -> Iterator[Path]:
    """The module of this name and the packages around it; nothing for the name of a function."""
    for depth in range(len(parts)):
        place = PACKAGE.joinpath(*parts[1 : depth + 1])
        yield from (file for file in (place.with_suffix(".py"), place / "__init__.py") if file.exists())
