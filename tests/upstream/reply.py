"""An answer as a value, which faults change before it is sent, and its way to the client."""

import asyncio
import gzip
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future

from aiohttp import web
from attrs import evolve, field, frozen

from tests.upstream.asked import Asked

PIECE = 1 << 16  # bytes
FOREVER_S = 3600.0  # longer than any test


class Gate:
    """Where answers wait until a test opens it."""

    def __init__(self) -> None:
        self._opened: Future[None] = Future()

    def open(self) -> None:
        """Let all pass that wait, and all that come."""
        if not self._opened.done():
            self._opened.set_result(None)

    async def passed(self) -> None:
        """Return when it is open."""
        await asyncio.shield(asyncio.wrap_future(self._opened))  # one that gives up does not end it for others


Wait = float | Gate  # seconds, or until it is opened


@frozen
class Reply:
    """What is answered, and how badly."""

    target: str  # path and query as asked for
    status: int = 200  # 0: the connection is closed without an answer
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""
    stream: Callable[[], Iterator[bytes]] | None = None  # in place of the body; no length is announced
    wait: Wait = 0.0  # before the head
    pause: Wait = 0.0  # in the body, before its byte
    pause_at: int = 0
    piece: int = PIECE  # bytes written at once
    every_s: float = 0.0  # after each piece
    cut_at: int | None = None  # bytes of the body after which the connection is closed

    def but(self, *without: str, **headers: str) -> "Reply":
        """Return the reply *without* some headers and with others (underscores are hyphens)."""
        kept = {name: text for name, text in self.headers.items() if name not in without}
        return evolve(self, headers=kept | {name.replace("_", "-"): text for name, text in headers.items()})

    def saying(self, body: bytes, **headers: str) -> "Reply":
        """Return the reply with another body, which validates nothing that a client has."""
        return evolve(self.but("ETag", "Last-Modified", **headers), body=body, stream=None)


def fitted(reply: Reply, asked: Asked, *, ranges: bool, zipped: bool) -> Reply:
    """Return the reply as the request's conditions, range and encodings want it (RFC 9110)."""
    if reply.status != 200 or reply.stream is not None:
        return reply
    if _has_it(reply, asked):
        return evolve(reply.but("Content-Type"), status=304, body=b"")
    if ranges:
        return _part(reply.but(Accept_Ranges="bytes"), asked)
    if zipped and "gzip" in asked.headers.get("accept-encoding", "") and "Content-Encoding" not in reply.headers:
        return evolve(reply.but(Content_Encoding="gzip"), body=gzip.compress(reply.body, 1, mtime=0))
    return reply


async def send(request: web.BaseRequest, reply: Reply, asked: Asked) -> web.StreamResponse:
    """Send the reply; what was sent of it is counted in *asked*."""
    await _wait(reply.wait)
    has_body = request.method != "HEAD" and (reply.body or reply.stream is not None)
    if not has_body:
        asked.end()  # before the client can know it, or its next request would seem to come during this one
    response = web.StreamResponse(status=reply.status or 500, headers=reply.headers)
    if not reply.status:
        _close(request)
        return response
    if reply.stream is None and reply.status != 304:
        response.content_length = len(reply.body)
    await response.prepare(request)
    if has_body:
        await _send_body(response, reply, asked)
    asked.end()
    if reply.cut_at is None:
        await response.write_eof()
    elif request.transport is not None:
        request.transport.close()  # what was written before still leaves
    return response


async def _send_body(response: web.StreamResponse, reply: Reply, asked: Asked) -> None:
    length = len(reply.body) if reply.stream is None else -1
    for piece in filter(None, _pieces(reply)):  # an empty one would be the end
        if reply.pause and asked.sent == reply.pause_at:
            await _wait(reply.pause)
        asked.sent += len(piece)
        if asked.sent == length:
            asked.end()
        await response.write(piece)
        await asyncio.sleep(reply.every_s)  # even if it is 0: others have their turn


def _pieces(reply: Reply) -> Iterator[bytes]:
    """Yield the body up to the cut, with a border where the pause is."""
    body = reply.body if reply.cut_at is None else reply.body[: reply.cut_at]
    if reply.stream is not None:
        yield from reply.stream()
        return
    borders = sorted({*range(0, len(body), reply.piece), min(reply.pause_at, len(body)), len(body)})
    for begin, end in itertools.pairwise(borders):
        yield body[begin:end]


def _close(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _wait(until: Wait) -> None:
    if isinstance(until, Gate):
        await until.passed()
    elif until:
        await asyncio.sleep(until)


def _has_it(reply: Reply, asked: Asked) -> bool:
    """Return whether the client's copy is this one; an ETag goes before a date."""
    if "if-none-match" in asked.headers:
        held = {tag.strip().removeprefix("W/") for tag in asked.headers["if-none-match"].split(",")}
        return reply.headers.get("ETag", "none") in held
    return asked.headers.get("if-modified-since") == reply.headers.get("Last-Modified", "never")


def _part(reply: Reply, asked: Asked) -> Reply:
    """Return the one range of bytes that was asked for, or the whole."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked.headers.get("range", ""))
    if (
        not found
        or found.groups() == ("", "")
        or asked.headers.get("if-range", "")
        not in {
            "",
            reply.headers.get("ETag"),
            reply.headers.get("Last-Modified"),
        }
    ):
        return reply
    size = len(reply.body)
    if found[1]:
        begin, end = int(found[1]), min(int(found[2] or size - 1), size - 1)
    else:
        begin, end = max(size - int(found[2]), 0), size - 1
    if begin > end:
        return evolve(reply.but(Content_Range=f"bytes */{size}"), status=416, body=b"")
    part = reply.body[begin : end + 1]
    return evolve(reply.but(Content_Range=f"bytes {begin}-{end}/{size}"), status=206, body=part)
