"""``/{user}/{index}/{project}`` and below it ``/{version}``: JSON for devpi's clients, deletion, yanking, status."""

from typing import Any
from urllib.parse import quote

from aiohttp import web

from changelog import contents
from changelog.errors import InvalidForm, LedgerpiError, NotFound
from changelog.names import FileName, IndexName, ProjectName, Version
from changelog.tables import Store
from changelog.views import fetched, files, projects, upstream
from changelog.views.files import File
from changelog.views.page import Status
from changelog.views.pages import Source
from server import missing
from server.answers import enveloped, message
from server.commands import DeleteProject, DeleteRelease, SetProjectStatus, YankFiles
from server.executors import for_reading
from server.handlers.files import is_mirror, yanked_of
from server.handlers.freshness import is_degraded, settled
from server.handlers.mirror_files import evict
from server.handlers.simple import redirect
from server.metadata import versiondata
from server.mirrors import Look, unavailable
from server.outside import outside_url
from server.parts import Parts
from server.render.links import Links
from server.requests import index_of, json_object, project_of, version_of

AT_ONCE = 500  # files that one command yanks


async def get_project(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Show all versions of a project, bases included; ``?ignore_bases``: none of a project that only they have."""
    name, project = index_of(segments), project_of(segments[2])
    if project != segments[2]:
        raise redirect(request, f"/{name}/{project}")
    base = outside_url(parts, request)
    every, looks = await settled(parts, request, name, project)
    asked = _shown_of(every, request)
    await _have_documents(parts, asked, project)

    def answer() -> web.Response:
        with parts.reader.snapshot() as store:
            found = _versions(parts, store, asked, project, base)
            if not found and not any(_numbers(parts, store, source, project) for source in every):
                raise _missing(name, project, looks)
        return enveloped("projectconfig", found)

    return await for_reading(answer)  # a project may have 100,000 files


async def get_version(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Show one version of a project."""
    name, project, version = index_of(segments), project_of(segments[2]), version_of(segments[3])
    if project != segments[2]:
        raise redirect(request, f"/{name}/{project}/{version}")
    base = outside_url(parts, request)
    asked, looks = await _asked(parts, name, project, request)
    await _have_documents(parts, asked, project, version)
    with parts.reader.snapshot() as store:
        found = _merged(parts, store, asked, (project, version), base)
    if found is None:
        raise _missing(name, f"{project} {version}", looks)
    return enveloped("versiondata", found)


async def delete_project(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Delete a project."""
    name, project = index_of(segments), project_of(segments[2])
    caller = await parts.auth.caller(request.headers, request.remote or "")
    with parts.reader.snapshot() as store:
        if is_mirror(parts, store, segments):
            index = parts.sources.own(store, name)[1]
            return await evict(parts, request, caller, (name, project), fetched.of_project(store, index, project))
    await parts.submit(caller, DeleteProject(name, project, "force" in request.query))
    return message(f"project {project} deleted from {name}")


async def delete_version(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Delete a release."""
    name, project, version = index_of(segments), project_of(segments[2]), version_of(segments[3])
    caller = await parts.auth.caller(request.headers, request.remote or "")
    with parts.reader.snapshot() as store:
        if is_mirror(parts, store, segments):
            index = parts.sources.own(store, name)[1]
            listed = parts.mirrors.mirrored.of(store, index, project)
            there = fetched.of_project(store, index, project)
            some = {n: row for n, row in there.items() if n in listed and listed[n].version == version}
            return await evict(parts, request, caller, (name, project), some)
    await parts.submit(caller, DeleteRelease(name, project, version, "force" in request.query))
    return message(f"project {project} version {version} deleted from {name}")


async def set_status(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Set a project's status: ``{"status": "archived", "reason": "..."}`` (PEP 792)."""
    name, project, body = index_of(segments), project_of(segments[2]), await json_object(request)
    status, reason = body.get("status"), body.get("reason", "")
    if body.keys() - {"status", "reason"} or not isinstance(reason, str) or status not in list(Status):
        raise InvalidForm(f'the body must be {{"status": {" or ".join(Status)}, "reason": text}}')
    caller = await parts.auth.caller(request.headers, request.remote or "")
    await parts.submit(caller, SetProjectStatus(name, project, str(status), reason[:1_000]))
    return message(f"project {project} in {name} is {status}")


async def yank_version(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Yank all files of a release or remove the marks: ``{"yanked": true | false | "reason"}``."""
    name, project, version = index_of(segments), project_of(segments[2]), version_of(segments[3])
    reason = yanked_of(await json_object(request))
    caller = await parts.auth.caller(request.headers, request.remote or "")
    with parts.reader.snapshot() as store:
        index = parts.sources.own(store, name)[1]
        names = [filename for filename, _ in _files(store, index, project, version)]
    if not names:
        raise NotFound(f"no files of {project} {version} in {name}")
    for start in range(0, len(names), AT_ONCE):
        some = tuple(names[start : start + AT_ONCE])
        await parts.submit(caller, YankFiles(name, project, version, some, reason))
    return message(f"{project} {version} is {'no longer yanked' if reason is None else 'yanked'}")


async def _asked(
    parts: Parts, name: IndexName, project: ProjectName, request: web.BaseRequest
) -> tuple[tuple[Source, ...], list[Look]]:
    asked, looks = await settled(parts, request, name, project)
    return _shown_of(asked, request), looks


def _shown_of(asked: tuple[Source, ...], request: web.BaseRequest) -> tuple[Source, ...]:
    return asked[:1] if "ignore_bases" in request.query else asked


async def _have_documents(
    parts: Parts, asked: tuple[Source, ...], project: ProjectName, version: Version | None = None
) -> None:
    """Have large core metadata fetched that a replica has not yet, of one version or of all."""
    if parts.fetching is None:  # nor looked for: a project may have 10,000 releases
        return
    with parts.reader.snapshot() as store:
        rows = [row for _, index in asked if (row := projects.find(store, index, project)) is not None]
        found = [release for row in rows for release in projects.releases(store, row.incarnation)]
    await missing.fetch_documents(parts, {release.metadata for number, release in found if version in (None, number)})


def _missing(name: IndexName, what: str, looks: list[Look]) -> LedgerpiError:
    if is_degraded(looks):
        return unavailable(name, looks)
    return NotFound(f"no {what} in {name}")


def _versions(parts: Parts, store: Store, asked: tuple[Source, ...], project: ProjectName, base: str) -> dict[str, Any]:
    names: dict[Version, None] = {}
    for source in asked:
        names.update(dict.fromkeys(_numbers(parts, store, source, project)))
    return {version: _merged(parts, store, asked, (project, version), base) for version in names}


def _numbers(parts: Parts, store: Store, source: Source, project: ProjectName) -> list[Version]:
    _, index = source
    row = projects.find(store, index, project)
    released = [] if row is None else [version for version, _ in projects.releases(store, row.incarnation)]
    return released + [file.version for file in parts.mirrors.mirrored.of(store, index, project).values()]


def _merged(
    parts: Parts, store: Store, asked: tuple[Source, ...], what: tuple[ProjectName, Version], base: str
) -> dict[str, Any] | None:
    """Return the version as the first index has it; those of later ones are ``+shadowing``."""
    found = [data for source in asked if (data := _shown(parts, store, source, what, base)) is not None]
    if not found:
        return None
    return found[0] | ({"+shadowing": found[1:]} if len(found) > 1 else {})


def _shown(
    parts: Parts, store: Store, source: Source, what: tuple[ProjectName, Version], base: str
) -> dict[str, Any] | None:
    (name, index), (project, version) = source, what
    row = projects.find(store, index, project)
    release = None if row is None else projects.find_release(store, row.incarnation, version)
    if row is None or release is None:
        return _mirrored(parts, store, source, what, base)
    document = contents.read(store, parts.blobs, release.metadata) if release.metadata else b""
    made = Links(store, base, name).of_release(release.incarnation, project, version)
    links = [] if row.status is Status.QUARANTINED else list(made)
    return {**versiondata(document), "name": project, "version": version, "+links": links}


def _mirrored(
    parts: Parts, store: Store, source: Source, what: tuple[ProjectName, Version], base: str
) -> dict[str, Any] | None:
    """Return a version as a mirror has it: what its page says of the files."""
    (name, index), (project, version) = source, what
    page = upstream.find(store, index, project)
    some = [file for file in parts.mirrors.mirrored.of(store, index, project).values() if file.version == version]
    if page is None or not some:
        return None
    links = []
    for file in some if page.status is not Status.QUARANTINED else ():
        got = fetched.find(store, index, project, file.filename) or fetched.NOTHING
        shown = upstream.page_file(name, file, got)
        hashes = {**dict(file.hashes), **({"sha256": shown.sha256.hex()} if shown.sha256 else {})}
        href = f"{base}/{name}/{quote(shown.path, safe='/+')}"
        links.append({"rel": "releasefile", "href": href, "hashes": hashes, "log": []})
        if shown.sha256:
            links[-1]["hash_spec"] = f"sha256={shown.sha256.hex()}"
    return {"name": project, "version": version, "+links": links}


def _files(store: Store, index: int, project: ProjectName, version: Version) -> list[tuple[FileName, File]]:
    row = projects.find(store, index, project)
    release = None if row is None else projects.find_release(store, row.incarnation, version)
    return [] if release is None else list(files.of_release(store, release.incarnation))
