"""What a change makes Snakemake do again, for each kind of change that it looks for.

tests/unit/test_plan_changes.py goes through all changes by the plan alone; here are one or two of each kind for real.
"""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from adaptive_sharpness.study.config.reading import merged, plain_config, read_settings
from adaptive_sharpness.study.config.yaml_file import read_yaml
from adaptive_sharpness.study.plan import Plan

TABLES = {"runs_table": 1, "estimates_table": 1, "tau_table": 1, "metrics": 1, "report": 1}
PREPARE = {"prepare": 2, "train": 4, "measure": 18, **TABLES}
NOTHING: dict[str, int] = {}


def configured(changes: dict) -> Callable:
    return lambda study: study.configure(changes)


def appended(path: str, text: str = "\nchanged = True\n") -> Callable:
    return lambda study: study.append(path, text)


def replaced(path: str, old: str, new: str) -> Callable:
    def change(study):
        text = (study.folder / path).read_text()
        assert old in text
        (study.folder / path).write_text(text.replace(old, new))

    return change


def removed(path: str) -> Callable:
    def change(study):
        files = [file for file in sorted(study.folder.glob(path)) if file.is_file()]
        assert files
        for file in files:
            file.unlink()

    return change


def touched(study) -> None:
    """What is read is made newer than what was made from it, as in a clone, and to the second as git does it."""
    files = [path for path in study.folder.rglob("*") if path.is_file() and ".snakemake" not in path.parts]
    for age, path in enumerate(sorted(files)):
        os.utime(path, (int(time.time()) - age,) * 2)
    newest, oldest = study.folder / "data/raw/cora/SHA256SUMS", study.folder / "results/tables/tau.csv"
    assert newest.stat().st_mtime > oldest.stat().st_mtime


def changed_and_back(study) -> None:
    for path in ("adaptive_sharpness/study/training/descent.py", "workflow/scripts/measure.py"):
        text = study.read(path)
        study.append(path, "\nchanged = True\n")
        (study.folder / path).write_bytes(text)


# A change, the jobs that are done again, and of those that train or measure parts of their outputs' paths: 3 is the
# pool, 4 the measure, 5 the radius, -1 the file.
CHANGES = {
    # other files
    "a radius more": (
        configured({"measures.report_pga.on.gat.rho": [0.004, 0.1, 0.02]}),
        {"measure": 2, **TABLES},
        {5: {"rho-0.1"}},
    ),
    "a pool less": (configured({"only": "gat"}), TABLES, {}),
    # other parameters
    "a measure's option on one pool": (
        configured({"measures.worst_case.on.gat.steps": 12}),
        {"measure": 2, **TABLES},
        {3: {"gat"}, 4: {"worst_case"}},
    ),
    "a published value": (
        configured({"published.report_pga.gat.tau": -0.2}),
        {"tau_table": 1, "metrics": 1, "report": 1},
        {},
    ),
    "the data's hash": (
        configured({"datasets.abalone.sha256": {"abalone.data": 64 * "0"}}),
        {"fetch": 1, "prepare": 1, "train": 2, "measure": 10, **TABLES},
        {3: {"fcnn"}},
    ),
    # other code
    "a measure's code": (
        appended("adaptive_sharpness/measures/hessian.py"),
        {"measure": 2, **TABLES},
        {4: {"hessian"}},
    ),
    "a template": (appended("adaptive_sharpness/study/report/page.html", "<!-- changed -->\n"), {"report": 1}, {}),
    # files that are gone; surprising: what lies in the middle is not missed while all that was made from it is there
    "a checkpoint that is gone": (removed("results/checkpoints/report/gat/seeds-000-001.*"), NOTHING, {}),
    "a table that is gone": (
        removed("results/tables/tau.csv"),
        {"tau_table": 1, "metrics": 1, "report": 1},
        {},
    ),
    # what does not count
    "a mirror of the data": (
        configured({"datasets.abalone.sources": [{"directory": "mirror", "files": {"abalone.data": "abalone.data"}}]}),
        NOTHING,
        {},
    ),
    "a comment in the rules": (appended("workflow/rules/train.smk", "\n# changed\n"), NOTHING, {}),
    "a number's spelling": (replaced("study.yaml", "0.02\n", "2e-2\n"), NOTHING, {}),
    "the time of every file": (touched, NOTHING, {}),
    "a change that is taken back": (changed_and_back, NOTHING, {}),
}


