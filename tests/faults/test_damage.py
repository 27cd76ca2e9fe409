"""Files that are damaged after they were made, with their times kept, as a failing disk does it: never read as good."""

import os
import shutil

import pytest

CHECKPOINTS, SHARPNESS, TABLES = (f"results/{name}" for name in ("checkpoints/report", "sharpness/report", "tables"))
PAGE = "results/report.html"
SHARD = f"{SHARPNESS}/gat/worst_case/rho-0.02/seeds-002-003.parquet"
# What is damaged and how, and the result that is then asked for, which is made from it. A call of Snakemake each; a
# call must not make anew what it finds damaged.
CALLS = (
    {
        (f"{TABLES}/runs.parquet", "truncated"): PAGE,
        (f"{TABLES}/tau.csv", "flipped"): f"{TABLES}/metrics.json",
    },
    {(f"{TABLES}/estimates.csv", "emptied"): PAGE},
    {
        ("results/datasets/abalone.safetensors", "flipped"): f"{CHECKPOINTS}/fcnn/seeds-002-003.safetensors",
        (f"{CHECKPOINTS}/gat/seeds-000-001.safetensors", "flipped"): (
            f"{SHARPNESS}/gat/report_pga/rho-0.02/seeds-000-001.parquet"
        ),
    },
    {(f"{CHECKPOINTS}/gat/seeds-002-003.test_losses.safetensors", "truncated"): f"{TABLES}/tau.csv"},
    {
        (f"{CHECKPOINTS}/fcnn/seeds-000-001.csv", "flipped"): f"{TABLES}/runs.parquet",
        (SHARD, "flipped"): f"{TABLES}/estimates.csv",
    },
)
CASES = [case for call in CALLS for case in call]


def _digit_flipped(content: bytes) -> bytes:
    """The last digit becomes another one, where there is text; the structure of the file stays what it is."""
    at = max(content.rfind(b"%d" % digit) for digit in range(10))
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


DAMAGES = {"flipped": _digit_flipped, "truncated": lambda content: content[:-1], "emptied": lambda content: b""}


def damage(study, path: str, how: str) -> None:
    times = (study.folder / path).stat()
    (study.folder / path).write_bytes(DAMAGES[how](study.read(path)))
    os.utime(study.folder / path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.fixture(scope="module")
def damaged(finished, tmp_path_factory):
    """A copy of the finished study, and what calls came to while files of it were damaged."""
    study, runs = finished.copy(tmp_path_factory.mktemp("damaged") / "project"), []
    for call in CALLS:
        for case in call:
            damage(study, *case)
        runs.append(study.snakemake("--cores", "2", "--force", *call.values()))
        for path, _ in call:
            shutil.copy2(finished.folder / path, study.folder / path)
    return study, runs


def _marked(path: str, how: str):
    names = {
        ".csv": "training's csv",
        ".parquet": "shard of sharpness",
        ".test_losses.safetensors": "file of test losses",
    }
    names |= {
        "datasets": "data set",
        "runs.parquet": "runs.parquet",
        "tau.csv": "tau.csv",
        "estimates.csv": "estimates.csv",
    }
    ends = [name for end, name in names.items() if end in path]
    return pytest.mark.fault(
        fault=f"{how}: {ends[-1] if ends else 'checkpoint'}",
        sees="`FILE: damaged since it was written: got sha256 ..., wanted ...: delete it and rerun`",
    )


@pytest.mark.slow
@pytest.mark.parametrize(("path", "how"), [pytest.param(*case, marks=_marked(*case)) for case in CASES])
def test_the_job_that_reads_a_damaged_file_names_it_and_makes_nothing(damaged, path, how):
    (run,) = (run for call, run in zip(CALLS, damaged[1], strict=True) if (path, how) in call)
    said = {line for line in run.output.splitlines() if line.startswith(f"OSError: {path}: ")}
    assert run.code == 1
    assert "Traceback" not in run.output
    assert len(said) == 1
    (line,) = said
    assert line.startswith(f"OSError: {path}: damaged since it was written: got sha256 ")
    assert line.endswith(": delete it and rerun")


@pytest.mark.slow
def test_a_damaged_file_that_was_deleted_is_made_again_to_the_bit(damaged, finished):
    """What the last call asked for, and did not get, is made with it."""
    study, _ = damaged
    assert not (study.folder / TABLES / "estimates.csv").exists()
    (study.folder / SHARD).unlink()
    run = study.snakemake("--cores", "2")
    assert run.code == 0, run.output
    assert (run.jobs["measure"], "train" in run.jobs) == (1, False)
    assert [path for path in results(finished) if path != PAGE and study.read(path) != finished.read(path)] == []
    assert study.plan().idle


def test_snakemake_sees_a_change_by_the_files_time_and_a_job_by_its_bytes(study):
    path = f"{CHECKPOINTS}/gat/seeds-000-001.safetensors"
    damage(study, path, "flipped")
    assert study.plan().idle
    (study.folder / path).touch()
    plan = study.plan()
    assert plan.jobs["measure"] == 4
    assert {made.split("/")[3] for made in plan.outputs if made.startswith(SHARPNESS)} == {"gat"}


def test_every_result_has_its_checksum_beside_it(finished):
    """All that a job reads was recorded by the job that wrote it."""
    assert [path for path in results(finished) if not (finished.folder / f"{path}.sha256").exists()] == []


def results(study) -> list[str]:
    """The files that jobs wrote, those in the folder of figures among them, without their checksums."""
    made = [study.folder / path for path in study.run.outputs if path.startswith("results/")]
    files = [file for path in made for file in (path.rglob("*.*") if path.is_dir() else [path]) if file.is_file()]
    return [str(file.relative_to(study.folder)) for file in files if file.name[0] != "." and file.suffix != ".sha256"]
