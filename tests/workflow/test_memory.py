"""A job that gets less memory than it needs."""

import re
import resource

import pytest

LIMIT = 16 * 2**30  # bytes; torch alone maps 5 GB
CHECKPOINT = "results/checkpoints/report/fcnn/seeds-000-001.safetensors"


@pytest.mark.slow
@pytest.mark.fault(
    fault="a job cannot get the memory that it needs",
    sees="`out of memory: give this job more, or less at a time (seeds_per_job, stacked): ...`; `--retries` tries on",
)
def test_a_job_without_memory_says_so_and_is_tried_again_with_more(study):
    study.configure({"protocols.report.fcnn.options.widths": [10, 100_000, 100_000, 1]})  # 40 GB
    process = study.start("--cores", "1", "--retries", "1", CHECKPOINT)
    resource.prlimit(process.pid, resource.RLIMIT_AS, (LIMIT, LIMIT))
    run = study.finish(process)
    assert run.code == 1
    assert re.findall(r"^ +resources: .*mem_mb=(\d+)", run.output, re.MULTILINE) == ["3000", "6000"]
    first, *_ = study.read("logs/train/report/fcnn/seeds-000-001.log").decode().splitlines()
    assert "out of memory: give this job more, or less at a time (seeds_per_job, stacked): " in first
    assert "can't allocate memory: you tried to allocate 40000000000 bytes" in first
    _, _, line = first.split(" ", 2)  # after date and time
    assert line in run.output.splitlines()
    assert "Traceback" not in run.output
