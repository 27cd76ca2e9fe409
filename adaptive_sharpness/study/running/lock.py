"""One run at a time in a folder, told by a lock that the kernel drops when its holder dies, however it dies."""

import errno
import fcntl
import json
import os
import platform
import shutil
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")
LEAST = 2**20  # bytes free, for Snakemake's own notes; without them it ends in the midst of one


def hold(folder: Path) -> TextIOWrapper | None:
    """Take a folder for this process, and remove the locks that a run which was killed has left in it.

    Snakemake's own locks are files, which outlive a killed run. They are removed only if no run is alive and the last
    one ran under this very kernel: that of another machine, or from before a restart, may be alive where we cannot see.

    Args:
        folder: Snakemake's, .snakemake, which exists.

    Returns:
        An open file, to be kept: the folder is free again when it is closed. None on a file system without locks, and
        where this process holds the folder already.

    Raises:
        RuntimeError: if another run is alive in the folder.
        OSError: if the folder cannot be written, or its disk is full.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, hold(Path(folder)):
        ...     json.loads(Path(folder, "run.json").read_text())["process"] == os.getpid()
        True
    """
    if shutil.disk_usage(folder).free < LEAST:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    file = open(folder / "run.json", "a+")  # noqa: SIM115 - open for as long as the process lives
    file.seek(0)
    said = file.read()
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if _read(said).get("process") == os.getpid() and _read(said).get("kernel") == _kernel():
            return None  # by this run, of which the study is a module twice
        place = folder.resolve().parent
        raise RuntimeError(f"{place}: another run is alive here ({_who(said)}); wait for it, or look with -n") from None
    except OSError:
        return None
    locks = folder / "locks"
    if _kernel() and _read(said).get("kernel") == _kernel():
        shutil.rmtree(locks, ignore_errors=True)
    if locks.exists() and any(locks.iterdir()):
        return file  # Snakemake refuses, and says how to go on
    file.truncate(0)
    json.dump({"process": os.getpid(), "machine": platform.node(), "kernel": _kernel()}, file)
    file.flush()
    return file


def _kernel() -> str:
    """An identity that no other machine and no other start of this one has; empty where there is none."""
    return BOOT.read_text().strip() if BOOT.exists() else ""


def _read(said: str) -> dict[str, str]:
    with suppress(ValueError):
        return json.loads(said)
    return {}


def _who(said: str) -> str:
    return " on ".join(str(value) for key, value in _read(said).items() if key != "kernel")
