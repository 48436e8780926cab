"""The servers side by side: how each is started, asked and uploaded to."""

import base64
import json
import shutil
import sqlite3
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from changelog.env import Env
from ops.bench import load
from ops.bench.corpus import DEV
from ops.bench.prepare import ROOT_PASSWORD
from ops.bench.processes import START_TIMEOUT_S, BenchError, Server, free_port
from ops.bench.targets import JSON, Page, Target

_INIT_TIMEOUT_S = 60


class Peer(ABC):
    """A server that can be started and asked for a target."""

    name: str
    hello = "/+api"  # answers 200 as soon as the server is up
    renders_anew = False  # each page for each request
    start_timeout_s = START_TIMEOUT_S

    def __init__(self, folder: Path) -> None:
        """Keep state and output of the server in *folder*."""
        self.folder = folder
        self.port = free_port()
        self._server: Server | None = None

    @abstractmethod
    def command(self, *, workers: int | None) -> list[str]:
        """Return the command that serves in the foreground; no *workers* means its default."""

    @abstractmethod
    def path(self, target: Target) -> str:
        """Return the path of *target* at this server."""

    def start(self, on_cores: Sequence[int], *, workers: int | None = None) -> float:
        """Start on the cores given and return the seconds to the first answer."""
        self.spawn(on_cores, workers=workers)
        return self.wait_until_answers()

    def spawn(self, on_cores: Sequence[int], *, workers: int | None = None) -> None:
        """Start, and wait for nothing."""
        log = self.folder / f"{self.name}.log"
        self._server = Server(self.command(workers=workers), log, on_cores)

    def wait_until_answers(self) -> float:
        """Return the seconds from the start to the first answer.

        Raises:
            BenchError: it ended, or gave none in time.
        """
        return self.server.wait_until_answers(self.port, self.hello, self.start_timeout_s)

    def stop(self) -> None:
        """End the server if it runs."""
        if self._server:
            self._server.stop()
            self._server = None

    @property
    def server(self) -> Server:
        """The running server."""
        if not self._server:
            raise BenchError(f"{self.name} is not running")
        return self._server

    @property
    def pid(self) -> int:
        """The root of the running server's process tree."""
        return self.server.pid


class Index(Peer):
    """A package index with devpi's URLs and REST interface."""

    def __init__(self, folder: Path) -> None:
        """See :class:`Peer`."""
        super().__init__(folder)
        self.serverdir = folder / self.name
        self._urls: dict[str, dict[str, str]] = {}

    def path(self, target: Target) -> str:
        """Return the path; a file's is taken from its project's page."""
        if isinstance(target, Page):
            return target.path
        page = Page(target.release.index, target.release.project, JSON)
        if page.path not in self._urls:
            self._urls[page.path] = self._files(page)
        return self._urls[page.path][target.release.filename] + (".metadata" if target.metadata else "")

    def password(self) -> str:
        """Return the value of an Authorization header with root's password."""
        return _basic(ROOT_PASSWORD)

    def token(self) -> str:
        """Log in and return the value of an Authorization header with the token."""
        body = {"user": "root", "password": ROOT_PASSWORD}
        return _basic(self._rest("POST", "/+login", body)["result"]["password"])

    def make_index(self, index: str, bases: Sequence[str] = ()) -> None:
        """Make the stage *index*, which inherits *bases*."""
        options = {"type": "stage", "volatile": True, "bases": list(bases)}
        self._rest("PUT", f"/{index}", options, {"Authorization": self.token()})

    @abstractmethod
    def changelog_bytes(self) -> int:
        """Return the bytes of all entries of the server's history."""

    def _files(self, page: Page) -> dict[str, str]:
        """Return path by file name, as the page links them."""
        answer = load.ask(self.port, load.request("GET", page.path, {"Accept": JSON}))
        if answer.status != HTTPStatus.OK:
            raise BenchError(f"{self.name}: {answer.status} for {page.path}")
        files = json.loads(answer.body)["files"]
        return {file["filename"]: urlsplit(urljoin(page.path, file["url"])).path for file in files}

    def _rest(self, method: str, path: str, body: object, headers: dict[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        sent = {"Accept": "application/json", "Content-Type": "application/json"} | (headers or {})
        answer = load.ask(self.port, load.request(method, path, sent, json.dumps(body).encode()))
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise BenchError(f"{self.name}: {answer.status} for {method} {path}: {answer.body[:300]!r}")
        return json.loads(answer.body)


class Devpi(Index):
    """devpi-server as installed, with PEP 658 on, so that every server offers the same."""

    name = "devpi"
    renders_anew = True

    def __init__(self, folder: Path, programs: Path, loaded: Path) -> None:
        """Serve a copy of the server folder *loaded* with devpi's *programs*."""
        super().__init__(folder)
        self._programs = programs
        shutil.copytree(loaded, self.serverdir)

    def command(self, *, workers: int | None) -> list[str]:
        """Return the command; devpi-server has threads, so *workers* does not matter."""
        del workers
        options = [
            "--serverdir",
            str(self.serverdir),
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]
        return [
            str(self._programs / "devpi-server"),
            *options,
            "--enable-core-metadata",
            "--offline-mode",
        ]

    def changelog_bytes(self) -> int:
        """Return the sum over the table that devpi replays for its replicas."""
        with sqlite3.connect(f"file:{self.serverdir / '.sqlite'}?mode=ro", uri=True) as database:
            (total,) = database.execute("SELECT sum(length(data)) FROM changelog").fetchone()
        database.close()
        return int(total)


class Ledgerpi(Index):
    """Our own server, from this environment; it begins empty."""

    name = "ledgerpi"

    def __init__(self, folder: Path, program: Path) -> None:
        """Serve a new server folder."""
        super().__init__(folder)
        self._program = program

    def init_command(self, stage: str) -> list[str]:
        """Return the command that makes the server folder with one stage."""
        options = [
            "--serverdir",
            str(self.serverdir),
            "--root-password",
            ROOT_PASSWORD,
            "--no-root-pypi",
            "--stage",
            stage,
        ]
        return [str(self._program), "init", *options]

    def command(self, *, workers: int | None) -> list[str]:
        """Return the command; by default it starts a worker per core."""
        options = [
            "--serverdir",
            str(self.serverdir),
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]
        return [
            str(self._program),
            "serve",
            *options,
            *(["--workers", str(workers)] if workers else []),
        ]

    def changelog_bytes(self) -> int:
        """Return the sum over the table of entries."""
        (data,) = (file for file in self.serverdir.rglob("data.mdb") if file.parent.name != "local")
        env = Env(data.parent, (), readonly=True)
        try:
            with env.read() as store:
                return sum(len(entry) for _, entry in store.scan("entries"))
        finally:
            env.close()


def ledgerpi(folder: Path) -> Ledgerpi | None:
    """Return our server with an empty server folder, or None if it is not installed here.

    Raises:
        BenchError: the server folder could not be made.
    """
    program = Path(sys.executable).with_name("ledgerpi")
    if not program.exists():
        return None
    ours = Ledgerpi(folder, program)
    done = subprocess.run(  # noqa: S603 - our own program
        ours.init_command(DEV), capture_output=True, timeout=_INIT_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise BenchError(f"ledgerpi init: {done.stderr.decode()}")
    return ours


def _basic(secret: str) -> str:
    return "Basic " + base64.b64encode(f"root:{secret}".encode()).decode()
