"""DVC's ways to go on with a study that has one radius more, and to come back to another version of it.

After each of them, in that clone and in one that pulls from it: nothing is computed that is there, nothing finished is
lost, and DVC and Snakemake agree that nothing is left to do.
"""

import re
import shutil
import time

import pytest
import yaml
from study import TIMEOUT, Study

STAGES = {"data", "checkpoints", "sharpness", "tables"}
RADIUS = {"measures.report_pga.on.fcnn.rho": [0.005, 0.0125, 0.025]}
ADDED = "results/sharpness/report/fcnn/report_pga/rho-0.0125/seeds-000-001.parquet"
QUICK = "results/quick/tables/tau.csv"  # of another study
CLEAN = "Data and pipelines are up to date."


def repro(study: Study) -> str:
    return study.dvc("repro").output


def repro_forced(study: Study) -> str:
    return study.dvc("repro", "--force").output


def stage_by_stage(study: Study) -> str:
    return "".join(
        study.dvc("repro", "--single-item", stage).output for stage in ("data", "checkpoints", "sharpness", "tables")
    )


def downstream(study: Study) -> str:
    return study.dvc("repro", "--downstream", "sharpness").output


def without_commit(study: Study) -> str:
    said = study.dvc("repro", "--no-commit").output
    study.dvc("commit", "--force")
    return said


def snakemake_and_commit(study: Study) -> str:
    said = study.call("snakemake", "--cores", "1").output
    study.dvc("commit", "--force")
    return said


def snakemake_and_repro(study: Study) -> str:
    return study.call("snakemake", "--cores", "1").output + study.dvc("repro").output


def experiment(study: Study) -> str:
    return study.dvc("exp", "run").output


def experiment_in_a_copy(study: Study) -> str:
    said = study.dvc("exp", "run", "--temp", "--name", "more").output
    study.git("checkout", "config")
    study.dvc("exp", "apply", "more")
    return said


def experiment_from_the_queue(study: Study) -> str:
    study.dvc("exp", "run", "--queue", "--name", "more")
    study.git("checkout", "config")
    study.dvc("queue", "start")
    end = time.monotonic() + TIMEOUT
    while not re.search(r"\bmore\b.*\b(Success|Failed)\b", (status := study.dvc("queue", "status").output)):
        assert time.monotonic() < end, status
        time.sleep(2)
    said = study.dvc("queue", "logs", "more").output
    study.dvc("exp", "apply", "more")
    return said


def experiment_on_a_branch(study: Study) -> str:
    said = study.dvc("exp", "run", "--temp", "--name", "more").output
    study.git("checkout", "config")
    study.dvc("exp", "branch", "more", "wide")
    study.git("checkout", "wide")
    study.dvc("checkout", "--force")
    return said


SLOW = (repro_forced, stage_by_stage, downstream, without_commit, snakemake_and_commit, snakemake_and_repro)
SLOW += (experiment, experiment_in_a_copy, experiment_from_the_queue, experiment_on_a_branch)
WAYS = [repro, *(pytest.param(way, marks=pytest.mark.slow) for way in SLOW)]


def measured(said: str) -> set[str]:
    """What was trained or measured, as Snakemake says it."""
    outputs = re.findall(r"^ +output: (.+)$", said, re.MULTILINE)
    made = {path for line in outputs for path in line.split(", ")}
    return {path for path in made if path.startswith(("results/checkpoints/", "results/sharpness/"))}


def assert_nothing_is_left(study: Study) -> None:
    assert CLEAN in (said := study.dvc("status").output), said
    plan = study.plan()
    assert plan.idle, plan.output


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_radius_more_costs_its_own_jobs_and_nobody_computes_it_again(repository, local, tmp_path, way):
    local.add(repository)
    repository.dvc("push")
    (repository.folder / QUICK).parent.mkdir(parents=True)
    (repository.folder / QUICK).write_text("finished")
    before = {path: repository.read(path) for path in files(repository)}
    repository.configure(RADIUS)
    said = way(repository)
    assert measured(said) == {ADDED, ADDED.replace("000-001", "002-003")}, said
    assert {path: repository.read(path) for path in before} == before
    assert repository.read(QUICK) == b"finished"
    assert set(yaml.safe_load(repository.read("dvc.lock"))["stages"]) == STAGES
    assert_nothing_is_left(repository)
    repository.commit()
    repository.dvc("push")
    clone = repository.clone(tmp_path / "third" / "project")
    local.add(clone)
    clone.dvc("pull")
    assert clone.read(ADDED) == repository.read(ADDED)
    assert_nothing_is_left(clone)


