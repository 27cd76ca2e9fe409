"""The small study in git and DVC, made by `dvc repro`, and remotes that can be reached without a network."""

import getpass
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml
from remotes import START, Remote, served
from study import ROOT, TIMEOUT, Run, Study

from adaptive_sharpness.study.config.reading import merged, plain_config

TRACKED = ("dvc.yaml", "params.yaml", ".dvc/config", ".dvcignore", ".gitignore")
NOBODY = {f"GIT_{role}_{what}": "nobody@localhost" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Repository(Study):
    """A study whose config is config/config.yaml, in git and DVC."""

    def __init__(self, folder: Path):
        super().__init__(folder, {})
        home = folder.parent
        self.environment = {
            **NOBODY,
            "HOME": str(home),  # no settings of the user who runs the tests
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GIT_CONFIG_NOSYSTEM": "1",
            "DVC_SITE_CACHE_DIR": str(home / "site"),
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "PYTHONPATH": str(folder),
        }

    def configure(self, changes: dict) -> None:
        """Set values in config/config.yaml, as a user would."""
        if changes:
            path = self.folder / "config/config.yaml"
            config = plain_config(yaml.safe_load(path.read_text()))
            for place, value in changes.items():
                *folders, key = place.split(".")
                block = config
                for folder in folders:
                    block = block[folder]
                block[key] = value
            path.write_text(yaml.safe_dump(config, sort_keys=False))

    def call(self, *command: str) -> Run:
        """What a command says, in this folder."""
        places = {"cwd": self.folder, "env": os.environ | self.environment}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        ended = subprocess.run(command, **places, **pipes, timeout=TIMEOUT)
        return Run(ended.returncode, ended.stdout)

    def git(self, *arguments: str) -> Run:
        return _well(self.call("git", *arguments))

    def dvc(self, *arguments: str) -> Run:
        return _well(self.call(sys.executable, "-m", "dvc", *arguments))

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a study")

    def clone(self, folder: Path) -> "Repository":
        """What git gives to another user."""
        self.git("clone", "--quiet", str(self.folder), str(folder))
        return Repository(folder)


def _well(run: Run) -> Run:
    assert run.code == 0, run.output
    return run


@pytest.fixture(scope="session")
def versioned(finished, small, once) -> Repository:
    """The finished study under git and DVC; not to be changed. `made` is what its `dvc repro` said."""
    folder, said = once("versioned", lambda place: _put_under_dvc(place, finished, small))
    study = Repository(folder)
    study.made = Run(0, said)
    return study


def _put_under_dvc(folder: Path, finished: Study, small: dict) -> str:
    shutil.copytree(finished.folder, folder, ignore=shutil.ignore_patterns("study.yaml", "locks", "logs"))
    for name in TRACKED:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    own = yaml.safe_load((finished.folder / "study.yaml").read_text())  # its order of measures is that of the tables
    config = merged(merged(own, plain_config(yaml.safe_load((folder / "config/config.yaml").read_text()))), small)
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    study = Repository(folder)
    _well(study.snakemake("--cores", "1"))  # the tables, in which it was a part of the shipped study
    study.git("init", "--quiet")
    said = study.dvc("repro").output
    study.commit()
    return said


@pytest.fixture
def repository(versioned, tmp_path) -> Repository:
    """A copy of the study under git and DVC, to change."""
    shutil.copytree(versioned.folder, tmp_path / "project", symlinks=True)
    return Repository(tmp_path / "project")


@pytest.fixture
def local(tmp_path) -> Remote:
    """A folder."""
    return Remote(str(tmp_path / "store"), {})


@pytest.fixture
def ssh(tmp_path):
    """OpenSSH's server on this machine, with keys of its own."""
    server = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if not server:
        pytest.skip("needs sshd: apt-get install --no-install-recommends openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # Debian's server asks for it, its service makes it
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    options = (f"HostKey={tmp_path}/host", f"AuthorizedKeysFile={tmp_path}/user.pub", "PidFile=none")
    options += ("StrictModes=no", "UsePAM=no", "PasswordAuthentication=no", "Subsystem=sftp internal-sftp")
    options += ("ListenAddress=127.0.0.1",)
    command = [server, "-D", "-e", "-f", "/dev/null", *(word for option in options for word in ("-o", option)), "-p"]
    with served(command, tmp_path) as port:
        settings = {"user": getpass.getuser(), "keyfile": str(tmp_path / "user")}
        yield Remote(f"ssh://127.0.0.1:{port}{tmp_path}/store", settings)


@pytest.fixture
def s3(tmp_path):
    """An emulator of S3 on this machine (moto's server): it holds no keys against anything."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p"]
    with served(command, tmp_path) as port:
        address = f"http://127.0.0.1:{port}"
        urllib.request.urlopen(urllib.request.Request(f"{address}/bucket", method="PUT"), timeout=START).close()
        yield Remote("s3://bucket/study", {"endpointurl": address, "region": "us-east-1"})
