"""Statistics of pools whose hyper-parameters vary: against mbe-eval, and how long whole tables take on one core.

A K of mbe-eval on 2,187 models takes minutes. Each work has two rows: processor time, which other work on the machine
changes little, and wall time.
"""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from adaptive_sharpness.stats import conditional_information, granulated, kendall
from adaptive_sharpness.stats.conditional_information import GivenSets
from adaptive_sharpness.stats.settings import setting_means
from benchmarks.bench import Bench
from benchmarks.pairs import Row
from benchmarks.places import ROOT
from benchmarks.versus import require_same

CLOCKS = ("processor time", "wall time")
LEVELS, AXES, MEASURES = 3, 7, 24


def rows(bench: Bench) -> list[Row]:
    """Return ratios to mbe-eval, and times over those that are wanted.

    Args:
        bench: the run.

    Returns:
        Rows.
    """
    axes = bench.size(AXES, 3)
    return [*_against_mbe_eval(bench, axes), *_whole_pool(bench, axes), *_command(bench)]


def pool(axes: int, measures: int) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Return a made-up pool of a full grid.

    Args:
        axes: how many, of three levels each.
        measures: how many.

    Returns:
        A row a model, and the names of axes and measures.
    """
    draw = np.random.default_rng(0)
    names, columns = [f"axis {axis}" for axis in range(axes)], [f"measure {place}" for place in range(measures)]
    models = pd.DataFrame(list(itertools.product(range(LEVELS), repeat=axes)), columns=names)
    values = draw.normal(size=(len(models), measures)) + 0.2 * models.to_numpy().sum(axis=1)[:, None]
    g = values[:, 0] + 3 * draw.normal(size=len(models))
    return models.assign(g=g, **dict(zip(columns, values.T, strict=True))), names, columns


def _against_mbe_eval(bench: Bench, axes: int) -> list[Row]:
    from mbe_eval import granulated_kendall, jiang_normalized_cmi  # not before: other topics do without it

    models, names, (measure,) = pool(axes, 1)
    mu, g, levels = models[measure].to_numpy(), models["g"].to_numpy(), {name: models[name] for name in names}

    def one_k() -> float:
        means = setting_means(mu, g, levels, None)
        return float(np.nanmin(GivenSets(means.grid, means.g, 2).information(means.mu)))

    found = []
    for name, theirs, ours, least in (
        ("K", lambda: jiang_normalized_cmi(models, measure, "g", names)[0], one_k, 1000),
        (
            "Psi",
            lambda: granulated_kendall(models, measure, "g", names)[0],
            lambda: granulated(mu, g, levels, permutations=0).statistic,
            100,
        ),
    ):
        turns = [(_timed(theirs), _timed(ours)) for _ in range(bench.pairs)]
        require_same({name: turns[0][0][2]}, {name: turns[0][1][2]}, 1e-12)
        found += _two_rows(f"one {name} of {len(models):,} models, {axes} axes", "mbe-eval", "here", turns, least=least)
    return found


def _whole_pool(bench: Bench, axes: int) -> list[Row]:
    count, draws, fewer = bench.size(MEASURES, 1), bench.size(999, 9), bench.size(99, 9)
    models, names, measures = pool(axes, count)
    g, levels = models["g"].to_numpy(), {name: models[name] for name in names}

    def everything() -> None:
        for measure in measures:
            mu = models[measure].to_numpy()
            kendall(mu, g, clusters=np.arange(len(g)), permutations=draws).confidence_interval()
            granulated(mu, g, levels, permutations=draws)
            conditional_information(mu, g, levels, permutations=fewer)

    work = f"{len(models):,} models, {count} measures, {axes} axes: tau and psi with {draws} draws, K with {fewer}"
    turns = [(_timed(everything), (120.0, 120.0)) for _ in range(bench.pairs)]
    return _two_rows(work, "seconds", "120 s", turns, most=1)


def _command(bench: Bench) -> list[Row]:
    """The command on 1,000 runs: until its first table is printed, and until its end."""
    count = bench.size(1000, 30)
    draw = np.random.default_rng(0)
    settings = list(itertools.product(range(5), range(5), range(5), range(4), range(2)))[:count]
    table = pd.DataFrame(settings, columns=["lr", "wd", "width", "depth", "seed"])
    table[["sharpness", "norm", "train_loss"]] = draw.normal(size=(count, 3))
    table["val_loss"] = table["sharpness"] + draw.normal(size=count)
    path = bench.folder / "runs.csv"
    table.to_csv(path, index=False)
    asked = "--measure sharpness --measure norm --target val_loss --given train_loss --vary lr,wd,width,depth"
    command = [sys.executable, "-u", "-m", "adaptive_sharpness.cli", "tau", str(path), *asked.split()]
    turns = [_command_times(command) for _ in range(bench.pairs)]
    return [
        Row(
            "varied_pools",
            f"command tau on {count:,} runs, {part}: {clock}",
            "seconds",
            f"{most} s",
            "s",
            pairs,
            most=1,
        )
        for place, (part, most) in enumerate((("first table", 3), ("all", 20)))
        for which, clock in enumerate(CLOCKS)
        for pairs in [[(turn[place][which], float(most)) for turn in turns]]
    ]


def _command_times(command: list[str]) -> list[tuple[float, float]]:
    """Processor and wall time until the first table is there, and until the end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    begun, found = time.perf_counter(), []
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if not found and not line.strip():  # below the title of the first table, which is printed as a whole
                found.append((_processor_time(process.pid), time.perf_counter() - begun))
        before = sum(os.times()[2:4])
    found.append((sum(os.times()[2:4]) - before, time.perf_counter() - begun))
    return found


def _processor_time(pid: int) -> float:
    """Seconds that a process has had so far, on Linux."""
    with open(f"/proc/{pid}/stat") as file:
        user, system = file.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _timed(function: Callable[[], object]) -> tuple[float, float, object]:
    """Processor and wall time of a call, and what it returns."""
    processor, wall = time.process_time(), time.perf_counter()
    found = function()
    return time.process_time() - processor, time.perf_counter() - wall, found


def _two_rows(work: str, over: str, under: str, turns: list[tuple], **aim: float) -> list[Row]:
    return [
        Row(
            "varied_pools",
            f"{work}: {clock}",
            over,
            under,
            "s",
            [(one[place], other[place]) for one, other in turns],
            **aim,
        )
        for place, clock in enumerate(CLOCKS)
    ]
