import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from server.upstream.addresses import CONNECTIONS_PER_HOST
from server.upstream.client import Limits, UpstreamClient
from server.upstream.failures import UpstreamFailed
from tests.raw_servers import always, ok, raw_server
from tests.upstream_clients import HASTY, LOOPBACK, MIB, PAGE, Names, read


@pytest.fixture
async def client() -> AsyncIterator[UpstreamClient]:
    client = UpstreamClient(HASTY, LOOPBACK, resolver=Names("127.0.0.1"))
    yield client
    await client.close()


async def test_a_page_comes_with_status_headers_and_url(client: UpstreamClient) -> None:
    async with (
        raw_server(always(ok(PAGE, "ETag: x"))) as server,
        client.get(f"{server.url}/simple/a/#top", {"accept": "text/html"}, None, total_s=5) as answer,
    ):
        assert answer.status == 200
        assert answer.headers["etag"] == "x"
        assert answer.url == f"{server.url}/simple/a/"
        assert [piece async for piece in answer.body(MIB)] == [PAGE]
        assert b"accept: text/html\r\n" in server.requests[0]
        assert b"Accept-Encoding: identity\r\n" in server.requests[0]
        assert b"User-Agent: ledgerpi\r\n" in server.requests[0]


async def test_a_url_goes_out_as_it_is_written(client: UpstreamClient) -> None:
    async with raw_server(always(ok(b""))) as server:
        path = "/a%2fb+c%7E/~/x%20y/..%2F/?q=a+b%2B&&=;"
        assert (await read(client, server.url + path))[1] == server.url + path
        await read(client, server.url + "/\N{LATIN SMALL LETTER A WITH DIAERESIS} b\r\nX: y")
        assert server.paths() == [path, "/%C3%A4%20b%0D%0AX:%20y"]


async def test_a_not_modified_answer_has_no_body(client: UpstreamClient) -> None:
    head = b"HTTP/1.1 304 Not Modified\r\nContent-Encoding: gzip\r\nContent-Length: 50\r\n\r\n"
    async with raw_server(always(head)) as server:
        for _ in range(2):
            assert (await read(client, server.url))[::2] == (304, b"")
        assert server.connections == 1


async def test_a_packed_page_is_unpacked(client: UpstreamClient) -> None:
    async with raw_server(always(ok(gzip.compress(PAGE), "Content-Encoding: gzip"))) as server:
        assert (await read(client, server.url))[2] == PAGE


@pytest.mark.parametrize("headers", [{}, {"accept-encoding": "identity"}])
async def test_a_file_is_never_unpacked_whatever_it_is_called(client: UpstreamClient, headers: dict[str, str]) -> None:
    sdist = gzip.compress(PAGE)
    for coding in ("x-gzip", "br"):
        async with (
            raw_server(always(ok(sdist, f"Content-Encoding: {coding}"))) as server,
            client.get(server.url, headers, None, total_s=None) as answer,
        ):
            assert b"".join([piece async for piece in answer.body(None)]) == sdist


async def test_a_connection_is_used_again_and_the_name_resolved_once_for_it() -> None:
    names = Names("127.0.0.1")
    client = UpstreamClient(HASTY, LOOPBACK, resolver=names)
    async with raw_server(always(ok(PAGE))) as server:
        for _ in range(5):
            await read(client, f"http://index.example:{server.port}/")
        assert server.connections == 1
    assert names.asked == ["index.example"]
    await client.close()


async def test_a_kept_connection_that_was_closed_meanwhile_costs_nothing(client: UpstreamClient) -> None:
    async def twice(_: bytes, writer: asyncio.StreamWriter) -> None:
        if len(server.requests) == 2:
            writer.transport.abort()
            return
        writer.write(ok(PAGE))

    async with raw_server(twice) as server:
        for _ in range(2):
            assert (await read(client, server.url))[2] == PAGE
        assert (len(server.requests), server.connections) == (3, 2)


async def test_a_fresh_connection_that_is_closed_is_not_tried_again(client: UpstreamClient) -> None:
    async with raw_server(always(b"", close=True)) as server:
        with pytest.raises(UpstreamFailed, match="ended early"):
            await read(client, server.url)
        assert len(server.requests) == 1


async def test_a_kept_connection_that_breaks_within_a_head_is_not_tried_again(client: UpstreamClient) -> None:
    async def broken(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(PAGE) if len(server.requests) == 1 else b"HTTP/1.1 200 OK\r\nContent-")
        if len(server.requests) > 1:
            writer.close()

    async with raw_server(broken) as server:
        await read(client, server.url)
        with pytest.raises(UpstreamFailed, match="ended early"):
            await read(client, server.url)
        assert len(server.requests) == 2


async def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next(client: UpstreamClient) -> None:
    async def eager(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(b"right"))
        await asyncio.sleep(0.05)
        writer.write(ok(b"wrong"))

    async with raw_server(eager) as server:
        assert (await read(client, server.url))[2] == b"right"
        await asyncio.sleep(0.1)
        assert (await read(client, server.url))[2] == b"right"
        assert server.connections == 2


async def test_cookies_are_not_kept(client: UpstreamClient) -> None:
    async with raw_server(always(ok(PAGE, "Set-Cookie: a=b; Path=/"))) as server:
        for _ in range(2):
            await read(client, f"http://index.example:{server.port}/")
        assert not any(b"cookie" in request.lower() for request in server.requests)


async def test_the_environment_is_not_asked(client: UpstreamClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with raw_server(always(ok(PAGE))) as server:
        assert (await read(client, server.url))[0] == 200


async def test_many_at_once_share_the_connections_of_a_host(client: UpstreamClient) -> None:
    async def slow(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)
        writer.write(ok(PAGE))

    async with raw_server(slow) as server:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read(client, server.url)) for _ in range(100)]
        assert {task.result()[2] for task in tasks} == {PAGE}
        assert server.connections == CONNECTIONS_PER_HOST


async def test_waiting_for_a_free_connection_ends() -> None:
    client = UpstreamClient(Limits(connect_s=0.2, first_byte_s=0.2), LOOPBACK)
    async with raw_server(always(b"HTTP/1.1 200 OK\r\n\r\n")) as server, AsyncExitStack() as taken:
        for _ in range(CONNECTIONS_PER_HOST):
            await taken.enter_async_context(client.get(server.url, {}, None, total_s=None))
        with pytest.raises(UpstreamFailed, match=r"no connection to 127\.0\.0\.1 became free"):
            await read(client, server.url, total_s=None)
    await client.close()


async def test_a_body_that_is_left_does_not_disturb_the_next(client: UpstreamClient) -> None:
    async with raw_server(always(ok(bytes(8 * MIB)))) as server:
        for _ in range(3):
            async with client.get(server.url, {}, None, total_s=5) as answer:
                assert answer.status == 200
        assert (await read(client, server.url, max_bytes=8 * MIB))[2] == bytes(8 * MIB)
