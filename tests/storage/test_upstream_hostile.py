import asyncio
import gzip
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import pytest

from server.upstream.client import Limits, UpstreamClient
from server.upstream.failures import UpstreamFailed, UpstreamRefused
from tests.raw_servers import Answering, always, ok, raw_server
from tests.upstream_clients import HASTY, LOOPBACK, MIB, read

HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
async def client() -> AsyncIterator[UpstreamClient]:
    client = UpstreamClient(HASTY, LOOPBACK)
    yield client
    await client.close()


def dripping(first: bytes, drop: bytes, every_s: float = 0.0) -> Answering:
    """Return what sends *first* and then *drop* for ever."""

    async def send(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while not writer.is_closing():
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(every_s)

    return send


async def reason(client: UpstreamClient, answering: Answering, total_s: float | None = 10.0) -> str:
    """Return why the answer of *answering* is a failure, and no refusal."""
    async with raw_server(answering) as server:
        with pytest.raises(UpstreamFailed) as failed:
            await read(client, server.url, total_s=total_s)
        assert failed.type is UpstreamFailed
        return failed.value.reason


@pytest.mark.parametrize(
    ("first", "drop", "every_s"),
    [
        (b"", b"", 0.05),
        (b"HTTP/1.1 2", b"", 0.05),
        (HEAD, b"X: y\r\n", 0.05),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.0),
    ],
)
async def test_a_head_that_does_not_come_ends_in_time(
    client: UpstreamClient, first: bytes, drop: bytes, every_s: float
) -> None:
    started = time.monotonic()
    assert await reason(client, dripping(first, drop, every_s)) == "no answer within 0.3 s from 127.0.0.1"
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"HTTP/1.1 200 ", b"O" * 1000),
        (HEAD + b"X: ", b"y" * 1000),
        (HEAD, b"X" * 1000),
        (HEAD, b"X: y\r\n" * 100),
    ],
)
async def test_an_endless_head_is_cut(client: UpstreamClient, first: bytes, drop: bytes) -> None:
    assert (await reason(client, dripping(first, drop))).startswith("no HTTP from 127.0.0.1: ")


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\xff garbage\r\n\r\n",
        b"220 mail.example ESMTP\r\n",
        b"<html>hello</html>\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        HEAD + b"Content-Length: -5\r\n\r\nhello",
        HEAD + b"Content-Length: 5 5\r\n\r\nhello",
        HEAD + b"X\x00: y\r\n\r\n",
        HEAD + b"X: a\x00b\r\n\r\n",
    ],
)
async def test_what_is_not_http_fails(client: UpstreamClient, answer: bytes) -> None:
    assert (await reason(client, always(answer))).startswith("no HTTP from 127.0.0.1: ")


async def test_a_reason_quotes_nothing_of_what_was_sent(client: UpstreamClient) -> None:
    assert "secret" not in await reason(client, always(b"secret\r\n\r\n"))
    assert "secret" not in await reason(client, always(HEAD + b"X: " + b"secret" * 9999))


@pytest.mark.parametrize("first", [HEAD + b"\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"])
async def test_an_endless_body_is_refused_over_the_bound(client: UpstreamClient, first: bytes) -> None:
    async with raw_server(dripping(first, b"5000\r\n" + b"x" * 0x5000 + b"\r\n")) as server:
        with pytest.raises(UpstreamRefused, match="over 1048576 bytes"):
            await read(client, server.url)


async def test_an_endless_body_without_bound_ends_in_time(client: UpstreamClient) -> None:
    async with raw_server(dripping(HEAD + b"\r\n", b"x" * 10_000)) as server:
        with pytest.raises(UpstreamFailed, match="not whole in time"):
            await read(client, server.url, max_bytes=None, total_s=0.3)


async def test_a_body_too_long_by_its_own_word_is_refused_before_it_comes(client: UpstreamClient) -> None:
    async with raw_server(always(HEAD + b"Content-Length: 1048577\r\n\r\n")) as server:
        with pytest.raises(UpstreamRefused, match="over 1048576 bytes"):
            await read(client, server.url)


