"""Which results do not fit: by the record beside each, whatever else is known of them."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from adaptive_sharpness.study.config.reading import merged, read_settings
from adaptive_sharpness.study.outdated import Results
from adaptive_sharpness.study.plan import Job, Plan
from adaptive_sharpness.study.running import records

ROOT = Path(__file__).parents[2]
FEW = {"seeds": 2, "seeds_per_job": 1, "only": "gat"}
CHECKPOINT = "results/checkpoints/report/gat/seeds-000-000.safetensors"
MEASURED = "results/sharpness/report/gat/worst_case/rho-0.02/seeds-001-001.parquet"


@pytest.fixture(autouse=True)
def _root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def planned(config, tmp_path):
    """planned(changes): the results of a small study, in a folder of their own."""

    def make(changes: dict | None = None) -> Results:
        settings = read_settings(merged(merged(deepcopy(config), FEW), changes or {}))
        return Results(Plan(settings, lambda rule: ROOT / f"workflow/scripts/{rule}.py", f"{tmp_path}/"))

    return make


def write(job: Job, text: str = "made") -> None:
    """What a job leaves, as far as the check sees it."""
    for path in map(Path, job.outputs):
        path.parent.mkdir(parents=True, exist_ok=True)
        if job.rule == "fetch":
            path.write_text("".join(f"{found}  {name}\n" for name, found in job.settings["sha256"].items()))
        elif path.name == "figures":
            path.mkdir(exist_ok=True)
            (path / "tau.svg").write_text(text)
        else:
            path.write_text(f"{text} {path.name}")
    if job.rule != "fetch":
        inputs = tuple(map(records.recorded_hash, job.inputs))
        records.record(job.outputs, records.Origin(job.settings, job.code, job.before, inputs))


@pytest.fixture
def made(planned) -> Results:
    """A study that is finished."""
    results = planned()
    for job in results.jobs.values():
        write(job)
    return results


def misfits(results: Results) -> list[str]:
    """A line about each job whose results do not fit."""
    firsts = dict.fromkeys(job.outputs[0] for job in results.jobs.values())
    return [said for said in map(results.misfit, firsts) if said]


def rules(results: Results) -> set[str]:
    return {results.jobs[output].rule for output in results.jobs if results.misfit(results.jobs[output].outputs[0])}


def test_of_a_finished_study_all_fits(made):
    assert misfits(made) == []
    assert list(made.check()) == []


def test_what_is_not_there_is_made_by_snakemake_and_is_no_misfit(planned):
    assert misfits(planned()) == []


def test_what_is_missing_is_said_by_the_check_once_a_job(planned, tmp_path):
    results = planned()
    lines = list(results.check())
    assert len(lines) == len({job.outputs for job in results.jobs.values()})
    assert f"{tmp_path}/{CHECKPOINT}: is missing, wanted what train makes" in lines


TABLES = {"runs_table", "estimates_table", "tau_table", "metrics", "report"}
OF_CONFIG = {
    "training": ({"protocols": {"report": {"gat": {"training": {"optimiser": {"lr": 0.1}}}}}}, {"train", "measure"}),
    "batches": ({"measures": {"worst_case": {"on": {"gat": {"batches": 3}}}}}, {"measure"}),
    "examples": ({"datasets": {"cora": {"limit": {"train": 9}}}}, {"prepare", "train", "measure"}),
}


@pytest.mark.parametrize(("changes", "changed"), OF_CONFIG.values(), ids=OF_CONFIG)
def test_a_change_of_config_outdates_what_was_made_from_it(made, planned, changes, changed):
    """Without any notes of Snakemake: all is made, and the config is another one."""
    assert rules(planned(changes)) - TABLES == changed


def test_the_line_names_the_key_what_it_was_and_what_is_wanted(made, planned, tmp_path, config):
    was = config["protocols"]["report"]["gat"]["training"]["optimiser"]["lr"]
    changes = {"protocols": {"report": {"gat": {"training": {"optimiser": {"lr": 0.1}}}}}}
    said = planned(changes).misfit(f"{tmp_path}/{CHECKPOINT}")
    assert said == f"{tmp_path}/{CHECKPOINT}: made from pool.training.optimiser.lr {was}, wanted 0.1"


def record_changed(**changes) -> Callable:
    """Another record beside the same file."""

    def change(path: Path) -> None:
        records.record([path], replace(records.origin(path), **changes))

    return change


def record_lost(path: Path) -> None:
    Path(f"{path}.sha256").unlink()


def record_cut(path: Path) -> None:
    beside = Path(f"{path}.sha256")
    beside.write_text(beside.read_text()[:-30])


def record_of_the_hash_alone(path: Path) -> None:
    """As versions before 0.2 wrote it."""
    beside = Path(f"{path}.sha256")
    beside.write_text(beside.read_text().splitlines()[0] + "\n")


SILENT = "does not say what it was made from, wanted a record beside it"
CHANGES = {
    "other code": (record_changed(code="f" * 64), "made from code ffffffffffff..., wanted "),
    "other things before it": (record_changed(before="0"), "made from files that other settings or other code had"),
    "another input": (record_changed(inputs=("a", "b")), "made from {folder}/results/datasets/cora.safetensors a"),
    "fewer inputs": (record_changed(inputs=()), "made from 0 files, wanted 2"),
    "a setting that is gone": (record_changed(settings={"gone": 1}), "made from gone 1, wanted null"),
    "no record": (record_lost, SILENT),
    "half a record": (record_cut, SILENT),
    "a record of an earlier version": (record_of_the_hash_alone, SILENT),
}


@pytest.mark.parametrize(("change", "said"), CHANGES.values(), ids=CHANGES)
@pytest.mark.fault(
    fault="results whose record says that they were made from something else, or that have none",
    sees="they are made again; `-n` and `make verify` say `FILE: made from ..., wanted ...`",
)
def test_a_result_with_another_record_is_outdated(made, tmp_path, change, said):
    change(tmp_path / MEASURED)
    line = f"{tmp_path / MEASURED}: {said.format(folder=tmp_path)}"
    assert made.misfit(str(tmp_path / MEASURED)).startswith(line)
    assert any(each.startswith(line) for each in made.check())


def test_an_input_that_was_replaced_outdates_what_read_it(made, tmp_path):
    """With a record of its own that is right, as a copy from another machine has."""
    write(replace(made.jobs[f"{tmp_path}/{CHECKPOINT}"]), "elsewhere")
    found = misfits(made)
    assert all(f"made from {tmp_path}/results/checkpoints/report/gat/seeds-000-000" in line for line in found)
    assert rules(made) == {"measure", "runs_table", "tau_table"}


def test_an_input_that_is_gone_outdates_nothing(made, tmp_path):
    for path in (tmp_path / CHECKPOINT, tmp_path / f"{CHECKPOINT}.sha256"):
        path.unlink()
    assert misfits(made) == []


def test_raw_data_with_another_hash_are_outdated(made, planned, tmp_path):
    manifest = tmp_path / "data/raw/cora/SHA256SUMS"
    found, _, name = manifest.read_text().splitlines()[0].partition("  ")
    manifest.write_text(f"{'0' * 64}  {name}\n")
    said = f"{manifest}: got {name} with sha256 {'0' * 12}, wanted {found[:12]}"
    assert made.misfit(str(manifest)) == said
    assert said in made.check()
    manifest.write_text(f"{found}  other\n")
    assert made.misfit(str(manifest)) == f"{manifest}: got other with sha256 {found[:12]}, wanted no such file"


def test_of_the_figures_each_is_asked_and_what_a_user_put_there_is_not(made, tmp_path):
    folder = tmp_path / "results/figures"
    (folder / "mine.txt").write_text("a note")
    assert misfits(made) == []
    (folder / "old.svg").write_text("of an earlier config")
    records.record([folder / "old.svg"], records.Origin({"config": "another"}))
    assert misfits(made)[0].startswith(f"{folder}/old.svg: made from config another, wanted ")


def test_a_file_that_was_damaged_is_found_by_the_check_alone(made, tmp_path):
    """Which reads all of them; a run reads what it needs, and finds it there."""
    (tmp_path / MEASURED).write_text("other")
    assert misfits(made) == []
    (line,) = made.check()
    assert line.startswith(f"{tmp_path / MEASURED}: damaged since it was written: got sha256 ")


def test_what_another_workflow_makes_is_not_known(made, tmp_path):
    assert made.knows([f"{tmp_path}/{CHECKPOINT}"])
    assert not made.knows(["report_pga.csv"])
    assert not made.knows([])


def test_what_a_result_was_made_from_is_told_by_path(made, tmp_path):
    inputs = made.inputs(f"{tmp_path}/{MEASURED}")
    assert list(inputs) == list(made.jobs[f"{tmp_path}/{MEASURED}"].inputs)
    assert all(records.sha256(path) == said for path, said in inputs.items())
    record_lost(tmp_path / MEASURED)
    assert made.inputs(f"{tmp_path}/{MEASURED}") == {}


def test_a_record_survives_json(made):
    """What a job is given in Python is what the record gives back, or every result would be outdated at once."""
    for job in made.jobs.values():
        assert json.loads(json.dumps(job.settings)) == job.settings
