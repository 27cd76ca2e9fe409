"""What the command line of Snakemake says that Snakemake itself does not tell, or passes over."""

import os
import subprocess
import sys

import pytest

from adaptive_sharpness.study.running import arguments


@pytest.mark.parametrize(("argument", "looks"), [("-n", True), ("-np", True), ("--dry-run", True), ("-j", False)])
def test_a_dry_run_is_known_by_its_arguments(argument, looks):
    assert arguments.is_dry(["snakemake", argument]) == looks


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (["--workflow-profile", "profiles/slurm"], ""),
        (["--workflow-profile=profiles/slurm"], ""),
        (["--workflow-profile", "none"], ""),
        (["--cores", "2"], ""),
        (["--workflow-profile", "from/elsewhere", "--directory", "here"], ""),
        (["--workflow-profile", "profiles/slrum", "-n"], "profiles/slrum"),
        (["-n", "--workflow-profile=profiles"], "profiles"),
    ],
)
@pytest.mark.fault(fault="a workflow profile that there is not", sees="`--workflow-profile: got ..., wanted a folder`")
def test_a_profile_that_there_is_not_gives_a_line(tmp_path, monkeypatch, given, missing):
    (tmp_path / "profiles/slurm").mkdir(parents=True)
    (tmp_path / "profiles/slurm/config.yaml").touch()
    monkeypatch.chdir(tmp_path)
    line = f"--workflow-profile: got {missing}, wanted a folder with a config.yaml" if missing else ""
    assert arguments.missing_profile(["snakemake", *given]) == line


@pytest.mark.parametrize("given", [None, "/elsewhere"])
def test_processes_import_from_a_folder_first(tmp_path, monkeypatch, given):
    monkeypatch.setenv("PYTHONPATH", given or "")  # so that it is put back, also where it was not set
    if not given:
        monkeypatch.delenv("PYTHONPATH")
    arguments.import_first(tmp_path)
    (tmp_path / "adaptive_sharpness").mkdir()
    (tmp_path / "adaptive_sharpness/__init__.py").write_text("print('this one')")
    said = subprocess.check_output([sys.executable, "-c", "import adaptive_sharpness"], cwd="/", text=True)
    assert said == "this one\n"
    assert os.environ["PYTHONPATH"].split(os.pathsep)[1:] == ([given] if given else [])
