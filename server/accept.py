"""Taking connections from the socket that all workers share, so that each has its part.

The kernel wakes all that wait, and the first one awake would take every connection of a burst. A worker that has more
connections than another therefore lets a moment pass, in which the other one can be first.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

from server.counts import Counts
from server.patience import Patience, PatientServer

PATIENCE_S = 0.002  # that a worker with more connections than another gives it
SETTLE_S = 0.2  # at the end, for connections that are being made
HANDSHAKE_S = 20.0  # for a client's part of it
PAUSE_S = 0.2  # when the system can take no more connections


class CountedServer(PatientServer):
    """Counts its connections down; the acceptor counts them up."""

    def __init__(
        self,
        counts: Counts,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        patience: Patience | None = None,
    ) -> None:
        """Answer with *handler*."""
        super().__init__(handler, patience)
        self._counts = counts

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Note that a connection ended."""
        self._counts.add(-1)
        super().connection_lost(handler, exc)


class Acceptor:
    """Accepts connections for one worker."""

    def __init__(
        self, listening: socket.socket, counts: Counts, server: CountedServer, tls: ssl.SSLContext | None = None
    ) -> None:
        """Hand connections of *listening* to *server*, by *tls* if it is given."""
        self._tls = tls
        server.patience.watch_unread(listening)
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._counts = counts
        self._server = server
        self._tasks: set[asyncio.Task[object]] = set()
        self._paused: asyncio.TimerHandle | None = None
        self._resume()

    async def close(self) -> None:
        """Take no more connections; those that were taken are the server's, and end with it, when this returns."""
        self._loop.remove_reader(self._listening)
        if self._paused is not None:
            self._paused.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=SETTLE_S)
        for task in self._tasks:
            task.cancel()  # who connected and says nothing
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _resume(self) -> None:
        self._paused = None
        self._loop.add_reader(self._listening, self._ready)

    def _ready(self) -> None:
        if self._counts.is_most():
            self._wait(PATIENCE_S)
        else:
            self._accept()

    def _wait(self, seconds: float) -> None:
        self._loop.remove_reader(self._listening)
        self._paused = self._loop.call_later(seconds, self._after_patience)

    def _after_patience(self) -> None:
        self._resume()
        self._accept()

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:  # no descriptors or memory left: let some connections end
            self._wait(PAUSE_S)
            return
        connection.settimeout(0)
        self._counts.add(1)
        task = self._loop.create_task(self._connect(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, connection: socket.socket) -> None:
        if self._tls is None:
            await self._loop.connect_accepted_socket(self._server, connection)
            return
        try:
            await self._loop.connect_accepted_socket(
                self._server, connection, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE_S
            )
        except (OSError, asyncio.CancelledError):  # no TLS, or none that is taken: ssl.SSLError is an OSError
            self._counts.add(-1)
            connection.close()
