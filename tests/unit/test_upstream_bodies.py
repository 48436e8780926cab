import asyncio
import gzip
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterable

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from hypothesis import given
from hypothesis import strategies as st

from server.upstream.bodies import STEP, arriving, decoded
from server.upstream.failures import UpstreamFailed, UpstreamRefused

PAGE = b"".join(b"<a href='%d'>%d</a>" % (n, n) for n in range(50_000))


async def stream(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def bare_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


async def read(pieces: Iterable[bytes], coding: str, max_bytes: int | None = None) -> bytes:
    return b"".join([piece async for piece in decoded(stream(pieces), coding, max_bytes)])


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
async def test_a_body_without_coding_passes(coding: str) -> None:
    assert await read(cut(PAGE, 1000), coding) == PAGE


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP "])
@pytest.mark.parametrize("size", [1 << 30, 4096, 7])
async def test_gzip_is_unpacked(coding: str, size: int) -> None:
    assert await read(cut(gzip.compress(PAGE), size), coding) == PAGE


async def test_deflate_is_unpacked_with_and_without_zlibs_frame() -> None:
    assert await read(cut(zlib.compress(PAGE), 999), "deflate") == PAGE
    assert await read(cut(bare_deflate(PAGE), 999), "deflate") == PAGE


@given(body=st.binary(max_size=2000), repeat=st.integers(1, 500), size=st.integers(1, 3000))
def test_any_gzip_body_in_any_pieces_comes_out_as_it_was(body: bytes, repeat: int, size: int) -> None:
    assert asyncio.run(read(cut(gzip.compress(body * repeat, 1), size), "gzip")) == body * repeat


async def test_no_body_needs_no_unpacking() -> None:
    assert await read([], "gzip") == b""


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "gzip,", "*"])
async def test_another_coding_fails(coding: str) -> None:
    with pytest.raises(UpstreamFailed, match="unknown Content-Encoding"):
        await read([b"x"], coding)


@pytest.mark.parametrize("size", [-1, 100, 1])
async def test_a_truncated_body_fails(size: int) -> None:
    packed = gzip.compress(PAGE)[:size]
    with pytest.raises(UpstreamFailed, match="not whole"):
        await read([packed], "gzip")


@pytest.mark.parametrize("more", [[b"x"], [b"", b"x"], [gzip.compress(b"y", mtime=0)]])
async def test_something_after_the_end_fails(more: list[bytes]) -> None:
    with pytest.raises(UpstreamFailed, match="something follows"):
        await read([gzip.compress(PAGE), *more], "gzip")
    with pytest.raises(UpstreamFailed, match="something follows"):
        await read([gzip.compress(PAGE) + b"".join(more)], "gzip")


async def test_a_damaged_body_fails() -> None:
    packed = bytearray(gzip.compress(PAGE))
    packed[-8] ^= 1  # of the checksum
    with pytest.raises(UpstreamFailed, match="damaged"):
        await read([bytes(packed)], "gzip")
    with pytest.raises(UpstreamFailed, match="damaged"):
        await read([b"<html>"], "gzip")


async def test_a_body_may_have_exactly_the_bound() -> None:
    assert await read([gzip.compress(b"x" * STEP)], "gzip", STEP) == b"x" * STEP
    assert await read([b"x" * STEP], "", STEP) == b"x" * STEP


@pytest.mark.parametrize(("packed", "coding"), [(gzip.compress(PAGE, mtime=0), "gzip"), (PAGE, "")])
async def test_a_body_over_the_bound_is_refused(packed: bytes, coding: str) -> None:
    with pytest.raises(UpstreamRefused, match=f"over {len(PAGE) - 1} bytes"):
        await read(cut(packed, 1000), coding, len(PAGE) - 1)


async def test_input_without_output_is_bounded_too() -> None:
    head = gzip.compress(b"")[:10]
    with pytest.raises(UpstreamRefused, match="over 1000 bytes"):
        await read([head, *[b"\x00\x00\x00\xff\xff"] * 1000], "gzip", 1000)


async def test_a_bomb_of_a_gigabyte_takes_little_memory() -> None:
    packer = zlib.compressobj(9, wbits=-15)
    mebibyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)  # refers to nothing before it
    bomb = mebibyte * 1024 + packer.flush()
    longest = total = 0
    tracemalloc.start()
    try:
        async for piece in decoded(stream([bomb]), "deflate", None):
            longest = max(longest, len(piece))
            total += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (total, longest) == (1 << 30, STEP)
    assert peak < 4 * STEP


async def test_others_get_their_turn_while_a_bomb_is_unpacked() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(count())
    await read([gzip.compress(bytes(20 * STEP))], "gzip")
    task.cancel()
    assert turns > 10


async def test_where_data_is_always_there_the_deadline_counts_too() -> None:
    loop = asyncio.get_running_loop()
    content = StreamReader(BaseProtocol(loop), 1024, loop=loop)
    content.feed_data(b"x")
    with pytest.raises(UpstreamFailed, match="not whole in time"):
        await anext(arriving(content, "index.example", 30.0, time.monotonic()))
