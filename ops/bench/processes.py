"""Servers as child processes: pinned, watched until they answer, and always ended."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Collection, Sequence
from pathlib import Path

HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0
_COMMAND_TIMEOUT_S = 120.0
_POLL_S = 0.005


class BenchError(Exception):
    """Something that the benchmark needs is missing or did not work."""


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def run_to_its_end(command: Sequence[str]) -> str:
    """Run a short *command* and return what it printed.

    Raises:
        BenchError: it failed.
    """
    done = subprocess.run(  # noqa: S603 - the commands are those of this folder
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise BenchError(f"{command[0]}: {(done.stdout + done.stderr).decode(errors='replace')[-2000:]}")
    return done.stdout.decode()


class Server:
    """A running server and its children, in a process group of their own."""

    def __init__(self, command: Sequence[str], log: Path, on_cores: Collection[int]) -> None:
        """Start *command* on the cores given, output appended to *log*.

        The kernel ends it should this process be killed (PR_SET_PDEATHSIG).
        """
        pinned = ["taskset", "-c", ",".join(map(str, on_cores)), *command]
        self._log = log
        self.started_at = time.perf_counter()
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the commands are those of this folder
                ["setpriv", "--pdeathsig", "TERM", *pinned],  # noqa: S607 - util-linux, where it is
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process that began the tree."""
        return self._process.pid

    def check(self) -> None:
        """Raise BenchError if it has ended."""
        if self._process.poll() is not None:
            raise BenchError(f"ended with {self._process.returncode}: {self._log.read_text()[-1_000:]}")

    def wait_until_answers(self, port: int, path: str, within_s: float = START_TIMEOUT_S) -> float:
        """Return the seconds from the spawn to the first 200 for GET *path*.

        Raises:
            BenchError: it ended, or gave no 200 in so many seconds from now.
        """
        deadline = time.perf_counter() + within_s
        while time.perf_counter() < deadline:
            self.check()
            if _answers(port, path):  # which may wait long for it: a port can be bound before anybody serves
                return time.perf_counter() - self.started_at
            time.sleep(_POLL_S)
        raise BenchError(f"no answer on port {port} within {within_s} s: see {self._log}")

    def stop(self) -> None:
        """End the whole group: SIGTERM, then SIGKILL after 20 s."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._kill()
        self._kill()  # children that outlived the first process
        self._process.wait()

    def _kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=START_TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (ConnectionError, http.client.HTTPException):
        return False
    finally:
        connection.close()
