"""Connections at the end of a worker."""

import asyncio
import socket

from aiohttp import web

from server.accept import Acceptor, CountedServer
from server.counts import Counts, shared_counts


async def test_a_connection_that_is_just_being_taken_ends_with_the_server() -> None:
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response()

    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0)
    counts = Counts(shared_counts(1), 0)
    server = CountedServer(counts, answer)
    acceptor = Acceptor(listening, counts, server)
    with socket.create_connection(listening.getsockname()) as client:
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # it was taken, and is not the server's yet
        await acceptor.close()
        server.pre_shutdown()
        await server.shutdown(0.1)
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.sleep(0.1)
    assert asked == []
    listening.close()
