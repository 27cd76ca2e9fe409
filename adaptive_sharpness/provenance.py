"""What a study's page says of how it was made: the code, the config, the machine and the time."""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

UNKNOWN = "unknown"


def made_by(runs: pd.DataFrame, config: Mapping, code: Path, benchmarks: Path) -> dict[str, str]:
    """How the results came about.

    Args:
        runs: what `tables.runs` returns.
        config: the study's, as it was resolved.
        code: a folder of the project.
        benchmarks: the folder under which jobs left their benchmarks.

    Returns:
        Commit, config, versions, devices and time, for people to read.
    """
    return {
        "Commit": commit(code),
        "Config, sha256": digest(config),
        "Versions": "; ".join(_values(runs, "versions", "train_versions")),
        "Devices": ", ".join(_values(runs, "device", "train_device")),
        "Time": wall_time(benchmarks),
    }


def commit(folder: Path) -> str:
    """The commit that a folder is at, as `git describe --always --dirty` names it; "unknown" without git.

    Args:
        folder: in a working tree of git, or not.

    Returns:
        A tag or an abbreviated hash, with "-dirty" where tracked files differ from it.
    """
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        return UNKNOWN


def digest(config: Mapping) -> str:
    """The sha256 of what a config says: comments and the order of keys do not matter.

    Args:
        config: values that JSON knows.

    Returns:
        Hexadecimal digits.
    """
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def wall_time(folder: Path) -> str:
    """The time that jobs took, one after the other: the sum of `s` in the benchmarks under a folder.

    Args:
        folder: with Snakemake's benchmarks (.tsv), however deep.

    Returns:
        Hours, minutes and seconds, and how many jobs; "unknown" where there is none.
    """
    jobs = [path for path in sorted(folder.rglob("*.tsv")) if path.stat().st_size]  # an interrupted job leaves none
    tables = [pd.read_csv(path, sep="\t").reindex(columns=["s"]) for path in jobs]
    seconds = [time for table in tables for time in pd.to_numeric(table["s"], errors="coerce").dropna()]
    if not seconds:
        return UNKNOWN
    minutes, rest = divmod(round(sum(seconds)), 60)
    return f"{minutes // 60} h {minutes % 60} min {rest} s, the sum over {len(seconds)} jobs"


def _values(runs: pd.DataFrame, *columns: str) -> list[str]:
    return sorted({value for column in columns if column in runs for value in runs[column].dropna()})
