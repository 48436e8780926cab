"""Answers from open files."""

import asyncio
import os
from pathlib import Path

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
