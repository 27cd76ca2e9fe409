"""Remotes of DVC, and servers of our own that stand behind them."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import create_server

import psutil

START = 60  # seconds within which a server on this machine has to answer


@dataclass(frozen=True)
class Remote:
    """Where DVC keeps files, and what a user sets to get there."""

    url: str
    settings: dict[str, str]

    def add(self, study) -> None:
        """Have a study under DVC push there and pull from there."""
        study.dvc("remote", "add", "--local", "--default", "store", self.url)
        for key, value in self.settings.items():
            study.dvc("remote", "modify", "--local", "store", key, value)


@contextmanager
def served(command: list, folder: Path) -> Iterator[int]:
    """A server for as long as the block lasts, which begins when it answers: its port, which its command lacks."""
    process, port = _started(command, folder / "server.txt")
    try:
        yield port
    finally:
        _end(process)


def _started(command: list, said: Path) -> tuple[subprocess.Popen, int]:
    """A server that answers; tried twice, since another process may take the port before it does."""
    for _ in range(2):
        port = _free()
        with open(said, "w") as file:
            process = subprocess.Popen([*command, str(port)], stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        try:
            if _answers(process, port):
                return process, port
        except BaseException:
            _end(process)
            raise
        _end(process)
    raise AssertionError(f"no answer of {command[0]}: {said.read_text()}")


def _answers(process: subprocess.Popen, port: int) -> bool:
    """Whether this server, and no other, listens on a port before it ends or the time is up."""
    end = time.monotonic() + START
    while process.poll() is None and time.monotonic() < end:
        with suppress(psutil.Error):  # it has just ended
            sockets = psutil.Process(process.pid).net_connections("tcp")
            if any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in sockets):
                return True
        time.sleep(0.1)
    return False


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    process.wait(START)


def _free() -> int:
    """A port that nobody uses."""
    with create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]
