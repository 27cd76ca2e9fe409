"""Jobs of the study, each in a process of its own: where their time goes, and how much memory they take."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict

from benchmarks.bench import Bench
from benchmarks.pairs import Row
from benchmarks.work import Work, work

MODELS = 10  # a job's, in the study
LIMIT = 1000  # MB
# Data set, epochs as most models of the study have, and how many models are trained and measured here: with fewer than
# a job has, the time to compute is multiplied by what is missing.
JOBS = {"fcnn": ("abalone", 4, 10, 10), "lenet5": ("fashion_mnist", 7, 1, 1), "gat": ("cora", 10, 2, 1)}
TRAINED = {"lenet5": 1}  # epochs really trained, where not all are


def run(bench: Bench, kind: str, each: Work, seeds: Sequence[int], name: str) -> dict[str, float]:
    """One job.

    Args:
        bench: the run.
        kind: "train" or "measure".
        each: what to do.
        seeds: the first model and the one after the last.
        name: of the checkpoint, which is written or read.

    Returns:
        Seconds to start, read, compute and write, and peak memory in MB.
    """
    file = bench.folder / f"{name}.json"
    log, checkpoint = str(bench.folder / "job.log"), str(bench.folder / f"{name}.safetensors")
    file.write_text(json.dumps({**asdict(each), "kind": kind, "seeds": seeds, "log": log, "checkpoint": checkpoint}))
    return json.loads(bench.run("benchmarks.job", file, time.time()))


def rows(bench: Bench) -> list[Row]:
    """The share of starting, reading and writing in the jobs of the study, and their peak memory.

    Args:
        bench: the run.

    Returns:
        Three rows for each job.
    """
    found = []
    for network in ["fcnn"] if bench.smoke else JOBS:
        for kind in ("train", "measure"):
            # A LeNet-5 is trained once: it takes long, and its share of all but computing is next to nothing.
            turns = 1 if (network, kind) == ("lenet5", "train") else bench.pairs
            found += _rows(
                f"{network}: job that {kind}s {MODELS}", [_scaled(bench, network, kind) for _ in range(turns)]
            )
    return found


def _scaled(bench: Bench, network: str, kind: str) -> dict[str, float]:
    """A job with its time to compute as it would be with all models and epochs."""
    data, epochs, *models = JOBS[network]
    trained, here = TRAINED.get(network, epochs), models[kind == "measure"]
    ascent = {"batches": bench.size(50, 1)}
    each = work(network, "report", bench.dataset(data, **bench.few), epochs=bench.size(trained, 1), ascent=ascent)
    name = f"job-{network}-{kind}"
    if kind == "measure":
        _checkpoint(bench, each, bench.size(here, 1), name)
    parts = run(bench, kind, each, (0, bench.size(here, 1)), name)
    times = MODELS / here * (epochs / trained if kind == "train" else 1)
    return {**parts, "compute": parts["compute"] * times}


def _checkpoint(bench: Bench, each: Work, models: int, name: str) -> None:
    """Models to measure, trained once."""
    path = bench.folder / f"{name}.safetensors"
    if not path.exists():
        run(bench, "train", each, (0, models), name)


def _rows(words: str, jobs: list[dict[str, float]]) -> list[Row]:
    totals = [sum(each[part] for part in ("start", "read", "compute", "write")) for each in jobs]
    shares = {"start-up": ("start",), "reading and writing": ("read", "write")}
    found = [
        Row("workflow", f"{words}: {share}", share, "job", "s", _pairs(jobs, parts, totals))
        for share, parts in shares.items()
    ]
    memory = [(each["peak"], LIMIT) for each in jobs]
    return [*found, Row("workflow", f"{words}: memory", "peak", "1 GB", "MB", memory, most=1)]


def _pairs(jobs: list[dict[str, float]], parts: Sequence[str], totals: list[float]) -> list[tuple[float, float]]:
    return [(sum(each[part] for part in parts), total) for each, total in zip(jobs, totals, strict=True)]
