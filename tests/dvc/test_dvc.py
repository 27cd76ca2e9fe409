"""What DVC adds to Snakemake: stages, hashes of all that they make, and clones that need not compute."""

import json
import re

import pandas as pd
import pytest
import yaml
from remotes import Remote
from study import Run

STAGES = ("data", "checkpoints", "sharpness", "tables")
IDLE = "Nothing to be done"
# Of the small study one pool and one measure, whose numbers do not depend on the others.
ONE = {"only": "fcnn", **{f"measures.{name}.protocols": [] for name in ("worst_case", "average_case", "hessian")}}


@pytest.fixture(params=["local", *(pytest.param(name, marks=pytest.mark.slow) for name in ("ssh", "s3"))])
def remote(request) -> Remote:
    return request.getfixturevalue(request.param)


def test_over_a_finished_study_dvc_computes_nothing_but_checks_its_raw_data(versioned):
    _, *stages = re.split(r"Running stage '(\w+)':", versioned.made.output)
    assert tuple(stages[::2]) == STAGES
    assert Run(0, stages[1]).jobs == {"data": 1, "prepare": 2}
    assert [IDLE in said for said in stages[3::2]] == [True] * 3


def test_a_committed_study_is_up_to_date_and_git_holds_none_of_it(versioned):
    assert "Data and pipelines are up to date." in versioned.dvc("status").output
    tracked = versioned.git("ls-files").output.splitlines()
    assert "dvc.lock" in tracked
    assert [path for path in tracked if path.startswith(("results/", "data/raw/", ".snakemake/"))] == []


def test_a_clone_that_pulls_has_nothing_to_compute_and_what_it_changes_costs_its_own_jobs(repository, remote, tmp_path):
    remote.add(repository)
    repository.dvc("push")
    clone = repository.clone(tmp_path / "other" / "project")
    remote.add(clone)
    clone.dvc("pull")
    files = [path for path in (repository.folder / "results").rglob("*") if path.is_file()]
    made = [path.relative_to(repository.folder) for path in files]
    assert len(made) > 100
    assert [path for path in made if clone.read(path) != repository.read(path)] == []
    assert clone.plan().idle
    clone.configure({"protocols.report.gat.training.optimiser.lr": 0.2})
    jobs = clone.plan().jobs
    assert {rule: jobs[rule] for rule in ("train", "measure")} == {"train": 2, "measure": 8}
    assert not {"fetch", "prepare"} & set(jobs)


@pytest.mark.slow
def test_a_clone_that_pulls_nothing_computes_the_same_numbers_to_the_bit(versioned, tmp_path):
    """`dvc repro` from nothing."""
    clone = versioned.clone(tmp_path / "other" / "project")
    clone.configure(ONE)
    places = ("data/raw", "results", ".snakemake", ".dvc/cache")
    assert [place for place in places if (clone.folder / place).exists()] == []
    _, *stages = re.split(r"Running stage '(\w+)':", clone.dvc("repro").output)
    assert tuple(stages[::2]) == STAGES
    assert [Run(0, said).jobs for said in stages[1:6:2]] == [
        {"fetch": 1, "prepare": 1, "data": 1},
        {"train": 2, "checkpoints": 1},
        {"measure": 4, "sharpness": 1},
    ]
    folders = [clone.folder / "results" / name for name in ("datasets", "checkpoints", "sharpness")]
    made = [path.relative_to(clone.folder) for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(made) == 2 * (1 + 2 * 4 + 4)  # each with its sha256
    assert [path for path in made if clone.read(path) != versioned.read(path)] == []
    for name, reader, of_all_rows in (("runs.parquet", pd.read_parquet, []), ("tau.csv", pd.read_csv, ["p_holm"])):
        part, whole = (
            reader(each.folder / "results/tables" / name).drop(columns=of_all_rows) for each in (clone, versioned)
        )
        same = whole[(whole["pool"] == "fcnn") & (whole["measure"] == "report_pga")].reset_index(drop=True)
        assert len(part) == (16 if name == "runs.parquet" else 4)
        # not the type: a column is read as one of numbers where it has no text
        pd.testing.assert_frame_equal(part, same[part.columns], check_exact=True, check_dtype=False)
    assert "Data and pipelines are up to date." in clone.dvc("status").output


@pytest.mark.slow
def test_an_experiment_with_another_radius_measures_it_and_skips_what_it_does_not_touch(repository):
    before = json.loads(repository.read("results/tables/metrics.json"))
    run = repository.dvc("exp", "run", "-S", "config/config.yaml:measures.average_case.on.fcnn.rho=[0.2]")
    assert re.findall(r"Stage '(\w+)' didn't change, skipping", run.output) == ["data", "checkpoints"]
    assert re.findall(r"^measure +(\d+)$", run.output, re.MULTILINE) == ["2"]
    assert "rule train:" not in run.output
    assert json.loads(repository.dvc("params", "diff", "--json").output) == {
        "config/config.yaml": {"measures.average_case.on.fcnn.rho": {"old": "[0.1]", "new": "[0.2]"}}
    }
    after = json.loads(repository.read("results/tables/metrics.json"))
    shown = json.loads(repository.dvc("metrics", "show", "--json").output)
    assert shown[""]["data"]["results/tables/metrics.json"]["data"] == after
    changed = json.loads(repository.dvc("metrics", "diff", "--json").output)["results/tables/metrics.json"]
    old, new = before["fcnn"]["average_case"], after["fcnn"]["average_case"]
    assert {name: (tau["old"], tau["new"]) for name, tau in changed.items()} == {"fcnn.average_case": (old, new)}


def test_a_raw_file_changed_after_the_fact_is_an_error_and_no_new_result(repository):
    config = yaml.safe_load(repository.read("config/config.yaml"))
    wanted = config["datasets"]["abalone"]["sha256"]["abalone.data"]
    lock = repository.read("dvc.lock")
    repository.append("data/raw/abalone/abalone.data", "M,0.1,0.1,0.1,0.1,0.1,0.1,0.1,1\n")
    run = repository.call("dvc", "repro")
    assert run.code != 0
    assert re.search(rf"data/raw/abalone/abalone\.data: got sha256 [0-9a-f]{{64}}, wanted {wanted}; delete", run.output)
    assert "ERROR: failed to reproduce 'data'" in run.output
    assert repository.read("dvc.lock") == lock


def test_the_quick_study_through_dvc_is_made_where_dvc_looks_for_it(repository):
    (repository.folder / "params.yaml").write_text("study: config/quick.yaml\n")
    *_, last = re.findall(r"^> (snakemake .*)$", repository.dvc("repro", "--dry", "--force").output, re.MULTILINE)
    plan = repository.call("sh", "-c", f"{last} -n --forceall")
    assert plan.code == 0
    assert plan.outputs
    assert {path.split("/")[0] for path in plan.outputs} == {"data", "results"}
    assert [path for path in plan.outputs if path.startswith("results/quick")] == []
