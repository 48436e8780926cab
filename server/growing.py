"""Answers from a file that is being fetched: what has arrived is sent at once, the last byte when all is checked."""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from attrs import define, frozen

from changelog.errors import LedgerpiError, Unavailable
from server.parts import Parts
from server.sendfile import OpenFile, send
from server.wire import Frame


@define
class News:
    """A download as a worker follows it."""

    file: OpenFile
    total: int  # bytes
    received: int
    sha256: bytes  # b"" until all is checked
    frames: AsyncIterator[Frame]

    @property
    def readable(self) -> int:
        """How many bytes may be sent: all but one, until all are checked."""
        return self.total if self.sha256 else min(self.received, self.total - 1)

    async def next(self) -> None:
        """Wait until there is more.

        Raises:
            LedgerpiError: there will not be.
        """
        frame = await anext(self.frames, None)
        if frame is None:
            raise Unavailable("the download ended without a word")
        self.received, self.sha256 = frame[2], bytes(frame[3]) if len(frame) > 3 else b""  # noqa: PLR2004 - path, total, received


@frozen
class Whole:
    """A small file that was fetched in one piece and checked."""

    content: bytes
    sha256: bytes


async def first_news(parts: Parts, frames: AsyncIterator[Frame]) -> News | Whole:
    """Return a download as soon as it is known how long the file is and something of it is there.

    Raises:
        LedgerpiError: it failed.
    """
    file: OpenFile | None = None
    async for path, total, received, *checked in frames:
        if file is None and path:
            with suppress(FileNotFoundError):  # it is a blob already, and the last frame says which
                file = OpenFile(Path(path))
        if checked:
            sha256, held = map(bytes, checked)
            if held or not total:
                return Whole(held, sha256)
            return News(file or _blob(parts, sha256), total, received, sha256, frames)
        if file is not None and total >= 0:
            return News(file, total, received, b"", frames)
    raise Unavailable("the download ended without a word")


def _blob(parts: Parts, digest: bytes) -> OpenFile:
    try:
        return OpenFile(parts.blobs.path(digest))
    except OSError as error:  # it could not be kept: a full disk, or removed at once
        raise Unavailable(f"the file was fetched, and is gone: {error.strerror}") from error


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
            until = min(self._news.readable, self._end)
            if until > self._next:
                await send(request, self._news.file, self._next, until - self._next)
                self._next = until
            else:
                await self._news.next()