def files(study: Study) -> list[str]:
    """Checkpoints and measurements."""
    folders = [study.folder / "results" / name for name in ("checkpoints", "sharpness")]
    return [str(path.relative_to(study.folder)) for folder in folders for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def wide(repository, local) -> Study:
    """A study that has had a radius more since its first commit, in the remote with all its versions."""
    local.add(repository)
    repository.dvc("push")
    repository.git("branch", "narrow")
    repository.configure(RADIUS)
    repository.dvc("repro")
    repository.commit()
    repository.git("branch", "wide")
    repository.dvc("push")
    return repository


@pytest.mark.slow
def test_between_two_versions_nothing_is_computed(wide):
    for version in ("narrow", "wide"):
        wide.git("checkout", version)
        wide.dvc("checkout")
        assert_nothing_is_left(wide)


@pytest.mark.slow
def test_a_clone_without_results_pulls_what_it_needs_and_computes_nothing(wide, local, tmp_path):
    clone = wide.clone(tmp_path / "third" / "project")
    local.add(clone)
    said = clone.dvc("repro", "--pull").output
    assert measured(said) == set()
    assert_nothing_is_left(clone)


@pytest.mark.slow
def test_an_experiment_can_be_handed_on_by_git_and_a_remote(wide, local, tmp_path):
    wide.git("init", "--quiet", "--bare", str(tmp_path / "server"))
    wide.git("remote", "add", "server", str(tmp_path / "server"))
    wide.git("push", "--quiet", "server", "HEAD")
    wide.dvc(
        "exp", "run", "--temp", "--name", "more", "-S", "config/config.yaml:measures.average_case.on.fcnn.rho=[0.2]"
    )
    wide.dvc("exp", "push", "server", "more")
    clone = wide.clone(tmp_path / "third" / "project")
    local.add(clone)
    clone.git("remote", "add", "server", str(tmp_path / "server"))
    clone.dvc("pull")
    clone.dvc("exp", "pull", "server", "more")
    clone.dvc("exp", "apply", "more")
    assert (clone.folder / "results/sharpness/report/fcnn/average_case/rho-0.2").exists()
    assert_nothing_is_left(clone)


@pytest.mark.slow
def test_an_older_version_can_be_gone_on_from_with_all_that_was_measured_since(wide, local):
    """The radius that was measured is in DVC's cache, not in the folder: the version before did not have it."""
    wide.git("checkout", "narrow")
    wide.dvc("checkout")
    assert not (wide.folder / ADDED).exists()
    wide.git("checkout", "wide", "--", "config/config.yaml", "dvc.lock")
    wide.dvc("checkout")
    assert_nothing_is_left(wide)


@pytest.mark.slow
@pytest.mark.parametrize("command", [("checkout",), ("pull",)])
@pytest.mark.fault(
    fault="dvc checkout or pull where finished work is not in DVC yet", sees="DVC refuses; nothing finished is lost"
)
def test_finished_work_that_dvc_does_not_have_is_not_overwritten(wide, command):
    wide.configure({"measures.report_pga.on.fcnn.rho": [0.005, 0.0125, 0.025, 0.03]})
    assert wide.call("snakemake", "--cores", "1").code == 0
    new = ADDED.replace("0.0125", "0.03")
    made = wide.read(new)
    run = wide.call("dvc", *command)
    assert wide.read(new) == made, run.output
    assert run.code != 0


@pytest.mark.slow
def test_pulling_a_part_leaves_snakemake_what_is_missing_alone(wide, local, tmp_path):
    clone = wide.clone(tmp_path / "third" / "project")
    local.add(clone)
    clone.dvc("pull", "data", "checkpoints", "sharpness")
    jobs = clone.plan().jobs
    assert set(jobs) == {"runs_table", "estimates_table", "tau_table", "metrics", "report"}
    shutil.rmtree(clone.folder / "results/sharpness")
    assert "train" not in clone.plan().jobs
