"""What every job does first and last. `start` changes the whole process, so it is tested in processes of its own."""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys

import pytest
import torch

from adaptive_sharpness import plugins
from adaptive_sharpness.study.running import code, job, records


def run(code: str, log) -> subprocess.CompletedProcess:
    code = f"import logging, sys\nfrom adaptive_sharpness.study.running import job\n{code}"
    return subprocess.run([sys.executable, "-c", code, log], capture_output=True, text=True)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "job.log"


def test_what_a_job_logs_is_in_its_log_file(log):
    done = run("job.start(sys.argv[1]); logging.getLogger('any.module').info('seed 3 epoch 1')", log)
    assert done.returncode == 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ seed 3 epoch 1\n", log.read_text())


def test_a_log_holds_the_last_run_alone(log):
    for text in ("first", "second"):
        run(f"job.start(sys.argv[1]); logging.info({text!r})", log)
    assert "second" in log.read_text()
    assert "first" not in log.read_text()


def test_a_jobs_error_is_one_line_on_screen_and_in_its_log_with_the_traceback_below(log):
    done = run("job.start(sys.argv[1])\ndef fetch():\n    raise OSError('no source')\nfetch()", log)
    assert done.returncode == 1
    assert done.stderr == "OSError: no source\n"
    first, *trace = log.read_text().splitlines()
    assert first.endswith(" OSError: no source")
    assert trace[0].startswith("Traceback")
    assert any("in fetch" in line for line in trace)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import torch; torch.empty(2**44)", "RuntimeError: [enforce fail at alloc_cpu.cpp"),
        ("import numpy; numpy.empty(2**44)", "MemoryError: Unable to allocate 128. TiB"),
        ("bytearray(2**47)", "MemoryError: "),
    ],
)
def test_a_job_without_memory_says_so_and_what_to_do(log, code, words):
    """As much as no machine gives: 64 to 128 TB."""
    done = run(f"job.start(sys.argv[1])\n{code}", log)
    line = "out of memory: give this job more, or less at a time (seeds_per_job, stacked): "
    assert done.stderr.startswith(line + words)
    assert done.stderr.count("\n") == 1
    assert log.read_text().splitlines()[0].endswith(done.stderr.rstrip("\n"))


def test_another_error_is_not_taken_for_one_of_memory(log):
    assert run("job.start(sys.argv[1]); raise RuntimeError('wrong shape')", log).stderr == "RuntimeError: wrong shape\n"


def test_a_job_uses_the_threads_that_it_was_given(log):
    code = "import torch\nfor n in (1, 3, 2):\n    job.start(sys.argv[1], n); print(torch.get_num_threads())"
    assert run(code, log).stdout.split() == ["1", "3", "2"]


def test_a_job_without_torch_starts_without_it(log):
    """Its import takes seconds."""
    done = run("job.start(sys.argv[1]); job.gpus(); print('torch' in sys.modules)", log)
    assert done.stdout == "False\n"


