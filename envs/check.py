"""Say in one line what `make setup` lacks; written for any Python 3, so that an old one gets the line, too."""

import os
import shutil
import sys
import sysconfig
from importlib.util import find_spec

OLDEST = (3, 11)
COMPILED = "immutables"  # in the lock, and since 3.14 without a wheel


def missing(version, has_venv, has_compiler):
    """Return what to install before the environment can be built, empty where nothing is missing.

    Args:
        version: Python's version, such as (3, 12).
        has_venv: whether this Python has venv and pip.
        has_compiler: whether there is a C compiler with Python's headers.
    """
    python = "setup: got Python " + ".".join(str(number) for number in version)
    if version < OLDEST:
        return python + ", wanted 3.11 or newer: make PYTHON=python3.11 ..."
    if not has_venv:
        return python + " without venv and pip, wanted both: on Debian install python3-venv"
    if version >= (3, 14) and not has_compiler:
        wanted = "wanted both to compile " + COMPILED + ": on Debian install gcc and python3-dev"
        return python + " without a C compiler and Python's headers, " + wanted
    return ""


def has_compiler():
    """Return whether a package without a wheel can be compiled."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    header = os.path.join(sysconfig.get_path("include"), "Python.h")  # noqa: PTH118
    return bool(shutil.which(compiler)) and os.path.exists(header)  # noqa: PTH110


if __name__ == "__main__":
    sys.exit(missing(sys.version_info[:2], find_spec("venv") and find_spec("ensurepip"), has_compiler()) or 0)