def parts(plan, position: int) -> set[str]:
    """A part of the paths of all that is to be trained or measured, without endings."""
    paths = [path for path in plan.outputs if path.startswith(("results/checkpoints/", "results/sharpness/"))]
    return {re.sub(r"(\.[a-z_]+)+$", "", path.split("/")[position]) for path in paths}


OFTEN = {"a radius more", "a measure's code", "a table that is gone", "the time of every file"}
CASES = [
    pytest.param(*case, id=name, marks=[] if name in OFTEN else pytest.mark.slow) for name, case in CHANGES.items()
]


@pytest.mark.parametrize(("change", "jobs", "where"), CASES)
def test_a_change_remakes_what_depends_on_it_and_nothing_else(study, change, jobs, where):
    """In a copy of the study, which has moved."""
    change(study)
    plan = study.plan()
    assert plan.jobs == jobs, plan.output
    assert plan.idle == (not jobs), plan.output
    assert {position: parts(plan, position) for position in where} == where


@pytest.mark.parametrize(
    ("package", "jobs"),
    [
        ("torch", PREPARE),
        pytest.param("matplotlib", {"report": 1}, marks=pytest.mark.slow),
        pytest.param("snakemake", NOTHING, marks=pytest.mark.slow),
    ],
)
def test_another_version_of_a_package_remakes_what_imports_it(study, other_version, package, jobs):
    other_version(study.folder, package, "999.1")
    plan = study.plan()
    assert plan.jobs == jobs, plan.output
    assert plan.idle == (not jobs), plan.output


def test_a_checkpoint_that_is_gone_is_made_again_where_it_is_asked_for(study):
    removed("results/checkpoints/report/gat/seeds-000-001.safetensors")(study)
    assert study.plan("checkpoints").jobs == {"train": 1, "checkpoints": 1}


@pytest.fixture(scope="module")
def less(finished, tmp_path_factory):
    """The study without a pool, a measure and a radius."""
    study = finished.copy(tmp_path_factory.mktemp("less") / "project")
    study.configure({"only": "gat", "measures.average_case.protocols": [], "measures.report_pga.on.gat.rho": [0.02]})
    study.run = run = study.snakemake("--cores", "2")
    assert run.code == 0, run.output
    assert run.jobs == TABLES
    return study


LEFT = {("gat", "report_pga", 0.02), ("gat", "worst_case", 0.02)}
GONE = {"fcnn", "average_case", "hessian", "0.004"}
SAID = {  # every table and figure of what is left, and what it said at least of what is gone
    "tables/runs.parquet": GONE,
    "tables/tau.csv": GONE,
    "tables/estimates.csv": GONE,
    "tables/metrics.json": {"fcnn", "average_case"},
    "figures/report/report_pga/test_loss_vs_sharpness.svg": {"fcnn"},
    "figures/report/report_pga/tau_vs_rho.svg": {"fcnn", "0.004"},
    "figures/report/worst_case/test_loss_vs_sharpness.svg": {"fcnn"},
    "figures/report/worst_case/tau_vs_rho.svg": {"fcnn"},
    "figures/report/share_of_best.svg": {"fcnn"},
    "figures/report/trust.svg": GONE,
}


def words(path: Path) -> set[str]:
    """The cells of a table, or the words of a file of texts; of a figure those that are drawn."""
    if path.suffix in (".csv", ".parquet"):
        table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
        return set(map(str, table.to_numpy().ravel()))
    text = path.read_text(encoding="utf-8")
    drawn = re.findall(r"<!-- (.*?) -->", text) if path.suffix == ".svg" else [text]  # letters are drawn as curves
    return {word for line in drawn for word in re.findall(r"[\w.]+", line)}


