"""Run the benchmarks, print the table, write it: python -m benchmarks [TOPIC ...] [--smoke]."""

import argparse
import os
import signal
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.machine import description
from benchmarks.pairs import table, write
from benchmarks.places import ROOT

RATIOS = ("fcnn", "lenet5", "gat", "limit", "workflow", "growth", "device")
TOPICS = (*RATIOS, "networks", "varied_pools", "profile")


def main() -> None:
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that the processes below end, too
    # torch_geometric still uses what torch has deprecated; its warning says nothing of speed.
    os.environ.setdefault("PYTHONWARNINGS", "ignore::FutureWarning:torch.jit._script")
    rows, begun = [], time.perf_counter()
    given.output.mkdir(parents=True, exist_ok=True)
    how = {"pairs": given.pairs, "smoke": given.smoke}
    with tempfile.TemporaryDirectory() as folder, Bench(given.raw, Path(folder), given.output, **how) as bench:
        for topic in given.topics or RATIOS:
            started = time.perf_counter()
            rows += [row.values() for row in import_module(f"benchmarks.{topic}").rows(bench)]
            print(f"{topic}: {time.perf_counter() - started:.0f} s", flush=True)
    machine = {**description(), "topics": " ".join(given.topics or RATIOS)}
    machine["minutes"] = f"{(time.perf_counter() - begun) / 60:.1f}"
    print(table(rows), *(f"{key}: {value}" for key, value in machine.items()), sep="\n")
    if rows:  # a profile has none, and is no reason to say of others when they were taken
        write(given.output / "ratios.csv", rows)
        write(given.output / "machine.csv", [{"what": key, "is": value} for key, value in machine.items()])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "topics", nargs="*", metavar="TOPIC", help=f"any of {', '.join(TOPICS)}; all but profile, if none"
    )
    parser.add_argument("--pairs", type=int, default=5, help="how often each two things are measured in turn (5)")
    parser.add_argument("--smoke", action="store_true", help="do next to nothing, once: see that all still runs")
    parser.add_argument("--raw", type=Path, default=ROOT / "data/raw", help="raw data; `snakemake data` brings them")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results", help="where to write the table")
    given = parser.parse_args()
    if unknown := set(given.topics) - set(TOPICS):
        parser.error(f"TOPIC: got {', '.join(sorted(unknown))}, wanted any of {', '.join(TOPICS)}")
    if given.pairs < 1:
        parser.error(f"--pairs: got {given.pairs}, wanted at least 1")
    given.pairs = 1 if given.smoke else given.pairs
    return given


if __name__ == "__main__":
    main()
