"""What all benchmarks share: where the data are, how often to measure, and processes that are warm."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from multiprocessing import get_context
from pathlib import Path

from benchmarks.places import PLUGINS, ROOT

PROCESSES = 2  # as many as the machine has cores that the study is compared on


class Bench(AbstractContextManager):
    """One run of the benchmarks.

    Args:
        raw: the folder with the raw files of each data set, which `snakemake data` fills.
        folder: for what is written on the way.
        output: for results.
        pairs: how often two things are measured in turn.
        smoke: whether to do next to nothing, to see that all still runs.
    """

    def __init__(self, raw: Path, folder: Path, output: Path, pairs: int, smoke: bool):
        self.raw, self.folder, self.output = raw.resolve(), folder, output
        self.pairs, self.smoke = pairs, smoke
        spawn = get_context("spawn")
        self.plain = ProcessPoolExecutor(1, spawn)
        self.study = [ProcessPoolExecutor(1, spawn, _one_thread) for _ in range(PROCESSES)]

    def __exit__(self, *error) -> None:
        for executor in (self.plain, *self.study):
            executor.shutdown(cancel_futures=True)

    def size(self, full: int, smoke: int) -> int:
        """A number that says how much is done: the one, or in a smoke test the other."""
        return smoke if self.smoke else full

    @property
    def few(self) -> dict[str, int]:
        """How much of a table a smoke test uses, for `dataset`; otherwise all of it."""
        return {"train": 200, "test": 50} if self.smoke else {}

    def dataset(self, name: str, *, train: int | None = None, test: int | None = None) -> Path:
        """A data set, prepared once.

        Args:
            name: a plug-in's, of the package or of the replication of 2023.
            train: only the first so many training examples.
            test: only the first so many test examples.

        Returns:
            Its file.
        """
        path = self.folder / f"{name}-{train}-{test}.safetensors"
        if not path.exists():
            self.study[0].submit(_prepare, name, self.raw / name.removesuffix("_released"), path, train, test).result()
        return path

    def run(self, *command: object, folder: Path | None = None) -> str:
        """Run a module of Python's on its own.

        Args:
            command: the module and its arguments.
            folder: where; the project, if not given.

        Returns:
            What it printed.

        Raises:
            RuntimeError: if it fails.
        """
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE_")}
        environment |= {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(self.folder / "cache")}
        line = [sys.executable, "-m", *map(str, command)]
        done = subprocess.run(line, cwd=folder or ROOT, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(line)}: got exit code {done.returncode}, wanted 0: {done.stderr}")
        return done.stdout


def seconds(function: Callable[[], object]) -> float:
    """How long a call takes."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def _one_thread() -> None:
    import torch  # not before: this process itself must not be large

    from adaptive_sharpness.study.running import job

    torch.set_num_threads(1)
    job.keep_memory()
    job.touch_constants()


def _prepare(name: str, raw: Path, path: Path, train: int | None, test: int | None) -> None:
    from adaptive_sharpness import plugins

    plugins.resolve("datasets", name, PLUGINS)(raw).first(train, test).save(path)
