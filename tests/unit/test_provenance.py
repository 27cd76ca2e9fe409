"""How a page's results came about: the commit, the config, the machine and the time."""

import json
import subprocess
from base64 import urlsafe_b64encode
from pathlib import Path

import pandas as pd
import pytest

from adaptive_sharpness.study.report.provenance import commit, computing_time, made_by, wall_time


def git(folder, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside/file").write_text("first")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


def test_the_commit_is_the_one_that_the_folder_is_at(repository):
    assert commit(repository / "inside") == git(repository, "rev-parse", "--short", "HEAD")


def test_a_change_makes_the_commit_dirty(repository):
    (repository / "inside/file").write_text("second")
    assert commit(repository) == git(repository, "rev-parse", "--short", "HEAD") + "-dirty"


def test_a_folder_outside_git_has_no_known_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit(tmp_path) == "unknown"


def test_without_git_no_commit_is_known(repository, monkeypatch):
    monkeypatch.setenv("PATH", str(repository / "inside"))
    assert commit(repository) == "unknown"


def benchmark(path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def noted(records, file: str, **record) -> None:
    """As Snakemake does it: a long name is cut into folders."""
    name = urlsafe_b64encode(file.encode()).decode()
    cut = [name[at : at + 200] for at in range(0, len(name), 200)]
    path = records.joinpath(*(f"@{part}" for part in cut[:-1]), cut[-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


def test_the_wall_time_is_that_in_which_any_job_was_at_work(tmp_path):
    noted(tmp_path, "results/tables/tau.csv", starttime=10_000.0, endtime=13_600.0)
    noted(tmp_path, "results/tables/runs.parquet", starttime=10_000.0, endtime=13_600.0)  # of the same job
    noted(tmp_path, "results/within.csv", starttime=11_000.0, endtime=11_001.0)
    noted(tmp_path, "results/over-its-end.csv", starttime=13_590.0, endtime=13_660.0)
    noted(tmp_path, "results/" + "later" * 60 + ".csv", starttime=90_000.0, endtime=90_005.4)
    noted(tmp_path, "data/raw/cora/SHA256SUMS", starttime=0.0, endtime=9_000.0)
    noted(tmp_path, "results-of-another-study/tau.csv", starttime=0.0, endtime=9_000.0)
    noted(tmp_path, "results/unknown.csv", starttime=None, endtime=9_000.0)
    (tmp_path / "no-base64!").write_text("{}")
    (tmp_path / urlsafe_b64encode(b"results/cut.csv").decode()).write_text('{"startti')
    assert wall_time(tmp_path, Path("results")) == "1 h 1 min 5 s"


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_where_snakemake_noted_nothing_no_wall_time_is_known(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    assert wall_time(tmp_path / folder, Path("results")) == "unknown"


def test_the_computing_time_is_the_sum_over_jobs_however_deep(tmp_path):
    benchmark(tmp_path / "train/report/fcnn/seeds-000-009.tsv", "s\th:m:s\n3600.25\t1:00:00\n")
    benchmark(tmp_path / "measure/seeds-000-009.tsv", "s\th:m:s\n125.5\t0:02:05\n")
    benchmark(tmp_path / "measure/interrupted.tsv", "")
    benchmark(tmp_path / "measure/note.txt", "s\n1000\n")
    assert computing_time(tmp_path) == "1 h 2 min 6 s, the sum over 2 jobs"


@pytest.mark.parametrize("text", [None, "h:m:s\n0:01:00\n", "s\nNA\n", "s\n", ""])
def test_without_a_time_none_is_known(tmp_path, text):
    if text is not None:
        benchmark(tmp_path / "a.tsv", text)
    assert computing_time(tmp_path / "missing" if text is None else tmp_path) == "unknown"


def test_versions_and_devices_are_those_of_training_and_measuring(tmp_path):
    runs = pd.DataFrame({"device": ["cpu", "cpu"], "versions": ["torch 2", "torch 2"]})
    runs = runs.assign(train_device="NVIDIA H100", train_versions="torch 3")
    made = made_by(runs, "3f2a", tmp_path, tmp_path, tmp_path)
    assert list(made) == ["Commit", "Config, sha256", "Versions", "Devices", "Wall time", "Computing"]
    assert made["Devices"] == "NVIDIA H100, cpu"
    assert made["Versions"] == "torch 2; torch 3"
    assert made["Config, sha256"] == "3f2a"
