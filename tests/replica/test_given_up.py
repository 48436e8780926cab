"""A request that was given up while the road was blocked is not delivered when it opens."""

import asyncio
import socket
from contextlib import suppress

import pytest
import uvloop

from replica.given_up import Revocable, revoked_on_failure
from replica.tail import open_session

BODY = b"x" * 1_000_000
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
WINDOW = 4_096  # bytes that the other side takes without reading; the rest waits on this side


async def delivered(given_up_s: float) -> bytes:
    """Return what a server that first reads after *given_up_s* gets of a request that is given up by then."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        server.settimeout(0)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        loop = asyncio.get_running_loop()
        async with open_session(request_class=Revocable) as session:
            with pytest.raises(TimeoutError), revoked_on_failure():
                async with asyncio.timeout(given_up_s), session.put(url, data=BODY):
                    pass
            await asyncio.sleep(0.1)  # it is closed in a turn of the loop
            connection, _ = await loop.sock_accept(server)
            with connection:
                return await everything(connection)


async def everything(connection: socket.socket) -> bytes:
    got, loop = b"", asyncio.get_running_loop()
    try:
        async with asyncio.timeout(20):
            while piece := await loop.sock_recv(connection, 1 << 16):
                got += piece
    except ConnectionResetError:
        pass
    return got


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_is_unsent_when_a_request_is_given_up_is_dropped(factory: type[asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner(loop_factory=factory) as runner:
        got = runner.run(delivered(0.5))
    assert len(got) < len(BODY) // 2, "it was delivered after all"


async def answer_of_another() -> bytes:
    """Return the answer to a request that has got the connection of one which fails after its own answer came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        loop = asyncio.get_running_loop()

        async def put() -> bytes:
            async with session.put(url, data=b"body") as answer:
                return await answer.read()

        async def other() -> bytes:
            with revoked_on_failure():
                return await put()

        async def got_request(connection: socket.socket) -> None:
            got = b""
            while not got.endswith(b"body"):
                got += await loop.sock_recv(connection, 1 << 16)

        async with open_session(request_class=Revocable) as session:
            with suppress(ZeroDivisionError), revoked_on_failure():
                first = asyncio.ensure_future(put())
                connection, _ = await loop.sock_accept(server)
                await got_request(connection)
                await loop.sock_sendall(connection, ANSWER)
                await first
                second = asyncio.ensure_future(other())
                await got_request(connection)
                raise ZeroDivisionError
            with connection:
                await loop.sock_sendall(connection, ANSWER)
                return await second


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_request_that_failed_leaves_its_former_connection_to_who_has_it(
    factory: type[asyncio.AbstractEventLoop],
) -> None:
    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(asyncio.wait_for(answer_of_another(), 20)) == b"ok"
