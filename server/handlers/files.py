"""``+f``: distribution files and their core metadata; deletion and yanking."""

import mimetypes

from aiohttp import web
from attrs import frozen

from changelog import contents, log
from changelog.errors import Gone, InvalidForm, NotFound, Refused
from changelog.names import FileName, IndexName, file_name
from changelog.tables import Store
from changelog.views import files, projects
from changelog.views.files import File, Link
from changelog.views.page import Status
from server.answers import enveloped, message
from server.commands import DeleteFile, YankFiles
from server.file_cache import SMALL
from server.parts import Parts
from server.render.ranges import (
    ByteRange,
    byte_range,
    http_date,
    if_modified_since,
    if_none_match,
    if_range_matches,
)
from server.requests import SERIAL, accept_of, index_of, json_object
from server.sendfile import FileAnswer

METADATA = ".metadata"  # appended to a file's URL (PEP 658)
FOREVER = "max-age=365000000, immutable, public"
TYPES = {".gz": "application/gzip", ".bz2": "application/x-bzip2", ".whl": "application/octet-stream"}


@frozen
class Found:
    """The file that a ``+f`` path leads to now."""

    index: IndexName
    filename: FileName
    link: Link
    row: File


async def get(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Send a file, its core metadata, or as JSON what is known of it."""
    wants_metadata = segments[5].endswith(METADATA)
    plain = [*segments[:5], segments[5].removesuffix(METADATA)] if wants_metadata else segments
    with parts.reader.snapshot() as store:
        request[SERIAL] = log.head(store).size
        found = find(parts, store, plain)
        document = _metadata(parts, store, found) if wants_metadata else b""
    if wants_metadata:
        return _bytes(request, document, found.row.metadata.hex(), found.row, "application/octet-stream")
    if "application/json" in accept_of(request):
        return enveloped("releasefilemeta", _meta(found))
    return await _file(parts, request, found)


async def delete(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Delete a file."""
    caller = await parts.auth.caller(request.headers, request.remote or "")
    with parts.reader.snapshot() as store:
        found = find(parts, store, segments)
    where = (found.index, found.link.project, found.link.version, found.filename)
    await parts.submit(caller, DeleteFile(*where, found.row.sha256, "force" in request.query))
    return message(f"file {found.filename} deleted from {found.index}")


async def yank(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Yank a file or remove the mark: ``{"yanked": true | false | "reason"}``."""
    reason = yanked_of(await json_object(request))
    caller = await parts.auth.caller(request.headers, request.remote or "")
    with parts.reader.snapshot() as store:
        found = find(parts, store, segments)
    where = (found.index, found.link.project, found.link.version)
    await parts.submit(caller, YankFiles(*where, (found.filename,), reason))
    return message(f"{found.filename} is {'no longer yanked' if reason is None else 'yanked'}")


def yanked_of(body: dict[str, object]) -> str | None:
    """Return the reason ("" = none given), or None if the mark is to be removed."""
    yanked = body.get("yanked")
    if body.keys() != {"yanked"} or not isinstance(yanked, bool | str):
        raise InvalidForm('the body must be {"yanked": true, false or the reason}')
    if isinstance(yanked, str):
        return yanked[:1_000]
    return "" if yanked else None


def find(parts: Parts, store: Store, segments: list[str]) -> Found:
    """Return the file of a ``+f`` path.

    Raises:
        NotFound: there never was one.
        Gone: it was deleted or replaced.
        Refused: its project is quarantined (PEP 792).
    """
    name, filename = index_of(segments), file_name(segments[5])
    index = parts.sources.of(store, name)[0][1]
    digest = _digest(segments[3], segments[4])
    link = files.linked(store, index, digest, filename)
    if link is None:
        raise NotFound(f"no such file in {name}: {filename}")
    row = files.behind(store, index, link, digest, filename)
    if row is None:
        raise Gone(f"{filename} was deleted from {name} or replaced")
    project = projects.find(store, index, link.project)
    if project is not None and project.status is Status.QUARANTINED:
        raise Refused(f"the project {link.project} in {name} is quarantined")
    return Found(name, filename, link, row)


def _digest(first: str, second: str) -> bytes:
    try:
        digest = bytes.fromhex(first + second)
    except ValueError as error:
        raise NotFound("no such file: the path has no digest") from error
    if len(first) != 3 or len(digest) != files.LINK_DIGEST_BYTES:  # noqa: PLR2004 - 3 + 13 digits
        raise NotFound("no such file: the path has no digest")
    return digest


def _metadata(parts: Parts, store: Store, found: Found) -> bytes:
    if not found.row.metadata or found.row.filetype != "bdist_wheel":
        raise NotFound(f"{found.filename} has no core metadata")
    return contents.read(store, parts.blobs, found.row.metadata)


def _meta(found: Found) -> dict[str, object]:
    row = found.row
    return {
        "project": found.link.project,
        "version": found.link.version,
        "last_modified": http_date(row.upload_time // 1_000_000),
        "hash_spec": f"sha256={row.sha256.hex()}",
        "hashes": {"sha256": row.sha256.hex(), "blake2b_256": row.blake2b_256.hex(), "md5": row.md5.hex()},
        "size": row.size,
    }


async def _file(parts: Parts, request: web.BaseRequest, found: Found) -> web.StreamResponse:
    row = found.row
    kind = _content_type(found.filename)
    if row.size <= SMALL:
        body = parts.files.small(row.sha256) or await parts.files.read(row.sha256, row.size)
        return _bytes(request, body, row.sha256.hex(), row, kind)
    headers = _headers(row.sha256.hex(), row, kind)
    if _not_modified(request, headers, row):
        return web.Response(status=304, headers=headers)
    part = _range(request, headers, row, row.size)
    file = await parts.files.open(row.sha256, row.size)
    if part is None:
        return FileAnswer(file, 0, row.size, headers)
    headers["Content-Range"] = part.content_range
    return FileAnswer(file, part.start, part.length, headers, 206)


def _bytes(request: web.BaseRequest, body: bytes, tag: str, row: File, kind: str) -> web.Response:
    headers = _headers(tag, row, kind)
    if _not_modified(request, headers, row):
        return web.Response(status=304, headers=headers)
    part = _range(request, headers, row, len(body))
    if part is None:
        return web.Response(body=body, headers=headers)
    headers["Content-Range"] = part.content_range
    return web.Response(status=206, body=body[part.start : part.stop], headers=headers)


def _headers(tag: str, row: File, kind: str) -> dict[str, str]:
    return {
        "ETag": f'"{tag}"',
        "Last-Modified": http_date(row.upload_time // 1_000_000),
        "Cache-Control": FOREVER,
        "Accept-Ranges": "bytes",
        "Content-Type": kind,
        "X-Content-Type-Options": "nosniff",
    }


def _not_modified(request: web.BaseRequest, headers: dict[str, str], row: File) -> bool:
    known = request.headers.get("If-None-Match")
    if known is not None:
        return if_none_match(known, headers["ETag"])
    since = request.headers.get("If-Modified-Since")
    return since is not None and not if_modified_since(since, row.upload_time // 1_000_000)


def _range(request: web.BaseRequest, headers: dict[str, str], row: File, size: int) -> ByteRange | None:
    wanted = request.headers.get("Range")
    if wanted is None:
        return None
    condition = request.headers.get("If-Range")
    modified = row.upload_time // 1_000_000
    if condition is not None and not if_range_matches(condition, headers["ETag"], modified):
        return None
    return byte_range(wanted, size)


def _content_type(filename: str) -> str:
    suffix = filename[filename.rfind(".") :].lower()
    return TYPES.get(suffix) or mimetypes.guess_type(filename)[0] or "application/octet-stream"
