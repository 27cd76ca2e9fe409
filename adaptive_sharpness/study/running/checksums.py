"""The sha256 of each file that a job writes, kept beside it: what is damaged afterwards is never read as good."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path


def record(paths: Iterable[str | Path]) -> None:
    """Write FILE.sha256 beside each file, as `sha256sum FILE` prints it.

    Args:
        paths: the files, as a job has just written them.
    """
    for path in _files(paths):
        _beside(path).write_text(_line(path))


def verify(paths: Iterable[str | Path]) -> None:
    """Hold files against what `record` wrote beside them; one with nothing beside it, such as raw data, is not checked.

    Args:
        paths: the files, before they are read.

    Raises:
        OSError: if a file is not what it was; the message names it and says how to remake it.
    """
    for path in _files(paths):
        if not _beside(path).exists():
            continue
        found, wanted = _line(path), _beside(path).read_text(errors="replace")
        if found != wanted:
            got, wanted = (line.strip() or "nothing" for line in (found, wanted))
            raise OSError(
                f"{path}: damaged since it was written: got sha256 {got}, wanted {wanted}: delete it and rerun"
            )


def sha256(path: str | Path) -> str:
    """The hash of a file's bytes, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(paths: Iterable[str | Path]) -> Iterator[Path]:
    """The files, and those of each folder among them."""
    for path in map(Path, paths):
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in inside if not file.is_dir() and file.suffix != ".sha256")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _line(path: Path) -> str:
    return f"{sha256(path)}  {path.name}\n"
