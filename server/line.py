"""A line from one process of a node to another: questions by number, answers in any order."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from changelog.errors import InvalidEntry, OutcomeUnknown
from server.wire import PART, Frame, Frames, checked, connect, framed

RETRY_S = 0.05  # between attempts to reach a process that is being restarted
PATIENCE_S = 10.0  # how long to try


class Line:
    """Asks over one connection, which it makes anew when the other process was restarted."""

    def __init__(self, socket: Path, whom: str) -> None:
        """Talk to the process that listens at *socket*; *whom* names it in messages."""
        self._socket = socket
        self._whom = whom
        self._connection: _Connection | None = None
        self._attempt: asyncio.Task[_Connection] | None = None

    async def connect(self) -> None:
        """Make the connection now; raises OutcomeUnknown if nobody listens."""
        await self._connected()

    async def ask(self, kind: str, *items: Any) -> Frame:  # noqa: ANN401 - whatever msgpack takes
        """Send a message and return the items of its answer.

        Raises:
            LedgerpiError: the answer is an error.
            OutcomeUnknown: there was none.
        """
        connection = await self._connected()
        return checked(await connection.ask(kind, *items))

    async def stream(self, kind: str, *items: Any) -> AsyncIterator[Frame]:  # noqa: ANN401 - whatever msgpack takes
        """Send a message and yield the items of each part of its answer, the last one too; raises as :meth:`ask`."""
        connection = await self._connected()
        async for frame in connection.stream(kind, *items):
            yield frame[2:] if frame[1] == PART else checked(frame)

    async def _connected(self) -> "_Connection":
        if self._connection is not None and not self._connection.closed:
            return self._connection
        if self._attempt is None:
            self._attempt = asyncio.ensure_future(self._connect())
            self._attempt.add_done_callback(self._attempted)
        return await asyncio.shield(self._attempt)  # shared by all who wait, so that none waits for others' patience

    def _attempted(self, attempt: "asyncio.Task[_Connection]") -> None:
        self._attempt = None
        if not attempt.cancelled() and attempt.exception() is None:
            self._connection = attempt.result()

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_S
        while True:
            try:
                client = connect(self._socket)
                client.settimeout(0)
                _, connection = await loop.create_unix_connection(lambda: _Connection(self._whom), sock=client)
            except OSError as error:
                if loop.time() > deadline:
                    raise OutcomeUnknown(f"no {self._whom} is there to ask; nothing was changed") from error
                await asyncio.sleep(RETRY_S)
            else:
                return connection

    def close(self) -> None:
        """Close the connection."""
        if self._attempt is not None:
            self._attempt.cancel()
        if self._connection is not None:
            self._connection.close()


class _Connection(asyncio.Protocol):
    """One connection; answers find their question by number."""

    def __init__(self, whom: str) -> None:
        self.closed = False
        self._whom = whom
        self._frames = Frames()
        self._waiting: dict[int, asyncio.Queue[Frame | None] | asyncio.Future[Frame]] = {}
        self._next = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    async def ask(self, kind: str, *items: Any) -> Frame:  # noqa: ANN401 - whatever msgpack takes
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        number = self._send(future, kind, *items)
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    async def stream(self, kind: str, *items: Any) -> AsyncIterator[Frame]:  # noqa: ANN401 - whatever msgpack takes
        queue: asyncio.Queue[Frame | None] = asyncio.Queue()
        number = self._send(queue, kind, *items)
        try:
            while True:
                frame = await queue.get()
                if frame is None:
                    raise OutcomeUnknown(f"the {self._whom} ended before it answered")
                yield frame
                if frame[1] != PART:
                    return
        finally:
            self._waiting.pop(number, None)

    def _send(self, waiting: "asyncio.Queue[Frame | None] | asyncio.Future[Frame]", kind: str, *items: Any) -> int:  # noqa: ANN401
        if self.closed:  # between its making and this question: nobody would ever answer
            raise OutcomeUnknown(f"the {self._whom} ended before it was asked; nothing was changed")
        self._next += 1
        self._waiting[self._next] = waiting
        self._transport.write(framed(self._next, kind, *items))  # type: ignore[attr-defined] # a write transport
        return self._next

    def data_received(self, data: bytes) -> None:
        try:
            for answer in self._frames.feed(data):
                waiting = self._waiting.get(answer[0])
                if isinstance(waiting, asyncio.Queue):
                    waiting.put_nowait(answer)
                elif waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        except InvalidEntry:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        for waiting in self._waiting.values():
            if isinstance(waiting, asyncio.Queue):
                waiting.put_nowait(None)
            elif not waiting.done():
                waiting.set_exception(OutcomeUnknown(f"the {self._whom} ended before it answered"))
                waiting.exception()  # it may have no reader any more
        del exc

    def close(self) -> None:
        self.closed = True
        self._transport.close()
