import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.upstream.client import Limits, UpstreamClient
from server.upstream.failures import UpstreamFailed, UpstreamRefused
from tests.authorities import Authority, make_authority
from tests.raw_servers import RawServer, always, listening, ok, raw_server, redirect
from tests.upstream_clients import HASTY, LOOPBACK, PAGE, Names, read


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)


@pytest.fixture
async def trusting(authority: Authority) -> AsyncIterator[UpstreamClient]:
    client = UpstreamClient(HASTY, LOOPBACK, ca_file=authority.ca_file, resolver=Names("127.0.0.1"))
    yield client
    await client.close()


def https(server: RawServer, host: str = "localhost") -> str:
    return f"https://{host}:{server.port}/simple/"


async def test_a_certificate_of_an_unknown_authority_is_not_taken(authority: Authority) -> None:
    client = UpstreamClient(HASTY, LOOPBACK, resolver=Names("127.0.0.1"))
    async with raw_server(always(ok(PAGE)), authority.server) as server:
        with pytest.raises(UpstreamFailed, match="certificate of localhost: unable to get local issuer certificate"):
            await read(client, https(server))
        assert server.requests == []
    await client.close()


async def test_a_certificate_of_the_given_authority_is_taken(authority: Authority, trusting: UpstreamClient) -> None:
    async with raw_server(always(ok(PAGE)), authority.server) as server:
        for host in ("localhost", "index.example", "127.0.0.1"):
            assert (await read(trusting, https(server, host)))[2] == PAGE


async def test_a_certificate_for_another_name_is_not_taken(authority: Authority, trusting: UpstreamClient) -> None:
    async with raw_server(always(ok(PAGE)), authority.server) as server:
        with pytest.raises(UpstreamFailed, match=r"certificate of other\.example: Hostname mismatch"):
            await read(trusting, https(server, "other.example"))


async def test_a_redirect_from_https_to_http_is_refused(authority: Authority, trusting: UpstreamClient) -> None:
    async with (
        raw_server(always(ok(PAGE))) as plain,
        raw_server(always(redirect(plain.url)), authority.server) as server,
    ):
        with pytest.raises(UpstreamRefused, match="redirect from https to http"):
            await read(trusting, https(server))
        assert plain.connections == 0


async def test_a_server_without_tls_fails(trusting: UpstreamClient) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with listening(talk) as port:
        with pytest.raises(UpstreamFailed, match="no TLS with localhost"):
            await read(trusting, f"https://localhost:{port}/")


async def test_a_handshake_that_does_not_end_is_no_connection_in_time(authority: Authority) -> None:
    client = UpstreamClient(Limits(connect_s=0.3), LOOPBACK, ca_file=authority.ca_file, resolver=Names("127.0.0.1"))
    async with raw_server(always(b"")) as silent:  # waits for the end of a request head that TLS never sends
        with pytest.raises(UpstreamFailed, match=r"no connection within 0\.3 s to localhost"):
            await read(client, https(silent))
    await client.close()


async def test_a_ca_file_that_is_missing_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        UpstreamClient(HASTY, LOOPBACK, ca_file=tmp_path / "none.pem")
