"""What a config asks for, once it has been checked: of each measure its block, its radii, and what it compares with."""

import ast
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache

from adaptive_sharpness import imports

SEARCH = ("solver", "steps", "rate", "restarts", "origin", "convergence", "keep_delta", "stacked", "seed")
NOT_IN_CONFIG = ("rho", "seed", "stacked", "states", "warm_start", "keep_delta")  # they have keys of their own, or none


def measure(config: Mapping, name: str, architecture: str) -> dict:
    """The block of a measure, as far as it bears on one architecture.

    Args:
        config: the study's.
        name: the measure's.
        architecture: its name.

    Returns:
        The block with its estimator; batches, stacked (None where not said) and options for this architecture.
    """
    block = {key: value for key, value in config["measures"][name].items() if key != "protocols"}
    own = {key: _own(block.get(key), architecture) for key in ("batches", "stacked")}
    own["estimator"] = _own(block.get("estimator", name), architecture)
    chosen = {key: _own(value, architecture) for key, value in block["options"].items()}
    known = {key: value for key, value in chosen.items() if value is not None}
    return {**block, **own, "options": known}


def seeds(config: Mapping, architecture: str) -> int:
    """How many models of an architecture there are: seeds 0 to this number - 1."""
    return _own(config["seeds"], architecture)


def seeds_per_job(config: Mapping, architecture: str) -> int:
    """How many models of an architecture one job trains or measures; 10 where the config names others alone."""
    return _own(config["seeds_per_job"], architecture) or 10


def taken(config: Mapping, name: str, protocol: str) -> bool:
    """Whether a measure is taken on the pools of a protocol; on all, unless its block names some."""
    return protocol in config["measures"][name].get("protocols", [protocol])


def network(architecture: str, block: Mapping) -> str:
    """The module of an architecture in `architectures`: of its own name, unless its block names another."""
    return block.get("network", architecture)


def trainer(block: Mapping) -> str:
    """The file in the package, without its ending, whose `train` trains an architecture."""
    return block.get("trainer", "training").replace(".", "/")


def stacks(block: Mapping) -> bool:
    """Whether models of an architecture can be trained at once, as far as its trainer is concerned."""
    return trainer(block) == "training"


def module(estimator: str) -> str:
    """The file of an estimator in the package, without its ending: of `measures`, unless a dot names another folder."""
    return estimator.replace(".", "/") if "." in estimator else f"measures/{estimator}"


def files(config: Mapping) -> set[str]:
    """The files in the package, without their endings, that a config names: they hold what its user may have written.

    Args:
        config: the study's.

    Returns:
        Of its data sets, its networks, what trains these, and its estimators on them.
    """
    pools = [each for pool in config["protocols"].values() for each in pool.items()]
    found = {f"datasets/{name}" for name in config["datasets"]}
    found |= {f"architectures/{network(name, block)}" for name, block in pools} | {trainer(block) for _, block in pools}
    measured = ((name, architecture) for name, grids in config["rho"].items() for architecture in grids)
    return found | {module(measure(config, *each)["estimator"]) for each in measured}


def radii(config: Mapping, name: str, architecture: str) -> list[str]:
    """The radii at which a measure is taken on an architecture, as they stand in paths; "none" for one without."""
    grid = config["rho"].get(name, {}).get(architecture, [])
    return [label(rho) for rho in ([grid] if grid == "none" else grid)]


def label(rho: float | str) -> str:
    """A radius as it stands in paths."""
    return rho if rho == "none" else repr(float(rho))


def ball(config: Mapping, name: str, architecture: str) -> str:
    """What the maximum that a measure seeks depends on: measures of the same ball differ in how hard they search.

    Args:
        config: the study's.
        name: the measure's.
        architecture: its name.

    Returns:
        A text, equal for such measures; empty for a measure that seeks no maximum.
    """
    block = measure(config, name, architecture)
    given = {**options(module(block["estimator"])), **block["options"]}
    if "solver" not in given:
        return ""
    sought = {key: value for key, value in given.items() if key not in SEARCH}
    return json.dumps({**sought, **{key: block[key] for key in ("estimator", "batch_size", "seed")}}, sort_keys=True)


def compared(pools: Iterable[Mapping]) -> list[str]:
    """The protocols of which some pool is measured by two measures of one ball.

    Args:
        pools: {protocol, architecture, measure, rho, ball} of each.

    Returns:
        Names, in order.
    """
    keys = ("protocol", "architecture", "rho", "ball")
    counts = Counter(tuple(pool[key] for key in keys) for pool in pools if pool["ball"])
    return list(dict.fromkeys(protocol for (protocol, *_), count in counts.items() if count > 1))


@cache
def options(module: str, function: str | None = None) -> dict[str, object]:
    """What a function takes by name, with its defaults (None where there is none), read without an import of torch.

    Args:
        module: its file in the package, without the ending, such as "measures/worst_case".
        function: its name, that of the module if not given.

    Returns:
        Defaults, by name; empty if the module has no such function.

    Raises:
        ValueError: if the module is no Python; one line that says where.
    """
    return {each.arg: ast.literal_eval(value) if value else None for each, value in _keywords(module, function)}


@cache
def choices(module: str) -> dict[str, tuple]:
    """Which values the function of a module's name takes, of what it takes by name and annotates with Literal[...].

    Args:
        module: see `options`.

    Returns:
        Values, by name.

    Raises:
        ValueError: if the module is no Python; one line that says where.
    """
    literals = ((each.arg, part) for each, _ in _keywords(module) for part in filter(_is_literal, ast.walk(each)))
    return {name: tuple(ast.literal_eval(part.slice)) for name, part in literals}


def _keywords(module: str, function: str | None = None) -> list[tuple[ast.arg, ast.expr | None]]:
    """What a function takes by name, each with its default; nothing if the module has no such function."""
    path = imports.PACKAGE / f"{module}.py"
    for node in imports.parse(path).body:
        if isinstance(node, ast.FunctionDef) and node.name == (function or path.stem):
            return list(zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True))
    return []


def _is_literal(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal"


def _own(value, architecture: str):
    return value.get(architecture) if isinstance(value, Mapping) else value
