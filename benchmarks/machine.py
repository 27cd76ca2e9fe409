"""What the figures were measured on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from adaptive_sharpness.study.report.provenance import commit
from benchmarks.places import ROOT

PACKAGES = ("torch", "torchvision", "torch-geometric", "numpy", "snakemake")


def description() -> dict[str, str]:
    """The machine, its load, the versions, the commit and the date.

    Returns:
        Words, by what they say.
    """
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return {
        "processor": _line("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": _line("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {platform.release()}",
        "load over 15 minutes": f"{os.getloadavg()[2]:.2f}",
        "versions": f"python {platform.python_version()}, {packages}",
        "commit": commit(ROOT),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def _line(path: str, key: str) -> str:
    """What stands behind a key in a file of /proc; empty where there is none."""
    if not Path(path).exists():
        return ""
    lines = (line.split(":", 1) for line in Path(path).read_text().splitlines() if ":" in line)
    return next((value.strip() for name, value in lines if name.strip() == key), "")
