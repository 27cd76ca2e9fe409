# Reads the config and holds it against its schema: here is what the other stages know of the study.
# Writes .snakemake/run.json, which says that a run is alive.

import os
import sys
from pathlib import Path

import yaml

from adaptive_sharpness import clock, configuration, contradictions, exclusive, imports, job, plan

try:
    for path in workflow.overwrite_configfiles:
        configuration.read(path)  # Snakemake has read it, but keeps the last of two keys of one name
    with open(workflow.source_path("../schemas/config.schema.yaml")) as file:
        config.update(configuration.check(config, yaml.safe_load(file)))
    Path(".snakemake").mkdir(exist_ok=True)
    # Held until this process ends; jobs that are themselves calls of Snakemake, as on a cluster, belong to a run.
    RUN = exclusive.hold(Path(".snakemake")) if workflow.is_main_process and not exclusive.dry(sys.argv) else None
    if RUN:
        clock.forget_the_future([Path(config.get("pathvars", {}).get("results", "results")), Path("data/raw")])
except (ValueError, RuntimeError, OSError) as error:
    sys.exit(str(error))

# torch_geometric still uses what torch has deprecated; its warning says nothing to a user of the study.
os.environ.setdefault("PYTHONWARNINGS", "ignore::FutureWarning:torch.jit._script")

# Jobs that can use a GPU ask for one where the machine has one; a cluster's profile says so with set-resources.
GPU = min(job.gpus(), 1)


def _shards(pool):
    """Ranges of a pool's seeds, each one job's, such as 000-009."""
    size, end = plan.seeds_per_job(config, pool["architecture"]), plan.seeds(config, pool["architecture"])
    return [f"{first:03d}-{min(first + size, end) - 1:03d}" for first in range(0, end, size)]


POOLS = [
    {"protocol": protocol, "architecture": architecture}
    for protocol, pool in config["protocols"].items()
    for architecture in pool
    if not contradictions.only(config) or architecture in contradictions.only(config)
]
DATASETS = sorted({config["protocols"][p["protocol"]][p["architecture"]]["dataset"] for p in POOLS})
TRAINED = [{**pool, "seeds": seeds} for pool in POOLS for seeds in _shards(pool)]
RADII = [
    {**pool, "measure": measure, "rho": rho, "ball": plan.ball(config, measure, pool["architecture"])}
    for pool in POOLS
    for measure in config["measures"]
    if plan.taken(config, measure, pool["protocol"])
    for rho in plan.radii(config, measure, pool["architecture"])
]
MEASURED = [{**each, "seeds": seeds} for each in RADII for seeds in _shards(each)]
NETWORKS = {pool["architecture"] for pool in POOLS}
RUNGS = {name: rungs for name, rungs in config.get("ladder", {}).items() if name in NETWORKS}
FIGURES = [
    dict(zip(("protocol", "measure", "name"), labels))
    for labels in dict.fromkeys(
        (each["protocol"], each["measure"], name)
        for each in RADII
        if not RUNGS or each["measure"] in config.get("published", {})  # a ladder has many pools, and its own figure
        for name in ("test_loss_vs_sharpness", "tau_vs_rho")
        if name != "tau_vs_rho" or (each["rho"] != "none" and not RUNGS)
    )
]
COMPARED = [{"protocol": protocol, "name": "share_of_best"} for protocol in plan.compared(RADII)]
TRUSTED = [{"protocol": protocol, "name": "trust"} for protocol in dict.fromkeys(each["protocol"] for each in RADII)]
LADDER = [{"name": "ladder"}] if RUNGS else []
DRAWN = FIGURES + COMPARED + TRUSTED + LADDER  # their values are the parts of their paths


wildcard_constraints:
    dataset="|".join(config["datasets"]),
    protocol="|".join(config["protocols"]),
    architecture="|".join(sorted(NETWORKS)),
    measure="|".join(config["measures"]),
    rho=r"[0-9.e+-]+|none",
    seeds="[0-9]+-[0-9]+",


def ordered(block):
    """A block with its keys sorted: Snakemake compares parameters as texts, and the order in config means nothing."""
    if not isinstance(block, dict):
        return block
    return {key: ordered(block[key]) for key in sorted(block)}


def architecture(wildcards):
    """The block of one architecture, as far as it determines a checkpoint."""
    block = config["protocols"][wildcards.protocol][wildcards.architecture]
    used = {key: value for key, value in block.items() if key != "hops"}
    return ordered({**used, "network": plan.network(wildcards.architecture, block)})


def measure(wildcards):
    """The block of one measure, as far as it bears on one architecture."""
    block = plan.measure(config, wildcards.measure, wildcards.architecture)
    return ordered({**block, "hops": config["protocols"][wildcards.protocol][wildcards.architecture].get("hops")})


def network(wildcards):
    """The module of an architecture."""
    return architecture(wildcards)["network"]


def estimator(wildcards):
    """The module of a measure on an architecture."""
    return plan.module(measure(wildcards)["estimator"])


def trainer(wildcards):
    """The module that trains an architecture."""
    return plan.trainer(architecture(wildcards))


def raw(wildcards):
    """The data set whose raw files a data set reads."""
    return config["datasets"][wildcards.dataset].get("raw", wildcards.dataset)


def dataset(wildcards):
    """The prepared data set that an architecture trains on."""
    return f"<results>/datasets/{architecture(wildcards)['dataset']}.safetensors"


def code(script, *modules):
    """A hash of a script and of all that it imports, however deeply: a result is remade when it changes."""
    files = [imports.PACKAGE / f"{module}.py" for module in modules]
    return imports.digest(Path(workflow.source_path(f"../scripts/{script}.py")), *files)
