"""What stands in the tables was made by this code, from this config, whole; or a line says why not."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from study import ROOT, TIMEOUT, Run, Study

from adaptive_sharpness.study.config.reading import merged, plain_config
from adaptive_sharpness.study.config.yaml_file import read_yaml

TABLES = {"runs_table": 1, "estimates_table": 1, "tau_table": 1, "metrics": 1, "report": 1}
ANSWERS = "adaptive_sharpness/study/tables/answers.py"


def call(study: Study, *command: str, **options) -> Run:
    """What a command says in the folder of a study."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    ended = subprocess.run(command, cwd=study.folder, env=environment, timeout=TIMEOUT, **pipes, **options)
    return Run(ended.returncode, ended.stdout)


# Which code runs


@pytest.fixture
def elsewhere(study) -> Study:
    """A clone in whose environment another clone is installed: the one that these tests belong to."""
    study.environment = {"PYTHONPATH": None}
    return study


@pytest.mark.fault(
    fault="a clone that uses the environment of another clone",
    sees="its own code is watched, and runs",
)
def test_the_code_beside_the_snakefile_is_the_code_that_is_watched_and_that_runs(elsewhere):
    assert elsewhere.plan().idle
    path = elsewhere.folder / ANSWERS
    path.write_text(
        path.read_text().replace(
            "def metrics(", "def metrics(_):\n    return {'made_by': 'this clone'}\n\n\ndef _other("
        )
    )
    run = elsewhere.snakemake("--cores", "1", "results/tables/metrics.json")
    assert run.code == 0, run.output
    assert run.jobs == {"metrics": 1}
    assert '"this clone"' in elsewhere.read("results/tables/metrics.json").decode()


def test_a_package_that_is_there_first_is_refused_with_both_places(elsewhere, tmp_path):
    """As in a process that has it already."""
    code = "import sys, adaptive_sharpness; from snakemake.cli import main; main(sys.argv[1:])"
    run = call(elsewhere, sys.executable, "-P", "-c", code, "-n", "--configfile", "study.yaml")
    assert run.code == 1
    ours, theirs = (folder / "adaptive_sharpness" for folder in (ROOT, elsewhere.folder))
    assert run.output.splitlines()[-1] == f"adaptive_sharpness: got the package in {ours}, wanted that in {theirs}"


# Results say of themselves what they were made from

LOST = {
    "a rate": ({"protocols.report.gat.training.optimiser.lr": 0.1}, {"train": 2, "measure": 8, **TABLES}),
    "a radius": ({"measures.report_pga.on.gat.rho": [0.004, 0.03]}, {"measure": 2, **TABLES}),
    "nothing": ({}, {}),
}


