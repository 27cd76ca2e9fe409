"""What Snakemake adds to the jobs of a study, and where the time of a job goes."""

import csv
import shutil
from pathlib import Path
from time import perf_counter

import yaml

from benchmarks import jobs
from benchmarks.bench import PROCESSES, Bench
from benchmarks.pairs import Row
from benchmarks.places import ROOT

NOT_TAKEN = {name: {"protocols": []} for name in ("worst_case", "average_case", "hessian")}
STUDY = {
    "only": "fcnn,gat",
    "seeds": 8,
    "seeds_per_job": 4,
    "measures": {
        "report_pga": {"on": {"fcnn": {"rho": [0.005, 0.025]}, "gat": {"rho": [0.02], "batches": 20}}},
        **NOT_TAKEN,
    },
}
SMOKE = {
    **STUDY,
    "only": "fcnn",
    "seeds": 1,
    "measures": {"report_pga": {"on": {"fcnn": {"rho": [0.005]}}}, **NOT_TAKEN},
}


def rows(bench: Bench) -> list[Row]:
    """A small study for real, and the jobs of the whole one.

    Args:
        bench: the run.

    Returns:
        Two rows, and those of the jobs.
    """
    folder = project(bench, "study", SMOKE if bench.smoke else STUDY)
    snakemake(bench, folder, "data")  # its jobs leave no benchmark
    done = [_run(bench, folder) for _ in range(bench.pairs)]
    told = ("workflow", "small study: all of Snakemake")
    whole = [(wall * PROCESSES, own) for wall, _, own in done]
    started = [((wall - start) * PROCESSES, own) for wall, start, own in done]
    return [
        Row(*told, "wall time of 2 cores", "the jobs' own time", "s", whole),
        Row(
            "workflow",
            "small study: without start-up",
            "wall time of 2 cores, less a dry run's",
            "the jobs' own time",
            "s",
            started,
            most=1.08,
        ),
        *jobs.rows(bench),
    ]


def project(bench: Bench, name: str, config: dict) -> Path:
    """A folder for Snakemake to work in, with the raw data and a config.

    Args:
        bench: the run.
        name: of the folder.
        config: what differs from config/config.yaml.

    Returns:
        The folder.
    """
    folder = bench.folder / name
    (folder / "data").mkdir(parents=True)
    (folder / "data/raw").symlink_to(bench.raw)
    (folder / "config").symlink_to(ROOT / "config")
    (folder / "study.yaml").write_text(yaml.safe_dump(config))
    return folder


def snakemake(bench: Bench, folder: Path, *arguments: object) -> float:
    """Run Snakemake on the project's Snakefile in another folder.

    Args:
        bench: the run.
        folder: what `project` made.
        arguments: of Snakemake.

    Returns:
        The seconds that it took.
    """
    begun = perf_counter()
    where = ("--directory", folder, "--configfile", folder / "study.yaml", "--cores", PROCESSES)
    bench.run("benchmarks.peak", folder / "peak", "snakemake", *where, *arguments, folder=ROOT)
    return perf_counter() - begun


def _run(bench: Bench, folder: Path) -> tuple[float, float, float]:
    """Wall time, that of a dry run of it, and the sum over its jobs of the time that their scripts ran."""
    for made in ("checkpoints", "sharpness", "benchmarks"):
        shutil.rmtree(folder / "results" / made, ignore_errors=True)
    start, wall = snakemake(bench, folder, "-n", "sharpness"), snakemake(bench, folder, "sharpness")
    return wall, start, sum(map(_seconds, (folder / "results/benchmarks").rglob("*.tsv")))


def _seconds(benchmark: Path) -> float:
    with open(benchmark, newline="") as file:
        return sum(float(line["s"]) for line in csv.DictReader(file, delimiter="\t"))
