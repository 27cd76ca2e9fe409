"""Which files a job's code consists of, and a hash of them: when these change, its results are remade."""

import ast
import hashlib
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec, resolve_name
from pathlib import Path
from sys import stdlib_module_names
from typing import Any

from adaptive_sharpness import plugins
from adaptive_sharpness.study.running.records import sha256

# Tokens that no job's result depends on, and those that a statement comes after.
REMARKS = (tokenize.COMMENT, tokenize.NL)
OPENS = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)


def closure(*files: Path, folder: str | Path = "plugins") -> set[Path]:
    """Return the files themselves, all files that they import but for installed packages, and what belongs to these.

    To a file belong those beside it that have its name and another ending, such as a page's template or a table.
    Modules that are imported by a name from config are not seen; give them as files.

    Args:
        files: Python files, in the package, among the user's plug-ins, or outside.
        folder: the user's plug-ins.

    Returns:
        Their paths.

    Raises:
        ValueError: if one is no Python, or an import leads out of the package and of the user's folder.
    """
    found, left, folder = set(), [path.resolve() for path in files], Path(folder).resolve()
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += _imported_files(path, folder, path.stat().st_mtime_ns)
    return found | {path for each in found for path in _beside(each)}


def distributions(*files: Path, folder: str | Path = "plugins") -> dict[str, str]:
    """Return the installed packages that `closure` imports by name, not those that these in turn depend on.

    Args: as in `closure`.

    Returns:
        The version of each, such as {"scikit-learn": "1.9.1"}.

    Raises:
        ValueError: see `closure`.
    """
    paths = [path for path in closure(*files, folder=folder) if path.suffix == ".py"]
    modules = {name.split(".")[0] for path in paths for name in _imported_names(path, Path(folder).resolve())}
    modules -= stdlib_module_names | {plugins.PACKAGE.name, plugins.USER}
    return {name: _version(name) for module in modules for name in _providers().get(module, ())}


def digest(*files: Path, folder: str | Path = "plugins") -> str:
    """Return the sha256 of the contents of `closure` and of the versions of what it imports, wherever the tree lies.

    Comments, docstrings and empty lines of Python do not count, but for the docstring of a figure, its caption, and
    in a file that asks for docstrings.

    Args: as in `closure`.

    Returns:
        Hexadecimal digits.

    Raises:
        ValueError: see `closure`.
    """
    place = Path(folder).resolve()
    lines = [f"{_name(path, place)} {_hash(path)}\n" for path in closure(*files, folder=folder)]
    lines += [f"{name}=={number}\n" for name, number in distributions(*files, folder=folder).items()]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def used_plugins(rule: str, settings: Mapping[str, Any], folder: str | Path = "plugins") -> list[Path]:
    """Return the files of the plug-ins that a job uses; what it takes from torch has none.

    Args:
        rule: the rule's name, without the prefix of a module.
        settings: what the config says of the job, by the names of the rule's params, see `plan.Job`.
        folder: the user's plug-ins.

    Raises:
        ValueError: if there is no such plug-in.

    Example:
        >>> [path.name for path in used_plugins("prepare", {"block": {"dataset": "cora"}})]
        ['cora.py']
    """
    files = (plugins.file(kind, name, folder) for kind, name in used_names(rule, settings, folder))
    return [file for file in files if file]


def used_names(rule: str, settings: Mapping[str, Any], folder: str | Path = "plugins") -> list[tuple[str, str]]:
    """Return the kind and the name of each plug-in that a job uses.

    Args: as in `used_plugins`.

    Example:
        >>> used_names("prepare", {"block": {"dataset": "cora"}})
        [('datasets', 'cora')]
    """
    if rule == "prepare":
        return [("datasets", settings["block"]["dataset"])]
    if rule not in ("train", "import_models", "measure"):
        kinds = {"tau_table": ["statistics"], "report": ["statistics", "figures"]}.get(rule, [])
        return [(kind, name) for kind in kinds for name in plugins.names(kind, folder)]
    pool = settings["pool"]
    used = [("architectures", pool["architecture"]), ("losses", pool["loss"])]
    if rule == "measure":
        return [*used, ("measures", settings["way"]["estimator"])]
    if rule == "import_models":
        return used
    training = {"trainer": {}, **pool["training"]}
    chosen = [(kind, training.get(key)) for key, kind in plugins.NAMED_BY_TRAINING.items()]
    found = [(kind, each.get("name", "minibatches")) for kind, each in chosen if each is not None]
    found += [("augmentations", each["name"]) for each in training.get("augmentation", ())]
    return [*used, ("initialisations", pool["initialisation"]), *found]


def require(script: str | Path, digest_then: str, files: Iterable[Path], folder: str | Path = "plugins") -> None:
    """Refuse to go on where the code of a job is not the code that its run has seen.

    Args:
        script: the job's.
        digest_then: what `digest` gave to the run.
        files: of the plug-ins that the job uses.
        folder: the user's plug-ins.

    Raises:
        RuntimeError: if the code has changed meanwhile, or another installation is used; it names both places.
    """
    found = digest(Path(script), *files, folder=folder)
    if found != digest_then:
        places = f"in {plugins.PACKAGE.parent}, wanted {digest_then[:12]}... of the run of {Path(script).resolve()}"
        raise RuntimeError(f"got code {found[:12]}... {places}: code has changed since the run began; run it again")


