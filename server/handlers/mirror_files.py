"""Files of mirrors: served from blobs, or handed on while they are fetched."""

import time
from contextlib import suppress

from aiohttp import web
from attrs import frozen

from changelog import contents, log
from changelog.errors import BlobDamaged, Gone, NotFound, Refused, Unavailable
from changelog.events.upstream import MirroredFile
from changelog.names import FileName, IndexName, ProjectName, file_name
from changelog.tables import Store
from changelog.views import fetched, upstream
from changelog.views.fetched import Fetched
from changelog.views.page import Status
from changelog.views.pages import Source
from server import readers
from server.answers import enveloped, message
from server.commands import Caller
from server.growing import Arrived, first_news
from server.handlers import sending
from server.handlers.sending import FOREVER, Served
from server.limits import DELETE, READ
from server.mirrors import State, unavailable
from server.parts import Parts
from server.permissions import check_delete, check_volatile, deny, existing
from server.render.ranges import http_date
from server.requests import SERIAL, UNTIL, accept_of, index_of
from server.upstream.candidates import project_candidates

METADATA = ".metadata"  # appended to a file's URL (PEP 658)
NOT_FOR_EVER = "max-age=600, public"  # of files whose URL does not have their digest
USED_AGAIN_S = 60.0  # that an answer is kept before the use of the file is noted again


@frozen
class Found:
    """A file of a mirror, and what was fetched of it."""

    name: IndexName
    index: int
    project: ProjectName
    file: MirroredFile
    got: Fetched

    @property
    def sha256(self) -> bytes:
        """The digest that the file must have, b"" = nobody knows."""
        return self.file.sha256 or self.got.sha256

    @property
    def size(self) -> int | None:
        """Bytes, None = nobody knows."""
        return self.got.size if self.file.size is None and self.got.sha256 else self.file.size

    def served(self, size: int, sha256: bytes, suffix: str = "") -> Served:
        """Return how it is sent, or with the *suffix* .metadata its core metadata."""
        forever = FOREVER if self.file.sha256 else NOT_FOR_EVER
        return Served(self.file.filename + suffix, sha256, size, self.file.upload_time, forever)


