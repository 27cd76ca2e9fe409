"""What a change of config or code makes of the plan: which jobs are done again, and which are not."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from study import SMALL

from adaptive_sharpness import plugins
from adaptive_sharpness.study.config.reading import merged, plain_config, read_settings
from adaptive_sharpness.study.plan import Job, Plan

ROOT = Path(__file__).parents[2]
BASE = merged(plain_config(yaml.safe_load((ROOT / "config/config.yaml").read_text())), SMALL)
REPORT = {"report": 1}
TABLES = {"runs_table": 1, "estimates_table": 1, "tau_table": 1, "metrics": 1, **REPORT}
ALL = {"train": 4, "measure": 18, **TABLES}
NOTHING: dict[str, int] = {}


MINE = "from ._helper import SCALE\n\n\ndef mine(model, loss, batches, *, seed, scale=SCALE): ...\n"


def copied(folder: Path) -> Path:
    """A copy of the code, with plug-ins of a user's own."""
    for part in ("adaptive_sharpness", "workflow/scripts"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    measures = folder / "plugins/measures"
    measures.mkdir(parents=True)
    (measures / "_helper.py").write_text("SCALE = 2\n")
    (measures / "mine.py").write_text(MINE)
    (measures / "unused.py").write_text("def unused(model, loss, batches, *, seed): ...\n")
    return folder


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory) -> Path:
    """A copy for all changes of config."""
    return copied(tmp_path_factory.mktemp("unchanged"))


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy to change."""
    return copied(tmp_path)


def jobs(config: dict, project: Path) -> list[Job]:
    """All jobs, as planned from within a copy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setattr(plugins, "PACKAGE", project / "adaptive_sharpness")
        return list(Plan(read_settings(config), lambda rule: project / f"workflow/scripts/{rule}.py").jobs())


def made_from(job: Job) -> tuple:
    """What Snakemake compares: inputs in any order, parameters by their text, and code."""
    return sorted(job.inputs), json.dumps(job.settings), job.code


def done_again(before: Iterable[Job], after: Iterable[Job]) -> list[Job]:
    """The jobs that are new, made from something else, or read what such a job writes."""
    known = {job.outputs: made_from(job) for job in before}
    found, fresh = [], set()
    for job in after:
        if known.get(job.outputs) != made_from(job) or fresh & set(job.inputs):
            found.append(job)
            fresh |= set(job.outputs)
    return found


def configured(changes: dict) -> Callable:
    def change(config: dict) -> None:
        for path, value in changes.items():
            *folders, key = path.split(".")
            place = config
            for folder in folders:
                place = place.setdefault(folder, {})
            place[key] = value

    return change


def appended(path: str, text: str = "\nchanged = True\n") -> Callable:
    def change(project: Path) -> None:
        with open(project / path, "a") as file:
            file.write(text)

    return change


def written(path: str, text: str) -> Callable:
    def change(project: Path) -> None:
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text)

    return change


def renamed(config: dict) -> None:
    config["protocols"] = {"text": config["protocols"]["report"]}


def pools_reordered(config: dict) -> None:
    config["protocols"]["report"] = dict(reversed(config["protocols"]["report"].items()))


def keys_reordered(config: dict) -> None:
    for block in (*config["protocols"]["report"].values(), *config["measures"].values()):
        turned = dict(reversed(block.items()))
        block.clear()
        block.update(turned)


STATISTIC = """from adaptive_sharpness.study.tables.columns import Column

COLUMNS = (Column("mine", "A count."),)


def mine(comparisons):
    return [{"mine": 1} for _ in comparisons]
"""