async def test_a_body_that_stops_coming_fails(client: UpstreamClient) -> None:
    answer = HEAD + b"Content-Length: 9\r\n\r\nx"
    assert await reason(client, always(answer), None) == "no byte for 0.3 s from 127.0.0.1"


async def test_a_body_that_drips_ends_in_time(client: UpstreamClient) -> None:
    answering = dripping(HEAD + b"Content-Length: 9999\r\n\r\n", b"x", 0.05)
    assert await reason(client, answering, 0.5) == "not whole in time from 127.0.0.1"


async def test_a_head_that_drips_ends_in_the_total_time_too() -> None:
    client = UpstreamClient(Limits(), LOOPBACK)
    assert await reason(client, dripping(HEAD, b"X: y\r\n", 0.05), 0.2) == "no answer in time from 127.0.0.1"
    await client.close()


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 9\r\n\r\nshort",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nhello\r\n",
    ],
)
async def test_a_body_shorter_than_announced_ended_early(client: UpstreamClient, answer: bytes) -> None:
    assert (await reason(client, always(answer, close=True))).startswith("ended early")


async def test_a_broken_chunk_fails(client: UpstreamClient) -> None:
    for chunk in (b"5\r\nhello!!\r\n", b"xyz\r\nhello\r\n", b"-5\r\nhello\r\n"):
        said = await reason(client, always(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk))
        assert said.startswith(("ended early", "no HTTP", "no answer")), said


async def test_a_reset_within_a_body_ended_early(client: UpstreamClient) -> None:
    async def reset(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 9\r\n\r\nx")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    assert (await reason(client, reset)).startswith("ended early")


@pytest.mark.parametrize("more", [b", more", ok(b"wrong")])
@pytest.mark.parametrize("pause_s", [0.0, 0.05])
async def test_more_than_announced_is_never_read(client: UpstreamClient, more: bytes, pause_s: float) -> None:
    async def send(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 5\r\n\r\nhello")
        await asyncio.sleep(pause_s)
        writer.write(more)

    async with raw_server(send) as server:
        for asked in range(1, 3):
            try:
                assert (await read(client, server.url))[2] == b"hello"
            except UpstreamFailed as failed:  # where both came at once
                assert "BadStatusLine" in failed.reason  # noqa: PT017 - either outcome is right
            await asyncio.sleep(2 * pause_s)
            assert server.connections == asked


async def test_a_bomb_takes_little_memory_and_is_refused_at_the_bound(client: UpstreamClient) -> None:
    packer = zlib.compressobj(9, wbits=31)
    head = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    mebibyte = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)  # refers to nothing before it
    bomb = ok(head + mebibyte * 1023, "Content-Encoding: gzip")  # one megabyte, for a gigabyte
    async with raw_server(always(bomb)) as server:
        tracemalloc.start()
        try:
            with pytest.raises(UpstreamRefused, match=f"over {64 * MIB} bytes"):
                await read(client, server.url, max_bytes=64 * MIB, total_s=None, keep=False)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 8 * MIB


async def test_a_packed_body_that_is_cut_or_has_more_after_it_fails(client: UpstreamClient) -> None:
    packed = gzip.compress(b"page" * 1000)
    assert "not whole" in await reason(client, always(ok(packed[:-4], "Content-Encoding: gzip")))
    assert "something follows" in await reason(client, always(ok(packed + b"x", "Content-Encoding: gzip")))
    assert "unknown Content-Encoding: br" in await reason(client, always(ok(packed, "Content-Encoding: br")))


async def test_a_client_that_is_closed_ends_its_bodies(client: UpstreamClient) -> None:
    async with (
        raw_server(always(HEAD + b"Content-Length: 9\r\n\r\nx")) as server,
        client.get(server.url, {}, None, total_s=None) as answer,
    ):
        await client.close()
        with pytest.raises(UpstreamFailed):
            _ = [piece async for piece in answer.body(MIB)]
