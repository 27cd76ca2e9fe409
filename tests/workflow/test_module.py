"""The workflow as a module of another one, as docs/running.md shows it."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

PAGE = (Path(__file__).parents[2] / "docs/running.md").read_text(encoding="utf-8")
GUIDE = PAGE.split("\n## In another workflow\n")[1].split("\n## ")[0]
ELSEWHERE = ("--snakefile", "../Snakefile", "--directory", "..", "--workflow-profile", "profiles/default")
SMALLER = {
    "seeds": 2,
    "seeds_per_job": 2,
    "measures": {
        "report_pga": {"batches": 4, "on": {"fcnn": {"rho": [0.005, 0.025]}}},
        **{name: {"protocols": []} for name in ("worst_case", "average_case", "hessian")},
    },
}


@pytest.fixture(scope="module")
def outer(fresh, small, tmp_path_factory):
    """A folder with the guide's files and a clone, made smaller still."""
    folder = tmp_path_factory.mktemp("outer")
    (snakefile,), (config,) = (
        re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL) for language in ("python", "yaml")
    )
    (folder / "Snakefile").write_text(snakefile)
    study = fresh(folder / "adaptive-sharpness", {})
    own = yaml.safe_load(config) | {"datasets": small["datasets"], **SMALLER}
    (folder / "config.yaml").write_text(yaml.safe_dump(own))
    return study


@pytest.fixture(scope="module")
def run(outer):
    return outer.snakemake(*ELSEWHERE)


def test_another_workflow_goes_on_from_the_tables(outer, run):
    assert run.code == 0, run.output
    own = {"fetch": 1, "prepare": 1, "train": 1, "measure": 2, "runs_table": 1, "estimates_table": 1, "tau_table": 1}
    assert run.jobs == {**{f"sharpness_{rule}": count for rule, count in own.items()}, "steps": 1}
    tau = pd.read_csv(outer.folder / "../results/sharpness/tables/tau.csv")
    assert tau.loc[tau["headline"], "rho"].tolist() == [0.005, 0.025]
    goes_on = pd.read_csv(outer.folder / "../report_pga.csv", names=tau.columns)
    pd.testing.assert_frame_equal(goes_on, tau)


def test_nothing_is_written_into_the_clone(outer, run):
    assert not [name for name in ("results", "logs", "data/raw") if (outer.folder / name).exists()]


def test_a_second_call_has_nothing_to_do(outer, run):
    assert outer.plan(*ELSEWHERE).idle


TWICE = """
configfile: "adaptive-sharpness/config/config.yaml"
configfile: "config.yaml"


rule before:
    output:
        "before.txt",
    shell:
        "echo {config[greeting]} > {output}"


module adaptive_sharpness:
    snakefile:
        "adaptive-sharpness/Snakefile"
    config:
        config


module of_more_models:
    snakefile:
        "adaptive-sharpness/Snakefile"
    prefix:
        "more"
    config:
        {**config, "seeds": 4}


use rule * from adaptive_sharpness as few_*


use rule * from of_more_models as more_*


rule after:
    default_target: True
    input:
        rules.before.output,
        rules.few_tau_table.output,
        rules.more_tau_table.output,
    output:
        "after.txt",
    shell:
        "cat {input} > {output}"
"""


@pytest.fixture
def twice(outer, run, tmp_path):
    """The study two times in one workflow with rules and a key of its own, one of them under a prefix."""
    shutil.copytree(outer.folder.parent, tmp_path / "outer", ignore=shutil.ignore_patterns(".snakemake"))
    folder = tmp_path / "outer"
    (folder / "Snakefile").write_text(TWICE)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump({**config, "greeting": "hello"}))
    return type(outer)(folder / "adaptive-sharpness", {})


@pytest.mark.slow
def test_the_study_twice_in_a_workflow_with_rules_before_and_after(twice):
    """What the first one has made is taken, though no record of Snakemake's says so."""
    done = twice.snakemake(*ELSEWHERE)
    assert done.code == 0, done.output
    more = {"fetch": 1, "prepare": 1, "train": 2, "measure": 4, "runs_table": 1, "estimates_table": 1, "tau_table": 1}
    assert done.jobs == {**{f"more_{rule}": count for rule, count in more.items()}, "before": 1, "after": 1}
    folder = twice.folder.parent
    few, many = (pd.read_csv(folder / place / "results/sharpness/tables/tau.csv") for place in ("", "more"))
    assert (set(few["n"]), set(many["n"])) == ({2}, {4})
    assert (folder / "after.txt").read_text().startswith("hello\n")
    assert twice.plan(*ELSEWHERE).idle
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["measures"]["report_pga"]["batches"] = 5
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    jobs = twice.plan(*ELSEWHERE).jobs
    assert {rule: count for rule, count in jobs.items() if rule.endswith("measure")} == {
        "few_measure": 2,
        "more_measure": 4,
    }
    assert not {"before", "few_train", "more_train"} & set(jobs)


def test_a_key_that_is_nearly_one_of_the_studys_is_refused_in_another_workflows_config_too(twice):
    path = twice.folder.parent / "config.yaml"
    path.write_text(path.read_text() + "seed: 4\n")
    run = twice.plan(*ELSEWHERE)
    assert run.code == 1
    assert "config: seed: got 'seed', wanted one of seeds, " in run.output


def test_code_is_watched_there_too(outer, run):
    outer.append("workflow/scripts/measure.py", "\nchanged = True\n")
    assert outer.plan(*ELSEWHERE).jobs["sharpness_measure"] == 2
