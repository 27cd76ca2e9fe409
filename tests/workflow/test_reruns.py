"""What a change makes Snakemake do again: what depends on it, and nothing else."""

import os
import time

import pandas as pd
import pytest

FIGURES = {"scatter_figure": 4, "tau_figure": 3, "trust_figure": 1}
TABLES = {"runs_table": 1, "estimates_table": 1, "tau_table": 1, "share_figure": 1, **FIGURES, "page": 1, "metrics": 1}


def parts(plan, position: int) -> set[str]:
    """A part of the path of all that is to be trained or measured: 3 for its architecture, 5 for its radius."""
    paths = [path for path in plan.outputs if path.startswith(("results/checkpoints/", "results/sharpness/"))]
    return {path.split("/")[position] for path in paths}


def test_a_new_radius_is_measured_alone(study):
    study.configure({"rho.report_pga.gat": [0.004, 0.1, 0.02]})
    plan = study.plan()
    assert plan.jobs == {"measure": 2, **TABLES}
    assert (parts(plan, 3), parts(plan, 5)) == ({"gat"}, {"rho-0.1"})


def test_a_new_rate_trains_and_measures_its_architecture_alone(study):
    study.configure({"protocols.report.gat.training.rate": 0.1})
    plan = study.plan()
    assert plan.jobs == {"train": 2, "measure": 8, **TABLES}
    assert parts(plan, 3) == {"gat"}


def test_new_seeds_train_and_measure_their_shard_alone(study):
    study.configure({"seeds": 6})
    plan = study.plan()
    assert plan.jobs == {"train": 2, "measure": 9, **TABLES}
    assert {name.split(".")[0] for name in parts(plan, -1)} == {"seeds-004-005"}


def test_another_published_value_changes_the_tables_alone(study):
    study.configure({"published.report_pga.gat.tau": -0.2})
    assert study.plan().jobs == {"tau_table": 1, **FIGURES, "page": 1, "metrics": 1}


def test_a_radius_that_is_removed_leaves_no_row(study):
    study.configure({"rho.report_pga.gat": [0.02]})
    run = study.snakemake("--cores", "1", "results/tables/tau.csv")
    assert run.code == 0
    assert run.jobs == {"runs_table": 1, "estimates_table": 1, "tau_table": 1}
    tau = pd.read_csv(study.folder / "results/tables/tau.csv").query("measure == 'report_pga'")
    assert list(zip(tau["architecture"], tau["rho"], strict=True)) == [("fcnn", 0.005), ("fcnn", 0.025), ("gat", 0.02)]
    runs = pd.read_parquet(study.folder / "results/tables/runs.parquet").query("measure == 'report_pga'")
    assert set(runs["rho"]) == {0.005, 0.025, 0.02}


def test_touching_every_file_changes_nothing(study):
    """What is read is made newer than what was made from it."""
    files = [path for path in study.folder.rglob("*") if path.is_file() and ".snakemake" not in path.parts]
    for age, path in enumerate(sorted(files)):
        os.utime(path, (time.time() - age,) * 2)
    newest, oldest = study.folder / "data/raw/cora/SHA256SUMS", study.folder / "results/tables/tau.csv"
    assert newest.stat().st_mtime > oldest.stat().st_mtime
    assert study.plan().idle


def test_a_comment_in_the_config_changes_nothing(study):
    study.append("config/config.yaml", "\n# A comment.\n")
    study.append("study.yaml", "# Another.\n")
    assert study.plan().idle


@pytest.mark.parametrize(
    ("file", "jobs"),
    [
        ("architectures/gat", {"train": 2, "measure": 8}),
        ("problems", {"measure": 18}),
        ("ascent", {"measure": 12}),
        ("measures/hessian", {"measure": 2}),
        ("tables", {}),
    ],
)
def test_a_change_of_code_remakes_what_the_code_computes(study, file, jobs):
    study.append(f"adaptive_sharpness/{file}.py", "\n# changed\n")
    assert study.plan().jobs == {**jobs, **TABLES}


def test_a_change_of_the_pages_template_makes_the_page_alone(study):
    study.append("adaptive_sharpness/page.html", "<!-- changed -->\n")
    assert study.plan().jobs == {"page": 1}


def test_a_fetch_that_fails_says_what_was_tried_and_leaves_nothing(study):
    nowhere = [{"directory": place, "files": {"abalone.data": "abalone.data"}} for place in ("nowhere", "elsewhere")]
    study.configure({"datasets.abalone.sources": nowhere})
    (study.folder / "data/raw/abalone/SHA256SUMS").unlink()
    (study.folder / "data/raw/abalone/abalone.data").unlink()
    run = study.snakemake("--cores", "1", "data/raw/abalone/SHA256SUMS")
    assert run.code == 1
    line = "OSError: no source of abalone could be used; tried directory nowhere: "
    (said,) = {text for text in run.output.splitlines() if text.startswith(line)}
    assert "; directory elsewhere: " in said
    assert list((study.folder / "data/raw/abalone").glob("*")) == []


def test_a_damaged_raw_file_is_refused_before_it_is_parsed(study):
    path = study.folder / "data/raw/abalone/abalone.data"
    path.write_bytes(path.read_bytes()[:-1])
    run = study.snakemake("--cores", "1", "--forcerun", "prepare", "--", "results/datasets/abalone.safetensors")
    assert run.code == 1
    assert "abalone.data: got sha256" in run.output
    assert not (study.folder / "results/datasets/abalone.safetensors").exists()
