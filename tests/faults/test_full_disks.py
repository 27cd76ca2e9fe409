"""A disk that is full while something is written: nothing half-written is taken for whole."""

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny import ONE_CORE, TARGET, differing

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
CHECKPOINT = "results/checkpoints/report/fcnn/seeds-000-000.safetensors"
RAW = "data/raw/abalone/SHA256SUMS"
SEES = "one line of the job, `... No space left on device`, and which job it was; the same command goes on"


@contextmanager
def small_disk(folder: Path, kibibytes: int):
    """Put a small disk in the place of a folder, and make it larger on demand."""
    shutil.rmtree(folder)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", folder], check=True)
    (folder / "kept").mkdir()  # an empty folder would be removed by Snakemake, which a disk cannot be
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=4m", folder], check=True)
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize(
    ("folder", "kibibytes", "output", "said"),
    [
        pytest.param(
            *("results/checkpoints", 8, CHECKPOINT, "SafetensorError: Error while serializing: I/O error: "),
            marks=pytest.mark.fault(fault="the disk is full when a checkpoint is written", sees=SEES),
        ),
        pytest.param(
            *("results/tables", 4, "results/tables/runs.parquet", "OSError: [Errno 28] "),
            marks=[pytest.mark.slow, pytest.mark.fault(fault="the disk is full when a table is written", sees=SEES)],
        ),
        pytest.param(
            *("data/raw", 64, RAW, "OSError: no source of abalone could be used; tried directory "),
            marks=[pytest.mark.slow, pytest.mark.fault(fault="the disk is full when data are fetched", sees=SEES)],
        ),
    ],
)
def test_a_full_disk_leaves_nothing_half_written(undisturbed, tmp_path, folder, kibibytes, output, said):
    study = undisturbed.copy(tmp_path / "project")
    with small_disk(study.folder / folder, kibibytes) as enlarge:
        run = study.snakemake("--cores", "1", output)
        assert run.code == 1
        (line,) = {line for line in run.output.splitlines() if line.startswith(said)}
        assert "No space left on device" in line
        assert "Traceback" not in run.output
        assert [path for path in (study.folder / folder).rglob("*") if path.is_file()] == []
        enlarge()
        again = study.snakemake(*ONE_CORE, output)
        assert again.code == 0, again.output
        assert output in again.outputs
        assert differing(study, undisturbed) == []


@pytest.mark.slow
@pytest.mark.fault(
    fault="the disk is full when a run is started", sees="`[Errno 28] No space left on device: '.snakemake'`"
)
def test_a_disk_that_is_full_from_the_start_is_refused_in_one_line(undisturbed, tmp_path):
    study = undisturbed.copy(tmp_path / "project")
    (study.folder / TARGET).unlink()
    with small_disk(study.folder / ".snakemake", 512) as enlarge:
        run = study.snakemake(*ONE_CORE)
        assert run.code == 1
        assert run.output.strip().splitlines()[-1] == "[Errno 28] No space left on device: '.snakemake'"
        assert "Traceback" not in run.output
        enlarge()
        assert study.snakemake(*ONE_CORE).code == 0
