"""Servers on loopback that send exactly what a test says, right or wrong."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress

from attrs import define, field

Serving = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]
Answering = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@define
class RawServer:
    """Reads request heads and lets *answering* write; on returning from it the connection is kept, unless closed."""

    answering: Answering
    requests: list[bytes] = field(factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                request = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(request)
                await self.answering(request, writer)
        writer.close()

    def paths(self) -> list[str]:
        return [request.split()[1].decode() for request in self.requests]


@asynccontextmanager
async def listening(serve: Serving, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a free port of 127.0.0.1, and yield it; the connections end with it."""
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(lambda _: writer.transport.abort())

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the aborted connections are told so


@asynccontextmanager
async def raw_server(answering: Answering, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Run a RawServer."""
    server = RawServer(answering)
    async with listening(server.serve, tls) as server.port:
        yield server


def always(answer: bytes, *, close: bool = False) -> Answering:
    """Return what sends *answer* to every request."""

    async def send(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        if close:
            writer.close()

    return send


def ok(body: bytes, *headers: str) -> bytes:
    """Return an answer with *body* and its right length."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def redirect(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
