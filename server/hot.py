"""Whole answers ready to send, for the requests that are asked again and again: small pages, files and metadata.

An answer is kept with the transaction that it was made at. As long as no other transaction committed, the same request
has the same answer, byte for byte but for ``Date``; after a commit it is made anew on the ordinary way. So nothing has
to be invalidated, and a hit costs no LMDB transaction, no routing and no header table.
"""

import time
from email.utils import formatdate
from math import inf

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from attrs import define

from changelog.reader import Reader
from server.requests import UNTIL
from server.sendfile import FileAnswer, OpenFile, send

MAX_BYTES = 8 << 20  # of all answers; then all are forgotten
MAX_FILES = 128  # kept open
OVERHEAD = 1_024  # bytes that an answer costs besides its body
UNUSUAL = ("Range", "If-Range", "If-Modified-Since", "X-Devpi-Absolute-Urls")  # requests with these go the ordinary way

Key = tuple[str, str | None, str | None, str | None]


@define
class _Kept:
    """An answer: the head up to its Date line, the body, and what is sent in one second."""

    head: bytes
    body: bytes | OpenFile
    until: float  # seconds since 1970
    second: int = 0
    wire: bytes = b""

    def at(self, second: int) -> "Ready":
        """Return the answer with the Date of *second*."""
        file = self.body if isinstance(self.body, OpenFile) else None
        if self.second != second:
            date = formatdate(second, usegmt=True).encode()
            body = self.body if isinstance(self.body, bytes) else b""
            self.second, self.wire = second, b"".join((self.head, date, b"\r\n\r\n", body))
        return Ready(self.wire, file)


class HotAnswers:
    """The answers of one worker."""

    def __init__(self, reader: Reader) -> None:
        """Begin with none; *reader* tells when something was committed."""
        self._reader = reader
        self._transaction = -1
        self._room = MAX_BYTES
        self._files = 0
        self._kept: dict[Key, _Kept] = {}

    def find(self, request: web.BaseRequest) -> "Ready | None":
        """Return the answer to *request*, or None if it has to be made."""
        if self._reader.transaction() != self._transaction:
            return None
        kept = self._kept.get(_key(request))
        if kept is None or not _is_usual(request):
            return None
        if isinstance(kept.body, OpenFile) and kept.body.changed:
            return None  # a blob never changes: what is there now has to be checked
        now = time.time()
        return kept.at(int(now)) if now < kept.until else None

    def keep(self, request: web.BaseRequest, answer: web.StreamResponse, transaction: int) -> None:
        """Keep *answer*: a function of nothing but the path, the negotiating headers and the state at *transaction*.

        *transaction* is that of a snapshot begun before the one that the answer was made from, not the newest one:
        while a commit waits for the disk, that is ahead of all snapshots, and an old answer would pass for a new one.
        """
        body = _body(answer)
        if body is None or not _is_usual(request):
            return
        if transaction != self._transaction or self._room < 0 or self._files > MAX_FILES:
            self._kept, self._transaction, self._room, self._files = {}, transaction, MAX_BYTES, 0
        self._files += isinstance(body, OpenFile)
        key = _key(request)  # of the client's making, so that its size counts
        self._room -= OVERHEAD + sum(len(part or "") for part in key) + (len(body) if isinstance(body, bytes) else 0)
        self._kept[key] = _Kept(_head(answer, body), body, request.get(UNTIL, inf))


class Ready(web.StreamResponse):
    """Bytes that are a whole answer on a connection that stays open, or its head and a file that is the body."""

    def __init__(self, wire: bytes, file: OpenFile | None) -> None:  # the base's tables are what is saved here
        self._wire = wire
        self._file = file

    @property
    def keep_alive(self) -> bool:
        """The connection stays open."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the bytes."""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client left")
        transport.write(self._wire)
        if self._file is not None:
            await send(request, self._file, 0, self._file.size)
        elif transport.get_write_buffer_size():
            await request.writer.drain()  # who asks without reading waits
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: all was sent."""


def _body(answer: web.StreamResponse) -> bytes | OpenFile | None:
    """Return the body if it is one that can be kept."""
    if isinstance(answer, FileAnswer) and answer.status == 200:  # noqa: PLR2004 - a whole file
        return answer.file
    if isinstance(answer, web.Response) and answer.status in (200, 304):
        body = answer.body or b""
        return body if isinstance(body, bytes) else None
    return None


def _key(request: web.BaseRequest) -> Key:
    headers = request.headers
    return (
        request.raw_path,
        headers.get("Accept"),
        headers.get("Accept-Encoding"),
        headers.get("If-None-Match"),
    )


def _is_usual(request: web.BaseRequest) -> bool:
    headers = request.headers
    if request.method != "GET" or request.version != HttpVersion11 or not request.keep_alive:
        return False
    return not any(name in headers for name in UNUSUAL)


def _head(answer: web.StreamResponse, body: bytes | OpenFile) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items() if name not in ("Date", "Content-Length")]
    if answer.status == 200:  # noqa: PLR2004 - a 304 has no body
        lines.append(f"Content-Length: {len(body) if isinstance(body, bytes) else body.size}")
    return ("\r\n".join(lines) + "\r\nDate: ").encode()
