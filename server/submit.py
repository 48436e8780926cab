"""A worker's line to the writer."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from changelog.errors import InvalidEntry, OutcomeUnknown
from changelog.records import Record
from changelog.writer import Already, Committed
from server.commands import Caller, Command, Request
from server.wire import Frame, Frames, checked, connect, framed

RETRY_S = 0.05  # between attempts to reach a writer that is being restarted
PATIENCE_S = 10.0  # how long to try


class Submit:
    """Sends commands over one connection, which it makes anew when the writer was restarted."""

    def __init__(self, socket: Path) -> None:
        """Talk to the writer that listens at *socket*."""
        self._socket = socket
        self._line: _Line | None = None
        self._connecting = asyncio.Lock()

    async def __call__(
        self,
        caller: Caller,
        command: Command,
        records: Sequence[Record] = (),
        contents: Sequence[tuple[bytes, bytes]] = (),
    ) -> Committed | Already:
        """Have *command* carried out; a snapshot begun after this returned sees it.

        Raises:
            LedgerpiError: it was refused.
            OutcomeUnknown: the writer ended before it answered.
        """
        request = Request(caller, command, tuple(records), tuple(contents))
        kind, *serials = await self.ask("commit", request.plain())
        return Committed(*serials) if kind == "committed" else Already(*serials)

    async def ask(self, kind: str, *items: Any) -> Frame:  # noqa: ANN401 - whatever msgpack takes
        """Send a message and return the items of its answer.

        Raises:
            LedgerpiError: the answer is an error, or there was none.
        """
        line = self._line
        if line is None or line.closed:
            line = await self._connect()
        return checked(await line.ask(kind, *items))

    async def _connect(self) -> "_Line":
        async with self._connecting:
            if self._line is not None and not self._line.closed:
                return self._line
            loop = asyncio.get_running_loop()
            deadline = loop.time() + PATIENCE_S
            while True:
                try:
                    client = connect(self._socket)
                    client.settimeout(0)
                    _, self._line = await loop.create_unix_connection(_Line, sock=client)
                except OSError as error:
                    if loop.time() > deadline:
                        raise OutcomeUnknown("no writer is there to ask; nothing was changed") from error
                    await asyncio.sleep(RETRY_S)
                else:
                    return self._line

    def close(self) -> None:
        """Close the connection."""
        if self._line is not None:
            self._line.close()


class _Line(asyncio.Protocol):
    """One connection; answers find their question by number."""

    def __init__(self) -> None:
        self.closed = False
        self._frames = Frames()
        self._waiting: dict[int, asyncio.Future[Frame]] = {}
        self._next = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    async def ask(self, kind: str, *items: Any) -> Frame:  # noqa: ANN401 - whatever msgpack takes
        if self.closed:  # between its making and this question: nobody would ever answer
            raise OutcomeUnknown("the writer ended before it was asked; nothing was changed")
        self._next += 1
        number = self._next
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._transport.write(framed(number, kind, *items))  # type: ignore[attr-defined] # a write transport
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    def data_received(self, data: bytes) -> None:
        try:
            for answer in self._frames.feed(data):
                future = self._waiting.get(answer[0])
                if future is not None and not future.done():
                    future.set_result(answer)
        except InvalidEntry:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(OutcomeUnknown("the writer ended before it answered"))
                future.exception()  # it may have no reader any more
        del exc

    def close(self) -> None:
        self.closed = True
        self._transport.close()
