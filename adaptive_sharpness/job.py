"""What every job of the study does first: open its log, limit its threads, choose its device."""

import ctypes
import json
import logging
import math
import os
import platform
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from types import TracebackType

from adaptive_sharpness.checksums import sha256

PACKAGES = ("adaptive-sharpness", "torch", "torch-geometric", "numpy")
RUN = Path(".snakemake/run.json")  # where `exclusive.hold` says which run has this folder
# Of torch on a CPU (Linux, else), of C++, of torch on a GPU, and of the operating system.
NO_MEMORY = ("can't allocate memory", "not enough memory", "bad_alloc", "out of memory", "Cannot allocate memory")


def start(log: str, threads: int = 1) -> None:
    """Write this process's log to a file, and if it fails, its error there too, in one line before the traceback.

    A job outlives a run that is killed alone. It ends, writing nothing, as soon as another run has taken the folder:
    what it makes would be of a config that may have changed since.

    Args:
        log: the log file.
        threads: how many threads torch may use, if it is used.
    """
    logging.basicConfig(filename=log, filemode="w", level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    sys.excepthook = _last_words
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
        keep_memory()
        touch_constants()
    if RUN.exists():
        threading.Thread(target=_end_when_superseded, args=[RUN.read_text()], daemon=True).start()


def keep_memory() -> None:
    """Let glibc keep what a step frees for the next one: what it gives back is cleared when it is taken anew."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # only glibc has it
    if mallopt:
        mallopt(-3, 1 << 25)  # M_MMAP_THRESHOLD: the most it takes
        mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD: give back only what lies idle beyond it


def touch_constants() -> None:
    """Let functions that torch has in AVX-512 meet their special cases once, as ELU's expm1 does.

    Until then the constants for these lie on pages that were never read. A load of them that is masked out, as in all
    other cases, does not read them either, but each time takes the processor hundreds of cycles to find that it need
    not: 1.9 ms for an ELU of 3,340 x 64 numbers on an AMD EPYC, 0.3 ms thereafter.
    """
    import torch

    special = torch.tensor([-0.0, 0.0, math.inf, -math.inf, math.nan, -1.0]).repeat_interleave(64)
    torch.expm1(special)
    torch.log1p(special)


def _end_when_superseded(run: str) -> None:
    while True:
        time.sleep(1)
        with suppress(OSError):
            if RUN.read_text() != run:
                os._exit(1)  # without a word: its log is the new run's by now


def _last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    line = f"{kind.__name__}: {error}"
    if isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
        line = f"out of memory: give this job more, or less at a time (seeds_per_job, stacked): {line}"
    logging.error("%s\n%s", line, "".join(traceback.format_exception(kind, error, trace)))
    print(line, file=sys.stderr)


def device(gpu: int):
    """The device of a job: CUDA if the scheduler gave it a GPU and torch sees one, else the CPU.

    Args:
        gpu: how many GPUs the scheduler gave.

    Returns:
        A torch.device.
    """
    import torch

    return torch.device("cuda" if gpu > 0 and torch.cuda.is_available() else "cpu")


def provenance(where) -> dict[str, str]:
    """What a table says of how its rows came about.

    Args:
        where: the torch.device that computed them.

    Returns:
        `device`, by its name, and `versions` of Python and of the packages that determine a number.
    """
    import torch

    name = torch.cuda.get_device_name(where) if where.type == "cuda" else where.type
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return {"device": name, "versions": f"python {platform.python_version()}, {packages}"}


def made_from(architecture: Mapping, dataset: str) -> dict[str, str]:
    """What determines a checkpoint, for the checkpoint to carry and for a measure to compare.

    Args:
        architecture: the architecture's block in config.
        dataset: the prepared data set's file.

    Returns:
        `architecture`, the block as sorted JSON; `dataset`, the sha256 of the file; `torch`, its version, whatever
        device it was built for.
    """
    torch, *_ = version("torch").split("+")
    return {"architecture": json.dumps(architecture, sort_keys=True), "dataset": sha256(dataset), "torch": torch}


def gpus() -> int:
    """How many NVIDIA GPUs this machine has, without a start of torch."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
