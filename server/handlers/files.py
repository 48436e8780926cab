"""``+f``: distribution files and their core metadata; deletion and yanking."""

from aiohttp import web
from attrs import frozen

from changelog import log
from changelog.errors import Gone, InvalidForm, NotFound, Refused
from changelog.names import FileName, IndexName, file_name
from changelog.tables import Store
from changelog.views import files, links, projects
from changelog.views.files import File
from changelog.views.links import Link
from changelog.views.page import Status
from server.answers import enveloped, message
from server.commands import DeleteFile, YankFiles
from server.handlers import mirror_files, sending
from server.handlers.sending import Served
from server.parts import Parts
from server.render.ranges import http_date
from server.requests import SERIAL, accept_of, index_of, json_object


@frozen
class Found:
    """The file that a ``+f`` path leads to now."""

    index: IndexName
    filename: FileName
    link: Link
    row: File


async def get(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Send a file, its core metadata, or as JSON what is known of it."""
    plain = [*segments[:5], segments[5].removesuffix(mirror_files.METADATA)]
    wants_metadata = plain != segments
    with parts.reader.snapshot() as store:
        mirrored = is_mirror(parts, store, segments)
        if not mirrored:
            request[SERIAL] = log.head(store).size
            found = find(parts, store, plain)
    if mirrored:  # without the snapshot: upstream may take its time
        return await mirror_files.get(parts, request, segments)
    row = found.row
    if wants_metadata:
        document = await sending.document(parts, _metadata(found))
        served = Served(found.filename + mirror_files.METADATA, row.metadata, len(document), row.upload_time)
        return sending.whole(request, document, served)
    if "application/json" in accept_of(request):
        return enveloped("releasefilemeta", _meta(found))
    return await sending.blob(parts, request, Served(found.filename, row.sha256, row.size, row.upload_time))


async def delete(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Delete a file."""
    caller = await parts.auth.caller(request.headers, request.remote or "")
    with parts.reader.snapshot() as store:
        mirrored = is_mirror(parts, store, segments)
        if not mirrored:
            found = find(parts, store, segments)
    if mirrored:
        return await mirror_files.delete(parts, request, segments, caller)
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
    digest = path_digest(segments[3], segments[4])
    link = links.linked(store, index, digest, filename)
    if link is None:
        raise NotFound(f"no such file in {name}: {filename}")
    row = files.behind(store, index, link, digest, filename)
    if row is None:
        raise Gone(f"{filename} was deleted from {name} or replaced")
    project = projects.find(store, index, link.project)
    if project is not None and project.status is Status.QUARANTINED:
        raise Refused(f"the project {link.project} in {name} is quarantined")
    return Found(name, filename, link, row)


def is_mirror(parts: Parts, store: Store, segments: list[str]) -> bool:
    """Return whether a path leads into a mirror."""
    return parts.mirrors.settings(store, parts.sources.of(store, index_of(segments))[0][1]) is not None


def path_digest(first: str, second: str) -> bytes:
    """Return the 8 bytes in a ``+f`` path, or raise NotFound."""
    try:
        digest = bytes.fromhex(first + second)
    except ValueError as error:
        raise NotFound("no such file: the path has no digest") from error
    if len(first) != 3 or len(digest) != links.LINK_DIGEST_BYTES:  # noqa: PLR2004 - 3 + 13 digits
        raise NotFound("no such file: the path has no digest")
    return digest


def _metadata(found: Found) -> bytes:
    """Return the digest of a file's core metadata."""
    if not found.row.metadata or found.row.filetype != "bdist_wheel":
        raise NotFound(f"{found.filename} has no core metadata")
    return found.row.metadata


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
