"""How cost grows: with seeds, with radii, and with jobs."""

import json
from dataclasses import replace
from functools import partial

from benchmarks import jobs, workflow
from benchmarks.bench import Bench, seconds
from benchmarks.pairs import Row, in_turn
from benchmarks.work import Work, work

SEEDS = (10, 100, 500)  # against 50
RADII = (4, 16)  # against 1
DISPATCH = """
rule all:
    input: [f"{number}.txt" for number in range(int(config["jobs"]))]

rule one:
    output: "{number}.txt"
    script: "one.py"
"""


def rows(bench: Bench) -> list[Row]:
    """All that grows, each as the ratio of a larger to a smaller study.

    Args:
        bench: the run.

    Returns:
        Rows; time a seed, a radius or a job, but for memory.
    """
    return [*_tables(bench), *_shards(bench), *_radii(bench), *_dag(bench), _dispatch(bench)]


def _tables(bench: Bench) -> list[Row]:
    found = []

    def measured(models: int) -> dict[str, float]:
        return json.loads(bench.run("benchmarks.made_up", models, 1))

    few = bench.size(50, 8)
    for seeds in [12] if bench.smoke else SEEDS:
        pairs = in_turn(partial(measured, seeds), partial(measured, few), bench.pairs, warm=False)
        times = [(large["seconds"] / seeds, small["seconds"] / few) for large, small in pairs]
        memory = [(large["peak"], small["peak"]) for large, small in pairs]
        most = 1 if seeds == 500 else None
        names = (f"{seeds} seeds", f"{few} seeds")
        found.append(Row("growth", f"tau table: {seeds} seeds, time a seed", *names, "s", times, most=most))
        found.append(Row("growth", f"tau table: {seeds} seeds, memory", *names, "MB", memory))
    return found


def _shards(bench: Bench) -> list[Row]:
    """A job of the same size at the end of a pool of 500, and at the end of one of 50."""
    each = work(
        "fcnn",
        "report",
        bench.dataset("abalone", **bench.few),
        epochs=bench.size(4, 1),
        ascent={"batches": bench.size(50, 1)},
    )
    size = bench.size(jobs.MODELS, 1)

    def measured(seeds: int) -> tuple[float, float]:
        done = [jobs.run(bench, kind, each, (seeds - size, seeds), "growth") for kind in ("train", "measure")]
        return sum(sum(job.values()) - job["peak"] for job in done), max(job["peak"] for job in done)

    pairs = in_turn(partial(measured, 500), partial(measured, 50), bench.pairs, warm=False)
    names, (times, memory) = (
        ("500 seeds", "50 seeds"),
        zip(*([*zip(*pair, strict=True)] for pair in pairs), strict=True),
    )
    return [
        Row("growth", "fcnn: time of a shard of 500 seeds", *names, "s", times, most=1.05),
        Row("growth", "fcnn: memory of a shard of 500 seeds", *names, "MB", memory, most=1.05),
    ]


def _radii(bench: Bench) -> list[Row]:
    """Measuring at several radii, as the study does it, each anew."""
    each = work(
        "fcnn", "report", bench.dataset("abalone", **bench.few), epochs=1, ascent={"batches": bench.size(10, 1)}
    )
    checkpoint = str(bench.folder / "radii.safetensors")
    bench.study[0].submit(radii, each, 0, checkpoint, bench.size(10, 1)).result()

    def measured(count: int) -> float:
        return bench.study[0].submit(radii, each, count, checkpoint).result() / count

    return [
        Row("growth", f"fcnn: {count} radii, time a radius", f"{count} radii", "1 radius", "s", pairs)
        for count in RADII
        for pairs in [in_turn(partial(measured, count), partial(measured, 1), bench.pairs, warm=not bench.smoke)]
    ]


def radii(each: Work, count: int, checkpoint: str, train: int = 0) -> float:
    """Measure at several radii, or train what is to be measured; runs in a process of its own.

    Args:
        each: what to do.
        count: how many radii.
        checkpoint: read or written.
        train: how many models to train first.

    Returns:
        The seconds that measuring took.
    """
    from benchmarks import study  # not before: the process that starts the others must not be large

    if train:
        study.train(each, range(train), checkpoint)
    several = [replace(each, rho=each.rho * (1 + step / 16)) for step in range(count)]
    return seconds(lambda: [study.measure(one, checkpoint) for one in several])


def _dag(bench: Bench) -> list[Row]:
    """A dry run of studies of about 1,000 and 10,000 jobs: a training and a measuring job a seed."""

    def planned(seeds: int) -> tuple[float, float]:
        config = {**workflow.STUDY, "only": "fcnn", "seeds": seeds, "seeds_per_job": 1}
        folder = bench.folder / f"dag-{seeds}"
        if not folder.exists():
            workflow.project(bench, folder.name, {**config, "rho": {"report_pga": {"fcnn": [0.025]}}})
        wall = workflow.snakemake(bench, folder, "-n", "sharpness")
        return wall / seeds, float((folder / "peak").read_text())

    large, small = bench.size(5000, 8), bench.size(500, 4)
    pairs = in_turn(partial(planned, large), partial(planned, small), bench.pairs, warm=False)
    names = (f"{2 * large:,} jobs", f"{2 * small:,} jobs")
    times, memory = zip(*([*zip(*pair, strict=True)] for pair in pairs), strict=True)
    return [
        Row("growth", f"dry run of {2 * large:,} jobs, time a job", *names, "s for 2 jobs", times),
        Row("growth", f"dry run of {2 * large:,} jobs, memory", *names, "MB", memory),
    ]


def _dispatch(bench: Bench) -> Row:
    """Scripts that do nothing, one after the other: what Snakemake takes for a job, and for the start of it all."""
    folder = bench.folder / "dispatch"
    folder.mkdir()
    (folder / "Snakefile").write_text(DISPATCH)
    (folder / "one.py").write_text("open(snakemake.output[0], 'w').close()\n")

    def wall(jobs: int) -> float:
        options = ("--cores", 1, "--forceall", "--config", f"jobs={jobs}")
        return seconds(lambda: bench.run("snakemake", *options, folder=folder))

    count = bench.size(11, 2)
    pairs = in_turn(partial(wall, count), partial(wall, 1), bench.pairs, warm=False)
    each = [((many - one) / (count - 1), one) for many, one in pairs]
    return Row("growth", "dispatch of a job", "one more job", "start-up and one job", "s", each)
