"""``+changelog``: the log as a stream, for those who copy it; ``+blob``: the files that it names."""

import asyncio
from contextlib import suppress

from aiohttp import web

from changelog import copying, log, vouching
from changelog.copying import Batch
from changelog.errors import InvalidForm, LedgerpiError, NotFound
from changelog.log import Head
from changelog.views import cluster, digests
from server import followers
from server.answers import plain
from server.batches import Wish
from server.bulk import BYTES, DIGEST_BYTES, MAX_AT_ONCE, NO_BLOB, READ_AT_ONCE, framed_blob
from server.executors import for_reading
from server.followers import Follower
from server.handlers import sending
from server.handlers.sending import Served
from server.parts import Parts
from server.requests import body_bytes
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

SHA256_HEX = 64


async def stream(parts: Parts, request: web.BaseRequest, _: list[str]) -> web.StreamResponse:
    """Send what follows a copy of the log, and go on with what is committed later, until the replica leaves."""
    follower = _follower(parts, request)
    begin, upto = cursor(dict(request.query)), _number(request, "upto", 0)
    deflated = "deflate" in request.headers.get("Accept-Encoding", "")
    wish = Wish(max(1, _number(request, "most", copying.MAX_BATCH_BYTES)), deflated)
    with parts.reader.snapshot() as store:
        head, origin = log.head(store), cluster.origin(store).origin
        there = b"" if begin.at.size > head.size else log.root(store, begin.at.size)
    if (refusal := await _refusal(parts, origin, begin, head, there)) is not None:
        return refusal
    headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    answer = web.StreamResponse(headers=headers)
    with suppress(ConnectionResetError, LedgerpiError):  # it left, or the writer ended: it comes again
        await answer.prepare(request)
        if request.method == "HEAD":
            return answer
        if upto:
            await _send_upto(parts, answer, begin.at.size, upto)
        else:
            await _send(parts, follower, answer, begin.at.size, wish)
    return answer


async def blob(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Send a file that the log names, by its SHA-256, in ranges too."""
    _follower(parts, request)
    digest = _digest(segments[1])
    with parts.reader.snapshot() as store:
        named = digests.is_named(store, digest)
    if not named or not parts.blobs.has(digest):
        raise NotFound(f"no file {digest.hex()} here")
    size = parts.blobs.path(digest).stat().st_size
    return await sending.blob(parts, request, Served("blob", digest, size, None, "no-store"))


async def blobs(parts: Parts, request: web.BaseRequest, _: list[str]) -> web.StreamResponse:
    """Send small files that the log names, one behind the other; the body has their SHA-256, 32 bytes each."""
    _follower(parts, request)
    body = await body_bytes(request, MAX_AT_ONCE * DIGEST_BYTES)
    if not body or len(body) % DIGEST_BYTES:
        raise InvalidForm(f"the body has to be 1 to {MAX_AT_ONCE} digests of {DIGEST_BYTES} bytes each")
    wanted = [body[place : place + DIGEST_BYTES] for place in range(0, len(body), DIGEST_BYTES)]
    answer = web.StreamResponse(headers={"Content-Type": BYTES, "Cache-Control": "no-store"})
    await answer.prepare(request)
    for place in range(0, len(wanted), READ_AT_ONCE):
        await answer.write(await for_reading(_read, parts, wanted[place : place + READ_AT_ONCE]))
    return answer


def _read(parts: Parts, wanted: list[bytes]) -> bytes:
    """Return files with their lengths before them; one that is not here, is no small one, or is not named: none."""
    with parts.reader.snapshot() as store:
        named = [digests.is_named(store, digest) for digest in wanted]
    pairs = zip(wanted, named, strict=True)
    return b"".join(framed_blob(parts.blobs, digest) if is_named else NO_BLOB for digest, is_named in pairs)


async def _send(parts: Parts, follower: Follower, answer: web.StreamResponse, size: int, wish: Wish) -> None:
    """Send batches, each when the one before is on its way, and now and then the primary's word for its head.

    The word waits for the entries that it is for: commits come between the question and its answer.
    """
    now = asyncio.get_running_loop().time
    sent, due, word = size, 0.0, b""
    while True:
        if now() >= due:
            with parts.reader.snapshot() as store:
                followers.check(store, follower)  # it may have been revoked meanwhile
            word = word or bytes((await parts.submit.ask("vouch"))[0])
            due = now() + HEARTBEAT_S
        batch = await parts.batches.next(sent, wish)
        if batch.frame:
            await answer.write(batch.frame)
            sent = batch.last
        if word and vouching.claimed_size(word) <= sent:
            await answer.write(alive_frame(word))
            word = b""
        if not batch.frame:
            await parts.news.beyond(batch.seen, due - now())


async def _send_upto(parts: Parts, answer: web.StreamResponse, sent: int, upto: int) -> None:
    """Send entries up to one whose root the other node knows by this node's own word."""
    while True:
        batch = await for_reading(_read_upto, parts, sent, upto)
        if batch is None:
            return
        await answer.write(batch_frame(batch))
        sent = batch.last


def _read_upto(parts: Parts, after: int, upto: int) -> Batch | None:
    with parts.reader.snapshot() as store:
        return copying.read_batch(store, after, min(upto, log.head(store).size))


def _number(request: web.BaseRequest, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):  # noqa: PLR2004 - 2**63
        raise InvalidForm(f"{name} is not a number: {text[:100]!a}")
    return int(text) if text else default


async def _refusal(parts: Parts, origin: str, begin: Cursor, head: Head, there: bytes) -> web.Response | None:
    """Return the answer to a cursor that nothing here follows, None for one that is good."""
    if begin.origin != origin:
        why, message = STRANGE, f"this node has the log {origin}, not {begin.origin[:200]}"
    elif begin.at.size > head.size:
        why, message = BEHIND, f"this node has {head.size} entries, fewer than {begin.at.size}"
    elif there != begin.at.root:
        why, message = DIVERGED, f"the first {begin.at.size} entries are other ones here, with root {there.hex()}"
    else:
        return None
    said = {"message": message, "reason": why, "checkpoint": head.checkpoint}
    if why in (BEHIND, DIVERGED):
        (answer,) = await parts.submit.ask("position")
        said["answer"] = bytes(answer).hex()
    return plain(said, 409)


def _follower(parts: Parts, request: web.BaseRequest) -> Follower:
    with parts.reader.snapshot() as store:
        return followers.of(store, request.headers.get("Authorization", ""))


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) * 2 != SHA256_HEX:
        raise NotFound("no such file: the path has no SHA-256")
    return digest
