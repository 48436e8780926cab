"""Clients that keep a connection without doing their part lose it; those that are slow but go on do not."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from attrs import Factory, define

from server.accept import Acceptor, CountedServer
from server.app import App
from server.config import Config
from server.counts import Counts, shared_counts
from server.layout import Layout
from server.parts import Parts
from server.patience import Patience
from server.upstream import state
from server.worker import close, make_parts
from tests.storage import sample

PATIENCE = Patience(head_s=0.4, body_s=0.6, unread_s=0.8, idle_s=1.2)
HANG_S = 10.0  # nothing here takes as long
LARGE = os.urandom(32 << 20)  # more than the kernel keeps for a connection
LARGE_NAME = "demo-1.0-9-py3-none-any.whl"
API = b"GET /+api HTTP/1.1\r\nHost: x\r\n\r\n"
LOGIN = b"POST /+login HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> sample.Node:
    """A node with a large file, closed; nothing here needs its writer."""
    made = sample.make(tmp_path_factory.mktemp("slow") / "node")
    made.store_blob(LARGE)
    made.commit(sample.upload(LARGE_NAME, LARGE))
    made.close()
    return made


@pytest.fixture
def parts(node: sample.Node) -> Iterator[Parts]:
    state.prepare(Layout(node.folder).local)
    made = make_parts(Config(node.folder, map_size=sample.MAP_SIZE), "slow")
    yield made
    close(made)


async def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + HANG_S
    while not happened():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@define
class Client:
    """A connection that sends and reads when it is told to."""

    socket: socket.socket
    began: float

    async def send(self, data: bytes) -> float:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)
        return time.monotonic()

    async def receive(self, size: int = 1 << 16) -> bytes:
        async with asyncio.timeout(HANG_S):
            return await asyncio.get_running_loop().sock_recv(self.socket, size)

    async def receive_all(self, size: int) -> None:
        while size > 0:
            piece = await self.receive()
            assert piece
            size -= len(piece)


@define
class Serving:
    """A server on a port of its own."""

    server: CountedServer
    address: tuple[str, int]
    clients: list[Client] = Factory(list)

    async def connected(self) -> Client:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        client.settimeout(0)
        await asyncio.get_running_loop().sock_connect(client, self.address)
        self.clients.append(Client(client, time.monotonic()))
        await until(lambda: client.getsockname() in [peer.peername for peer in self.server.connections])
        return self.clients[-1]

    async def cut_after(self, since: float) -> float:
        """Return the seconds from *since* until the server has no connection."""
        await until(lambda: not self.server.connections)
        return time.monotonic() - since


@pytest.fixture
async def serving(parts: Parts) -> AsyncIterator[Serving]:
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0)
    counts = Counts(shared_counts(1), 0)
    server = CountedServer(counts, App(parts).handle, PATIENCE)
    acceptor = Acceptor(listening, counts, server)
    made = Serving(server, listening.getsockname())
    yield made
    for client in made.clients:
        client.socket.close()
    await acceptor.close()
    server.pre_shutdown()
    await server.shutdown(0.1)
    listening.close()


def large_path() -> bytes:
    digest = sample.sha256(LARGE).hex()
    return f"/alice/dev/+f/{digest[:3]}/{digest[3:16]}/{LARGE_NAME}".encode()


async def test_who_sends_nothing_is_cut(serving: Serving) -> None:
    client = await serving.connected()
    assert PATIENCE.head_s <= await serving.cut_after(client.began) < PATIENCE.idle_s


@pytest.mark.parametrize("earlier", [b"", API], ids=["the first", "a later"])
async def test_a_head_that_trickles_in_is_cut(serving: Serving, earlier: bytes) -> None:
    client = await serving.connected()
    await client.send(earlier)
    if earlier:
        await client.receive()
        await asyncio.sleep(0.7 * PATIENCE.idle_s)
    began = await client.send(API[:-2])
    with suppress(ConnectionError):
        while serving.server.connections:
            await client.send(b"X")
            await asyncio.sleep(0.05)
    assert PATIENCE.head_s * 0.9 <= time.monotonic() - began < 3 * PATIENCE.head_s


async def test_a_body_that_stops_is_cut(serving: Serving) -> None:
    client = await serving.connected()
    sent = await client.send(LOGIN + b'{"user"')
    assert PATIENCE.body_s * 0.9 <= await serving.cut_after(sent) < 3 * PATIENCE.body_s


async def test_a_body_that_goes_on_slowly_is_read(serving: Serving) -> None:
    client = await serving.connected()
    await client.send(LOGIN)
    for letter in b'{"user": 1, "x": 22}':
        await client.send(bytes([letter]))
        await asyncio.sleep(0.1)
    assert (await client.receive()).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("earlier", [0, 1], ids=["on the ordinary way", "hot"])
async def test_an_answer_that_nobody_reads_is_cut(serving: Serving, earlier: int) -> None:
    request = b"GET " + large_path() + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    for _ in range(earlier):
        before = await serving.connected()
        await before.send(request)
        await before.receive_all(len(LARGE))
        before.socket.close()
    client = await serving.connected()
    sent = await client.send(request)
    await client.receive(1)
    assert PATIENCE.unread_s * 0.9 <= await serving.cut_after(sent) < 4 * PATIENCE.unread_s


async def test_an_answer_that_is_read_slowly_comes_whole(serving: Serving) -> None:
    client = await serving.connected()
    await client.send(b"GET " + large_path() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    size = 0
    for _ in range(4):
        await asyncio.sleep(0.6 * PATIENCE.unread_s)
        for _ in range(32):
            size += len(await client.receive())
    while piece := await client.receive(1 << 20):
        size += len(piece)
    assert size > len(LARGE)


async def test_an_idle_connection_is_kept_for_a_while(serving: Serving) -> None:
    client = await serving.connected()
    for _ in range(2):
        await client.send(API)
        assert (await client.receive()).startswith(b"HTTP/1.1 200 ")
        await asyncio.sleep(0.7 * PATIENCE.idle_s)
    sent = await client.send(API)
    await client.receive()
    assert PATIENCE.idle_s * 0.9 <= await serving.cut_after(sent) < 2 * PATIENCE.idle_s


def test_the_bounds_in_the_docs_are_those_of_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operating" / "serving.md").read_text()
    for seconds in (Patience().head_s, Patience().body_s, Patience().unread_s, Patience().idle_s):
        assert f"{seconds:.0f} s" in page
