"""The small study on a real SLURM cluster, through the profile that is shipped."""

import pytest
import yaml

GPU = "gres:gpu:1"


def asked(job: dict[str, str]) -> tuple[str, ...]:
    """What a job's sbatch asked for: where, GPUs, time, MB of memory."""
    memory = int(job["MinMemoryNode"].removesuffix("M"))
    return job["Partition"], job.get("TresPerJob", ""), job["TimeLimit"], memory


@pytest.mark.slow
def test_results_are_those_of_a_local_run_to_the_bit(clustered, finished):
    assert clustered.run.code == 0, clustered.run.output
    paths = [path.relative_to(finished.folder) for path in (finished.folder / "results").rglob("*")]
    compared = [path for path in paths if path.suffix in (".csv", ".parquet", ".safetensors")]
    assert len(compared) > 30
    assert [path for path in compared if clustered.study.read(path) != finished.read(path)] == []


@pytest.mark.slow
def test_a_job_that_trains_or_measures_asks_for_one_gpu(clustered):
    assert len(clustered.of("measure")) == 18
    assert {asked(job) for job in clustered.of("measure")} == {("gpu", GPU, "00:30:00", 2000)}
    assert {asked(job)[:2] for job in clustered.of("train")} == {("gpu", GPU)}


@pytest.mark.slow
def test_no_other_job_asks_for_a_gpu_and_tables_and_figures_are_no_jobs_of_slurm(clustered):
    assert {asked(job)[:3] for job in clustered.of("prepare")} == {("cpu", "", "00:30:00")}
    assert len(clustered.jobs) == sum(len(clustered.of(rule)) for rule in ("prepare", "train", "measure"))


@pytest.mark.slow
def test_a_cancelled_job_is_submitted_again_for_more_time_and_memory(clustered):
    jobs = clustered.of("train")  # the second time may be before the first of a shard whose data came later
    [comment] = [job["Comment"] for job in jobs if job["JobId"] == clustered.cancelled]
    [cancelled, again] = [job for job in jobs if job["Comment"] == comment]
    assert [job["JobId"] for job in jobs if job["JobState"] == "CANCELLED"] == [clustered.cancelled]
    assert cancelled["JobId"] == clustered.cancelled
    assert len(jobs) == 5
    assert {asked(job) for job in jobs if job != again} == {("gpu", GPU, "01:00:00", 3000)}
    assert asked(again) == ("gpu", GPU, "02:00:00", 6000)
    assert again["JobState"] == "COMPLETED"
    assert f"SLURM-job '{clustered.cancelled}' failed, SLURM status is: 'CANCELLED'" in clustered.run.output


@pytest.mark.slow
def test_a_job_that_slurm_kills_for_its_memory_says_so_and_is_submitted_again_for_more(clustered):
    jobs = sorted(clustered.of("prepare"), key=lambda job: asked(job)[3])
    assert [(job["JobState"], asked(job)[3]) for job in jobs[:2]] == [("FAILED", 100)] * 2
    assert [(job["JobState"], asked(job)[3]) for job in jobs[2:]] == [("COMPLETED", 2000)] * 2
    for job in jobs[:2]:
        assert f", {job['StdOut']} (check log file(s) for error details)" in clustered.run.output
        assert "exceeded memory limit" in clustered.study.read(job["StdOut"]).decode()


def test_the_profile_remakes_results_as_the_default_profile_does(clean):
    default, slurm = (yaml.safe_load(clean.read(f"profiles/{name}/config.yaml")) for name in ("default", "slurm"))
    assert {**slurm, **{key: default[key] for key in default if key not in ("cores", "resources")}} == slurm


def test_a_plan_for_a_cluster_is_the_plan_for_this_machine(clean):
    """Memory, time and GPUs are no part of what a result is made from."""
    plan = clean.plan("--workflow-profile", "profiles/slurm")
    assert plan.code == 0
    assert plan.jobs == clean.plan().jobs
