import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attrs import define, field

from server.upstream.client import UpstreamClient, split_credentials
from server.upstream.failures import UpstreamFailed, UpstreamRefused
from tests.authorities import make_authority
from tests.raw_servers import RawServer, always, listening, ok, raw_server
from tests.upstream_clients import HASTY, PAGE, read

FOR_PROXY = b"Proxy-Authorization: Basic " + base64.b64encode(b"user:p w") + b"\r\n"


@define
class ForwardProxy:
    """Takes every name for 127.0.0.1 and *target*, and remembers what it was asked."""

    target: int
    answer_to_connect: bytes = b"HTTP/1.1 200 Connected\r\n\r\n"
    requests: list[bytes] = field(factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(request)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
        if request.startswith(b"CONNECT "):
            writer.write(self.answer_to_connect)
        else:
            up_writer.write(request)
        try:
            await asyncio.gather(copy(reader, up_writer), copy(up_reader, writer))
        finally:
            up_writer.transport.abort()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def through_proxy(
    target: RawServer, *, answer_to_connect: bytes | None = None, ca_file: Path | None = None
) -> AsyncIterator[tuple[ForwardProxy, UpstreamClient]]:
    """Run a proxy and a client of it; no network is allowed to the client."""
    proxy = ForwardProxy(target.port)
    if answer_to_connect is not None:
        proxy.answer_to_connect = answer_to_connect
    async with listening(proxy.serve) as proxy.port:
        client = UpstreamClient(HASTY, [], proxy=f"http://user:p%20w@127.0.0.1:{proxy.port}", ca_file=ca_file)
        yield proxy, client
        await client.close()


async def test_plain_requests_go_through_the_proxy_that_resolves_the_name() -> None:
    async with raw_server(always(ok(PAGE))) as server, through_proxy(server) as (proxy, client):
        url = "http://nowhere.example/a%2fb/?c=d+e"
        for _ in range(2):
            assert await read(client, url) == (200, url, PAGE)
        assert len(proxy.requests) == 1  # its connection is kept
        assert server.paths() == [url, url]
        assert all(FOR_PROXY in request and b"Host: nowhere.example\r\n" in request for request in server.requests)


async def test_tls_goes_through_a_tunnel_and_the_proxys_password_not_beyond_it(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    async with (
        raw_server(always(ok(PAGE)), authority.server) as server,
        through_proxy(server, ca_file=authority.ca_file) as (proxy, client),
    ):
        url, credentials = split_credentials("https://alice:secret@index.example/simple/")
        assert (await read(client, url, credentials))[2] == PAGE
        assert proxy.requests[0].startswith(b"CONNECT index.example:443 HTTP/1.1\r\n")
        assert FOR_PROXY in proxy.requests[0]
        assert b"\r\nAuthorization:" not in proxy.requests[0]
        assert b"Proxy-Authorization" not in server.requests[0]
        assert b"Authorization: Basic " in server.requests[0]


async def test_a_literal_address_is_refused_before_the_proxy_is_asked() -> None:
    async with raw_server(always(ok(PAGE))) as server, through_proxy(server) as (proxy, client):
        for host in ("127.0.0.1", "169.254.169.254", "[::1]", "0x7f.1", "2130706433"):
            with pytest.raises(UpstreamRefused):
                await read(client, f"http://{host}:{server.port}/")
        assert proxy.requests == []


async def test_a_tunnel_that_is_refused_fails_without_telling_the_password(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    refusal = b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"
    async with (
        raw_server(always(ok(PAGE)), authority.server) as server,
        through_proxy(server, answer_to_connect=refusal) as (_, client),
    ):
        with pytest.raises(UpstreamFailed) as failed:
            await read(client, "https://index.example/")
        assert failed.value.reason == "the proxy answered 407 instead of connecting to index.example"


async def test_a_tunnel_that_does_not_open_is_no_connection_in_time(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    async with (
        raw_server(always(ok(PAGE)), authority.server) as server,
        through_proxy(server, answer_to_connect=b"") as (_, client),
    ):
        with pytest.raises(UpstreamFailed, match=r"no connection within 1 s to index\.example"):
            await read(client, "https://index.example/")


async def test_a_proxy_that_is_not_there_fails_without_telling_the_password() -> None:
    client = UpstreamClient(HASTY, [], proxy="http://user:hidden@127.0.0.1:1")
    with pytest.raises(UpstreamFailed, match="no connection to the proxy: Connect") as failed:
        await read(client, "http://index.example/")
    assert "hidden" not in failed.value.reason
    await client.close()


async def test_a_proxy_of_another_kind_is_refused() -> None:
    with pytest.raises(UpstreamRefused, match="not an http or https URL"):
        UpstreamClient(HASTY, [], proxy="socks5://user:hidden@127.0.0.1:1")
