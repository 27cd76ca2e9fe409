"""The workflow as a module of another one, as docs/reuse.md shows it."""

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

GUIDE = (Path(__file__).parents[2] / "docs/reuse.md").read_text(encoding="utf-8")
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


def test_code_is_watched_there_too(outer, run):
    outer.append("workflow/scripts/measure.py", "\n# changed\n")
    assert outer.plan(*ELSEWHERE).jobs["sharpness_measure"] == 2
