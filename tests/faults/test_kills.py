"""A run that is ended at any moment is taken up again by the same command, loses no finished job and no bit."""

import os
import signal
import subprocess
import time
import warnings

import psutil
import pytest
from study import Study
from tiny import ONE_CORE, TARGET, begun, differing, finished_outputs, until

# Jobs that have begun, and seconds after that: once the study is read, and at the start and in the midst of each of the
# nine jobs: fetch, prepare, two of train, two of measure, three tables, the last of which takes a second or more.
MOMENTS = [(jobs, delay) for jobs in range(9) for delay in (0.0, 0.8 if jobs else 0.2)] + [(9, 0.0), (9, 0.3)]
# All but one, in training, are left to `make test-all`.
KILLED = [pytest.param(*each, marks=[] if each == (3, 0.8) else pytest.mark.slow) for each in MOMENTS]
SAME = "the run ends; the same command goes on"
OR_NOT = "the run ends, or in rare cases waits for ever and has to be ended by `kill -9`; the same command goes on"


@pytest.mark.fault(fault="kill -9 of a run and all its jobs", sees=SAME)
@pytest.mark.parametrize(("jobs", "delay"), KILLED)
def test_a_run_that_is_killed_is_taken_up_again(nothing, undisturbed, jobs, delay):
    ended_and_taken_up(nothing, undisturbed, jobs, delay, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.fault(fault="Ctrl-C (SIGINT)", sees=OR_NOT)
@pytest.mark.parametrize(("jobs", "delay"), [(0, 0.2), (2, 0.8), (4, 0.8), (8, 0.8)])
def test_a_run_that_is_interrupted_is_taken_up_again(nothing, undisturbed, jobs, delay):
    ended_and_taken_up(nothing, undisturbed, jobs, delay, signal.SIGINT)


@pytest.mark.slow
@pytest.mark.fault(fault="the system or a batch scheduler ends the run (SIGTERM)", sees=OR_NOT)
@pytest.mark.parametrize(("jobs", "delay"), [(0, 0.2), (2, 0.8), (5, 0.8), (8, 0.8)])
def test_a_run_that_is_terminated_is_taken_up_again(nothing, undisturbed, jobs, delay):
    ended_and_taken_up(nothing, undisturbed, jobs, delay, signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.fault(fault="kill -9 of Snakemake alone, while its job lives on", sees=SAME)
def test_a_run_that_leaves_a_job_behind_is_taken_up_again(nothing, undisturbed):
    process = nothing.start(*ONE_CORE)
    begun(nothing, process, 3)
    process.kill()
    taken_up(nothing, undisturbed, nothing.finish(process))


@pytest.mark.slow
@pytest.mark.fault(
    fault="kill -9 of one job (or it needs more memory than there is)",
    sees="`Error in rule train`, with the job's output and log; the others go on; the same command makes it again",
)
def test_a_job_that_is_killed_leaves_the_others_running(nothing, undisturbed):
    process = nothing.start(*ONE_CORE)
    begun(nothing, process, 3)
    job = until(lambda: [each for each in descendants(process.pid) if is_script(each, "train")])[-1]
    job.kill()
    run = nothing.finish(process)
    assert run.code == 1
    assert run.output.count("Error in rule train:") == 1
    measured = nothing.folder / "results/sharpness/report/fcnn/report_pga/rho-0.025"
    assert len(list(measured.glob("seeds-*.parquet"))) == 1
    taken_up(nothing, undisturbed, run)


def ended_and_taken_up(study: Study, undisturbed: Study, jobs: int, delay: float, number: int) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would ignore it
    process = study.start(*ONE_CORE, start_new_session=True)
    signal.signal(signal.SIGINT, before)
    begun(study, process, jobs)
    time.sleep(delay)
    assert process.poll() is None, "the run was over before it could be ended"
    os.killpg(process.pid, number)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:  # seen once: Snakemake's handler waits for a lock that the run itself holds
        warnings.warn(f"{signal.Signals(number).name} did not end the run within 60 s; SIGKILL did", stacklevel=2)
        os.killpg(process.pid, signal.SIGKILL)
    run = study.finish(process)
    assert run.code == -number if number == signal.SIGKILL else run.code != 0
    taken_up(study, undisturbed, run)


def taken_up(study: Study, undisturbed: Study, ended) -> None:
    assert not (study.folder / TARGET).exists()
    again = study.snakemake(*ONE_CORE)
    assert again.code == 0, again.output
    assert finished_outputs(ended) & set(again.outputs) == set()
    assert differing(study, undisturbed) == []


def descendants(process: int) -> list[psutil.Process]:
    return psutil.Process(process).children(recursive=True)


def is_script(process: psutil.Process, name: str) -> bool:
    """Whether a process is Python, running a rule's script."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return len(words) == 2 and words[1].endswith(f".{name}.py")
