# Reads the config: here is what the other stages know of the study. Writes .snakemake/run.json: a run is alive.

from adaptive_sharpness.study.config.reading import own_keys, plain_config, read_settings, wholes
from adaptive_sharpness.study.plan import Plan
from adaptive_sharpness.study.running import arguments, job, lock, timestamps

try:
    MODULE = workflow.modifier.skip_configfile  # of another workflow, whose config may have keys of its own
    STUDY = read_settings(own_keys(config) if MODULE else config, workflow.overwrite_configfiles)
    WHOLES = [] if MODULE else wholes(STUDY, workflow.overwrite_configfiles)
    PREFIX = workflow.modifier.path_modifier.prefix or ""
    PLAN = Plan(STUDY, lambda rule: Path(workflow.source_path(f"../scripts/{rule}.py")), PREFIX, WHOLES)
    config.update(plain_config(config), captions=PLAN.captions())  # the captions: for workflow/report/figure.rst
    Path(".snakemake").mkdir(exist_ok=True)
    # Held until this process ends; jobs that are themselves calls of Snakemake, as on a cluster, belong to a run.
    RUN = lock.hold(Path(".snakemake")) if workflow.is_main_process and not arguments.is_dry(sys.argv) else None
    if RUN:
        timestamps.forget_the_future([Path(f"{PREFIX}{STUDY.pathvars.results}"), Path(f"{PREFIX}data/raw")])
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
    setting="(/[^/=]+=[^/]+)?",  # a folder, such as /lr=0.1; nothing where the pool varies nothing
    measure="|".join(STUDY.measures),
    rho=r"[0-9.e+-]+|none",
    seeds="[0-9]+-[0-9]+",


def asked(name, path):
    """A file that a measure reads only if it asks for it by this keyword."""
    return lambda wildcards: [path.format(**wildcards)] if PLAN.asks(name, **wildcards) else []
