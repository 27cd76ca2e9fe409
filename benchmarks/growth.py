"""How cost grows: with seeds, with radii, and with jobs."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from benchmarks import jobs, workflow
from benchmarks.bench import PROCESSES, Bench, seconds
from benchmarks.pairs import Row, in_turn
from benchmarks.work import Work, work

Pairs = Sequence[tuple[float, float]]
SEEDS = (10, 100, 500)  # against 50
RADII = (4, 16)  # against 1
SHARD = 5  # models; the fewer, the more of a job is start-up
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
    tables, shards, dispatch = _tables(bench), _shards(bench), _dispatch(bench)
    whole = _whole(shards[0].pairs, tables[-2].pairs, dispatch.pairs, bench.size(SHARD, 1))
    return [whole, *tables, *shards, *_radii(bench), *_dag(bench), dispatch]


def _whole(shards: Pairs, tables: Pairs, dispatches: Pairs, size: int) -> Row:
    """A study of FCNN with 500 seeds against one with 50, put together from its parts, which were measured."""

    def wall(seeds: int, shard: float, table: float, more: float, start: float) -> float:
        return start + seeds / size * (shard + 2 * more) / PROCESSES + seeds * table

    pairs = [
        (wall(500, shard[0], table[0], *dispatch), wall(50, shard[1], table[1], *dispatch))
        for shard, table, dispatch in zip(shards, tables, dispatches, strict=True)
    ]
    return Row("growth", "fcnn: study of 500 seeds, from its parts", "500 seeds", "50 seeds", "s", pairs, most=10)


def _tables(bench: Bench) -> list[Row]:
    """The statistics of one row: time a seed, and memory."""
    few, larger, found = bench.size(50, 8), [12] if bench.smoke else SEEDS, []
    turns = [
        {seeds: json.loads(bench.run("benchmarks.made_up", seeds)) for seeds in (few, *larger)}
        for _ in range(bench.pairs)
    ]
    for seeds in larger:
        times = [(each[seeds]["seconds"] / seeds, each[few]["seconds"] / few) for each in turns]
        memory = [(each[seeds]["peak"], each[few]["peak"]) for each in turns]
        names = (f"{seeds} seeds", f"{few} seeds")
        found.append(Row("growth", f"tau table: {seeds} seeds, time a seed", *names, "s", times))
        found.append(Row("growth", f"tau table: {seeds} seeds, memory", *names, "MB", memory))
    return found


def _shards(bench: Bench) -> list[Row]:
    """A job of the same size at the end of a pool of 500, and at the end of one of 50."""
    each = work(
        "fcnn",
        "report",
        bench.dataset("abalone", **bench.few),
        epochs=bench.size(4, 1),
        ascent={"batches": bench.size(50, 2)},
    )
    size = bench.size(SHARD, 1)

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
    each = work("fcnn", "report", bench.dataset("abalone", **bench.few), epochs=1, ascent={"batches": bench.size(5, 2)})
    checkpoint = str(bench.folder / "radii.safetensors")
    bench.study[0].submit(radii, each, 0, checkpoint, bench.size(4, 1)).result()

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
    """A dry run of studies of about 1,000 and 10,000 jobs: one that trains and one that measures for each model."""

    def planned(jobs: int) -> tuple[float, float]:
        pools = {"fcnn": {"rho": [0.025]}, "gat": {"rho": [0.02]}}
        folder = bench.folder / f"dag-{jobs}"
        if not folder.exists():
            measures = {"report_pga": {"on": pools}, **workflow.NOT_TAKEN}
            config = {**workflow.STUDY, "seeds": jobs // 4, "seeds_per_job": 1, "measures": measures}
            workflow.project(bench, folder.name, config)
        wall = workflow.snakemake(bench, folder, "-n", "sharpness")
        return wall / jobs, float((folder / "peak").read_text())

    large, small = bench.size(10_000, 16), bench.size(1_000, 8)
    pairs = in_turn(partial(planned, large), partial(planned, small), bench.pairs, warm=False)
    names = (f"{large:,} jobs", f"{small:,} jobs")
    times, memory = zip(*([*zip(*pair, strict=True)] for pair in pairs), strict=True)
    return [
        Row("growth", f"dry run of {large:,} jobs, time a job", *names, "s", times),
        Row("growth", f"dry run of {large:,} jobs, memory", *names, "MB", memory),
    ]


def _dispatch(bench: Bench) -> Row:
    """Scripts that do nothing, one after the other: the time from file to file, and the rest of the run."""
    folder = bench.folder / "dispatch"
    folder.mkdir()
    (folder / "Snakefile").write_text(DISPATCH)
    (folder / "one.py").write_text("open(snakemake.output[0], 'w').close()\n")

    count = bench.size(6, 2)
    options = ("--cores", 1, "--forceall", "--config", f"jobs={count}")

    def turn() -> tuple[float, float]:
        whole = seconds(lambda: bench.run("snakemake", *options, folder=folder))
        written = [file.stat().st_mtime for file in folder.glob("*.txt")]
        between = max(written) - min(written)
        return between / (count - 1), whole - between

    turns = [turn() for _ in range(bench.pairs)]
    return Row("growth", "dispatch of a job", "one more job", "start-up and one job", "s", turns)
