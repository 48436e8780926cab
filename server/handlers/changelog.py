"""``+changelog``: the log as a stream, for those who copy it; ``+blob``: the files that it names."""

import asyncio
from contextlib import suppress

from aiohttp import web

from changelog import copying, log
from changelog.copying import Batch
from changelog.errors import LedgerpiError, NotFound
from changelog.log import Head
from changelog.views import digests
from server import replica_token, vouching
from server.answers import plain
from server.executors import for_reading
from server.handlers import sending
from server.handlers.sending import Served
from server.parts import Parts
from server.stream import (
    BEHIND,
    CONTENT_TYPE,
    DIVERGED,
    HEARTBEAT_S,
    STRANGE,
    Cursor,
    alive_frame,
    batch_frame,
    cursor,
)

FEW = 20  # entries that are read between other tasks
SHA256_HEX = 64


async def stream(parts: Parts, request: web.BaseRequest, _: list[str]) -> web.StreamResponse:
    """Send what follows a copy of the log, and go on with what is committed later, until the replica leaves."""
    _check_token(parts, request)
    begin = cursor(dict(request.query))
    with parts.reader.snapshot() as store:
        head = log.head(store)
        there = b"" if begin.at.size > head.size else log.root(store, begin.at.size)
    if (refusal := _refusal(parts, begin, head, there)) is not None:
        return refusal
    headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    answer = web.StreamResponse(headers=headers)
    await answer.prepare(request)
    if request.method == "HEAD":
        return answer
    with suppress(ConnectionResetError, LedgerpiError):  # it left, or the writer ended: it comes again
        await _send(parts, request, answer, begin.at.size)
    return answer


async def blob(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Send a file that the log names, by its SHA-256, in ranges too."""
    _check_token(parts, request)
    digest = _digest(segments[1])
    with parts.reader.snapshot() as store:
        named = digests.is_named(store, digest)
    if not named or not parts.blobs.has(digest):
        raise NotFound(f"no file {digest.hex()} here")
    size = parts.blobs.path(digest).stat().st_size
    return await sending.blob(parts, request, Served("blob", digest, size, None, "no-store"))


async def _send(parts: Parts, request: web.BaseRequest, answer: web.StreamResponse, size: int) -> None:
    """Send batches, each when the one before is on its way, and now and then the primary's word for its head.

    The word waits for the entries that it is for: commits come between the question and its answer.
    """
    now = asyncio.get_running_loop().time
    sent, due, word = size, 0.0, b""
    while True:
        if now() >= due:
            _check_token(parts, request)  # it may have been revoked meanwhile
            word = word or bytes((await parts.submit.ask("vouch"))[0])
            due = now() + HEARTBEAT_S
        batch, seen = await _next(parts, sent)
        if batch is not None:
            await answer.write(batch_frame(batch))
            sent = batch.last
        if word and vouching.claimed_size(word) <= sent:
            await answer.write(alive_frame(word))
            word = b""
        if batch is None:
            await parts.news.beyond(seen, due - now())


async def _next(parts: Parts, after: int) -> tuple[Batch | None, int]:
    """Return the next batch, and how many entries there are."""
    with parts.reader.snapshot() as store:
        size = log.head(store).size
        if size - after <= FEW:
            return copying.read_batch(store, after), size
    return await for_reading(_read, parts, after)


def _read(parts: Parts, after: int) -> tuple[Batch | None, int]:
    with parts.reader.snapshot() as store:
        return copying.read_batch(store, after), log.head(store).size


def _refusal(parts: Parts, begin: Cursor, head: Head, there: bytes) -> web.Response | None:
    """Return the answer to a cursor that nothing here follows, None for one that is good."""
    if begin.origin != parts.origin:
        why, message = STRANGE, f"this node has the log {parts.origin}, not {begin.origin[:200]}"
    elif begin.at.size > head.size:
        why, message = BEHIND, f"this node has {head.size} entries, fewer than {begin.at.size}"
    elif there != begin.at.root:
        why, message = DIVERGED, f"the first {begin.at.size} entries are other ones here, with root {there.hex()}"
    else:
        return None
    return plain({"message": message, "reason": why, "checkpoint": head.checkpoint}, 409)


def _check_token(parts: Parts, request: web.BaseRequest) -> None:
    with parts.reader.snapshot() as store:
        replica_token.replica_of(store, request.headers.get("Authorization", ""))


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) * 2 != SHA256_HEX:
        raise NotFound("no such file: the path has no SHA-256")
    return digest
