"""Answers that are files: conditional, in ranges, from memory or by the kernel."""

import mimetypes

from aiohttp import web
from attrs import frozen

from changelog import contents
from changelog.errors import BlobDamaged
from server.file_cache import SMALL
from server.growing import Arrived, GrowingAnswer, News, first_news
from server.parts import Parts
from server.proxies import SENDER
from server.render.ranges import (
    ByteRange,
    byte_range,
    http_date,
    if_modified_since,
    if_none_match,
    if_range_matches,
)
from server.sendfile import FileAnswer

FOREVER = "max-age=365000000, immutable, public"
REDIRECT = "X-Accel-Redirect"  # of nginx: what an answer with it is to have as its body; it says so, and lets no client
BY_FRONT = 1 << 20  # bytes from which a front server sends a file: for smaller ones, being told costs more
TYPES = {
    ".gz": "application/gzip",
    ".bz2": "application/x-bzip2",
    ".whl": "application/octet-stream",
    ".metadata": "application/octet-stream",
}


@frozen
class Served:
    """Bytes as they are sent."""

    filename: str  # says the media type
    sha256: bytes  # b"" = not known yet: there is no validator
    size: int  # bytes
    modified: int | None  # microseconds since 1970
    cache_control: str = FOREVER
    media_type: str = ""  # where the file name does not say it

    @property
    def etag(self) -> str:
        """A strong validator, "" if there is none."""
        return f'"{self.sha256.hex()}"' if self.sha256 else ""

    @property
    def modified_s(self) -> int | None:
        """When it was made, in seconds."""
        return None if self.modified is None else self.modified // 1_000_000


async def blob(parts: Parts, request: web.BaseRequest, served: Served) -> web.StreamResponse:
    """Send a blob; a replica that has it not, or damaged, hands it on while it is fetched.

    Raises:
        BlobDamaged: it is missing or damaged.
        Unavailable, StorageFull: it had to be fetched, and that failed.
    """
    try:
        return await _stored(parts, request, served)
    except BlobDamaged:
        if parts.fetching is None:
            raise
    if not_modified(request, served):
        return web.Response(status=304, headers=headers_of(served))
    if request.method == "HEAD":
        return head(served)
    damaged = parts.blobs.has(served.sha256)
    news = await first_news(parts.fetching.stream(served.sha256, served.size, damaged=damaged))
    if not isinstance(news, Arrived):
        return growing(request, news, served)
    if news.held or not news.size:
        return whole(request, news.held, served)
    return await _stored(parts, request, served)


async def _stored(parts: Parts, request: web.BaseRequest, served: Served) -> web.StreamResponse:
    """Send a blob that is here: small ones from memory, large ones by the kernel.

    Raises:
        BlobDamaged: it is missing or damaged.
    """
    if served.size <= SMALL:
        body = parts.files.small(served.sha256) or await parts.files.read(served.sha256, served.size)
        return whole(request, body, served)
    headers = headers_of(served)
    if not_modified(request, served):
        return web.Response(status=304, headers=headers)
    file = await parts.files.open(served.sha256, served.size)
    by_front = parts.config.x_accel_redirect and served.size >= BY_FRONT
    if by_front and request.get(SENDER) == REDIRECT:
        return _by_front_server(headers, parts.config.x_accel_redirect + parts.blobs.relative(served.sha256))
    part = wanted_range(request, served)
    if part is None:
        return FileAnswer(file, 0, served.size, headers)
    headers["Content-Range"] = part.content_range
    return FileAnswer(file, part.start, part.length, headers, 206)


def _by_front_server(headers: dict[str, str], location: str) -> web.StreamResponse:
    """Return the answer for which nginx sends the file at *location*, or the range of it that the client wants."""
    answer = web.StreamResponse(headers={**headers, REDIRECT: location})
    answer.content_length = 0
    del answer.headers["Accept-Ranges"]  # nginx says so itself
    return answer


async def document(parts: Parts, digest: bytes) -> bytes:
    """Return derived bytes, which a replica that has them not fetches first; raises as :func:`blob`."""
    try:
        return _derived(parts, digest)
    except BlobDamaged:
        if parts.fetching is None:
            raise
    await parts.fetching.whole(digest, damaged=parts.blobs.has(digest))
    return _derived(parts, digest)


def _derived(parts: Parts, digest: bytes) -> bytes:
    with parts.reader.snapshot() as store:
        return contents.read(store, parts.blobs, digest)


def head(served: Served) -> web.StreamResponse:
    """Return the answer to HEAD for bytes that need not be here."""
    answer = web.StreamResponse(headers=headers_of(served))
    answer.content_length = served.size
    return answer


def growing(request: web.BaseRequest, news: News, served: Served) -> web.StreamResponse:
    """Send bytes that are being fetched."""
    headers = {**headers_of(served), "X-Accel-Buffering": "no"}
    if not_modified(request, served):
        return web.Response(status=304, headers=headers)
    part = wanted_range(request, served)
    if part is None:
        return GrowingAnswer(news, 0, served.size, headers, 200)
    headers["Content-Range"] = part.content_range
    return GrowingAnswer(news, part.start, part.length, headers, 206)


def whole(request: web.BaseRequest, body: bytes, served: Served) -> web.Response:
    """Send bytes that are in memory."""
    headers = headers_of(served)
    if not_modified(request, served):
        return web.Response(status=304, headers=headers)
    part = wanted_range(request, served)
    if part is None:
        return web.Response(body=body, headers=headers)
    headers["Content-Range"] = part.content_range
    return web.Response(status=206, body=body[part.start : part.stop], headers=headers)


def headers_of(served: Served) -> dict[str, str]:
    """Return the headers of an answer with all of it."""
    headers = {
        "Cache-Control": served.cache_control,
        "Accept-Ranges": "bytes",
        "Content-Type": served.media_type or content_type(served.filename),
        "X-Content-Type-Options": "nosniff",
    }
    if served.etag:
        headers["ETag"] = served.etag
    if served.modified_s is not None:
        headers["Last-Modified"] = http_date(served.modified_s)
    return headers


def not_modified(request: web.BaseRequest, served: Served) -> bool:
    """Return whether the client has it already (RFC 9110 section 13)."""
    known = request.headers.get("If-None-Match")
    if known is not None:
        return bool(served.etag) and if_none_match(known, served.etag)
    since = request.headers.get("If-Modified-Since")
    return since is not None and served.modified_s is not None and not if_modified_since(since, served.modified_s)


def wanted_range(request: web.BaseRequest, served: Served) -> ByteRange | None:
    """Return the part that the client wants, None for all (RFC 9110 section 14)."""
    wanted = request.headers.get("Range")
    if wanted is None:
        return None
    condition = request.headers.get("If-Range")
    if condition is not None and not if_range_matches(condition, served.etag, served.modified_s):
        return None
    return byte_range(wanted, served.size)


def content_type(filename: str) -> str:
    """Return the media type of a file, by its name."""
    suffix = filename[filename.rfind(".") :].lower()
    return TYPES.get(suffix) or mimetypes.guess_type(filename)[0] or "application/octet-stream"
