"""Writes that reach a replica: they go on to the primary, and are answered once the replica's own log has them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from urllib.parse import quote, urlsplit

import aiohttp
import structlog
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from changelog.errors import InvalidForm, InvalidName, LedgerpiError, NotYet
from replica.config import ReplicaConfig
from replica.credentials import Credentials
from replica.given_up import Revocable, revoked_on_failure
from replica.primary import Primary, unanswered
from replica.pulse import felt
from replica.tail import open_session, read_all
from server import proxies, via
from server.executors import in_thread
from server.forms import Form, FormLimits, read_form
from server.outside import outside_url
from server.parts import Parts
from server.permissions import check_upload, existing
from server.positions import POSITION, parse, reached
from server.requests import index_of, path_segments

MAX_ANSWER = 16 << 20  # bytes of an answer to a write
ANSWER_S = 120.0  # for an answer, once the primary has the request; it is asked meanwhile whether it lives
STALLED_S = 20.0  # without a byte being taken
PATIENCE_S = 30.0  # until the own log has what the primary has
QUEUED = 16  # pieces of a body that wait to be read as a form
HOP_BY_HOP = ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authorization")
NOT_FORWARDED = frozenset({*HOP_BY_HOP, "expect", "host", *(name.lower() for name in proxies.HEADERS)})
DECODED = frozenset({"gzip", "deflate", "br", "zstd"})  # codings of bodies that were undone when they are read here
AS_SENT = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")  # headers that no client needs to be given
VISIBLE = "".join(map(chr, range(33, 127)))
NOT_RETURNED = frozenset({*HOP_BY_HOP, "content-length", "date", "server", "x-devpi-uuid"})
MULTIPART = "multipart/form-data"

logger = structlog.get_logger()


class Forward:
    """Sends requests on; made inside a running loop."""

    def __init__(self, config: ReplicaConfig, primary: Primary, shown: Credentials) -> None:
        """Send them to *primary*, whose connections are closed with this, and show who sends them."""
        self._primary = primary
        self._shown = shown
        self._session = open_session(config.primary_ca_file, silence_s=ANSWER_S, request_class=Revocable)
        self._session._retry_connection = False  # noqa: SLF001 - there is no option: a DELETE would be sent twice

    async def __call__(self, parts: Parts, request: web.BaseRequest) -> web.StreamResponse:
        """Return the primary's answer to *request*, when the own log has what it tells of.

        Raises:
            Unavailable: the primary can not be asked; whether it got the request is not known then.
            Conflict: it was done, and was lost when another primary took over.
        """
        keeping = _Keeping(parts, request, at_once=await _may_upload(parts, request)) if _is_form(request) else None
        try:
            answer = await self._ask(parts, request, keeping)
            if keeping is not None:
                await (keeping.publish() if answer.status < 300 else keeping.withdraw(parts))  # noqa: PLR2004 - taken
        finally:
            if keeping is not None:
                await keeping.discard()
        await _arrived(parts, answer)
        return answer

    async def _ask(self, parts: Parts, request: web.BaseRequest, keeping: "_Keeping | None") -> web.Response:
        headers = _sent(request)
        headers.update(self._told(parts, request))
        headers.update(via.with_own(parts.member))
        primary = self._primary.url
        url = URL(primary + _target(request), encoded=True)
        body = _Body(request, keeping)
        try:
            async with felt(self._session, primary, via.with_own(parts.member)):
                with revoked_on_failure():
                    return await self._answer(request, url, headers, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if body.failure is not None:
                raise body.failure from error
            raise unanswered(error) from error

    async def _answer(
        self, request: web.BaseRequest, url: URL, headers: CIMultiDict[str], body: "_Body"
    ) -> web.Response:
        async with (
            asyncio.timeout(None) as body.patience,
            self._session.request(
                request.method,
                url,
                headers=headers,
                data=body.pieces() if request.can_read_body else None,
                allow_redirects=False,
                expect100=body.waits_to_be_asked,
                skip_auto_headers=AS_SENT,
            ) as answer,
        ):
            raw = await read_all(answer.content, MAX_ANSWER)
            return web.Response(status=answer.status, reason=answer.reason, body=raw, headers=_returned(answer.headers))

    def _told(self, parts: Parts, request: web.BaseRequest) -> dict[str, str]:
        """Return what the primary learns of the client; it believes who follows it."""
        return {
            proxies.FOLLOWER: f"Bearer {self._shown.bearer}",
            proxies.OUTSIDE_URL: outside_url(parts, request),
            proxies.FORWARDED_FOR: request.remote or "",
        }

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
        await self._primary.close()


class _Keeping:
    """Reads a form that passes, so that its file need not come back."""

    def __init__(self, parts: Parts, request: web.BaseRequest, *, at_once: bool) -> None:
        self._blobs = parts.blobs
        self._at_once = at_once  # for the entry may come before the answer, and who reads it would fetch the file
        self._keep: asyncio.Task[None] | None = None
        self._made = b""  # digest of the blob that was not there before
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUED)
        limits = FormLimits(file_bytes=parts.config.max_request_body_size)
        kind = request.headers.get("Content-Type", "")
        self._reading = asyncio.ensure_future(read_form(kind, self._taken(), parts.spool, limits))

    async def put(self, piece: bytes | None) -> None:
        """Take a piece, None at the end."""
        if not self._reading.done():  # it ended early: no form, or one that can not be kept
            put = asyncio.ensure_future(self._pieces.put(piece))
            await asyncio.wait({put, self._reading}, return_when=asyncio.FIRST_COMPLETED)
            put.cancel()

    async def end(self) -> None:
        """Tell that the whole form was put."""
        await self.put(None)
        if self._at_once:
            await self.publish()

    async def publish(self) -> None:
        """Keep the file as a blob, if it is not kept yet; without it, it would be fetched."""
        if self._keep is None:
            self._keep = asyncio.create_task(self._published())
        await asyncio.shield(self._keep)  # who sends the body is ended when the answer comes, which may be before

    async def withdraw(self, parts: Parts) -> None:
        """Remove the blob that was made at once, for the primary did not take the file; not if an entry names it."""
        if self._keep is not None:
            await self._keep
        if self._made:
            await parts.submit.ask("evict", [self._made], 0)

    async def _published(self) -> None:
        try:
            await self.put(None)  # all was read, or there were no answer; but what sends it may have been ended before
            form = await self._reading
            file = form.files.get("content")
            if file is not None:
                self._made = b"" if self._blobs.has(file.sha256) else file.sha256
                await in_thread(self._blobs.publish, file.path, file.sha256)
        except (LedgerpiError, OSError) as error:
            logger.warning("file not kept", reason=str(error))

    async def discard(self) -> None:
        """Remove what was spooled."""
        if self._keep is not None:
            await self._keep
        if not self._reading.done():
            self._reading.cancel()
        with suppress(asyncio.CancelledError, LedgerpiError, OSError):
            form: Form = await self._reading
            form.discard()

    async def _taken(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece


class _Body:
    """A body on its way."""

    def __init__(self, request: web.BaseRequest, keeping: _Keeping | None) -> None:
        self.patience = asyncio.timeout(None)
        self.failure: web.RequestPayloadError | None = None  # of the client
        self.waits_to_be_asked = (  # RFC 9110 section 10.1.1
            request.can_read_body and request.headers.get("Expect", "").lower() == "100-continue"
        )
        self._request = request
        self._keeping = keeping

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield what the client sends; once the primary wants it, if the client waits for that."""
        if self.waits_to_be_asked and self._request.transport is not None:
            self._request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        now = asyncio.get_running_loop().time
        try:
            async for piece in self._request.content.iter_any():
                if self._keeping is not None:
                    await self._keeping.put(piece)
                self.patience.reschedule(now() + STALLED_S)
                yield piece
                self.patience.reschedule(None)  # the client may take its time
        except web.RequestPayloadError as error:
            self.failure = error
            raise
        if self._keeping is not None:
            await self._keeping.end()


