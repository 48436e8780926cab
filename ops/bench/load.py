"""The load generator in Python: a list of requests over kept connections, each to its end.

For uploads, and for answers so slow that a window of time would cut many of them.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus

from attrs import Factory, define, frozen

from ops.bench.processes import HOST, BenchError

_MAX_HEAD = 1 << 16  # bytes of a status line and headers


@frozen
class Answer:
    """A whole response; header names in lower case, a chunked body put together."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@frozen
class Load:
    """What a run of requests took. Latencies in ms."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    bytes_read: int
    failed: int = 0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds


@define
class _Run:
    """Requests still to be sent, and what the connections found so far."""

    requests: Iterator[bytes]
    ends_at: float
    expect: int
    latencies_s: list[float] = Factory(list)
    bytes_read: int = 0
    failed: int = 0


def request(method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    """Return the bytes of a request that keeps its connection (RFC 9112)."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def ask(port: int, one: bytes) -> Answer:
    """Send one request over a connection of its own and return the answer."""

    async def once() -> Answer:
        reader, writer = await asyncio.open_connection(HOST, port, limit=_MAX_HEAD)
        try:
            return await _exchange(reader, writer, one)
        finally:
            writer.close()

    return asyncio.run(once())


def run(port: int, requests: Iterable[bytes], connections: int, limit_s: float, expect: int = 200) -> Load:
    """Send *requests* over *connections* until they or the seconds are used up.

    Whatever was sent is waited for. An answer of another status than *expect* counts as failed.

    Raises:
        BenchError: no answer at all, or a connection that ended in the middle.
    """
    began = time.perf_counter()
    work = _Run(iter(requests), began + limit_s, expect)

    async def all_connections() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(_connection(port, work))

    try:
        asyncio.run(all_connections())
    except ExceptionGroup as failures:
        lost, other = failures.split((ConnectionError, asyncio.IncompleteReadError))
        if other:
            raise
        raise BenchError(f"port {port} closed a connection too early") from lost
    seconds = time.perf_counter() - began
    if not work.latencies_s:
        raise BenchError(f"port {port} answered no request")
    latencies = sorted(work.latencies_s)
    return Load(
        requests=len(latencies),
        seconds=seconds,
        p50_ms=percentile(latencies, 50),
        p99_ms=percentile(latencies, 99),
        bytes_read=work.bytes_read,
        failed=work.failed,
    )


async def _connection(port: int, work: _Run) -> None:
    """Take requests until none is left or the time is over; connect again where it was closed."""
    kept: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    try:
        for one in work.requests:
            began = time.perf_counter()
            kept = kept or await asyncio.open_connection(HOST, port, limit=_MAX_HEAD)
            answer = await _exchange(*kept, one)
            ended = time.perf_counter()
            work.latencies_s.append(ended - began)
            work.bytes_read += len(answer.body)
            work.failed += answer.status != work.expect
            if answer.headers.get("connection") == "close":  # devpi-server, after a page
                kept[1].close()
                kept = None
            if ended >= work.ends_at:
                return
    finally:
        if kept:
            kept[1].close()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, one: bytes) -> Answer:
    writer.write(one)
    head = await reader.readuntil(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(status_line.split()[1])
    if "chunked" in headers.get("transfer-encoding", ""):
        body = await _chunks(reader)
    else:
        body = await reader.readexactly(
            0 if status == HTTPStatus.NOT_MODIFIED else int(headers.get("content-length", 0))
        )
    return Answer(status, headers, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        chunks.append((await reader.readexactly(size + 2))[:-2])
    await reader.readline()
    return b"".join(chunks)


def percentile(ordered_s: list[float], percent: int) -> float:
    """Return the nearest-rank percentile in ms."""
    return ordered_s[max(0, -(-len(ordered_s) * percent // 100) - 1)] * 1000
