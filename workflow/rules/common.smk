# Reads the config: here is what the other stages know of the study. Writes .snakemake/run.json: a run is alive.

import os
import sys
from pathlib import Path

from adaptive_sharpness.study.config.reading import plain_config, read_settings
from adaptive_sharpness.study.plan import Plan
from adaptive_sharpness.study.running import job, lock, timestamps

try:
    STUDY = read_settings(config, workflow.overwrite_configfiles)
    PLAN = Plan(STUDY, lambda rule: Path(workflow.source_path(f"../scripts/{rule}.py")))
    config.update(plain_config(config), captions=PLAN.captions())  # the captions: for workflow/report/figure.rst
    Path(".snakemake").mkdir(exist_ok=True)
    # Held until this process ends; jobs that are themselves calls of Snakemake, as on a cluster, belong to a run.
    RUN = lock.hold(Path(".snakemake")) if workflow.is_main_process and not lock.dry(sys.argv) else None
    if RUN:
        timestamps.forget_the_future([Path(STUDY.pathvars.results), Path("data/raw")])
except (ValueError, RuntimeError, OSError) as error:
    sys.exit(str(error))

# torch_geometric still uses what torch has deprecated; its warning says nothing to a user of the study.
os.environ.setdefault("PYTHONWARNINGS", "ignore::FutureWarning:torch.jit._script")

# Jobs that can use a GPU ask for one where the machine has one; a cluster's profile says so with set-resources.
GPU = min(job.gpus(), 1)


wildcard_constraints:
    dataset="|".join(STUDY.datasets),
    protocol="|".join(STUDY.protocols),
    pool="|".join(STUDY.pool_names()),
    measure="|".join(STUDY.measures),
    rho=r"[0-9.e+-]+|none",
    seeds="[0-9]+-[0-9]+",


def asked(name, path):
    """A file that a measure reads only if it asks for it by this keyword."""
    return lambda wildcards: [path.format(**wildcards)] if PLAN.asks(name, **wildcards) else []
