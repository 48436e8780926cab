"""Answers from a file that is being fetched: what has arrived is sent at once, the last byte when all is checked.

The last byte of each answer, be it a part of the file: whoever has a whole answer has what upstream's page says.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from attrs import define, frozen

from changelog.errors import LedgerpiError, Unavailable
from server.sendfile import OpenFile, send
from server.wire import Frame


@frozen
class Arrived:
    """A download that has come to its good end, and whose bytes are a blob, or are *held*."""

    size: int
    sha256: bytes
    held: bytes  # all of a small file that came at once


@define
class News:
    """A download as a worker follows it."""

    file: OpenFile
    total: int  # bytes
    received: int
    sha256: bytes  # b"" until all is checked
    frames: AsyncIterator[Frame]

    def readable(self, end: int) -> int:
        """Return up to where an answer that goes to *end* may be sent: all but one byte, until all are checked."""
        return end if self.sha256 else min(self.received, end - 1)

    async def next(self) -> None:
        """Wait until there is more.

        Raises:
            LedgerpiError: there will not be.
        """
        frame = await anext(self.frames, None)
        if frame is None:
            raise Unavailable("the download ended without a word")
        self.received, self.sha256 = frame[2], bytes(frame[3]) if len(frame) > 3 else b""  # noqa: PLR2004 - path, total, received


async def first_news(frames: AsyncIterator[Frame]) -> News | Arrived:
    """Return a download as soon as it is known how long the file is and something of it is there.

    Until then nothing is sent, so that whoever asks for what can not be had is told so.

    Raises:
        LedgerpiError: it failed.
    """
    file: OpenFile | None = None
    async for path, total, received, *checked in frames:
        if file is None and path:
            with suppress(FileNotFoundError):  # it became a blob just now, and the last frame says which
                file = OpenFile(Path(path))
        if checked:
            sha256, held = map(bytes, checked)
            return Arrived(total, sha256, held) if file is None else News(file, total, received, sha256, frames)
        if file is not None and total >= 0 and received:
            return News(file, total, received, b"", frames)
    raise Unavailable("the download ended without a word")


class GrowingAnswer(web.StreamResponse):
    """Bytes *start* to *start* + *length* of a file under way."""

    def __init__(self, news: News, start: int, length: int, headers: Mapping[str, str], status: int) -> None:
        """Send as *news* come in."""
        super().__init__(status=status, headers=headers)
        self._news = news
        self._next = start
        self._end = start + length
        self.content_length = length

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send headers and bytes; the connection is cut where the file turns out not to be what it should be."""
        writer = await super().prepare(request)
        if writer is None or request.method == "HEAD" or self._next == self._end:
            return writer
        writer.send_headers()
        try:
            await self._send(request)
        except LedgerpiError as error:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError(f"the file could not be fetched: {error}") from error
        return writer

    async def _send(self, request: web.BaseRequest) -> None:
        while self._next < self._end:
            until = self._news.readable(self._end)
            if until > self._next:
                await send(request, self._news.file, self._next, until - self._next)
                self._next = until
            else:
                await self._news.next()
