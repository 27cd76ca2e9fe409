"""Where and how a study is run does not matter to its numbers."""

import os
import re
import shutil
import subprocess
import sys
import time
from copy import copy
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from study import Run, Study
from tiny import ONE_CORE, TARGET, begun, differing

ODD = {"HOME": None, "PYTHONHASHSEED": "3"}
MEASURED = "results/sharpness/report/fcnn/report_pga/rho-0.025/{}.parquet"
ROOT = os.geteuid() == 0
root = pytest.mark.skipif(not ROOT, reason="mounting needs root")


@pytest.fixture(scope="module")
def odd(tiny, fresh, undisturbed) -> tuple[Study, Run, Run]:
    """The tiny study in an odd place, on two cores, its last job first; and what a second call and a look were told."""
    with TemporaryDirectory() as place:
        study = fresh(Path(place) / "Zürich, ρ = 0.1 (copy)", tiny)
        study.environment = ODD
        last = MEASURED.format(trained(undisturbed.run)[-1])
        process = study.start("--cores", "2", last, umask=0o077)
        begun(study, process, 1)
        refused = beside(study, "refused.txt")
        assert process.poll() is None, "the first run was over before the second one could be refused"
        looked = beside(study, "looked.txt", "-n")
        first = study.finish(process)
        assert first.code == 0, first.output
        rest = study.finish(study.start("--cores", "2", TARGET, umask=0o077))
        study.run = Run(rest.code, first.output + rest.output)
        yield study, refused, looked


@pytest.mark.fault(
    fault="a path with spaces and letters beyond ASCII; HOME not set; umask 077; hash seed, cores and order differ",
    sees="the same numbers, to the bit",
)
def test_an_odd_place_gives_the_same_numbers(odd, undisturbed):
    study, _, _ = odd
    assert study.run.code == 0, study.run.output
    assert trained(study.run) == trained(undisturbed.run)[::-1]
    assert differing(study, undisturbed) == []
    assert (study.folder / TARGET).stat().st_mode & 0o077 == 0


@pytest.mark.fault(
    fault="a second run in the folder of one that is alive",
    sees="`...: another run is alive here (1234 on this machine); wait for it, or look with -n`; the first goes on",
)
def test_a_second_run_is_refused_in_one_line(odd):
    study, refused, looked = odd
    assert refused.code == 1
    place = re.escape(str(study.folder))
    assert_ends_in(refused, rf"{place}: another run is alive here \(\d+ on .+\); wait for it, or look with -n")
    assert (study.run.code, looked.code) == (0, 0), looked.output


def trained(run: Run) -> list[str]:
    """The shards of the pool, in the order in which they were trained."""
    return re.findall(r"output: results/checkpoints/report/fcnn/(\S+)\.safetensors", run.output)


@root
@pytest.mark.fault(fault="a folder that cannot be written", sees="`[Errno 30] Read-only file system: '.snakemake'`")
@pytest.mark.parametrize("look", [[], pytest.param(["-n"], marks=pytest.mark.slow)])
def test_a_read_only_folder_is_refused_in_one_line(nothing, look):
    subprocess.run(["mount", "--bind", nothing.folder, nothing.folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", nothing.folder], check=True)
        run = nothing.snakemake(*ONE_CORE, *look)
    finally:
        subprocess.run(["umount", nothing.folder], check=True)
    assert run.code == 1
    assert_ends_in(run, r"\[Errno 30\] Read-only file system: '\.snakemake'")


@pytest.mark.slow
@pytest.mark.fault(fault="the clock is set back: all that is made is of tomorrow", sees="the study goes on as ever")
def test_a_clock_that_is_set_back_changes_nothing(undisturbed, tmp_path):
    study = undisturbed.copy(tmp_path / "project")
    (study.folder / TARGET).unlink()
    for path in study.folder.rglob("*"):
        os.utime(path, (time.time() + 86400,) * 2)
    run = study.snakemake(*ONE_CORE)
    assert (run.code, run.jobs) == (0, {"tau_table": 1}), run.output
    assert differing(study, undisturbed) == []
    assert study.plan(*ONE_CORE).idle


@pytest.mark.slow
@pytest.mark.skipif(not ROOT, reason="only root may become another user")
@pytest.mark.fault(fault="another user takes a copy of the study", sees="the study goes on, to the same bits")
def test_another_user_gets_the_same_numbers(undisturbed):
    other = {"user": "nobody", "extra_groups": []}
    try:
        subprocess.run([sys.executable, "-c", "import snakemake"], cwd="/", check=True, capture_output=True, **other)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("another user cannot read this environment")
    with TemporaryDirectory() as place:
        study = undisturbed.copy(Path(place) / "project")
        for folder in ("results/checkpoints", "results/sharpness", "results/tables"):
            shutil.rmtree(study.folder / folder)
        subprocess.run(["chown", "-R", "nobody", place], check=True)
        run = study.finish(study.start(*ONE_CORE, **other))
        assert run.code == 0, run.output
        assert run.jobs == {"train": 2, "measure": 2, "runs_table": 1, "estimates_table": 1, "tau_table": 1}
        assert differing(study, undisturbed) == []


def beside(study: Study, said: str, *arguments: str) -> Run:
    """Call Snakemake in the folder of a study that runs; what it says goes to a file of its own."""
    other = copy(study)
    other._said = study.folder.parent / said
    return other.snakemake(*ONE_CORE, *arguments)


def assert_ends_in(run: Run, line: str) -> None:
    assert re.fullmatch(line, run.output.strip().splitlines()[-1]), run.output
    assert "Traceback" not in run.output
