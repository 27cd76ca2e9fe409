"""Checksums beside files: as sha256sum knows them, and what they find."""

import re
import shutil
import subprocess

import pytest

from adaptive_sharpness.study.running import records


@pytest.fixture
def path(tmp_path):
    """A file with its checksum."""
    path = tmp_path / "a b.csv"
    path.write_bytes(bytes(range(256)))
    records.record([path])
    return path


def test_a_file_that_is_what_it_was_is_accepted(path):
    records.verify([path, str(path)])


def _emptied(content: bytes) -> bytes:
    return b""


def _truncated(content: bytes) -> bytes:
    return content[:-1]


def _longer(content: bytes) -> bytes:
    return content + b"\0"


def _flipped(content: bytes) -> bytes:
    return content[:100] + bytes([content[100] ^ 1]) + content[101:]


@pytest.mark.parametrize("damage", [_emptied, _truncated, _longer, _flipped])
def test_a_damaged_file_is_refused_and_can_be_recorded_anew(path, damage):
    good = records.sha256(path)
    path.write_bytes(damage(path.read_bytes()))
    line = f"got sha256 {records.sha256(path)}  a b.csv, wanted {good}  a b.csv: delete it and rerun"
    with pytest.raises(OSError, match=f"^{re.escape(f'{path}: damaged since it was written: {line}')}$"):
        records.verify([path])
    records.record([path])
    records.verify([path])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0"])
def test_a_damaged_checksum_is_refused_too(path, content):
    """Nobody can tell which of the two was damaged."""
    (path.parent / "a b.csv.sha256").write_bytes(content)
    with pytest.raises(
        OSError, match=r"^.*a b\.csv: damaged since it was written: got sha256 .*: delete it and rerun$"
    ):
        records.verify([path])


def test_a_file_that_took_anothers_place_is_refused(path):
    """Such as the seeds of one job under the name of another's, with its checksum."""
    for name in ("a b.csv", "a b.csv.sha256"):
        shutil.copy(path.parent / name, path.parent / name.replace("a b", "c"))
    with pytest.raises(OSError, match=r"^.*c\.csv: damaged since it was written: got sha256 .*: delete it and rerun$"):
        records.verify([path.parent / "c.csv"])


def test_a_file_without_a_checksum_is_not_checked(tmp_path):
    (tmp_path / "raw").write_text("raw")
    records.verify([tmp_path / "raw"])


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs sha256sum")
def test_sha256sum_can_check_it_too(path):
    check = ["sha256sum", "--check", "--status", f"{path.name}.sha256"]
    assert subprocess.run(check, cwd=path.parent).returncode == 0
    path.write_bytes(b"")
    assert subprocess.run(check, cwd=path.parent).returncode == 1
