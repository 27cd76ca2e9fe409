"""What the command line of Snakemake says that Snakemake passes over, and what its jobs inherit."""

import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

DRY = re.compile("-[pkfFq]*n[pkfFq]*|--dry-?run")
PROFILE = "--workflow-profile"


def is_dry(arguments: Sequence[str]) -> bool:
    """Whether Snakemake is called to look only, by -n, which a run that is alive does not mind.

    Example:
        >>> is_dry(["tables", "-n"]), is_dry(["tables"])
        (True, False)
    """
    return any(DRY.fullmatch(each) for each in arguments)


def import_first(folder: Path) -> None:
    """Let the processes that this one starts import from a folder first, whatever is installed.

    Example:
        >>> from unittest.mock import patch
        >>> with patch.dict(os.environ, {"PYTHONPATH": "others"}):
        ...     import_first(Path("mine"))
        ...     os.environ["PYTHONPATH"].split(os.pathsep)
        ['mine', 'others']
    """
    given = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{given}" if given else str(folder)


def missing_profile(arguments: Sequence[str]) -> str:
    """Return a line about a workflow profile that there is not, which Snakemake passes over; empty if all is well.

    Args:
        arguments: those of the command line.

    Example:
        >>> missing_profile(["--workflow-profile", "profiles/missing"])
        '--workflow-profile: got profiles/missing, wanted a folder with a config.yaml'
    """
    if any(re.match("-d|--directory", each) for each in arguments):
        return ""  # the path was looked for from a folder that nobody knows any more
    given = [each.partition("=")[2] for each in arguments if each.startswith(f"{PROFILE}=")]
    given += [path for name, path in pairwise(arguments) if name == PROFILE]
    wrong = [path for path in given if path != "none" and not list(Path(path).glob("config*.yaml"))]
    return f"{PROFILE}: got {wrong[0]}, wanted a folder with a config.yaml" if wrong else ""
