"""``POST`` on ``/{user}/{index}``: the form of an upload, or as JSON a release that is pushed to another index."""

import time
from collections.abc import Iterator

from aiohttp import web

from changelog.errors import BlobDamaged, Unauthenticated, Unavailable
from changelog.names import IndexName, index_name, normalize
from changelog.tables import Store
from changelog.views import indexes, projects
from changelog.views.page import file_path
from server import releases
from server.answers import enveloped
from server.commands import Caller
from server.decide.projects import stage
from server.decide.pushed_results import NOTHING, There
from server.decide.pushes import check_target
from server.handlers import uploads, xmlrpc
from server.limits import READ
from server.parts import Parts
from server.permissions import deny, existing
from server.push_commands import PushRelease
from server.push_forms import TAKEN, Row, post_release
from server.pushed import Wanted, read
from server.releases import Release
from server.requests import index_of, json_object

ATTEMPTS = 3  # a mirror's file may be evicted while others are fetched


async def post(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Take a form, a release to push, or the search of an old pip.

    The method PUSH of devpi's client comes here too: ``server/methods.py``.
    """
    if request.content_type == xmlrpc.MEDIA_TYPE:
        return await xmlrpc.search(parts, request, segments)
    if request.content_type == "application/json":
        return await push(parts, request, segments)
    return await uploads.post(parts, request, segments)


async def push(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Push a release and tell what became of each part of it."""
    source, wanted = index_of(segments), read(await json_object(request))
    caller = await parts.auth.caller(request.headers, request.remote or "")
    target = None if wanted.target is None else index_name(wanted.target)
    project = normalize(wanted.name)
    with parts.reader.snapshot() as store:
        existing(store, source)
        if target is not None:
            parts.sources.check(store, target, caller, reads=False)  # a private one is none to others
            check_target(caller, target, stage(store, target), project)
    if not caller.may(READ, source, project):
        deny(caller, f"read {project} of {source}")
    if target is not None:
        return enveloped("actionlog", await _to_index(parts, caller, source, wanted, target))
    if not caller.user:  # else anybody could have this server send files to whomever
        raise Unauthenticated("who you are must be known to push to another server")
    if parts.mirrors.offline:
        raise Unavailable("no other server is asked (--offline-mode)")
    rows = await post_release(parts, wanted, await releases.wanted(parts, source, wanted))
    return enveloped("actionlog", rows, status=200 if rows[-1][0] in TAKEN else 502)


async def _to_index(parts: Parts, caller: Caller, source: IndexName, wanted: Wanted, target: IndexName) -> list[Row]:
    for attempt in range(ATTEMPTS):
        release = await releases.wanted(parts, source, wanted)
        command = PushRelease(
            index=target,
            source=source,
            project=release.project,
            version=release.version,
            metadata=release.metadata,
            pushed_at=time.time_ns() // 1_000,
            files=release.files,
            documentation=release.documentation,
        )
        try:
            await parts.submit(caller, command, contents=release.contents)
        except BlobDamaged as error:
            if attempt == ATTEMPTS - 1:
                raise Unavailable(f"a file can not be had: {error}") from error
        else:
            break
    with parts.reader.snapshot() as store:
        return list(_rows(store, release, wanted, target))


def _rows(store: Store, release: Release, wanted: Wanted, target: IndexName) -> Iterator[Row]:
    """Yield what became of each part: all was done, or nothing."""
    row = _target(store, target, release)
    yield (200, "register", wanted.name, wanted.version, "->", target)
    for file in release.files:
        yield (200, "store_releasefile", f"{target}/{file_path(file.sha256, file.filename)}")
        there = There.of_file(store, row.incarnation, file.filename) if row is not None and file.results else NOTHING
        for result in file.results:
            name = there.name_of(result) or result.name  # deleted meanwhile
            yield (200, "store_toxresult", f"{target}/{file_path(file.sha256, name)}")
    if release.documentation is not None:
        yield (200, "store_doczip", wanted.name, wanted.version, "->", target)


def _target(store: Store, target: IndexName, release: Release) -> projects.Release | None:
    """Return the release there, None if somebody deleted it meanwhile."""
    index = indexes.find(store, target)
    project = None if index is None else projects.find(store, index.incarnation, release.project)
    return None if project is None else projects.find_release(store, project.incarnation, release.version)
