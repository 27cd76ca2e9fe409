"""The command line, as a user calls it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from adaptive_sharpness import __version__, cli, plugins

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_the_package_has_a_command():
    command = [Path(sys.executable).parent / "adaptive-sharpness", "--version"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == __version__


@pytest.mark.parametrize("configs", [[], ["config/config.yaml"], ["config/quick.yaml"]])
def test_a_config_that_is_right_is_shown_as_pools(capsys, configs):
    assert cli.main(["check", *configs]) == 0
    said = capsys.readouterr().out
    models = "8" if "config/quick.yaml" in configs else "50"
    for pool in ("fcnn", "lenet5", "gat"):
        (line,) = [line for line in said.splitlines() if f"report/{pool}" in line]
        assert models in line.split()


def test_the_networks_of_today_have_a_config(capsys):
    assert cli.main(["check", "config/networks.yaml"]) == 0
    said = capsys.readouterr().out
    for pool in ("resnet", "vit", "transformer"):
        assert f"networks/{pool}" in said
    assert "report/" not in said


def test_the_models_of_all_settings_are_counted(capsys):
    """27 settings of 5 seeds."""
    assert cli.main(["check", "config/sweep_small.yaml"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "sweep/abalone" in line]
    assert "135" in line.split()


@pytest.mark.parametrize("name", ["ladder", "extended", "reference"])
def test_a_study_is_laid_over_the_base_config(capsys, name):
    assert cli.main(["check", f"studies/hammoud2023/{name}.yaml"]) == 0
    assert "report/fcnn" in capsys.readouterr().out


def test_a_config_that_is_wrong_gives_one_line(capsys, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("sedes: 4\n")
    assert cli.main(["check", str(wrong)]) == 2
    line = capsys.readouterr().err
    assert line.startswith("config: sedes: got 'sedes', wanted one of seeds")
    assert len(line.splitlines()) == 1


def test_a_config_that_is_not_there_gives_one_line(capsys):
    assert cli.main(["check", "none.yaml"]) == 2
    assert capsys.readouterr().err == "none.yaml: got No such file or directory, wanted a config file\n"


def test_checking_a_config_runs_no_plugin(tmp_path, monkeypatch, capsys):
    (tmp_path / "config").symlink_to(ROOT / "config")
    for kind in plugins.KINDS:
        (tmp_path / "plugins" / kind).mkdir(parents=True)
        function = plugins.KINDS[kind].function or "mine"
        text = f"1 / 0\n\n\ndef {function}(*given, seed=0, reduction=None): ...\n"
        (tmp_path / "plugins" / kind / "mine.py").write_text(text)
    own = tmp_path / "own.yaml"
    own.write_text("measures: {mine: {batches: 2, on: {gat: {}}}}\nprotocols: {report: {gat: {loss: mine}}}\n")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", str(own)]) == 0
    assert "report/gat" in capsys.readouterr().out


def test_the_schema_is_printed(capsys):
    assert cli.main(["schema"]) == 0
    Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_plugins_are_listed_with_the_users(capsys, kind, tmp_path, monkeypatch):
    (tmp_path / "own" / kind).mkdir(parents=True)
    (tmp_path / "own" / kind / "mine.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["plugins", kind, "--folder", "own"]) == 0
    assert capsys.readouterr().out.split() == [*plugins.names(kind), "mine"]


def test_a_kind_that_there_is_not_ends_with_what_there_is(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["plugins", "networks"])
    assert caught.value.code == 2
    assert "architectures" in capsys.readouterr().err
