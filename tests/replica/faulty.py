"""What is between a replica and its primary: it counts the files that are asked for, and spoils them as a test says."""

import asyncio
import re
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from attrs import define, field, frozen

ASKED = re.compile(rb"GET /\+blob/([0-9a-f]{64}) HTTP/1.1\r\n(?:[^\r]+\r\n)*?\r\n")
RANGE = re.compile(rb"\r\nRange: ([^\r]+)\r\n")
PIECE = 1 << 16
TICK_S = 0.01
END_OF_HEAD = b"\r\n\r\n"


@frozen
class Fault:
    """What happens to the bodies of a file, counted from the first byte of each body."""

    cut_at: int | None = None  # the connection is cut before that byte
    flip_at: int | None = None  # that byte is another one
    hold_at: int | None = None  # nothing goes on from that byte on, until the fault is gone
    times: int = 1_000_000  # that it happens


@define
class Faulty:
    """A TCP proxy on loopback, in a thread of its own."""

    target: str  # URL of a node
    asked: list[tuple[str, str]] = field(factory=list)  # SHA-256 and Range of the files that were asked for
    faults: dict[str, Fault] = field(factory=dict)  # by SHA-256
    refuses: bool = False  # new connections end at once, others with the next request
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def count(self, sha256: str) -> int:
        """Return how often a file was asked for."""
        return [digest for digest, _ in self.asked].count(sha256)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        address = urlsplit(self.target)
        try:
            there, on = await asyncio.open_connection(address.hostname, address.port)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(self, reader, writer, there, on)
        with suppress(asyncio.CancelledError):  # the test ends; a task that says so is reported by asyncio as an error
            await asyncio.gather(connection.hand_requests_on(), connection.hand_answers_on())


@define
class _Connection:
    proxy: Faulty
    reader: asyncio.StreamReader  # from the replica
    writer: asyncio.StreamWriter
    there: asyncio.StreamReader  # from the primary
    on: asyncio.StreamWriter
    sha256: str = ""  # of the file that is being sent
    sent: int = 0  # bytes of its body
    head: bytes = b""  # of its answer, until that is whole

    async def hand_requests_on(self) -> None:
        with suppress(ConnectionError):
            while (data := await self.reader.read(PIECE)) and not self.proxy.refuses:
                for found in ASKED.finditer(data):
                    within = RANGE.search(found[0])
                    self.sha256, self.sent, self.head = found[1].decode(), 0, b""
                    self.proxy.asked.append((self.sha256, within[1].decode() if within else ""))
                self.on.write(data)
                await self.on.drain()
        self._end()

    async def hand_answers_on(self) -> None:
        with suppress(ConnectionError):
            while data := await self.there.read(PIECE):
                self.writer.write(await self._spoiled(data) if self.sha256 in self.proxy.faults else data)
                await self.writer.drain()
        self._end()

    async def _spoiled(self, data: bytes) -> bytes:
        """Return what goes on of *data*; raises ConnectionError where the connection is cut."""
        if END_OF_HEAD not in self.head:
            self.head += data
            if END_OF_HEAD not in self.head:
                return b""
            head, _, body = self.head.partition(END_OF_HEAD)
            self.head = head + END_OF_HEAD
            return self.head + await self._body(body)
        return await self._body(data)

    async def _body(self, data: bytes) -> bytes:
        fault = self.proxy.faults.get(self.sha256, Fault())
        begin, self.sent = self.sent, self.sent + len(data)
        if fault.hold_at is not None and fault.hold_at < self.sent:
            kept = max(0, fault.hold_at - begin)
            self.writer.write(data[:kept])
            while self.proxy.faults.get(self.sha256) == fault:  # noqa: ASYNC110 - a test in another thread changes it
                await asyncio.sleep(TICK_S)
            return data[kept:]
        if fault.cut_at is not None and fault.cut_at < self.sent:
            self.writer.write(data[: max(0, fault.cut_at - begin)])
            await self.writer.drain()
            self._used(fault)
            self.writer.close()
            raise ConnectionResetError
        if fault.flip_at is not None and begin <= fault.flip_at < self.sent:
            place = fault.flip_at - begin
            self._used(fault)
            return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        return data

    def _used(self, fault: Fault) -> None:
        left = Fault(fault.cut_at, fault.flip_at, fault.hold_at, fault.times - 1)
        if left.times:
            self.proxy.faults[self.sha256] = left
        else:
            del self.proxy.faults[self.sha256]

    def _end(self) -> None:
        for writer in (self.writer, self.on):
            writer.close()


@contextmanager
def faulty(target: str, tls: ssl.SSLContext | None = None) -> Iterator[Faulty]:
    """Run a proxy to the node at *target*; it speaks TLS with clients if it has a context for that."""
    proxy = Faulty(target, scheme="https" if tls else "http")
    started: Future[asyncio.AbstractEventLoop] = Future()
    ends = asyncio.Event()

    async def main() -> None:
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
        proxy.port = server.sockets[0].getsockname()[1]
        started.set_result(asyncio.get_running_loop())
        await ends.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="faulty")
    thread.start()
    loop = started.result(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(ends.set)
        thread.join()
