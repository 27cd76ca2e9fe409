"""Configs that nobody thought of: each is planned to its last job, or refused in one line."""

import json
import re
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snakemake.utils import update_config

from adaptive_sharpness import configuration, plan

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
MANY = {"deadline": None, "derandomize": True, "suppress_health_check": list(HealthCheck)}
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.floats(),
    st.sampled_from(
        [10**400, "1e-4", "0.0001", "1e999", "nan", ".inf", "none", "all", "own", "true", "", " ", "a,b", "é"]
    ),
    st.text(max_size=4),
    st.dates(),
    st.binary(max_size=2),
    st.sampled_from(["../job", "os", "released.__init__", "released.training", "/etc/passwd", "__init__", "a.b.c"]),
    st.lists(st.integers(-1, 2), max_size=2),
    st.dictionaries(st.one_of(st.text(max_size=2), st.integers(), st.none()), st.integers(-1, 1), max_size=2),
)


def shipped() -> list[dict]:
    """config.yaml alone, and under each of the others, as Snakemake merges them."""
    found = []
    for name in ("config", "quick", "ladder", "extended", "reference"):
        found.append(yaml.safe_load((ROOT / "config/config.yaml").read_text()))
        update_config(found[-1], yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()))
    return found


SHIPPED = shipped()
NAMES = {  # by what a description of the schema says of the name, or of the mapping's keys
    "data set": ["abalone", "cora"],
    "protocol": ["report"],
    "architecture": ["fcnn", "gat"],
    "measures": ["worst_case", "hessian"],
    "measure": ["worst_case", "hessian"],
    "raw file": ["a.data"],
}


def names(schema: dict) -> st.SearchStrategy:
    """What the names of this part of the schema are, so that some of them exist."""
    said = schema["description"].removeprefix("A mapping from ")[:20]
    known = next((known for kind, known in NAMES.items() if kind in said), ["a", "fcnn", "1.0"])
    return st.sampled_from(known)


def values(schema: dict) -> st.SearchStrategy:
    """What a part of the schema allows, more or less, and sometimes anything."""
    schema = {**schema, **(SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else {})}
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type", "object")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return st.one_of(*(_KINDS[kind](schema) for kind in kinds))


def _objects(schema: dict) -> st.SearchStrategy:
    keys = {key: values(each) for key, each in schema.get("properties", {}).items()}
    wanted = {key: each for key, each in keys.items() if key in schema.get("required", ())}
    more = {key: each for key, each in keys.items() if key not in wanted}
    if keys:
        return st.fixed_dictionaries(wanted, optional=more)
    own = schema.get("additionalProperties", True)
    if not isinstance(own, dict):  # the options, of which the schema knows nothing
        return st.dictionaries(st.sampled_from(["adaptive", "vectors", "steps", "norm"]), JUNK, max_size=1)
    return st.dictionaries(names(schema), values(own), min_size=schema.get("minProperties", 0), max_size=2)


_KINDS = {
    "object": _objects,
    "array": lambda schema: st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=3),
    "integer": lambda schema: st.integers(schema.get("minimum", 0), 60),
    "number": lambda schema: st.floats(max(schema.get("minimum", 0), 0), 1, exclude_max=True),
    "boolean": lambda schema: st.booleans(),
    "string": lambda schema: st.from_regex(schema["pattern"]) if "pattern" in schema else names(schema),
}


def places(value, path: tuple = ()) -> list[tuple]:
    """The path of everything in a config."""
    found = [path] if path else []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [each for key, entry in entries for each in places(entry, (*path, key))]


PLACES = [places(config) for config in SHIPPED]


@st.composite
def mutants(draw) -> dict:
    """A shipped config with one to three things replaced, removed, renamed, moved or repeated."""
    which = draw(st.integers(0, len(SHIPPED) - 1))
    config = json.loads(json.dumps(SHIPPED[which]))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PLACES[which]))
        _mutate(draw, config, path, PLACES[which])
    return config


def _at(config, path: tuple):
    for key in path:
        config = config[key]
    return config


def _mutate(draw, config: dict, path: tuple, elsewhere: list[tuple]) -> None:
    try:
        place, key = _at(config, path[:-1]), path[-1]
        place[key]
    except (KeyError, IndexError, TypeError):  # an earlier mutation took it away
        return
    how = draw(st.sampled_from(["replace", "replace", "remove", "rename", "move", "repeat"]))
    if how == "replace":
        place[key] = draw(JUNK)
    elif how == "remove":
        del place[key]
    elif how == "rename" and isinstance(place, dict):
        place[draw(st.one_of(st.just(f"{key}s"), JUNK.filter(_hashable)))] = place.pop(key)
    elif how == "move":
        try:
            place[key] = deepcopy(_at(config, draw(st.sampled_from(elsewhere))))
        except (KeyError, IndexError, TypeError):
            return
    elif isinstance(place, list):
        place.append(deepcopy(place[key]))


def _hashable(value) -> bool:
    return not isinstance(value, dict | list)


def planned_or_refused(config: dict) -> bool:
    """Whether a config is planned; what stands in paths then needs no more than letters, digits, . _ and -."""
    try:
        checked = configuration.check(config, SCHEMA)
    except ValueError as error:
        refused = error
    else:
        return _planned(checked)
    assert type(refused) is ValueError
    assert re.fullmatch(r"config: .+", str(refused))
    assert str(refused).isprintable()
    assert len(str(refused)) < 700
    return False


def _planned(checked: dict) -> bool:
    for measure in checked["measures"]:
        for architecture in {name for pool in checked["protocols"].values() for name in pool}:
            assert plan.seeds(checked, architecture) >= 1
            radii = plan.radii(checked, measure, architecture)
            assert len(set(radii)) == len(radii)
            assert all(re.fullmatch(r"none|[0-9.e+-]+", rho) for rho in radii)
            assert isinstance(plan.ball(checked, measure, architecture), str)
    return True


@pytest.mark.fault(fault="a config that nobody thought of", sees="a plan, or `config: KEY: got ..., wanted ...`")
@settings(max_examples=300, **MANY)
@given(mutants())
def test_a_mutant_of_a_shipped_config_is_planned_or_refused_in_one_line(config):
    planned_or_refused(config)


@settings(max_examples=150, **MANY)
@given(values(SCHEMA))
def test_what_the_schema_allows_is_planned_or_refused_in_one_line(config):
    planned_or_refused(config)
