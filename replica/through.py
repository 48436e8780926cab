"""Files of mirrors that nobody has fetched yet: the primary fetches and checks them, a replica hands its answer on."""

from http import HTTPStatus

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from changelog.errors import Unavailable
from replica.config import ReplicaConfig
from replica.credentials import Credentials
from replica.primary import Primary, unanswered
from replica.tail import CONNECT_S

SILENCE_S = 60.0  # without a byte; the primary may wait for an upstream that long
ASKED = ("Accept", "If-Modified-Since", "If-None-Match", "If-Range", "Range")
TOLD = (
    "Accept-Ranges",
    "Cache-Control",
    "Content-Range",
    "Content-Type",
    "ETag",
    "Last-Modified",
    "Location",
    "Retry-After",
    "X-Content-Type-Options",
)


class Through:
    """Asks on connections of its own, so that long downloads keep no page waiting; made inside a running loop."""

    def __init__(self, config: ReplicaConfig, shown: Credentials) -> None:
        """Ask who is followed, as who is *shown*."""
        self._primary = Primary(config, shown, limit=0)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the primary's answer to *request*, whose body is still to come.

        Raises:
            Unavailable: there is none.
        """
        headers = {name: request.headers[name] for name in ASKED if name in request.headers}
        try:
            answer = await self._primary.session.request(
                request.method,
                URL(self._primary.url + request.raw_path, encoded=True),
                headers={**headers, **self._primary.headers, "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S),
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unanswered(error) from error
        if not _has_end(request, answer):
            answer.close()
            raise Unavailable("the primary's answer does not say where it ends")
        return PassedOn(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._primary.close()


class PassedOn(web.StreamResponse):
    """An answer as it comes; where it is cut off, so is this one."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        """Hand *answer* on."""
        told = {name: answer.headers[name] for name in TOLD if name in answer.headers}
        super().__init__(status=answer.status, reason=answer.reason, headers=told)
        self._answer = answer
        length = answer.headers.get("Content-Length")
        if length is not None:
            self.content_length = int(length)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send headers and bytes."""
        async with self._answer:
            writer = await super().prepare(request)
            if writer is not None and request.method != "HEAD":
                await self._send(request)
        return writer

    async def _send(self, request: web.BaseRequest) -> None:
        try:
            async for piece in self._answer.content.iter_any():
                await self.write(piece)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if request.transport is not None:
                request.transport.abort()  # an end like any other would make it look whole
            raise ConnectionResetError(f"the primary's answer ended early: {error}") from error


def _has_end(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> bool:
    """Return whether an answer that is cut off can be told from a whole one."""
    has_no_body = request.method == "HEAD" or answer.status == HTTPStatus.NOT_MODIFIED
    return has_no_body or "Content-Length" in answer.headers or "Transfer-Encoding" in answer.headers