PAGES_OF_A_STEP = """
import resource
import torch

def faults():
    for _ in range(20):  # as a step does: some blocks of megabytes that live at once, then none
        blocks = [torch.ones(2 * 10**6) for _ in range(12)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

faults()
before = faults()
print((faults() - before) / 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the system's memory allocator is not glibc's")
def test_a_job_keeps_the_memory_of_a_step_for_the_next_one():
    keep = "from adaptive_sharpness.study.running import job; job.keep_memory()"
    # glibc's thresholds at a program's start, which it raises when it sees fit; so the first never keeps anything.
    glibc = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
    plain, kept = (
        float(subprocess.check_output([sys.executable, "-c", code], env=glibc))
        for code in (PAGES_OF_A_STEP, keep + PAGES_OF_A_STEP)
    )
    assert plain > 100
    assert kept < 1


@pytest.mark.fault(
    fault="a job that outlives its run, when another run begins",
    sees="the job ends, writing nothing; the new run makes it",
)
@pytest.mark.parametrize("then", ["another run", "the same run", None])
def test_a_job_that_outlives_its_run_ends_when_another_run_begins(tmp_path, then):
    run = tmp_path / ".snakemake/run.json"
    run.parent.mkdir()
    run.write_text("the same run")
    code = "from adaptive_sharpness.study.running import job; import time; job.start('log'); "
    code += "print('begun', flush=True); time.sleep(4)"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    run.write_text(then) if then else run.unlink()
    assert process.wait(30) == (1 if then == "another run" else 0)


PAGES_OF_SPECIAL_CASES = """
import resource, torch
usual, special, out = torch.ones(64), torch.full((64,), -0.0), torch.empty(64)
def pages(x):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.expm1(x, out=out), torch.log1p(x, out=out)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
pages(usual), pages(usual)
print(pages(special))
"""


def test_a_job_has_read_the_constants_of_special_cases_before_it_computes():
    touch = "from adaptive_sharpness.study.running import job; "
    touch += "import torch; torch.set_num_threads(1); job.touch_constants()"
    plain, touched = (
        int(subprocess.check_output([sys.executable, "-c", code]))
        for code in ("import torch; torch.set_num_threads(1)" + PAGES_OF_SPECIAL_CASES, touch + PAGES_OF_SPECIAL_CASES)
    )
    assert touched == 0
    if torch.backends.cpu.get_cpu_capability() == "AVX512":  # else nothing is masked out
        assert plain > 0


def test_a_job_without_a_gpu_computes_on_the_cpu():
    assert job.Here(0, "plugins").device == torch.device("cpu")


def test_a_job_with_a_gpu_computes_on_it_where_there_is_one():
    assert job.Here(1, "plugins").device.type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_as_many_gpus_are_found_as_torch_sees():
    assert job.gpus() >= torch.cuda.device_count() > 0


def test_a_row_says_where_and_with_which_versions_it_was_computed():
    row = job.Here(0, "plugins").provenance()
    assert row["device"] == "cpu"
    for part in (
        f"python {platform.python_version()}",
        f"torch {torch.__version__}".split("+")[0],
        "numpy ",
        "geometric ",
    ):
        assert part in row["versions"]


def test_a_checkpoint_says_what_it_was_made_from(tmp_path):
    (tmp_path / "data").write_bytes(b"rows")
    pool = {"loss": "mse_loss", "training": {"optimiser": {"name": "SGD", "lr": 0.1}}}
    said = job.made_from(pool, str(tmp_path / "data"))
    assert json.loads(said["pool"]) == pool
    assert said["dataset"] == hashlib.sha256(b"rows").hexdigest()
    assert re.fullmatch(r"\d+\.\d+\.\d+", said["torch"])  # without +cpu or +cu130: a device's build is no other version
    assert torch.__version__.startswith(said["torch"])
    assert job.made_from(dict(reversed(pool.items())), str(tmp_path / "data")) == said


IN_A_PLUGIN = """
import sys
from adaptive_sharpness import plugins
from adaptive_sharpness.study.running import job
job.start(sys.argv[1], folder="mine")
plugins.resolve("measures", "broken", "mine")()
"""


def test_an_error_inside_of_the_users_plug_in_says_where(tmp_path):
    (tmp_path / "mine/measures").mkdir(parents=True)
    body = "import json\n\n\ndef broken():\n    return json.loads('{')\n"
    (tmp_path / "mine/measures/broken.py").write_text(body)
    done = subprocess.run([sys.executable, "-c", IN_A_PLUGIN, "job.log"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"JSONDecodeError: .* \(mine/measures/broken\.py, line 5\)\n", done.stderr)
    assert done.stderr.rstrip("\n") in (tmp_path / "job.log").read_text()


RUNNING = """
import json, logging, os, sys, types
from adaptive_sharpness.study.running import code, job
seen, body = sys.argv[1:]
snakemake = types.SimpleNamespace(
    input=["in.txt"], output=["out.txt"], log=["job.log"], threads=1, resources={"gpu": 1},
    config={"plugins": "mine"}, wildcards={"pool": "gat"},
    params={"order": [1, 2], "code": seen or code.digest(code.Path(__file__), folder="mine")},
)
with job.running(snakemake) as here:
    print(here.gpu, here.folder)
    os.close(os.open("out.txt", os.O_CREAT | os.O_WRONLY, 0o600))
    open("out.txt", "w").write("made")
    logging.info("within")
    exec(body)
