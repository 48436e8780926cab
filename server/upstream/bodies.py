"""Bodies of upstream answers, within bounds of time and size."""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Iterator

from aiohttp import ClientError, StreamReader

from server.upstream.failures import UpstreamFailed, UpstreamRefused, failure

STEP = 256 << 10  # most bytes that are unpacked at a time: under a millisecond
SLICE = 64 << 10  # bytes of packed input at a time: zlib copies what it leaves of it after each step

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


async def arriving(content: StreamReader, host: str, idle_s: float, deadline: float | None) -> AsyncIterator[bytes]:
    """Yield *content* as it comes; *deadline* is a time of the loop.

    Raises:
        UpstreamFailed: no byte came for *idle_s*, *deadline* passed, or it ended before its announced end.
    """
    now = time.monotonic  # as the loop's own time, but that stands still within a turn of the loop
    while not content.at_eof():
        until = now() + idle_s
        if deadline is not None and deadline < until:
            until = deadline
        try:
            async with asyncio.timeout_at(until):
                data = await content.readany()
        except TimeoutError as error:
            why = "not whole in time" if until == deadline else f"no byte for {idle_s:g} s"
            raise UpstreamFailed(f"{why} from {host}") from error
        except (ClientError, OSError) as error:
            raise failure(error, host) from error
        except RuntimeError as error:  # aiohttp's word for reading after the client was closed
            raise UpstreamFailed(f"ended early: the connection to {host} is closed") from error
        if not data:
            return
        if deadline is not None and now() > deadline:  # where data is always there, no timeout gets its turn
            raise UpstreamFailed(f"not whole in time from {host}")
        yield data


async def decoded(source: AsyncIterator[bytes], coding: str, max_bytes: int | None) -> AsyncIterator[bytes]:
    """Yield *source* without *coding*, the value of Content-Encoding (RFC 9110 section 8.4); one coding at most.

    Raises:
        UpstreamRefused: it is over *max_bytes*, packed or unpacked.
        UpstreamFailed: it is not whole, has more after its end, or another coding than gzip and deflate.
    """
    unpack = _unpacker(coding)
    arrived = unpacked = 0
    async for data in source:
        arrived = bounded(arrived + len(data), max_bytes)
        if unpack is None:
            yield data
            continue
        for piece in unpack.feed(data):
            unpacked = bounded(unpacked + len(piece), max_bytes)
            yield piece
            if len(piece) == STEP:
                await asyncio.sleep(0)  # more is to come, a bomb maybe; others get their turn between
    if unpack is not None and arrived:
        unpack.end()


def bounded(size: int, max_bytes: int | None) -> int:
    """Return *size* unless it is over *max_bytes*."""
    if max_bytes is not None and size > max_bytes:
        raise UpstreamRefused(f"the body is over {max_bytes} bytes")
    return size


def _unpacker(coding: str) -> "_Unpacker | None":
    match coding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return _Unpacker(_GZIP)
        case "deflate":
            return _Unpacker(None)
        case other:
            raise UpstreamFailed(f"unknown Content-Encoding: {other[:40]}")


class _Unpacker:
    """Unpacks one stream of gzip or deflate by steps."""

    def __init__(self, window: int | None) -> None:
        self._window = window  # None: deflate, of which the first byte tells whether zlib's frame is around it
        self._zlib = None if window is None else zlib.decompressobj(window)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what *data* unpacks to, at most STEP bytes at a time."""
        if self._zlib is None:  # RFC 1950: the low nibble of the first byte is 8; some servers send RFC 1951 bare
            self._zlib = zlib.decompressobj(_ZLIB if data[0] & 0xF == 8 else _RAW)  # noqa: PLR2004
        view = memoryview(data)
        for start in range(0, len(data), SLICE):
            yield from self._steps(self._zlib, view[start : start + SLICE])

    def end(self) -> None:
        """Raise UpstreamFailed unless the stream is whole."""
        if self._zlib is None or not self._zlib.eof:
            raise UpstreamFailed("the packed body is not whole")

    @staticmethod
    def _steps(stream: "zlib._Decompress", data: bytes | memoryview) -> Iterator[bytes]:
        while True:
            try:
                piece = stream.decompress(data, STEP)
            except zlib.error as error:
                raise UpstreamFailed("the packed body is damaged") from error
            if stream.unused_data:
                raise UpstreamFailed("something follows the packed body")
            if piece:
                yield piece
            data = stream.unconsumed_tail
            if not data and len(piece) < STEP:
                return
