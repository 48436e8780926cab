"""An index on loopback that a test controls, for everything that has an upstream."""

import asyncio
import socket
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from attrs import evolve
from packaging.utils import canonicalize_name

from tests.upstream.answers import Answers
from tests.upstream.asked import ALL, FILE, LIST, METADATA, OTHER, PAGE, Asked, most_at_once
from tests.upstream.faults import Fault, Rules
from tests.upstream.files import UpstreamDist
from tests.upstream.pages import LOCALHOST, OTHER_PORT, SAME, Shape, UpstreamProject
from tests.upstream.reply import fitted, send

HOST = "127.0.0.1"
BACKLOG = 1024  # connections that come at once
TIMEOUT_S = 30.0  # a busy machine is no failure
_LOOK_S = 0.005


class Upstream:
    """The index; a test may call everything at any time while it runs in a thread of its own."""

    def __init__(self, shape: Shape) -> None:
        """Bind two ports: that of the index, and another origin for its files."""
        self._sockets = [_bound(0), _bound(0)]
        self._ports = [int(sock.getsockname()[1]) for sock in self._sockets]
        self.url = f"http://{HOST}:{self._ports[0]}"  # without a slash at the end
        self.other_url = f"http://{HOST}:{self._ports[1]}"
        self.simple = f"{self.url}/simple/"
        origins = {SAME: self.url, OTHER_PORT: self.other_url, LOCALHOST: f"http://localhost:{self._ports[0]}"}
        self._answers = Answers(shape, origins)
        self._rules = Rules()
        self._asked: list[Asked] = []
        self._listeners: list[asyncio.Server] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="upstream")
        self._started: Future[asyncio.AbstractEventLoop] = Future()

    @property
    def shape(self) -> Shape:
        """What it supports now."""
        return self._answers.shape

    @property
    def projects(self) -> dict[str, UpstreamProject]:
        """All projects by normalized name."""
        return dict(self._answers.content.projects)

    def change(self, **changes: Any) -> None:  # noqa: ANN401 - of any field
        """Support something else from now on: *changes* are fields of :class:`Shape`."""
        self._answers.replace(shape=evolve(self.shape, **changes))

    def put(self, *dists: UpstreamDist) -> None:
        """Add files; those of the same project and name are replaced, and no longer served."""
        self._answers.replace(self._answers.content.with_dists(dists))

    def name(self, *names: str) -> None:
        """Add projects without files."""
        added: dict[str, UpstreamProject] = {canonicalize_name(name): UpstreamProject(name) for name in names}
        self._answers.replace(self._answers.content.with_projects(added))

    def describe(self, project: str, **changes: Any) -> None:  # noqa: ANN401 - of any field
        """Change fields of a project: ``status``, ``reason``, ``tracks``, ``alternates`` or ``name``."""
        changed = {project: evolve(self.projects[project], **changes)}
        self._answers.replace(self._answers.content.with_projects(changed))

    def remove(self, *names: str) -> None:
        """Take files or (by normalized name) whole projects away."""
        self._answers.replace(self._answers.content.without(set(names)))

    def expire_signatures(self) -> None:
        """Let signed URLs that were listed so far be refused from now on."""
        self._answers.expire_signatures()

    def fail(self, where: str, *faults: Fault, times: int | None = None) -> None:
        """Let the next *times* requests (None: all) of *where* have the faults, in addition to those before.

        *where* is ``list``, ``page``, ``file``, ``metadata``, ``*`` or a path, in which ``*`` stands for anything.
        """
        self._rules.add(where, faults, times)

    def heal(self, where: str | None = None) -> None:
        """Take all faults of *where* off; None: all faults."""
        self._rules.drop(where)

    def die(self) -> None:
        """Reset all connections and refuse new ones; the ports stay ours."""
        self._in_loop(self._close())
        self._sockets = [_bound(port) for port in self._ports]

    def revive(self) -> None:
        """Accept connections again, on the same ports."""
        self._in_loop(self._listen())

    @property
    def asked(self) -> list[Asked]:
        """All requests, in the order that they came."""
        return list(self._asked)

    def lists(self) -> list[Asked]:
        """Return the requests for the list of projects."""
        return self._of(LIST)

    def pages(self, project: str | None = None) -> list[Asked]:
        """Return the requests for project pages, under any spelling of the name."""
        asked = self._of(PAGE)
        return asked if project is None else [one for one in asked if canonicalize_name(one.name) == project]

    def files(self, name: str | None = None) -> list[Asked]:
        """Return the requests for files."""
        return [one for one in self._of(FILE) if name in {None, one.name}]

    def metadata(self, name: str | None = None) -> list[Asked]:
        """Return the requests for core metadata; *name* is that of the wheel."""
        return [one for one in self._of(METADATA) if name in {None, one.name}]

    def in_flight(self, where: str = ALL) -> int:
        """Return how many requests of *where* (see :meth:`fail`) are being answered."""
        return sum(one.fits(where) and one.is_open for one in self.asked)

    def most_at_once(self, where: str = ALL) -> int:
        """Return how many requests of *where* (see :meth:`fail`) were being answered at the same time, at most."""
        return most_at_once(one for one in self.asked if one.fits(where))

    def wait_for(self, where: str, count: int = 1) -> None:
        """Wait until there were *count* requests of *where* (see :meth:`fail`).

        Raises:
            TimeoutError: there were fewer within 30 s.
        """
        deadline = time.monotonic() + TIMEOUT_S
        while (there := sum(one.fits(where) for one in self.asked)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{there} requests of {where}, not {count}")
            time.sleep(_LOOK_S)

    def reset(self) -> None:
        """Forget what was asked; what goes wrong stays."""
        self._asked = []

    def start(self) -> None:
        """Start the thread, and return when connections are accepted."""
        self._thread.start()
        self._loop = self._started.result(TIMEOUT_S)

    def stop(self) -> None:
        """End the thread and all connections."""
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    async def _main(self) -> None:
        self._stopped = asyncio.Event()
        self._server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        try:
            await self._listen()
            self._started.set_result(asyncio.get_running_loop())
            await self._stopped.wait()
        finally:
            await self._close()
            for sock in self._sockets:
                sock.close()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._listeners = [await loop.create_server(self._server, sock=sock, backlog=BACKLOG) for sock in self._sockets]

    async def _close(self) -> None:
        for listener in self._listeners:
            listener.close()
        for connection in self._server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)  # for transports to close their sockets

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = _asked(request)
        self._asked.append(asked)
        try:
            faults = self._rules.of(asked)
            reply = self._answers.reply(asked, request.raw_path, faults)
            for fault in faults:
                reply = fault.reply(reply)
            is_page = asked.kind in {LIST, PAGE}
            reply = fitted(reply, asked, ranges=self.shape.ranges and not is_page, zipped=self.shape.gzip and is_page)
            asked.status = reply.status
            return await send(request, reply, asked)
        finally:
            asked.end()

    def _of(self, kind: str) -> list[Asked]:
        return [one for one in self.asked if one.kind == kind]

    def _in_loop(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_S)


