"""What every job of the study does first and last: its log, its threads, its device, and the checks of its files."""

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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any

from adaptive_sharpness.study.running import code, records

PACKAGES = ("adaptive-sharpness", "torch", "torch-geometric", "numpy")
RUN = Path(".snakemake/run.json")  # where `lock.hold` says which run has this folder
# Of torch on a CPU (Linux, else), of C++, of torch on a GPU, and of the operating system.
NO_MEMORY = ("can't allocate memory", "not enough memory", "bad_alloc", "out of memory", "Cannot allocate memory")


@dataclass(frozen=True)
class Here:
    """Where a job runs.

    Args:
        gpu: how many GPUs the scheduler gave.
        folder: the user's plug-ins.
    """

    gpu: int
    folder: str

    @property
    def device(self):
        """The torch.device: CUDA if the scheduler gave a GPU and torch sees one, else the CPU.

        Example:
            >>> Here(gpu=0, folder="plugins").device
            device(type='cpu')
        """
        import torch

        return torch.device("cuda" if self.gpu > 0 and torch.cuda.is_available() else "cpu")

    def provenance(self) -> dict[str, str]:
        """Return what a table says of how its rows came about.

        Returns:
            `device`, by its name, and `versions` of Python and of the packages that determine a number.

        Example:
            >>> found = Here(gpu=0, folder="plugins").provenance()
            >>> found["device"], found["versions"].split(", ")[0] == f"python {platform.python_version()}"
            ('cpu', True)
        """
        import torch

        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type
        packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
        return {"device": name, "versions": f"python {platform.python_version()}, {packages}"}


@contextmanager
def running(snakemake) -> Iterator[Here]:
    """Within the block a job of Snakemake runs: inputs and code are checked before, its outputs are recorded after.

    Args:
        snakemake: what a script is given.

    Raises:
        OSError: if an input was damaged since it was written.
        RuntimeError: if the code is not what the run has seen.
    """
    folder, script = snakemake.config.get("plugins", "plugins"), Path(sys.modules["__main__"].__file__)
    start(snakemake.log[0], snakemake.threads, folder)
    inputs, before = records.verify(snakemake.input), records.before(map(records.recipe, snakemake.input))
    settings = {**dict(snakemake.params.items()), "labels": records.said_labels(dict(snakemake.wildcards.items()))}
    seen = settings.pop("code")
    used = code.used_plugins(script.stem, settings, folder)
    code.require(script, seen, used, folder)
    records.forget(snakemake.output)
    yield Here(snakemake.resources.get("gpu", 0), folder)
    code.require(script, seen, used, folder)
    share(snakemake.output)
    records.record(snakemake.output, records.Origin(settings, seen, before, tuple(inputs)))


def share(paths: Iterable[str | Path]) -> None:
    """Give files the mode that this process's umask says; some libraries write files that their owner alone can read.

    Args:
        paths: the files, as a job has just written them; of a folder all files in it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Path(folder, "mine").touch(mode=0o600)
        ...     share([Path(folder, "mine")])
        ...     Path(folder, "new").touch()
        ...     Path(folder, "mine").stat().st_mode == Path(folder, "new").stat().st_mode
        True
    """
    os.umask(umask := os.umask(0o077))
    for place in map(Path, paths):
        for path in [place, *place.rglob("*")]:
            if path.is_file():
                path.chmod(0o666 & ~umask)


def start(log: str, threads: int = 1, folder: str = "plugins") -> None:
    """Write this process's log to a file, and if it fails, its error there too, in one line before the traceback.

    A job outlives a run that is killed alone. It ends, writing nothing, as soon as another run has taken the folder:
    what it makes would be of a config that may have changed since.

    Args:
        log: the log file.
        threads: how many threads torch may use, if it is used.
        folder: the user's plug-ins; an error inside of one says where.
    """
    logging.basicConfig(filename=log, filemode="w", level=logging.INFO, format="%(asctime)s %(message)s", force=True)
    sys.excepthook = partial(_last_words, folder)
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


def _last_words(folder: str, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    line = f"{kind.__name__}: {error}{_place(folder, trace)}"
    if isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
        line = f"out of memory: give this job more, or less at a time (seeds_per_job, stacked): {line}"
    logging.error("%s\n%s", line, "".join(traceback.format_exception(kind, error, trace)))
    print(line, file=sys.stderr)


def _place(folder: str, trace: TracebackType | None) -> str:
    """Where in the user's plug-ins an error arose, if it did there."""
    theirs = Path(folder).resolve()
    frames = [frame for frame in traceback.extract_tb(trace) if Path(frame.filename).is_relative_to(theirs)]
    return (
        f" ({Path(folder, Path(frames[-1].filename).relative_to(theirs))}, line {frames[-1].lineno})" if frames else ""
    )


def made_from(pool: Mapping[str, Any], dataset: str) -> dict[str, str]:
    """Return what determines a checkpoint, for the checkpoint to carry and for a measure to compare.

    Args:
        pool: what `PoolSettings.for_training` returns.
        dataset: the prepared data set's file.

    Returns:
        `pool`, the block as sorted JSON; `dataset`, the sha256 of the file; `torch`, its version, whatever device it
        was built for.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "cora.safetensors").write_text("abc")
        ...     found = made_from({"loss": "nll_loss", "dataset": "cora"}, f"{folder}/cora.safetensors")
        >>> found["pool"], found["dataset"][:8]  # FIPS 180-2, appendix B.1
        ('{"dataset": "cora", "loss": "nll_loss"}', 'ba7816bf')
    """
    torch, *_ = version("torch").split("+")
    return {"pool": json.dumps(pool, sort_keys=True), "dataset": records.sha256(dataset), "torch": torch}


def gpus() -> int:
    """Return how many NVIDIA GPUs this machine has, without a start of torch."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
