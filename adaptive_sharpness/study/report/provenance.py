"""What a study's page says of how it was made: the code, the config, the machine and the time."""

import json
import subprocess
from base64 import urlsafe_b64decode
from pathlib import Path

import pandas as pd

UNKNOWN = "unknown"


def made_by(runs: pd.DataFrame, config: str, code: Path, results: Path, records: Path) -> dict[str, str]:
    """Return how the results came about.

    Args:
        runs: what `runs_table` returns.
        config: the sha256 of all settings.
        code: a folder of the project.
        results: the study's folder, as Snakemake names it; in its `benchmarks` jobs left their benchmarks.
        records: the folder in which Snakemake notes of every file when it was made, .snakemake/metadata.

    Returns:
        Commit, config, versions, devices and times, for people to read.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> runs = pd.DataFrame({"versions": ["python 3.13"] * 2, "device": ["cpu"] * 2})
        >>> with TemporaryDirectory() as folder:
        ...     found = made_by(runs, "a1b2", *[Path(folder)] * 3)
        >>> found["Versions"], found["Devices"], found["Wall time"]
        ('python 3.13', 'cpu', 'unknown')
    """
    return {
        "Commit": commit(code),
        "Config, sha256": config,
        "Versions": "; ".join(_values(runs, "versions", "train_versions")),
        "Devices": ", ".join(_values(runs, "device", "train_device")),
        "Wall time": wall_time(records, results),
        "Computing": computing_time(results / "benchmarks"),
    }


def commit(folder: Path) -> str:
    """Return the commit that a folder is at, as `git describe --always --dirty` names it; "unknown" without git.

    Args:
        folder: in a working tree of git, or not.

    Returns:
        A tag or an abbreviated hash, with "-dirty" where tracked files differ from it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     commit(Path(folder))
        'unknown'
    """
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # no git, or no repository
        return UNKNOWN


def wall_time(records: Path, results: Path) -> str:
    """Return the time in which at least one job was at work on what there is now, however often the run was taken up.

    Args:
        records: the folder in which Snakemake notes of every file when its job began and ended.
        results: files under this folder count.

    Returns:
        Hours, minutes and seconds; "unknown" where Snakemake noted nothing.

    Example:
        >>> from base64 import urlsafe_b64encode
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for name, begun, ended in ((b"results/a", 0, 60), (b"results/b", 30, 90)):  # for 30 s both were at work
        ...         note = Path(folder, urlsafe_b64encode(name).decode())
        ...         _ = note.write_text(json.dumps({"starttime": begun, "endtime": ended}))
        ...     wall_time(Path(folder), Path("results"))
        '0 h 1 min 30 s'
    """
    spans = sorted(span for path in records.rglob("*") if path.is_file() and (span := _span(path, records, results)))
    busy, until = 0.0, 0.0
    for begun, ended in spans:
        busy += max(0.0, ended - max(begun, until))
        until = max(until, ended)
    return _readable(busy) if spans else UNKNOWN


def _span(record: Path, records: Path, results: Path) -> tuple[float, float] | None:
    """When the job of a file under results began and ended; a record's path is the file's, in base64."""
    name = "".join(part.removeprefix("@") for part in record.relative_to(records).parts)
    try:
        noted = json.loads(record.read_text())
        if Path(urlsafe_b64decode(name).decode()).is_relative_to(results):
            return float(noted["starttime"]), float(noted["endtime"])
    except (ValueError, KeyError, TypeError):  # written by another version, or not to its end
        pass
    return None


def computing_time(folder: Path) -> str:
    r"""Return the time that jobs took, one after the other: the sum of `s` in the benchmarks under a folder.

    Args:
        folder: with Snakemake's benchmarks (.tsv), however deep.

    Returns:
        Hours, minutes and seconds, and how many jobs; "unknown" where there is none.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "one.tsv").write_text("s\n90"), Path(folder, "other.tsv").write_text("s\n30")
        ...     computing_time(Path(folder))
        '0 h 2 min 0 s, the sum over 2 jobs'
    """
    jobs = [path for path in sorted(folder.rglob("*.tsv")) if path.stat().st_size]  # an interrupted job leaves none
    tables = [pd.read_csv(path, sep="\t").reindex(columns=["s"]) for path in jobs]
    seconds = [time for table in tables for time in pd.to_numeric(table["s"], errors="coerce").dropna()]
    return f"{_readable(sum(seconds))}, the sum over {len(seconds)} jobs" if seconds else UNKNOWN


def _readable(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min {rest} s"


def _values(runs: pd.DataFrame, *columns: str) -> list[str]:
    return sorted({value for column in columns if column in runs for value in runs[column].dropna()})
