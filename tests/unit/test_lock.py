"""A folder is one run's at a time; a lock is removed only when its holder is known to be dead."""

import json
import re
import subprocess
import sys

import pytest

from adaptive_sharpness.study.running import lock

HOLD = """
import sys
from pathlib import Path
from adaptive_sharpness.study.running import lock
held = lock.hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def locked(tmp_path):
    """A folder with a lock of Snakemake's, whose holder is alive until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/0.output.lock").write_text("results/tables/tau.csv\n")
    yield tmp_path, process
    process.kill()
    process.communicate()


def test_the_lock_of_a_run_that_is_alive_stays(locked):
    folder, process = locked
    place = re.escape(str(folder.parent))
    line = rf"{place}: another run is alive here \({process.pid} on .+\); wait for it, or look with -n"
    with pytest.raises(RuntimeError, match=f"^{line}$"):
        lock.hold(folder)
    assert (folder / "locks/0.output.lock").exists()


def test_the_lock_of_a_run_that_was_killed_goes(locked):
    folder, process = locked
    process.kill()
    process.wait()
    assert lock.hold(folder)
    assert not (folder / "locks").exists()


@pytest.mark.parametrize("record", ['{"kernel": "another"}', "", '{"kernel'])
def test_the_lock_of_a_run_that_may_be_alive_elsewhere_stays(locked, record):
    """Twice, since the first call must not pass for the owner of the lock."""
    folder, process = locked
    process.kill()
    process.wait()
    (folder / "run.json").write_text(record)
    for _ in range(2):
        lock.hold(folder).close()
        assert (folder / "locks/0.output.lock").exists()
        assert (folder / "run.json").read_text() == record


def test_a_folder_is_free_again_when_the_file_is_closed(tmp_path):
    lock.hold(tmp_path).close()
    with lock.hold(tmp_path):
        assert json.loads((tmp_path / "run.json").read_text()).keys() == {"process", "machine", "kernel"}


def test_a_run_that_is_twice_the_same_study_takes_its_folder_once(tmp_path):
    """As where the study is a module twice in another workflow."""
    with lock.hold(tmp_path):
        assert lock.hold(tmp_path) is None
    assert lock.hold(tmp_path)


def test_a_full_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "LEAST", 2**63)
    with pytest.raises(OSError, match=rf"^\[Errno 28\] No space left on device: '{re.escape(str(tmp_path))}'$"):
        lock.hold(tmp_path)
