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

from adaptive_sharpness import configuration, contradictions, plan

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
NAMES = {  # by what a description of the schema says first of the name, or of the mapping's keys
    "data set": ["abalone", "cora"],
    "protocol": ["report"],
    "architecture": ["fcnn", "gat"],
    "measure": ["worst_case", "hessian"],
    "raw file": ["a.data"],
}
PRINTED = st.characters(codec="utf-8", exclude_categories=["C", "Z"])


def names(schema: dict) -> list[str]:
    """What the names of this part of the schema may be; some of them exist."""
    said = schema["description"].split("mapping from ", 1)[-1]
    known = {said.find(kind): names for kind, names in NAMES.items() if kind in said}
    return known[min(known)] if known else ["a", "b", "c"]


def values(schema: dict) -> st.SearchStrategy:
    """What a part of the schema allows, more or less, and sometimes anything."""
    schema = {**schema, **(SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else {})}
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type", "object")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return st.one_of(*(_KINDS[kind](schema) for kind in kinds))


def _objects(schema: dict) -> st.SearchStrategy:
    if "properties" in schema:
        return st.one_of(*(_mappings(schema, *each) for each in _ways(schema)))
    own = schema.get("additionalProperties", True)
    if not isinstance(own, dict):  # the options, of which the schema knows nothing
        return st.dictionaries(st.sampled_from(["adaptive", "vectors", "steps", "norm"]), JUNK, max_size=1)
    keys = st.sampled_from(names(schema))
    return st.dictionaries(keys, values(own), min_size=schema.get("minProperties", 0), max_size=2)


def _ways(schema: dict) -> list[tuple[set, set]]:
    """The ways to fill a mapping of named keys: which are needed, and which must not be there."""
    needed = set(schema.get("required", ()))
    others = [schema["if"], schema["else"]] if "if" in schema else schema.get("oneOf", [{"required": []}])
    ways = [set(each["required"]) for each in others]
    return [(needed | way, set().union(*ways) - way) for way in ways]


def _mappings(schema: dict, needed: set, forbidden: set) -> st.SearchStrategy:
    keys = {key: values(each) for key, each in schema["properties"].items() if key not in forbidden}
    wanted = {key: each for key, each in keys.items() if key in needed}
    return st.fixed_dictionaries(wanted, optional={key: each for key, each in keys.items() if key not in needed})


def _texts(schema: dict) -> st.SearchStrategy:
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True, alphabet=PRINTED)
    return st.sampled_from(names(schema))


def _numbers(schema: dict) -> st.SearchStrategy:
    return st.floats(max(schema.get("minimum", 0), 0), 1, exclude_min="exclusiveMinimum" in schema, exclude_max=True)


_KINDS = {
    "object": _objects,
    "array": lambda schema: st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=3),
    "integer": lambda schema: st.integers(schema.get("minimum", 0), 60),
    "number": _numbers,
    "boolean": lambda schema: st.booleans(),
    "string": _texts,
}


def parts(schema: dict, value, path: tuple = ()) -> list[tuple[tuple, dict]]:
    """The path of everything that is in a config or may be, with what the schema says of it."""
    schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
    named, found = schema.get("properties", {}), [(path, schema)] if path else []
    if isinstance(value, dict):
        own = {key: named.get(key, schema.get("additionalProperties")) for key in [*named, *value]}
        entries = [(key, each, value.get(key)) for key, each in own.items() if isinstance(each, dict)]
    else:
        entries = [(n, schema["items"], each) for n, each in enumerate(value)] if isinstance(value, list) else []
    return found + [part for key, each, entry in entries for part in parts(each, entry, (*path, key))]


PARTS = [parts(SCHEMA, config) for config in SHIPPED]


@st.composite
def allowed(draw) -> dict:
    """A shipped config with one to three parts replaced, or added, by what the schema allows there, more or less."""
    which = draw(st.integers(0, len(SHIPPED) - 1))
    config = json.loads(json.dumps(SHIPPED[which]))
    for _ in range(draw(st.integers(1, 3))):
        path, schema = draw(st.sampled_from(PARTS[which]))
        try:
            _at(config, path[:-1])[path[-1]] = draw(values(schema))
        except (KeyError, IndexError, TypeError):  # an earlier part took it away
            continue
    return config


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
            assert 1 <= plan.seeds(checked, architecture) <= 4096
            assert plan.seeds_per_job(checked, architecture) >= 1
            radii = plan.radii(checked, measure, architecture)
            assert len(set(radii)) == len(radii)
            assert all(re.fullmatch(r"none|[0-9.e+-]+", rho) for rho in radii)
            assert isinstance(plan.ball(checked, measure, architecture), str)
    return True


MUTANTS, ALLOWED, RUN = 300, 150, 5


def outcomes(configs: st.SearchStrategy, examples: int) -> list[tuple[dict, bool]]:
    """So many configs, each with whether it is planned; the same ones every time."""
    found = []

    @settings(max_examples=examples, **MANY)
    @given(configs)
    def meet(config):
        found.append((config, planned_or_refused(config)))

    meet()
    return found


def assert_both(planned: list[bool], examples: int) -> None:
    """Each outcome for a twentieth of the configs at least."""
    assert len(planned) == examples
    assert planned.count(True) >= examples / 20
    assert planned.count(False) >= examples / 20


@pytest.mark.fault(
    fault=f"a config that nobody thought of: {MUTANTS} mutants of the shipped ones",
    sees="a plan, or `config: KEY: got ..., wanted ...`",
)
def test_a_mutant_of_a_shipped_config_is_planned_or_refused_in_one_line():
    assert_both([planned for _, planned in outcomes(mutants(), MUTANTS)], MUTANTS)


def test_a_config_with_parts_that_the_schema_allows_is_planned_or_refused_in_one_line():
    assert_both([planned for _, planned in outcomes(allowed(), ALLOWED)], ALLOWED)


@pytest.fixture(scope="module")
def accepted() -> list[dict]:
    """Some configs that are planned, with few models."""
    met = [each for configs in (mutants(), allowed()) for each in outcomes(configs, ALLOWED)]
    found = [config for config, planned in met if planned and config not in SHIPPED]
    return [{**config, "seeds": 2, "seeds_per_job": 2} for config in found[:: len(found) // RUN]]


@pytest.fixture(scope="module")
def project(fresh, tmp_path_factory):
    return fresh(tmp_path_factory.mktemp("mutants") / "project", {})


@pytest.mark.parametrize("number", range(RUN))
def test_what_is_planned_is_planned_by_snakemake_too(project, accepted, number):
    """With a job for every pool, and for every radius of each."""
    (project.folder / "config/config.yaml").write_text(yaml.safe_dump(accepted[number]))
    checked = configuration.check(accepted[number], SCHEMA)
    chosen = contradictions.only(checked)
    pools = [(protocol, name) for protocol, pool in checked["protocols"].items() for name in pool]
    pools = [(protocol, name) for protocol, name in pools if not chosen or name in chosen]
    grids = [
        plan.radii(checked, measure, name)
        for protocol, name in pools
        for measure in checked["measures"]
        if plan.taken(checked, measure, protocol)
    ]
    run = project.plan()
    assert run.code == 0, run.output
    assert (run.jobs["train"], run.jobs.get("measure", 0)) == (len(pools), sum(map(len, grids)))
