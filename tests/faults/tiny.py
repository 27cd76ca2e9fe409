"""The smallest study that goes through every stage up to the tables: two models for Abalone, one radius."""

import re
import time
from subprocess import Popen

from study import Run, Study

TARGET = "results/tables/tau.csv"
ONE_CORE = ("--cores", "1", TARGET)
TINY = {
    "seeds": 2,
    "seeds_per_job": 1,
    "only": "fcnn",
    "protocols": {"report": {"fcnn": {"training": {"stop": {"max_epochs": 2}}}}},
    "measures": {
        "report_pga": {"batches": 2, "on": {"fcnn": {"rho": [0.025]}}},
        **{name: {"protocols": []} for name in ("worst_case", "average_case", "hessian")},
    },
}


def until(condition, seconds: float = 300):
    """Wait until something holds, and return it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
    return found


def begun(study: Study, process: Popen, jobs: int) -> None:
    """Wait until a run has read the study, and has begun so many jobs."""
    until(lambda: process.poll() is not None or _said_to_be_begun(study.said()) >= jobs)
    assert process.poll() is None, study.said()


def _said_to_be_begun(said: str) -> int:
    """Jobs, not files: a line of outputs each. Before Snakemake has read the study it cannot begin any: -1."""
    return len(re.findall(r"^ +output: ", said, re.MULTILINE)) if "Building DAG of jobs..." in said else -1


def finished_outputs(run: Run) -> set[str]:
    """What the jobs wrote that a run says are finished."""
    ids = set(re.findall(r"^Finished jobid: (\d+) ", run.output, re.MULTILINE))
    jobs = re.findall(r"^ +output: (.+)\n(?: +\w+: .*\n)*? +jobid: (\d+)$", run.output, re.MULTILINE)
    return {path for paths, job in jobs if job in ids for path in paths.split(", ")}


def differing(study: Study, other: Study) -> list[str]:
    """What the other study has made and this one has not, or not to the bit."""
    made = [path for path in other.run.outputs if not path.startswith("data/")]
    assert TARGET in made
    return [path for path in made if not (study.folder / path).exists() or study.read(path) != other.read(path)]
