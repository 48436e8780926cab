"""A real devpi-server with its own import and export, each in a folder of the test."""

import http.client
import subprocess
import time
from pathlib import Path

from attrs import define

from tests.e2e.environments import python_with
from tests.replica.promoting import free_port

PASSWORD = "secret"
CHEAP = ("--argon2-memory-cost", "8", "--argon2-parallelism", "1", "--argon2-time-cost", "1")  # of its own secrets
START_S = 120.0
RUN_S = 600.0


@define
class DevpiServer:
    """A devpi-server that can be filled, exported and begun from a dump."""

    serverdir: Path
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def init(self, password: str = PASSWORD) -> None:
        """Make its folder, with root's password."""
        self._run("devpi-init", "--no-root-pypi", "--root-passwd", password)

    def begin_from(self, dump: Path) -> str:
        """Make its folder from *dump* and return what was said."""
        return self._run("devpi-import", "--no-root-pypi", "--no-events", str(dump))

    def export(self, dump: Path) -> str:
        """Write a dump of it, which must not run, and return what was said."""
        return self._run("devpi-export", "--include-mirrored-files", str(dump))

    def start(self) -> None:
        """Start it, at a free port unless one was given, and wait until it answers."""
        self.port = self.port or free_port()
        listen = ("--host", "127.0.0.1", "--port", str(self.port))
        with self.serverdir.with_suffix(".log").open("ab") as log:
            self._process = subprocess.Popen(
                [_program("devpi-server"), "--serverdir", str(self.serverdir), *listen, *CHEAP],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_S
        while not _answers(self.port):
            assert self._process.poll() is None, self.serverdir.with_suffix(".log").read_text()[-2_000:]
            assert time.monotonic() < deadline, "devpi-server gives no answer"
            time.sleep(0.1)

    def stop(self) -> None:
        """End it if it runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(START_S)
            self._process = None

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [_program(program), "--serverdir", str(self.serverdir), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


def _program(name: str) -> str:
    python = python_with("devpi-server", "setuptools")  # its Pyramid imports pkg_resources, newer ones have it no more
    return str(python.with_name(name))


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_S)
    try:
        connection.request("GET", "/+api", headers={"Accept": "application/json"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (ConnectionError, http.client.HTTPException):
        return False
    finally:
        connection.close()
