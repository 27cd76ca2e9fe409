"""Run a module of Python's and say how much memory it took: python -m benchmarks.peak FILE MODULE [ARGUMENT ...]."""

import runpy
import sys
from pathlib import Path


def peak() -> float:
    """The most memory that this process has had resident, in MB.

    Returns:
        From /proc, which knows this program alone; getrusage also knows the one that started it. nan without /proc.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM")), float("nan"))


if __name__ == "__main__":
    _, file, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        Path(file).write_text(str(peak()))
