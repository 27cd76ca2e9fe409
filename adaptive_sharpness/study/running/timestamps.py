"""Files that are newer than now, as they are once a clock has been set back."""

import os
import time
from collections.abc import Iterable
from pathlib import Path


def forget_the_future(folders: Iterable[Path]) -> None:
    """Give every file from the future the time of now.

    Snakemake refuses what is older than its input; whether a file has changed it tells by the content, not the time.

    Args:
        folders: where to look, however deep; those that do not exist are empty.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Path(folder, "file").touch()
        ...     os.utime(Path(folder, "file"), (2**33, 2**33))  # the year 2242
        ...     forget_the_future([Path(folder)])
        ...     Path(folder, "file").stat().st_mtime <= time.time()
        True
    """
    now = time.time()
    for path in (path for folder in folders for path in folder.rglob("*")):
        if path.lstat().st_mtime > now:
            os.utime(path, (now, now), follow_symlinks=False)
