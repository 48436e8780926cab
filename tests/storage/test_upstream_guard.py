import asyncio
import base64
from collections.abc import AsyncIterator

import aiohttp
import pytest

from server.upstream.addresses import GuardedConnector
from server.upstream.client import Limits, UpstreamClient, split_credentials
from server.upstream.failures import UpstreamFailed, UpstreamRefused
from tests.raw_servers import always, ok, raw_server, redirect
from tests.upstream_clients import HASTY, LOOPBACK, PAGE, Names, read


@pytest.fixture
async def client() -> AsyncIterator[UpstreamClient]:
    client = UpstreamClient(HASTY, LOOPBACK, resolver=Names("127.0.0.1"))
    yield client
    await client.close()


async def test_localhost_is_refused_unless_listed() -> None:
    client = UpstreamClient(HASTY, [])
    async with raw_server(always(ok(PAGE))) as server:
        for host in ("localhost", "LOCALHOST", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"):
            with pytest.raises(UpstreamRefused, match="address not allowed"):
                await read(client, f"http://{host}:{server.port}/")
        assert server.connections == 0
    await client.close()


async def test_odd_spellings_of_an_address_are_refused(client: UpstreamClient) -> None:
    for host in ("2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[fe80::1%25lo]", "127.0.0.1."):
        with pytest.raises(UpstreamRefused, match="neither a name nor a plain address"):
            await read(client, f"http://{host}/")


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "file:///etc/passwd", "http:///x", "/x", "", "http://[::1/", "x:y"]
)
async def test_another_url_is_refused(client: UpstreamClient, url: str) -> None:
    with pytest.raises(UpstreamRefused, match="not an http or https URL"):
        await read(client, url)


async def test_of_several_addresses_only_an_allowed_one_is_connected_to() -> None:
    async with raw_server(always(ok(PAGE))) as server:
        client = UpstreamClient(HASTY, LOOPBACK, resolver=Names("127.0.0.2", "127.0.0.1"))
        assert (await read(client, f"http://index.example:{server.port}/"))[0] == 200
        await client.close()
        client = UpstreamClient(HASTY, LOOPBACK, resolver=Names("127.0.0.2", "::1"))
        with pytest.raises(UpstreamRefused, match=r"127\.0\.0\.2 of index\.example"):
            await read(client, f"http://index.example:{server.port}/")
        await client.close()


async def test_the_connector_alone_refuses_a_literal_address() -> None:
    limits = Limits()
    client = UpstreamClient(limits, [])
    connector = client._session.connector  # noqa: SLF001 - the last line of defence, behind the client's own check
    assert isinstance(connector, GuardedConnector)
    async with raw_server(always(ok(PAGE))) as server, aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorError, match="address not allowed"):
            await session.get(server.url)
        assert server.connections == 0
    await client.close()


async def test_a_name_without_address_and_a_closed_port_fail() -> None:
    client = UpstreamClient(HASTY, LOOPBACK, resolver=Names())
    with pytest.raises(UpstreamFailed, match=r"no address for index\.example"):
        await read(client, "http://index.example/")
    with pytest.raises(UpstreamFailed, match=r"no connection to 127\.0\.0\.1: Connect"):
        await read(client, "http://127.0.0.1:1/")
    await client.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_as_written(client: UpstreamClient, status: int) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(redirect("../b%2fc+d/?x=+#f", status) if len(server.requests) == 1 else ok(PAGE))

    async with raw_server(answer) as server:
        assert await read(client, f"{server.url}/simple/a/") == (200, f"{server.url}/simple/b%2fc+d/?x=+", PAGE)
        assert server.paths() == ["/simple/a/", "/simple/b%2fc+d/?x=+"]
        assert server.connections == 1


async def test_a_loop_of_redirects_ends(client: UpstreamClient) -> None:
    async with raw_server(always(redirect("/"))) as server:
        with pytest.raises(UpstreamRefused, match=r"more than 3 redirects from http://127\.0\.0\.1"):
            await read(client, server.url)
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "//169.254.169.254/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::1]/",
        "http://2852039166/",
        "http://user:hidden@10.0.0.1/?token=hidden",
        "http://[",
        "http://127.0.0.1:hidden@x:y/",
    ],
)
async def test_a_redirect_to_another_place_is_refused(client: UpstreamClient, location: str) -> None:
    async with raw_server(always(redirect(location))) as server:
        with pytest.raises(UpstreamRefused) as refusal:
            await read(client, server.url)
        assert len(server.requests) == 1
        assert "hidden" not in refusal.value.reason


async def test_a_redirect_to_nowhere_fails(client: UpstreamClient) -> None:
    async with raw_server(always(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")) as server:
        with pytest.raises(UpstreamFailed, match="redirects, but not where to"):
            await read(client, server.url)


def basic(user: str, password: str) -> bytes:
    return b"Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()) + b"\r\n"


async def test_credentials_are_sent_to_their_origin_only(client: UpstreamClient) -> None:
    async with raw_server(always(ok(PAGE))) as other:

        async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
            target = "/b" if b"GET /a " in request else f"http://u:p@127.0.0.1:{other.port}/c"
            writer.write(redirect(target))

        async with raw_server(answer) as server:
            url, credentials = split_credentials(f"http://al%69ce:s%2Fcret@127.0.0.1:{server.port}/a")
            assert (await read(client, url, credentials))[0] == 200
            assert [basic("alice", "s/cret") in request for request in server.requests] == [True, True]
        assert b"authorization" not in other.requests[0].lower()
        await read(client, f"http://u:p@127.0.0.1:{other.port}/", credentials)
        assert b"authorization" not in other.requests[1].lower()


async def test_headers_of_the_caller_carry_no_credentials(client: UpstreamClient) -> None:
    headers = {"authorization": "Bearer x", "Cookie": "a=b", "PROXY-Authorization": "Basic x"}
    async with raw_server(always(ok(PAGE))) as server:
        async with client.get(server.url, headers, None, total_s=1):
            pass
        assert b"authorization" not in server.requests[0].lower()
        assert b"cookie" not in server.requests[0].lower()
