"""What a config asks for, once it has been checked: of each measure its block, its radii, and what it compares with."""

import ast
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

MEASURES = Path(__file__).parent / "measures"
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
    block = config["measures"][name]
    own = {key: _own(block.get(key), architecture) for key in ("batches", "stacked")}
    chosen = {key: _own(value, architecture) for key, value in block["options"].items()}
    known = {key: value for key, value in chosen.items() if value is not None}
    return {"estimator": name, **block, **own, "options": known}


def radii(config: Mapping, name: str, architecture: str) -> list[str]:
    """The radii at which a measure is taken on an architecture, as they stand in paths; "none" for one without."""
    grid = config["rho"].get(name, {}).get(architecture, [])
    return [grid] if grid == "none" else [repr(float(rho)) for rho in grid]


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
    given = {**options(block["estimator"]), **block["options"]}
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
def options(estimator: str) -> dict[str, object]:
    """What an estimator takes by name, with its defaults (None where there is none), read without an import of torch.

    Args:
        estimator: a module of `measures`.

    Returns:
        Defaults, by name; empty if the module has no function of its name.
    """
    tree = ast.parse((MEASURES / f"{estimator}.py").read_text())
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == estimator:
            pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            found = {each.arg: ast.literal_eval(value) if value else None for each, value in pairs}
    return found


def _own(value, architecture: str):
    return value.get(architecture) if isinstance(value, Mapping) else value