# A change, the jobs that are done again, and of those that train or measure parts of their outputs' paths: 3 is the
# pool, 4 the measure, 5 the radius, -1 the file.
OF_CONFIG = {
    "a radius more": (
        configured({"measures.report_pga.on.gat.rho": [0.004, 0.1, 0.02]}),
        {"measure": 2, **TABLES},
        {5: {"rho-0.1"}},
    ),
    "a radius less": (configured({"measures.report_pga.on.gat.rho": [0.02]}), TABLES, {}),
    "radii in another order": (configured({"measures.report_pga.on.gat.rho": [0.02, 0.004]}), TABLES, {}),
    "a learning rate": (
        configured({"protocols.report.gat.training.optimiser.lr": 0.1}),
        {"train": 2, "measure": 8, **TABLES},
        {3: {"gat"}},
    ),
    "an optimiser": (
        configured({"protocols.report.gat.training.optimiser": {"name": "Adam", "lr": 0.236}}),
        {"train": 2, "measure": 8, **TABLES},
        {3: {"gat"}},
    ),
    "an architecture's option": (
        configured({"protocols.report.fcnn.options.widths": [10, 32, 64, 1]}),
        {"train": 2, "measure": 10, **TABLES},
        {3: {"fcnn"}},
    ),
    "models trained at once": (
        configured({"protocols.report.fcnn.stacked": 2}),
        {"train": 2, "measure": 10, **TABLES},
        {3: {"fcnn"}},
    ),
    "how far a graph's network sees": (
        configured({"protocols.report.gat.hops": 3}),
        {"measure": 8, **TABLES},
        {3: {"gat"}},
    ),
    "a measure's option": (
        configured({"measures.average_case.samples": 2}),
        {"measure": 4, **TABLES},
        {4: {"average_case"}},
    ),
    "a measure's option on one pool": (
        configured({"measures.worst_case.on.gat.steps": 12}),
        {"measure": 2, **TABLES},
        {3: {"gat"}, 4: {"worst_case"}},
    ),
    "a measure's batches": (configured({"measures.hessian.batches": 5}), {"measure": 2, **TABLES}, {4: {"hessian"}}),
    "problems solved at once": (
        configured({"measures.report_pga.on.fcnn.stacked": 2}),
        {"measure": 4, **TABLES},
        {3: {"fcnn"}, 4: {"report_pga"}},
    ),
    "seeds more by a shard": (
        configured({"seeds": 6}),
        {"train": 2, "measure": 9, **TABLES},
        {-1: {"seeds-004-005"}},
    ),
    "seeds more by half a shard": (
        configured({"seeds": 5}),
        {"train": 2, "measure": 9, **TABLES},
        {-1: {"seeds-004-004"}},
    ),
    "seeds less by a shard": (configured({"seeds": 2}), TABLES, {}),
    # surprising: the last shard is named for what it holds, so that fewer models are trained once more
    "seeds less by half a shard": (
        configured({"seeds": 3}),
        {"train": 2, "measure": 9, **TABLES},
        {-1: {"seeds-002-002"}},
    ),
    "seeds by pool": (
        configured({"seeds": {"fcnn": 4, "gat": 6, "lenet5": 4}}),
        {"train": 1, "measure": 4, **TABLES},
        {3: {"gat"}, -1: {"seeds-004-005"}},
    ),
    "seeds in a pool's block": (
        configured({"protocols.report.gat.seeds": 6}),
        {"train": 1, "measure": 4, **TABLES},
        {3: {"gat"}, -1: {"seeds-004-005"}},
    ),
    "models a job": (
        configured({"seeds_per_job": 4}),
        {"train": 2, "measure": 9, **TABLES},
        {-1: {"seeds-000-003"}},
    ),
    "models a job of one pool": (
        configured({"seeds_per_job": {"fcnn": 2, "gat": 4, "lenet5": 2}}),
        {"train": 1, "measure": 4, **TABLES},
        {3: {"gat"}, -1: {"seeds-000-003"}},
    ),
    "a pool less": (configured({"only": "gat"}), TABLES, {}),
    "a measure less": (configured({"measures.average_case.protocols": []}), TABLES, {}),
    "a protocol's name": (renamed, ALL, {2: {"text"}}),
    "the data's hash": (
        configured({"datasets.abalone.sha256": {"abalone.data": 64 * "0"}}),
        {"fetch": 1, "prepare": 1, "train": 2, "measure": 10, **TABLES},
        {3: {"fcnn"}},
    ),
    "fewer examples": (
        configured({"datasets.abalone.limit": {"train": 100}}),
        {"prepare": 1, "train": 2, "measure": 10, **TABLES},
        {3: {"fcnn"}},
    ),
    "a published value": (
        configured({"published.report_pga.gat.tau": -0.2}),
        {"tau_table": 1, "metrics": 1, **REPORT},
        {},
    ),
    "a measure of the user's own": (
        configured({"measures.mine": {"batches": 2, "on": {"gat": {}}}}),
        {"measure": 2, **TABLES},
        {3: {"gat"}, 4: {"mine"}, 5: {"rho-none"}},
    ),
    "a mirror of the data": (
        configured({"datasets.abalone.sources": [{"directory": "mirror", "files": {"abalone.data": "abalone.data"}}]}),
        NOTHING,
        {},
    ),
    "a default that is written out": (
        configured(
            {
                "measures.hessian.perturb": "all",
                "measures.worst_case.on.gat.restarts": 0,
                "protocols.report.gat.training.optimiser.momentum": 0,
                "protocols.report.gat.training.trainer": {"name": "minibatches"},
                "protocols.report.gat.training.stop.rule": "relative_change",
                "protocols.report.gat.stacked": 1,
                "protocols.report.gat.architecture": "gat",
            }
        ),
        NOTHING,
        {},
    ),
    "the order of keys in blocks": (keys_reordered, NOTHING, {}),
    "the order of pools, which is that of rows": (pools_reordered, TABLES, {}),
}
OF_CODE = {
    "code deep in what all measures import": (
        appended("adaptive_sharpness/landscape/problems.py"),
        {"measure": 18, **TABLES},
        {},
    ),
    "code deep in what some measures import": (
        appended("adaptive_sharpness/landscape/balls.py"),
        {"measure": 16, **TABLES},
        {},
    ),
    "an architecture's code": (
        appended("adaptive_sharpness/architectures/gat.py"),
        {"train": 2, "measure": 8, **TABLES},
        {3: {"gat"}},
    ),
    "a measure's code": (
        appended("adaptive_sharpness/measures/hessian.py"),
        {"measure": 2, **TABLES},
        {4: {"hessian"}},
    ),
    "how networks are trained": (appended("adaptive_sharpness/study/training/descent.py"), ALL, {}),
    "the settings of training": (appended("adaptive_sharpness/study/config/pools.py"), ALL, {}),
    "the settings of measuring": (
        appended("adaptive_sharpness/study/config/measures.py"),
        {"measure": 18, **TABLES},
        {},
    ),
    "the settings of tables": (appended("adaptive_sharpness/study/config/tables.py"), NOTHING, {}),
    "the lines about configs": (appended("adaptive_sharpness/study/config/messages.py"), NOTHING, {}),
    "the plan": (appended("adaptive_sharpness/study/plan.py"), NOTHING, {}),
    "code of every table": (appended("adaptive_sharpness/study/tables/models.py"), TABLES, {}),
    "a statistic's code": (  # adaptive_sharpness.stats imports all of its modules
        appended("adaptive_sharpness/stats/power.py"),
        {"estimates_table": 1, "tau_table": 1, "metrics": 1, **REPORT},
        {},
    ),
    "code of figures": (appended("adaptive_sharpness/study/report/style.py"), REPORT, {}),
    "code of nothing yet": (appended("adaptive_sharpness/study/tables/ladder.py"), NOTHING, {}),
    "a script": (appended("workflow/scripts/measure.py"), {"measure": 18, **TABLES}, {}),
    "a comment": (appended("adaptive_sharpness/landscape/problems.py", "\n# changed\n"), NOTHING, {}),
    "a template": (appended("adaptive_sharpness/study/report/page.html", "<!-- changed -->\n"), REPORT, {}),
    "a plug-in that nothing uses": (appended("plugins/measures/unused.py"), NOTHING, {}),
    "a statistic of the user's own": (
        written("plugins/statistics/mine.py", STATISTIC),
        {"tau_table": 1, "metrics": 1, **REPORT},
        {},
    ),
    "a figure of the user's own": (
        written("plugins/figures/mine.py", "def draw(tables):\n    return {}\n"),
        REPORT,
        {},
    ),
}