@pytest.mark.parametrize("lost", ["removed", pytest.param("of another study", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("changes", "jobs"), LOST.values(), ids=LOST)
@pytest.mark.fault(
    fault="Snakemake's records are lost, or are those of other results", sees="what is out of date is made again"
)
def test_without_snakemakes_records_a_change_counts_all_the_same(study, lost, changes, jobs):
    if lost == "removed":
        shutil.rmtree(study.folder / ".snakemake")
    else:
        for path in (study.folder / ".snakemake/metadata").rglob("*"):
            if path.is_file():
                path.write_text(path.read_text().replace('"', "'", 1))
    study.configure(changes)
    plan = study.plan()
    assert plan.jobs == jobs, plan.output


def test_a_dry_run_says_what_a_result_was_made_from(study):
    study.configure({"protocols.report.gat.training.optimiser.lr": 0.1})
    said = study.plan().output
    assert re.search(r"seeds-000-001\.safetensors: made from pool\.training\.optimiser\.lr [0-9.]+, wanted 0\.1", said)


@pytest.mark.parametrize(
    "arguments", [("--touch",), pytest.param(("--cleanup-metadata", "results/tables/tau.csv"), marks=pytest.mark.slow)]
)
def test_no_call_of_snakemake_makes_an_outdated_result_current(study, arguments):
    study.configure({"published.report_pga.gat.tau": -0.2})
    jobs = {"tau_table": 1, "metrics": 1, "report": 1}
    assert study.plan().jobs == jobs
    assert study.snakemake("--cores", "1", *arguments).code == 0
    assert study.plan().jobs == jobs


@pytest.mark.fault(fault="--rerun-triggers without params", sees="`--rerun-triggers: got none of params, wanted it`")
def test_triggers_that_would_leave_outdated_results_are_refused(study):
    run = study.plan("--rerun-triggers", "mtime")
    assert run.code == 1
    assert "--rerun-triggers: got none of params, wanted it among them: it finds outdated results" in run.output
    assert "Traceback" not in run.output


def test_results_copied_from_another_machine_are_taken_or_made_again_by_what_they_say(study, finished, tmp_path):
    """A measured radius of the same study is taken; the same file of a study with another rate is not."""
    path = "results/sharpness/report/gat/report_pga/rho-0.02/seeds-000-001.parquet"
    for name in (path, f"{path}.sha256"):
        (study.folder / name).unlink()
        shutil.copy(finished.folder / name, study.folder / name)
    assert study.plan().idle
    beside = study.folder / f"{path}.sha256"
    beside.write_text(beside.read_text().replace('"batches": 4', '"batches": 5'))
    assert study.plan().jobs == {"measure": 1, **TABLES}


@pytest.mark.slow
def test_a_run_with_a_progress_bar_is_a_run(study):
    study.configure({"published.report_pga.gat.tau": -0.2})
    run = study.snakemake("--logger", "rich", "--cores", "1", "tables")
    assert run.code == 0, run.output
    assert study.plan("tables").idle


# A part of a study


@pytest.mark.fault(
    fault="a part of a study is run where the whole one lies", sees="tables and page say so; `make publish` refuses it"
)
def test_a_part_is_marked_and_is_not_published(study):
    run = study.snakemake("--cores", "1", "--config", "only=gat")
    assert run.code == 0, run.output
    for name, read in (("runs.parquet", pd.read_parquet), ("tau.csv", pd.read_csv), ("estimates.csv", pd.read_csv)):
        (said,) = read(study.folder / "results/tables" / name)["part"].unique()
        assert said.startswith("no models of report/fcnn")
    assert (
        "<b>This is a part of the study.</b> It has no models of report/fcnn"
        in study.read("results/report.html").decode()
    )
    shutil.copy(ROOT / "Makefile", study.folder)
    refused = call(study, "make", "-o", "setup", "publish")
    assert refused.code != 0
    assert "results/tables/tau.csv: made from part no models of" in refused.output
    assert "publish: got results that do not fit, wanted a finished study: make study" in refused.output
    assert not (study.folder / "docs").exists()


@pytest.mark.slow
def test_a_whole_study_is_published_with_its_records(study):
    """The same study, as config/config.yaml itself: nothing is trained or measured again."""
    config = study.folder / "config/config.yaml"
    said = merged(plain_config(read_yaml(config)), plain_config(read_yaml(study.folder / "study.yaml")))
    config.write_text(yaml.safe_dump(said, sort_keys=False))
    whole = Study(study.folder, {})
    run = whole.snakemake("--cores", "1")
    assert (run.code, run.jobs) == (0, TABLES), run.output
    assert "part" not in pd.read_csv(study.folder / "results/tables/tau.csv")
    (study.folder / "docs").mkdir()
    for name in ("Makefile", "README.md", "docs/readme.py"):
        shutil.copy(ROOT / name, study.folder / name)
    assert call(study, "make", "-o", "setup", "publish").code == 0
    assert study.read("README.md") != (ROOT / "README.md").read_bytes()  # it has this study's answer
    published = study.folder / "docs/results"
    assert study.read("docs/results/tau.csv.sha256") == study.read("results/tables/tau.csv.sha256")
    assert not [path for path in published.rglob("*") if ".pdf" in path.suffixes]
    verified = call(study, "make", "-o", "setup", "verify")
    told = [line for line in verified.output.splitlines() if line.startswith(("results/", "docs/"))]
    assert told == []  # what an earlier version has published in studies/ may be told
    (published / "tau.csv").write_text("edited")
    verified = call(study, "make", "-o", "setup", "verify")
    assert verified.code != 0
    assert "docs/results/tau.csv: damaged since it was written: got sha256 " in verified.output


# Shared disks


@pytest.mark.slow
def test_what_a_run_writes_follows_the_umask(finished, tmp_path):
    study = finished.copy(tmp_path / "project")
    for name in ("results", "logs", ".snakemake", "data/raw"):
        shutil.rmtree(study.folder / name)
    run = study.finish(study.start("--cores", "2", "checkpoints", umask=0o002))
    assert run.code == 0, run.output
    made = [path for name in ("results", "data/raw") for path in (study.folder / name).rglob("*")]
    modes = {oct(path.stat().st_mode & 0o777) for path in made if path.is_file()}
    assert modes == {"0o664"}


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.fault(
    fault="the second user of a group goes on in a study of the first one's", sees="it goes on, or a line says why not"
)
@pytest.mark.parametrize("shared", [True, False])
def test_a_groups_second_user_goes_on_where_the_first_stopped_or_gets_a_line(study, shared):
    """An account without a superuser's rights, in whose group the files are, which belong to another account."""
    subprocess.run(["chown", "-R", "12345:0", study.folder], check=True)
    subprocess.run(["chmod", "-R", "g+w" if shared else "g-w", study.folder], check=True)
    for path in (study.folder / "results/tables").iterdir():
        path.unlink()
    plain = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-m", "snakemake")
    run = call(study, *plain, "--cores", "1", "--configfile", "study.yaml", umask=0o002)
    assert "Traceback" not in run.output
    if shared:
        assert (run.code, run.jobs) == (0, TABLES), run.output
        assert oct((study.folder / "results/tables/tau.csv").stat().st_mode & 0o777) == "0o664"
    else:
        assert run.code == 1
        assert re.fullmatch(r"\[Errno 13\] Permission denied: '\.snakemake/[a-z.]+'", run.output.splitlines()[-1])