@pytest.mark.parametrize("name", ["runs.parquet", "tau.csv", "estimates.csv"])
def test_what_is_removed_leaves_no_row(less, name):
    path = less.folder / "results/tables" / name
    table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    assert set(table[["pool", "measure", "rho"]].itertuples(index=False, name=None)) == LEFT


@pytest.mark.parametrize(("name", "said"), SAID.items(), ids=SAID)
def test_what_is_removed_leaves_no_word_in_a_table_or_a_figure(less, finished, name, said):
    before, left = (words(each.folder / "results" / name) for each in (finished, less))
    assert said <= before
    assert GONE & left == set()
    assert "gat" in left


def test_no_table_or_figure_of_what_is_left_is_forgotten_here(less):
    """And no figure of the study before stays among those of this one."""
    results = less.folder / "results"
    made = [path for part in ("tables", "figures") for path in (results / part).rglob("*") if path.is_file()]
    found = {
        path.relative_to(results).as_posix() for path in made if path.suffix in (".csv", ".parquet", ".json", ".svg")
    }
    assert found == set(SAID)
    assert len([path for path in made if path.suffix == ".pdf"]) == len([path for path in SAID if path.endswith("svg")])


def test_what_is_removed_leaves_nothing_on_the_page(less, finished):
    page, before = (each.read("results/report.html").decode() for each in (less, finished))
    (left_out,) = re.findall(r'<p class="part">.*</p>', page)
    for gone in GONE:
        assert gone in before
        assert gone not in re.sub(r"base64,[^\"]*", "", page.replace(left_out, ""))


def test_what_is_removed_and_put_back_is_not_measured_again(less, tmp_path):
    """Surprising only until one has seen it: a radius has a file of its own, which waits."""
    study = less.copy(tmp_path / "project")
    study.configure(
        {
            "only": "fcnn,gat",
            "measures.average_case.protocols": ["report"],
            "measures.report_pga.on.gat.rho": [0.004, 0.02],
        }
    )
    assert study.plan().jobs == TABLES


@pytest.mark.fault(
    fault="no source has the data", sees="`OSError: no source of DATA SET could be used; tried ...: ...; ...`"
)
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


@pytest.mark.fault(
    fault="a raw file is damaged, and is to be parsed",
    sees="`OSError: FILE: got sha256 ..., wanted ...; delete FOLDER and rerun`",
)
def test_a_damaged_raw_file_is_refused_before_it_is_parsed(study):
    path = study.folder / "data/raw/abalone/abalone.data"
    path.write_bytes(path.read_bytes()[:-1])
    run = study.snakemake("--cores", "1", "--forcerun", "prepare", "--", "results/datasets/abalone.safetensors")
    assert run.code == 1
    assert "abalone.data: got sha256" in run.output
    assert not (study.folder / "results/datasets/abalone.safetensors").exists()


def test_the_plan_is_what_snakemake_does(study):
    """Job by job: the same outputs, made from the same inputs' count."""
    config = merged(plain_config(read_yaml(study.folder / "config/config.yaml")), study.config)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(study.folder)
        plan = Plan(read_settings(config), lambda rule: study.folder / f"workflow/scripts/{rule}.py")
        planned = sorted(path for job in plan.jobs() for path in job.outputs)
    assert sorted(study.plan("--forceall").outputs) == planned


@pytest.mark.slow
def test_no_parameter_of_a_dry_run_is_long(study):
    """Snakemake prints those that have changed, as they were and as they are; here with 2,000 models a pool."""
    study.configure({"seeds": 2000, "measures.report_pga.on.gat.rho": [0.004, 0.3]})
    said = re.findall(r"Params have changed .*?(?=; |$)", study.plan().output, re.MULTILINE)
    assert said
    assert max(map(len, said)) <= 500
