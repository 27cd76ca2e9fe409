"""Configs that nobody thought of: each is planned to its last job, or refused in one line."""

import json
import re
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adaptive_sharpness.study.config.reading import merged, plain_config, read_settings
from adaptive_sharpness.study.config.schema import json_schema
from adaptive_sharpness.study.config.study import Study
from adaptive_sharpness.study.plan import Plan

ROOT = Path(__file__).parents[2]
SCHEMA = json_schema()
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
    st.sampled_from(["../job", "os", "_measured", "study.plan", "/etc/passwd", "__init__", "a.b.c"]),
    st.lists(st.integers(-1, 2), max_size=2),
    st.dictionaries(st.one_of(st.text(max_size=2), st.integers(), st.none()), st.integers(-1, 1), max_size=2),
)


@pytest.fixture(autouse=True)
def _root(monkeypatch):
    """The user's plug-ins lie below the folder that Snakemake is called from."""
    monkeypatch.chdir(ROOT)


def shipped() -> list[dict]:
    """config.yaml alone, and under each of the others, as Snakemake merges them."""
    base = plain_config(yaml.safe_load((ROOT / "config/config.yaml").read_text()))
    beside = [ROOT / f"config/{name}.yaml" for name in ("quick", "networks", "sweep_small")]
    others = [*beside, *sorted((ROOT / "studies").glob("*/*.yaml"))]
    return [base, *(merged(base, plain_config(yaml.safe_load(path.read_text()))) for path in others)]


SHIPPED = shipped()
NAMES = {  # by what a description of the schema says first of the name, or of the mapping's keys
    "data set": ["abalone", "cora"],
    "protocol": ["report"],
    "keys of this block": ["training.batch_size", "training.optimiser.lr", "recipe", "table"],
    "pool": ["fcnn", "gat"],
    "measure": ["worst_case", "hessian"],
    "raw file": ["a.data"],
    "torch.optim,": ["SGD", "Adam"],
    "lr_scheduler": ["ExponentialLR"],
    "transforms.v2": ["RandomHorizontalFlip"],
    "trainer": ["minibatches"],
    "folder of plug-ins": ["plugins"],
}
PRINTED = st.characters(codec="utf-8", exclude_categories=["C", "Z"])


def kinds(schema: dict) -> list[dict]:
    """What a part of the schema may be: itself, or each of several ways, references followed."""
    schema = {**schema, **SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]} if "$ref" in schema else schema
    ways = [way for name in ("anyOf", "oneOf") for way in schema.get(name, [])]
    return [{"description": schema.get("description", ""), **kind} for way in ways for kind in kinds(way)] or [schema]


def others(schema: dict) -> dict | None:
    """What the schema says of keys that it does not name."""
    own = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
    return next((each for each in own if isinstance(each, dict)), None)


def names(schema: dict) -> list[str]:
    """What the names of this part of the schema may be; some of them exist."""
    said = schema.get("description", "").split("mapping from ", 1)[-1]
    known = {said.find(kind): names for kind, names in NAMES.items() if kind in said}
    return known[min(known)] if known else ["a", "b", "c"]


def values(schema: dict) -> st.SearchStrategy:
    """What a part of the schema allows, more or less, and sometimes anything."""
    return st.one_of(*(_of_kind(kind) for kind in kinds(schema)))


def _of_kind(schema: dict) -> st.SearchStrategy:
    return st.just(schema["const"]) if "const" in schema else _KINDS[schema.get("type", "object")](schema)


OPTIONS = st.dictionaries(st.sampled_from(["adaptive", "vectors", "steps", "norm", "lr"]), JUNK, max_size=1)


def _objects(schema: dict) -> st.SearchStrategy:
    if "properties" in schema:
        named = _mappings(schema)
        is_open = schema.get("additionalProperties") is True
        return st.builds(lambda own, options: {**options, **own}, named, OPTIONS) if is_open else named
    own = others(schema)
    if own is None:  # the options, of which the schema knows nothing
        return OPTIONS
    keys = st.sampled_from(names(schema))
    return st.dictionaries(keys, values(own), min_size=schema.get("minProperties", 0), max_size=2)


def _mappings(schema: dict) -> st.SearchStrategy:
    """Mappings with the keys that are needed and some of the others; of a source one place, in most cases."""
    keys = {key: values(each) for key, each in schema["properties"].items()}
    needed = set(schema.get("required", ()))
    wanted = {key: each for key, each in keys.items() if key in needed}
    free = {key: each for key, each in keys.items() if key not in needed}
    places = {"directory", "pypi", "debian", "web"} & set(free)
    if not places:
        return st.fixed_dictionaries(wanted, optional=free)
    rest = {key: each for key, each in free.items() if key not in places}
    ways = [
        st.fixed_dictionaries({**wanted, place: free[place]}, optional={key: rest[key] for key in rest})
        for place in sorted(places)
    ]
    return st.one_of(*ways)


def _texts(schema: dict) -> st.SearchStrategy:
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True, alphabet=PRINTED)
    return st.sampled_from(names(schema))


def _numbers(schema: dict) -> st.SearchStrategy:
    return st.floats(max(schema.get("minimum", 0), 0), 1, exclude_min="exclusiveMinimum" in schema, exclude_max=True)


_KINDS = {
    "object": _objects,
    "array": lambda schema: st.lists(
        values(schema["items"]) if "items" in schema else JUNK, min_size=schema.get("minItems", 0), max_size=3
    ),
    "integer": lambda schema: st.integers(schema.get("minimum", 0), 60),
    "number": _numbers,
    "boolean": lambda schema: st.booleans(),
    "string": _texts,
}


def parts(schema: dict, value, path: tuple = ()) -> list[tuple[tuple, dict]]:
    """The path of everything that is in a config or may be, with what the schema says of it."""
    found = [(path, schema)] if path else []
    for kind in kinds(schema):
        if isinstance(value, dict) and kind.get("type") == "object":
            named = kind.get("properties", {})
            own = {key: named.get(key, others(kind)) for key in [*named, *value]}
            found += [p for key, each in own.items() if each for p in parts(each, value.get(key), (*path, key))]
        elif isinstance(value, list) and kind.get("type") == "array":
            found += [p for n, each in enumerate(value) for p in parts(kind.get("items", {}), each, (*path, n))]
    return found


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
        study = read_settings(config)
    except ValueError as error:
        refused = error
    else:
        return _planned(study)
    assert type(refused) is ValueError
    assert re.fullmatch(r"config: .+", str(refused))
    assert str(refused).isprintable()
    assert len(str(refused)) < 700
    return False


def plan_of(study: Study) -> Plan:
    return Plan(study, lambda rule: ROOT / f"workflow/scripts/{rule}.py")


def _planned(study: Study) -> bool:
    plan = plan_of(study)
    for labels in plan.pools:
        assert 1 <= study.seeds_of(**labels) <= 4096
        assert study.seeds_per_job_of(labels["pool"]) >= 1
    assert all(re.fullmatch(r"none|[0-9.e+-]+", labels["rho"]) for labels in plan.measurements)
    measured = [tuple(labels.values()) for labels in plan.measured]
    assert len(set(measured)) == len(measured)
    settings = [[plan.pool(**labels), plan.way(**labels)] for labels in plan.measurements]
    tables = [plan.balls(), plan.ladder(), plan.replicates(), plan.published()]
    assert json.dumps([settings, tables], allow_nan=False)
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
    plan = plan_of(read_settings(accepted[number]))
    run = project.plan()
    assert run.code == 0, run.output
    assert (run.jobs["train"], run.jobs.get("measure", 0)) == (len(plan.shards), len(plan.measured))
