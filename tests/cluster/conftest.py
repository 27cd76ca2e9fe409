"""A SLURM cluster of one node on this machine, and a small study that ran on it through the profile."""

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from study import TIMEOUT, Run, Study

HERE = Path(__file__).parent
SHORT_OF_MEMORY = "100 * 20 ** (attempt - 1)"  # MB: too little at first, then what the profile gives by default
# Of the profile, what differs here: jobs are short, and no database knows what became of them.
LOCAL = ("--slurm-init-seconds-before-status-checks", "2", "--slurm-status-command", "squeue")


@dataclass(frozen=True)
class Clustered:
    """A study that ran on the cluster."""

    study: Study
    run: Run
    cancelled: str  # the SLURM job that was cancelled
    jobs: list[dict[str, str]]  # what SLURM knows of every job, by the names of scontrol

    def of(self, rule: str) -> list[dict[str, str]]:
        """A rule's jobs in the order of their submission."""
        return [job for job in self.jobs if job["Comment"].startswith(f"rule_{rule}_")]


@pytest.fixture(scope="session")
def cluster():
    """Brings SLURM up, and down again when its input ends: at the latest when this process does."""
    if os.geteuid() != 0:
        pytest.skip("a SLURM cluster of one node needs root")
    for program in ("slurmctld", "slurmd", "munged"):
        if not shutil.which(program):
            pytest.skip(f"needs {program}: apt-get install --no-install-recommends slurm-wlm munge")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([HERE / "slurm-local.sh"], **pipes) as script:
        assert script.stdout.readline() == "ready\n"
        yield
        script.stdin.close()
        assert script.wait(60) == 0


@pytest.fixture(scope="session")
def clustered(cluster, fresh, small, tmp_path_factory) -> Clustered:
    """The small study: its first jobs run out of memory, and one that trains is cancelled."""
    study = fresh(tmp_path_factory.mktemp("cluster") / "project", small)
    profile = study.folder / "profiles/slurm/config.yaml"
    settings = yaml.safe_load(profile.read_text())
    settings["set-resources"]["prepare"] = {"mem_mb": SHORT_OF_MEMORY}
    profile.write_text(yaml.safe_dump(settings))
    process = study.start("--workflow-profile", "profiles/slurm", *LOCAL)
    try:
        cancelled = _cancelled(study, process)
        run = study.finish(process)
    finally:
        process.kill()
    return Clustered(study, run, cancelled, _jobs())


def _cancelled(study: Study, process: subprocess.Popen) -> str:
    """Cancel a job that trains as soon as it runs: it takes seconds to start. One that is over is left for the next."""
    end = time.monotonic() + TIMEOUT
    while True:
        assert process.poll() is None, study.finish(process).output
        assert time.monotonic() < end
        for job in _training():
            subprocess.run(["scancel", job])  # which may find it gone
            if _state(job) == "CANCELLED":
                return job
        time.sleep(0.2)


def _training() -> list[str]:
    """The jobs that train, and run."""
    command = ["squeue", "--noheader", "--states=RUNNING", "--format=%i %k"]
    running = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return re.findall(r"^(\S+) rule_train_", running, re.MULTILINE)


def _state(number: str) -> str:
    """What became of a job, once it has ended."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        [state] = [job["JobState"] for job in _jobs() if job["JobId"] == number]
        if state not in ("RUNNING", "COMPLETING"):
            return state
        time.sleep(0.2)
    raise AssertionError(f"job {number} is {state} still")


def _jobs() -> list[dict[str, str]]:
    """What SLURM knows of every job."""
    command = ["scontrol", "--oneliner", "show", "jobs"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    jobs = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in lines]
    return sorted(jobs, key=lambda job: int(job["JobId"]))