def _around(path: Path, folder: Path) -> tuple[Path, str] | None:
    """The folder of the package or of the user that a file lies in, and what it is imported as."""
    roots = ((plugins.PACKAGE, plugins.PACKAGE.name), (folder, plugins.USER))
    return next((root for root in roots if path.is_relative_to(root[0])), None)


def _beside(path: Path) -> Iterator[Path]:
    """The files that have a file's name and another ending."""
    return (each for each in path.parent.glob(f"{path.stem}.*") if each.is_file() and not each.suffix.startswith(".py"))


def _name(path: Path, folder: Path) -> str:
    """Where a file lies in the package or among the user's, or what it is called if it lies outside."""
    around = _around(path, folder)
    return f"{around[1]}/{path.relative_to(around[0]).as_posix()}" if around else path.name


def _hash(path: Path) -> str:
    return _hashed(path, path.stat().st_mtime_ns, path.stat().st_size)


@lru_cache(maxsize=1024)
def _hashed(path: Path, *_: int) -> str:
    if path.suffix != ".py" or path.parent.name == "figures":
        return sha256(path)
    with tokenize.open(path) as file:
        lines = file.readlines()
    if not any(asked in line for line in lines for asked in ("__doc__", "getdoc")):
        lines = _without_remarks(lines)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _without_remarks(lines: list[str]) -> list[str]:
    """The lines of a Python file without comments, docstrings and empty lines."""
    tokens, kept, dropped = list(tokenize.generate_tokens(iter(lines).__next__)), list(lines), set()
    for token in (token for token in tokens if token.type in REMARKS):
        row, column = token.start
        if token.type == tokenize.COMMENT:
            kept[row - 1] = kept[row - 1][:column].rstrip() + "\n"
        if not kept[row - 1].strip():
            dropped.add(row)
    rest = [token for token in tokens if token.type not in REMARKS]
    kinds = [tokenize.NEWLINE, *(token.type for token in rest)]
    for before, token, after in zip(kinds, rest, kinds[2:], strict=False):
        if before in OPENS and token.type == tokenize.STRING and after == tokenize.NEWLINE:
            dropped.update(range(token.start[0], token.end[0] + 1))
    return [line for row, line in enumerate(kept, 1) if row not in dropped]


@lru_cache(maxsize=1024)
def _imported_files(path: Path, folder: Path, _: int) -> list[Path]:
    roots = {plugins.PACKAGE.name: plugins.PACKAGE, plugins.USER: folder}
    parts = [name.split(".") for name in _imported_names(path, folder)]
    roots |= {first: place for first, *_ in parts if first not in roots and (place := _place_of_loose(first))}
    return [file for first, *rest in parts if first in roots for file in _module_files(roots[first], rest)]


@cache
def _place_of_loose(name: str) -> Path | None:
    """The folder of a package, or the path of a module without .py, that is neither Python's nor an installed one."""
    if name in stdlib_module_names or name in _providers():
        return None
    spec = find_spec(name)
    file = Path(spec.origin) if spec and spec.origin else None
    if file is None or file.suffix != ".py":
        return None
    return file.parent if file.name == "__init__.py" else file.with_suffix("")


_version = cache(version)  # of a package, while this process lives


@cache
def _providers() -> dict[str, list[str]]:
    """The installed packages that provide each module; a module is often not called as its package is."""
    return packages_distributions()


def _imported_names(path: Path, folder: Path) -> frozenset[str]:
    """All that a file imports, wherever in it."""
    return _cached_names(path, folder, path.stat().st_mtime_ns)


@lru_cache(maxsize=1024)
def _cached_names(path: Path, folder: Path, _: int) -> frozenset[str]:
    names = set()
    for node in ast.walk(plugins.parse(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = _full_name(node, path, folder)
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def _full_name(node: ast.ImportFrom, path: Path, folder: Path) -> str:
    """The module that a file imports from, in full where the file names it by dots."""
    around = _around(path, folder)
    inside = [around[1], *path.parent.relative_to(around[0]).parts] if around else []
    name = "." * node.level + (node.module or "")
    try:
        return resolve_name(name, ".".join(inside))
    except ImportError as error:
        wanted = f"one from {plugins.PACKAGE.name}, from the user's plug-ins or from an installed package"
        raise ValueError(f"{path}, line {node.lineno}: got an import from {name}, wanted {wanted}") from error


def _module_files(root: Path, parts: list[str]) -> Iterator[Path]:
    """The module of this name and the packages around it; nothing for the name of a function."""
    for depth in range(len(parts) + 1):
        place = root.joinpath(*parts[:depth])
        candidates = (place.with_suffix(".py"), place / "__init__.py")
        yield from (file for file in candidates if file.exists())