def parts(found: Iterable[Job], position: int) -> set[str]:
    """A part of the paths of all that is to be trained or measured, without endings."""
    paths = [path for job in found if job.rule in ("train", "measure") for path in job.outputs]
    return {path.split("/")[position] if position > 0 else Path(path).name.split(".")[0] for path in paths}


def assert_done_again(found: list[Job], rules: dict[str, int], where: dict[int, set[str]]) -> None:
    assert dict(Counter(job.rule for job in found)) == rules
    assert {position: parts(found, position) for position in where} == where


@pytest.mark.parametrize(("change", "rules", "where"), OF_CONFIG.values(), ids=OF_CONFIG)
def test_a_change_of_config_remakes_what_depends_on_it_and_nothing_else(unchanged, change, rules, where):
    config = deepcopy(BASE)
    change(config)
    assert_done_again(done_again(jobs(BASE, unchanged), jobs(config, unchanged)), rules, where)


@pytest.mark.parametrize(("change", "rules", "where"), OF_CODE.values(), ids=OF_CODE)
def test_a_change_of_code_remakes_what_depends_on_it_and_nothing_else(project, change, rules, where):
    before = jobs(BASE, project)
    change(project)
    assert_done_again(done_again(before, jobs(BASE, project)), rules, where)


def test_a_plugin_that_another_imports_counts_as_its_code(project):
    config = merged(BASE, {"measures": {"mine": {"batches": 2, "on": {"gat": {}}}}})
    before = jobs(config, project)
    appended("plugins/measures/_helper.py")(project)
    found = done_again(before, jobs(config, project))
    assert {job.outputs[0].split("/")[4] for job in found if job.rule == "measure"} == {"mine"}
    assert "train" not in {job.rule for job in found}


def test_a_change_that_is_taken_back_remakes_nothing(project):
    before = jobs(BASE, project)
    path = project / "adaptive_sharpness/study/training/descent.py"
    text = path.read_text()
    path.write_text(text + "\nchanged = True\n")
    path.write_text(text)
    assert done_again(before, jobs(BASE, project)) == []


def test_jobs_come_after_those_whose_files_they_read(project):
    made = set()
    for job in jobs(BASE, project):
        assert set(job.inputs) <= made
        assert not set(job.outputs) & made
        made |= set(job.outputs)
