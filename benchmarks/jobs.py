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
BATCHES = 50  # a model's, in the study
# Data set; epochs as most models of the study have; what is done here of these, of models and of batches: the time
# to compute is multiplied by what is missing.
JOBS = {"fcnn": ("abalone", 4, 4, 4, 50), "lenet5": ("fashion_mnist", 7, 1, 1, 5), "gat": ("cora", 10, 10, 1, 25)}


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
    """A job with its time to compute as it would be with all models, epochs and batches."""
    data, epochs, trained, models, batches = JOBS[network]
    ascent = {"batches": bench.size(batches, 2)}
    each = work(network, "report", bench.dataset(data, **bench.few), epochs=bench.size(trained, 1), ascent=ascent)
    parts = run(bench, kind, each, (0, bench.size(models, 1)), f"job-{network}")  # trained first, then measured
    times = MODELS / models * (epochs / trained if kind == "train" else BATCHES / batches)
    return {**parts, "compute": parts["compute"] * times}


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