"""


def _run_within(folder, body: str = "", seen: str = "") -> subprocess.CompletedProcess:
    """A job that reads in.txt and writes out.txt in a folder."""
    (folder / "runs_table.py").write_text(RUNNING)
    command = [sys.executable, "runs_table.py", seen, body]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, umask=0o027)


@pytest.fixture
def recorded(tmp_path):
    """A folder with an input whose hash lies beside it."""
    (tmp_path / "in.txt").write_text("given")
    records.record([tmp_path / "in.txt"])
    return tmp_path


def test_a_job_knows_where_it_runs_and_what_it_writes_is_recorded(recorded):
    done = _run_within(recorded)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 mine\n", "")
    beside = (recorded / "out.txt.sha256").read_text()
    assert beside.startswith(f"{records.sha256(recorded / 'out.txt')}  out.txt\n")
    said = records.origin(recorded / "out.txt")
    assert said.settings == {"order": [1, 2], "labels": {"pool": "gat"}}
    assert said.code == code.digest(recorded / "runs_table.py", folder=recorded / "mine")
    assert said.before == records.before([records.recipe(recorded / "in.txt")])
    assert said.inputs == (records.sha256(recorded / "in.txt"),)
    assert (recorded / "job.log").read_text().endswith(" within\n")


def test_a_job_whose_input_was_damaged_does_nothing(recorded):
    (recorded / "in.txt").write_text("other")
    done = _run_within(recorded)
    assert done.returncode == 1
    assert re.fullmatch(r"OSError: in\.txt: damaged since it was written: .*: delete it and rerun\n", done.stderr)
    assert done.stderr.rstrip("\n") in (recorded / "job.log").read_text()
    assert not (recorded / "out.txt").exists()


def test_what_a_job_that_fails_has_written_is_not_recorded(recorded):
    (recorded / "out.txt.sha256").write_text("of an earlier run")
    done = _run_within(recorded, "raise RuntimeError('half')")
    assert (done.returncode, done.stderr) == (1, "RuntimeError: half\n")
    assert not (recorded / "out.txt.sha256").exists()


def test_what_a_job_writes_has_the_mode_of_the_umask(recorded):
    """Whatever the library that writes it makes of it."""
    assert _run_within(recorded).returncode == 0
    assert {oct((recorded / name).stat().st_mode & 0o777) for name in ("out.txt", "out.txt.sha256")} == {"0o640"}


OTHER = (
    r"RuntimeError: got code [0-9a-f]{12}\.\.\. in (.+), wanted ([0-9a-f]+)\.\.\. of the run of (.+): code has changed "
)
OTHER += r"since the run began; run it again\n"


@pytest.mark.fault(
    fault="code that is edited while a run is on, or another installation that a job finds",
    sees="`got code ... in PLACE, wanted ... of the run of PLACE`",
)
def test_a_job_whose_code_is_not_what_the_run_has_seen_does_nothing(recorded):
    done = _run_within(recorded, seen="0" * 64)
    place, seen, script = re.fullmatch(OTHER, done.stderr).groups()
    assert (place, seen, script) == (str(plugins.PACKAGE.parent), "0" * 12, str(recorded / "runs_table.py"))
    assert not (recorded / "out.txt").exists()


def test_a_job_whose_code_changes_while_it_runs_does_not_pass_for_finished(recorded):
    done = _run_within(recorded, "open(__file__, 'a').write('edited = True')")
    assert re.fullmatch(OTHER, done.stderr)
    assert not (recorded / "out.txt.sha256").exists()
