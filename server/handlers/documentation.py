"""``+doc`` and ``+d`` below a version: documentation out of its zip file, bare or in a frame."""

import hashlib
from collections.abc import Iterator
from itertools import chain

from aiohttp import web
from attrs import frozen

from changelog import log
from changelog.errors import BlobDamaged, InvalidArchive, NotFound, Refused
from changelog.names import IndexName, ProjectName, Version
from changelog.tables import Store
from changelog.views import documentation, guard, projects
from changelog.views.documentation import Documentation
from changelog.views.page import Status
from changelog.views.pages import Source
from server.archives.documentation import INDEX, Directory
from server.archives.zip_directory import Member
from server.executors import for_reading
from server.handlers.sending import content_type
from server.handlers.simple import redirect
from server.member_answer import MemberAnswer, small
from server.parts import Parts
from server.readers import reader_of
from server.render.frame import frame
from server.render.ranges import http_date, if_none_match
from server.requests import SERIAL, index_of, project_of, version_of
from server.versions import newest

LATEST, STABLE = "latest", "stable"  # in place of a version
ALONE = "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads"  # an origin of its own
HEADERS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": ALONE, "Cache-Control": "no-cache"}
OWN_PAGE = "default-src 'none'; frame-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"


@frozen
class Found:
    """Documentation, and where it was found."""

    index: IndexName
    project: ProjectName
    version: Version
    row: Documentation


async def get(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Send a page, picture or script of a documentation."""
    found = await _found(parts, request, segments)
    directory, _, member = await _member(parts, request, found, segments)
    etag = f'"{hashlib.sha256(found.row.sha256 + member.name.encode()).hexdigest()}"'
    modified = http_date(found.row.upload_time // 1_000_000)
    headers = {**HEADERS, "ETag": etag, "Last-Modified": modified, "Content-Type": content_type(member.name)}
    if if_none_match(request.headers.get("If-None-Match", ""), etag):
        return web.Response(status=304, headers=headers)
    blob = parts.blobs.path(found.row.sha256)
    try:
        body = await for_reading(small, blob, directory.end, member)
    except InvalidArchive as error:
        raise _unreadable(found, error) from error
    if body is not None:
        return web.Response(body=body, headers=headers)
    return MemberAnswer(blob, directory.end, member, headers)


async def get_framed(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Show a page of documentation in a frame, with the way to other versions of it."""
    found = await _found(parts, request, segments)
    _, path, _ = await _member(parts, request, found, segments)  # else the frame would be there, and a 404 in it
    body = frame(found.project, found.version, segments[3], path, depth=len(segments) - 4)
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": OWN_PAGE}
    return web.Response(text=body, headers={**headers, "Cache-Control": "no-cache"})


async def _found(parts: Parts, request: web.BaseRequest, segments: list[str]) -> Found:
    """Return the documentation that the first four segments name.

    Raises:
        NotFound: there is none.
        Refused: the project is quarantined (PEP 792).
    """
    name, project, version = index_of(segments), project_of(segments[2]), version_of(segments[3])
    if project != segments[2]:
        raise redirect(request, "/".join([name, project, *segments[3:], *_slash(request)]))

    def look() -> Found | None:
        with parts.reader.snapshot() as store:
            request[SERIAL] = log.head(store).size
            asked = guard.visible(store, parts.sources.order(store, name, reader_of(request), project), project)
            _check_shown(store, asked, project)
            return _by_word(store, asked, project, version) or _exactly(store, asked, project, version)

    found = await for_reading(look)  # a project may have 10,000 releases
    if found is None:
        raise NotFound(f"no documentation of {project} {version} in {name}")
    return found


def _exactly(store: Store, asked: tuple[Source, ...], project: ProjectName, version: Version) -> Found | None:
    rows = ((name, documentation.find(store, index, project, version)) for name, index in asked)
    return next((Found(name, project, version, row) for name, row in rows if row is not None), None)


def _by_word(store: Store, asked: tuple[Source, ...], project: ProjectName, word: str) -> Found | None:
    """Return the newest documentation, or the newest of a final release, where *word* asks for it."""
    if word not in (LATEST, STABLE):
        return None
    documented = chain.from_iterable(_documented(store, index, project) for _, index in asked)
    version = newest(documented, stable=word == STABLE)
    return None if version is None else _exactly(store, asked, project, version)


def _documented(store: Store, index: int, project: ProjectName) -> Iterator[Version]:
    row = projects.find(store, index, project)
    for version, release in () if row is None else projects.releases(store, row.incarnation):
        if documentation.of_release(store, release.incarnation) is not None:
            yield version


def _check_shown(store: Store, asked: tuple[Source, ...], project: ProjectName) -> None:
    for name, index in asked:
        row = projects.find(store, index, project)
        if row is not None and row.status is Status.QUARANTINED:
            raise Refused(f"the project {project} in {name} is quarantined")


async def _member(
    parts: Parts, request: web.BaseRequest, found: Found, segments: list[str]
) -> tuple[Directory, str, Member]:
    """Return what documentation holds, the path inside it that is asked for, and what is there.

    Raises:
        NotFound: nothing is.
    """
    path = _path(request, segments)
    directory = await _directory(parts, found)
    member = directory.page(path)
    if member is None and directory.page(path + "/") is not None:
        raise redirect(request, "/".join([*segments, ""]))
    if member is None:
        raise NotFound(f"no {path or INDEX} in the documentation of {found.project} {found.version}")
    return directory, path, member


async def _directory(parts: Parts, found: Found) -> Directory:
    """Return what the zip file holds, which is checked against its digest once; a replica may fetch it first.

    Raises:
        NotFound: it is no zip file that can be read; it was imported then.
    """
    row = found.row
    try:
        await parts.files.open(row.sha256, row.size)
    except BlobDamaged:
        if parts.fetching is None:
            raise
        await parts.fetching.whole(row.sha256, damaged=parts.blobs.has(row.sha256))
    try:
        return await parts.directories.of(row.sha256, row.size)
    except InvalidArchive as error:
        raise _unreadable(found, error) from error


def _unreadable(found: Found, error: InvalidArchive) -> NotFound:
    return NotFound(f"the documentation of {found.project} {found.version} can not be read: {error}")


def _path(request: web.BaseRequest, segments: list[str]) -> str:
    """Return the path inside the documentation, "" or with a slash at its end where a folder is meant."""
    if len(segments) == 5 and not _slash(request):  # noqa: PLR2004 - the folder itself
        raise redirect(request, "/".join([*segments, ""]))
    return "/".join([*segments[5:], *_slash(request)]) if len(segments) > 5 else ""  # noqa: PLR2004


def _slash(request: web.BaseRequest) -> list[str]:
    return [""] if request.raw_path.partition("?")[0].endswith("/") else []
