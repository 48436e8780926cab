"""``+f``: distribution files, their core metadata and what belongs to them; deletion and yanking."""

from aiohttp import web

from changelog import log
from changelog.errors import InvalidForm, NotFound, Refused
from changelog.tables import Store
from changelog.views.documentation import Documentation
from changelog.views.files import File
from changelog.views.results import Result
from server.answers import enveloped, message
from server.commands import DeleteDocumentation, DeleteFile, YankFiles
from server.handlers import linked, mirror_files, sending
from server.handlers.linked import Found
from server.handlers.sending import Served
from server.parts import Parts
from server.render.ranges import http_date
from server.requests import SERIAL, accept_of, index_of, json_object


async def get(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Send a file, its core metadata, or as JSON what is known of it."""
    plain = [*segments[:5], segments[5].removesuffix(mirror_files.METADATA)]
    wants_metadata = plain != segments
    with parts.reader.snapshot() as store:
        mirrored = is_mirror(parts, store, segments)
        if not mirrored:
            request[SERIAL] = log.head(store).size
            found = linked.find(parts, request, store, plain)
    if mirrored:  # without the snapshot: upstream may take its time
        return await mirror_files.get(parts, request, segments)
    if wants_metadata:
        metadata = _metadata(found)
        document = await sending.document(parts, metadata)
        served = Served(found.filename + mirror_files.METADATA, metadata, len(document), found.row.upload_time)
        return sending.whole(request, document, served)
    if "application/json" in accept_of(request):
        return enveloped("releasefilemeta", _meta(found))
    return await sending.blob(parts, request, found.served)


async def delete(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Delete a file, or documentation."""
    caller = await parts.auth.caller(request.headers, request.remote or "")
    with parts.reader.snapshot() as store:
        mirrored = is_mirror(parts, store, segments)
        if not mirrored:
            found = linked.find(parts, request, store, segments)
    if mirrored:
        return await mirror_files.delete(parts, request, segments, caller)
    if isinstance(found.row, Result):
        raise Refused(f"{found.filename} goes with {found.row.filename}, and not alone")
    where, seen = (found.index, found.link.project, found.link.version), found.row.sha256
    force = "force" in request.query
    if isinstance(found.row, Documentation):
        await parts.submit(caller, DeleteDocumentation(*where, seen, force))
    else:
        await parts.submit(caller, DeleteFile(*where, found.filename, seen, force))
    return message(f"file {found.filename} deleted from {found.index}")


async def yank(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Yank a file or remove the mark: ``{"yanked": true | false | "reason"}``."""
    reason = yanked_of(await json_object(request))
    caller = await parts.auth.caller(request.headers, request.remote or "")
    with parts.reader.snapshot() as store:
        found = linked.find(parts, request, store, segments)
    if not isinstance(found.row, File):
        raise NotFound(f"{found.filename} is no distribution file")
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


def is_mirror(parts: Parts, store: Store, segments: list[str]) -> bool:
    """Return whether a path leads into a mirror."""
    return parts.mirrors.settings(store, parts.sources.own(store, index_of(segments))[1]) is not None


def _metadata(found: Found) -> bytes:
    """Return the digest of a file's core metadata."""
    row = found.row
    if not isinstance(row, File) or not row.metadata or row.filetype != "bdist_wheel":
        raise NotFound(f"{found.filename} has no core metadata")
    return row.metadata


def _meta(found: Found) -> dict[str, object]:
    row = found.row
    others = {"blake2b_256": row.blake2b_256.hex(), "md5": row.md5.hex()} if isinstance(row, File) else {}
    return {
        "project": found.link.project,
        "version": found.link.version,
        "last_modified": http_date(row.upload_time // 1_000_000),
        "hash_spec": f"sha256={row.sha256.hex()}",
        "hashes": {"sha256": row.sha256.hex(), **others},
        "size": row.size,
    }
