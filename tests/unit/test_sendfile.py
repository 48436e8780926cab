"""Answers from open files."""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop
from aiohttp import web

from server.sendfile import FileAnswer, OpenFile

SIZE = 100_000  # bytes


async def _two_answers(path: Path, kept: int) -> bytes:
    """Return all that a client gets who asks twice on one connection, after the open file was cut to *kept* bytes."""
    file = OpenFile(path)
    os.truncate(path, kept)

    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return FileAnswer(file, 0, SIZE, {})

    loop = asyncio.get_running_loop()
    server = await loop.create_server(web.Server(handle), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    parts: list[bytes] = []
    try:
        while part := await asyncio.wait_for(reader.read(1 << 16), 10):
            parts.append(part)
    except ConnectionResetError:
        pass
    writer.close()
    server.close()
    return b"".join(parts)


def test_two_answers_follow_each_other_on_a_connection(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * SIZE)
    assert asyncio.run(_two_answers(path, SIZE)).count(b"HTTP/1.1 200") == 2


def test_a_file_that_ends_too_early_ends_the_connection(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * SIZE)
    assert asyncio.run(_two_answers(path, SIZE // 2)).count(b"HTTP/1.1 200") <= 1


LARGE = 16 << 20  # bytes: more than a socket takes at once
LOOPS: tuple[Callable[[], asyncio.AbstractEventLoop], ...] = (uvloop.new_event_loop, asyncio.new_event_loop)


async def _slow_client(path: Path, stop_after: int) -> tuple[bytes, list[BaseException | None]]:
    """Return what a client gets that reads slowly and leaves after *stop_after* bytes, and how the handler ended."""
    ends: list[BaseException | None] = []
    ended = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        answer = FileAnswer(OpenFile(path), 0, LARGE, {})
        try:
            await answer.prepare(request)
        except BaseException as error:
            ends.append(error)
            raise
        else:
            ends.append(None)
        finally:
            ended.set()
        return answer

    loop = asyncio.get_running_loop()
    server = await loop.create_server(web.Server(handle), "127.0.0.1", 0)
    client = socket.create_connection(server.sockets[0].getsockname())
    client.settimeout(0)
    await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    found = bytearray()
    while len(found) < stop_after and (part := await loop.sock_recv(client, 1 << 18)):
        found += part
        await asyncio.sleep(0.001)
    client.close()
    async with asyncio.timeout(10):
        await ended.wait()
    server.close()
    return bytes(found), ends


@pytest.mark.parametrize("loop", LOOPS)
def test_a_slow_client_gets_every_byte_once(tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(LARGE))
    with asyncio.Runner(loop_factory=loop) as runner:
        found, ends = runner.run(_slow_client(path, 2 * LARGE))
    assert found.endswith(path.read_bytes())
    assert ends == [None]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_client_that_leaves_is_not_waited_for(tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(LARGE))
    with asyncio.Runner(loop_factory=loop) as runner:
        found, ends = runner.run(_slow_client(path, 1 << 20))
    assert len(found) < LARGE
    assert isinstance(ends[0], ConnectionError)