@contextmanager
def upstream(*dists: UpstreamDist, **shape: Any) -> Iterator[Upstream]:  # noqa: ANN401 - of any field
    """Run an index that holds *dists*; *shape* are fields of :class:`Shape`."""
    running = Upstream(Shape(**shape))
    running.put(*dists)
    running.start()
    try:
        yield running
    finally:
        running.stop()


def _bound(port: int) -> socket.socket:
    """Return a socket that has *port* but does not listen: connections to it are refused."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((HOST, port))
    return sock


def _asked(request: web.BaseRequest) -> Asked:
    """Write a request down."""
    raw, _, query = request.raw_path.partition("?")
    path = unquote(raw)
    kind, name = _kind(path)
    headers = {name.lower(): text for name, text in request.headers.items()}
    return Asked(request.method, path, query, headers, kind, name, time.monotonic())


def _kind(path: str) -> tuple[str, str]:
    """Return what a path asks for: the kind, and the name of the project or file."""
    _, first, rest = (*path.split("/", 2), "", "")[:3]
    if first == "simple":
        name = rest.removesuffix("/")
        return (PAGE if name else LIST), name
    if first == "files":
        filename = rest.partition("/")[2]
        is_metadata = filename.endswith(".metadata")
        return (METADATA if is_metadata else FILE), filename.removesuffix(".metadata")
    return OTHER, ""
