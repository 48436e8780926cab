"""Writes that reach a replica: they go on to the primary, and are answered once the replica's own log has them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

import aiohttp
import structlog
from aiohttp import web

from changelog.blobs import Blobs
from changelog.errors import LedgerpiError
from replica.primary import Primary, unanswered
from server.executors import in_thread
from server.forms import Form, FormLimits, read_form
from server.outside import outside_url
from server.parts import Parts
from server.positions import POSITION, parse

MAX_ANSWER = 16 << 20  # bytes of an answer to a write
PATIENCE_S = 30.0  # until the own log has what the primary has
QUEUED = 16  # pieces of a body that wait to be read as a form
HOP_BY_HOP = ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authorization")
NOT_FORWARDED = frozenset({*HOP_BY_HOP, "expect", "host"})
NOT_RETURNED = frozenset({*HOP_BY_HOP, "content-length", "date", "server", "x-devpi-uuid"})
MULTIPART = "multipart/form-data"

logger = structlog.get_logger()


class Forward:
    """Sends requests on; made inside a running loop."""

    def __init__(self, primary: Primary) -> None:
        """Send them to *primary*, whose connections are closed with this."""
        self._primary = primary

    async def __call__(self, parts: Parts, request: web.BaseRequest) -> web.StreamResponse:
        """Return the primary's answer to *request*, when the own log has what it tells of.

        Raises:
            Unavailable: the primary can not be asked; whether it got the request is not known then.
        """
        keeping = _Keeping(parts, request) if _is_form(request) else None
        try:
            answer = await self._ask(parts, request, keeping)
            if keeping is not None and answer.status < 300:  # noqa: PLR2004 - it was taken
                await keeping.publish(parts.blobs)
        finally:
            if keeping is not None:
                await keeping.discard()
        await _arrived(parts, answer)
        return answer

    async def _ask(self, parts: Parts, request: web.BaseRequest, keeping: "_Keeping | None") -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in NOT_FORWARDED}
        headers["X-Outside-Url"] = outside_url(parts, request)
        body = _body(request, keeping) if request.can_read_body else None
        url = self._primary.url + request.raw_path
        try:
            async with self._primary.session.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                raw = await answer.content.read(MAX_ANSWER)
                return web.Response(
                    status=answer.status, reason=answer.reason, body=raw, headers=_returned(answer.headers)
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unanswered(error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._primary.close()


class _Keeping:
    """Reads a form that passes, so that its file need not come back."""

    def __init__(self, parts: Parts, request: web.BaseRequest) -> None:
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

    async def publish(self, blobs: Blobs) -> None:
        """Keep the file as a blob; without it, it would be fetched."""
        try:
            form = await self._reading
            file = form.files.get("content")
            if file is not None:
                await in_thread(blobs.publish, file.path, file.sha256)
        except (LedgerpiError, OSError) as error:
            logger.warning("file not kept", reason=str(error))

    async def discard(self) -> None:
        """Remove what was spooled."""
        if not self._reading.done():
            self._reading.cancel()
        with suppress(asyncio.CancelledError, LedgerpiError, OSError):
            form: Form = await self._reading
            form.discard()

    async def _taken(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece


async def _body(request: web.BaseRequest, keeping: _Keeping | None) -> AsyncIterator[bytes]:
    async for piece in request.content.iter_any():
        if keeping is not None:
            await keeping.put(piece)
        yield piece
    if keeping is not None:
        await keeping.put(None)


async def _arrived(parts: Parts, answer: web.Response) -> None:
    """Wait until the own log is as long as the primary's was when it answered."""
    said = answer.headers.get(POSITION)
    if said is not None and not await parts.news.beyond(parse(said).serial - 1, PATIENCE_S):
        logger.warning("answered before the entry came", position=said)


def _is_form(request: web.BaseRequest) -> bool:
    return request.method == "POST" and request.headers.get("Content-Type", "").startswith(MULTIPART)


def _returned(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.lower() not in NOT_RETURNED]