async def _arrived(parts: Parts, answer: web.Response) -> None:
    """Wait until the own log has the entry that was the primary's last when it answered.

    Raises:
        Conflict: it never will, for another primary has taken over without that entry.
    """
    said = answer.headers.get(POSITION)
    if said is not None:
        try:
            await reached(parts, parse(said), PATIENCE_S)
        except NotYet:
            logger.warning("answered before the entry came", position=said)


async def _may_upload(parts: Parts, request: web.BaseRequest) -> bool:
    """Return whether, by what is known here, the file may be kept before the primary says so."""
    try:
        segments, _ = path_segments(request.raw_path)
        if len(segments) != 2:  # noqa: PLR2004 - forms are for indexes
            return False
        name = index_of(segments)
        caller = await parts.auth.caller(request.headers, request.remote or "")
        with parts.reader.snapshot() as store:
            check_upload(caller, name, existing(store, name), "")
    except LedgerpiError:
        return False
    return True


def _target(request: web.BaseRequest) -> str:
    """Return the path and query of a request as they came; other bytes than visible ASCII are escaped."""
    path, mark, query = request.raw_path.partition("?")
    if not path.startswith("/"):  # absolute form, or no path at all
        try:
            path = "/" + urlsplit(path).path.removeprefix("/")
        except ValueError as error:
            raise InvalidName(f"not a path: {path[:200]!a}") from error
    return quote(path + mark + query, safe=VISIBLE, errors="surrogateescape")


def _sent(request: web.BaseRequest) -> CIMultiDict[str]:
    """Return the headers of a request as they go on.

    Raises:
        InvalidForm: one is not UTF-8.
    """
    decoded = request.headers.get("Content-Encoding", "").lower() in DECODED
    left_out = NOT_FORWARDED | ({"content-encoding", "content-length"} if decoded else frozenset())
    headers = CIMultiDict((name, value) for name, value in request.headers.items() if name.lower() not in left_out)
    try:
        "".join(headers.values()).encode()
    except UnicodeEncodeError as error:
        raise InvalidForm("a header is not UTF-8") from error
    return headers


def _is_form(request: web.BaseRequest) -> bool:
    return request.method == "POST" and request.headers.get("Content-Type", "").startswith(MULTIPART)


def _returned(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.lower() not in NOT_RETURNED]
