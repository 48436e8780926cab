"""How long a client may keep its connection without doing its part.

Two of the bounds need nothing of ours while requests are answered: the kernel watches clients that do not read, aiohttp
those that are idle. For the others :class:`PatientServer` looks at all connections every few seconds.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from attrs import frozen

from server.methods import PushAsPost

LOOKS = 6  # in the shortest bound
MAX_HEADER = 16 << 10  # bytes of a header line
GRAIN_S = 0.05  # the kernel counts in ticks; what came sooner after an answer was before it
TCP_INFO = struct.Struct("=52xI")  # tcpi_last_data_recv, milliseconds

logger = structlog.get_logger()


@frozen
class Patience:
    """Bounds in seconds; one that a look finds is kept to within a third of the shortest."""

    head_s: float = 30.0  # from the first byte of a request, at first from connecting, to the end of its headers
    body_s: float = 60.0  # between two pieces of a body
    unread_s: float = 60.0  # while an answer waits for the client to read
    idle_s: float = 75.0  # between an answer and the next request

    @property
    def look_s(self) -> float:
        """The seconds between two looks at all connections."""
        return min(self.head_s, self.body_s) / LOOKS

    def watch_unread(self, listening: socket.socket) -> None:
        """Let the kernel end the connections of *listening* whose client does not read (TCP_USER_TIMEOUT)."""
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self.unread_s * 1_000))


class Connection(PushAsPost):
    """A connection that knows whether its server waits for the client.

    When the client sent something is asked of the kernel: noting it at each piece took a thirtieth of a small answer.
    """

    __slots__ = ("_head",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first head."""
        self._head = (0, self._loop.time())  # the number of the request whose head is under way, and since when
        super().connection_made(transport)

    def is_slow(self, now: float, patience: Patience) -> bool:
        """Return whether the client has kept a head or a body waiting for too long."""
        request = self._current_request
        if request is None:
            return self._has_late_head(now, patience.head_s)
        is_ours = self._reading_paused or self._buffer_paused  # what it sent is not read yet
        return not is_ours and not request.content.is_eof() and self._silent_s() > patience.body_s

    def _has_late_head(self, now: float, head_s: float) -> bool:
        if self._waiter is None or self._waiter.done():
            return False
        idle_since = self._next_keepalive_close_time - self._keepalive_timeout
        if self._request_count and now - self._silent_s() <= idle_since + GRAIN_S:
            return False
        if self._head[0] != self._request_count:
            self._head = (self._request_count, now)
        return now - self._head[1] > head_s

    def _silent_s(self) -> float:
        """Return for how long the client has sent nothing, in seconds."""
        if self.transport is None:
            return 0.0
        raw = self.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO.size)
        return float(TCP_INFO.unpack(raw)[0]) / 1_000

    def cut(self) -> None:
        """End the connection at once; a handler that waits for the body sees that."""
        if self.transport is not None:
            self.transport.abort()


class PatientServer(web.Server):
    """Ends the connections of clients that are slower than the bounds."""

    def __init__(
        self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], patience: Patience | None = None
    ) -> None:
        """Answer with *handler*."""
        self.patience = patience or Patience()
        super().__init__(
            handler,
            access_log=None,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            keepalive_timeout=self.patience.idle_s,
        )
        self._look = self._loop.call_later(self.patience.look_s, self._cut_slow)

    def __call__(self) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(self, loop=self._loop, **self._kwargs)

    def _cut_slow(self) -> None:
        self._look = self._loop.call_later(self.patience.look_s, self._cut_slow)
        now = self._loop.time()
        slow = [
            connection
            for connection in self._connections
            if isinstance(connection, Connection) and connection.is_slow(now, self.patience)
        ]
        for connection in slow:
            connection.cut()
        if slow:
            logger.info("slow clients cut", count=len(slow))

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aiohttp's name
        """End all connections, those with a request under way after *timeout* seconds."""
        self._look.cancel()
        await super().shutdown(timeout)