async def get(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """Send a file, its core metadata, or as JSON what is known of it.

    The path is ``+f/<3 hex>/<13 hex>/<filename>`` or, if upstream does not say the digest, ``+e/<16 hex>/<filename>``.
    """
    *folders, filename = segments
    found = await find(parts, readers.reader_of(request), READ, [*folders, filename.removesuffix(METADATA)])
    if filename.endswith(METADATA):
        return await _metadata(parts, request, found)
    if "application/json" in accept_of(request):
        return enveloped("releasefilemeta", _meta(parts, found))
    with parts.reader.snapshot() as store:
        settings = parts.mirrors.settings(store, found.index)
        serial = log.head(store).size
    url = settings.public_url(found.project, found.file.url) if settings is not None and settings.external else ""
    if url:
        raise web.HTTPFound(url)
    size = _size_here(parts, found)
    if size is None and parts.fetching is not None and found.got.sha256:
        size = found.got.size  # another node of the cluster has fetched it
    if size is not None:
        answer = await _cached(parts, request, found.served(size, found.sha256))
        if answer is not None:
            if not found.got.sha256:  # an upload or another mirror has it, or a crash came before the entry
                parts.mirrors.adopt(found.index, found.project, found.file.filename)
            request[SERIAL], request[UNTIL] = serial, time.time() + USED_AGAIN_S
            return answer
    if parts.through is not None and not parts.mirrors.offline:
        return await parts.through(request)
    return await _fetch(parts, request, found, damaged=size is not None)


async def delete(parts: Parts, request: web.BaseRequest, segments: list[str], caller: Caller) -> web.StreamResponse:
    """Remove the cached bytes of a file; the next request fetches them again."""
    found = await find(parts, caller, DELETE, segments)
    where = (found.name, found.project)
    return await evict(parts, request, caller, where, {found.file.filename: found.got})


async def delete_by_location(parts: Parts, request: web.BaseRequest, segments: list[str]) -> web.StreamResponse:
    """As :func:`delete`."""
    caller = await parts.auth.caller(request.headers, request.remote or "")
    return await delete(parts, request, segments, caller)


async def evict(
    parts: Parts,
    request: web.BaseRequest,
    caller: Caller,
    where: tuple[IndexName, ProjectName],
    files: dict[FileName, Fetched],
) -> web.StreamResponse:
    """Remove cached bytes of a project of a mirror; uploads of the same bytes stay."""
    name, project = where
    with parts.reader.snapshot() as store:
        index = existing(store, name)
    check_delete(caller, name, index, project)
    check_volatile(name, index, force="force" in request.query)
    digests = [row.sha256 for row in files.values() if row.sha256]
    (gone,) = await parts.submit.ask("evict", digests, 0)
    return message(f"{len(gone)} cached files removed from {name}")


async def find(parts: Parts, caller: Caller, verb: str, segments: list[str]) -> Found:
    """Return the file of a path, once upstream was asked where its page is not known or not fresh.

    Upstream is not asked about projects that the caller's token is not for: *verb* is one of :mod:`server.limits`.

    Raises:
        NotFound, Gone: the mirror's page has no such file.
        Unavailable: upstream has to be asked and does not answer.
        Refused: its project is quarantined (PEP 792), or the token is not for what *verb* says.
    """
    name, filename, digest = index_of(segments), file_name(segments[-1]), _digest(segments)
    candidates = project_candidates(filename)
    allowed = [project for project in candidates if caller.may(verb, name, project)]
    if candidates and not allowed and verb != READ:
        deny(caller, f"change files of {name}")
    reason = None
    for project in allowed:
        with parts.reader.snapshot() as store:
            source = parts.sources.own(store, name)
            found = _look_up(parts, store, source, project, filename, digest)
            looks = parts.mirrors.look(store, [source], project)
        if found is None and any(look.state is State.ASK for look in looks):
            looks = await parts.mirrors.ask(looks, project)
            with parts.reader.snapshot() as store:
                found = _look_up(parts, store, source, project, filename, digest)
        if found is not None:
            return found
        if any(look.known for look in looks):
            _raise_if_gone(parts, source, project, filename, digest)
        if any(look.state in (State.FAILED, State.STALE) for look in looks):
            reason = unavailable(name, looks)
    raise reason or NotFound(f"no such file in {name}: {filename}")


def _look_up(  # noqa: PLR0913, PLR0917 - what a path says
    parts: Parts, store: Store, source: tuple[IndexName, int], project: ProjectName, filename: FileName, digest: bytes
) -> Found | None:
    name, index = source
    file = parts.mirrors.mirrored.of(store, index, project).get(filename)
    if file is None:
        return None
    if digest != (file.sha256[: len(digest)] or upstream.location_digest(file)):
        return None
    page = upstream.find(store, index, project)
    if page is not None and page.status is Status.QUARANTINED:
        raise Refused(f"the project {project} in {name} is quarantined")
    return Found(name, index, project, file, fetched.find(store, index, project, filename) or fetched.NOTHING)


def _raise_if_gone(parts: Parts, source: Source, project: ProjectName, filename: FileName, digest: bytes) -> None:
    """Raise Gone if the file was here with the digest of the path."""
    name, index = source
    with parts.reader.snapshot() as store:
        got = fetched.find(store, index, project, filename) or fetched.NOTHING
        alarm = fetched.alarm(store, index, project, filename)
    known = b"" if alarm is None else alarm.known
    if digest in (got.sha256[: len(digest)], known[: len(digest)]):
        raise Gone(f"{filename} was removed from {name} or replaced")


def _digest(segments: list[str]) -> bytes:
    try:
        digest = bytes.fromhex("".join(segments[3:-1]))
    except ValueError as error:
        raise NotFound("no such file: the path has no digest") from error
    if len(digest) != upstream.LOCATION_BYTES:
        raise NotFound("no such file: the path has no digest")
    return digest


async def _metadata(parts: Parts, request: web.BaseRequest, found: Found) -> web.StreamResponse:
    digest = found.file.core_metadata or found.got.metadata
    with parts.reader.snapshot() as store:
        request[SERIAL] = log.head(store).size
        raw = _stored(parts, store, digest) if digest else None
    if raw is None and digest and parts.fetching is not None:
        with suppress(Unavailable):  # then upstream is asked, as elsewhere
            raw = await sending.document(parts, digest)
    if raw is None:
        if parts.mirrors.offline:
            raise NotFound(f"the core metadata of {found.file.filename} are not cached")
        del request[SERIAL]
        if parts.through is not None:
            return await parts.through(request)
        raw = await parts.mirrors.metadata(found.index, found.project, found.file.filename)
    return sending.whole(request, raw, found.served(len(raw), digest, METADATA))


def _stored(parts: Parts, store: Store, digest: bytes) -> bytes | None:
    try:
        return contents.read(store, parts.blobs, digest)
    except BlobDamaged:
        return None  # not fetched yet, or to be fetched again


def _size_here(parts: Parts, found: Found) -> int | None:
    """Return the size of the file if its bytes are here, in bytes."""
    try:
        size = parts.blobs.path(found.sha256).stat().st_size if found.sha256 else None
    except FileNotFoundError:
        return None
    return size if found.size in {None, size} else None


async def _cached(parts: Parts, request: web.BaseRequest, served: Served) -> web.StreamResponse | None:
    """Return the answer from a blob, None if that was removed or is damaged, and no other node has it."""
    try:
        answer = await sending.blob(parts, request, served)
    except (BlobDamaged, Unavailable):
        if parts.mirrors.offline:
            raise
        await parts.submit.ask("evict", [served.sha256], 0)
        return None
    parts.mirrors.used(served.sha256, served.size)
    return answer


async def _fetch(parts: Parts, request: web.BaseRequest, found: Found, *, damaged: bool = False) -> web.StreamResponse:
    """Hand the file on while it is fetched; also if there is a blob, that is *damaged*."""
    if parts.mirrors.offline:
        raise Unavailable(f"{found.file.filename} is not cached, and upstreams are not asked (--offline-mode)")
    if found.sha256 and sending.not_modified(request, known := found.served(found.size or 0, found.sha256)):
        return web.Response(status=304, headers=sending.headers_of(known))
    if request.method == "HEAD" and found.size is not None:
        return sending.head(found.served(found.size, found.sha256))
    where = (found.index, found.project, found.file.filename)
    news = await first_news(parts.mirrors.download(*where, damaged=damaged))
    if isinstance(news, Arrived):
        return await _arrived(parts, request, found, news)
    served = found.served(news.total, found.sha256 or news.sha256)
    return sending.growing(request, news, served)


async def _arrived(parts: Parts, request: web.BaseRequest, found: Found, news: Arrived) -> web.StreamResponse:
    served = found.served(news.size, news.sha256)
    if news.held or not news.size:
        return sending.whole(request, news.held, served)
    answer = await _cached(parts, request, served)
    if answer is None:
        raise Unavailable(f"{found.file.filename} was fetched and is gone again")
    return answer


def _meta(parts: Parts, found: Found) -> dict[str, object]:
    with parts.reader.snapshot() as store:
        settings = parts.mirrors.settings(store, found.index)
    file = found.file
    hashes = {**dict(file.hashes), **({"sha256": found.sha256.hex()} if found.sha256 else {})}
    shown: dict[str, object] = {"project": found.project, "version": file.version, "hashes": hashes}
    if found.sha256:
        shown["hash_spec"] = f"sha256={found.sha256.hex()}"
    if found.size is not None:
        shown["size"] = found.size
    if file.upload_time is not None:
        shown["last_modified"] = http_date(file.upload_time // 1_000_000)
    url = "" if settings is None else settings.public_url(found.project, file.url)
    return shown | ({"url": url} if url else {})
