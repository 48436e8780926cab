"""A release as it is pushed: what its index has of it, fetched from upstream where that is a mirror."""

import asyncio
import hashlib
from contextlib import suppress
from pathlib import Path

from attrs import evolve, frozen

from changelog import contents
from changelog.errors import BlobDamaged, InvalidForm, InvalidName, NotFound, Refused, Unavailable
from changelog.events.files import FileAction
from changelog.events.upstream import MirroredFile
from changelog.names import FileName, IndexName, ProjectName, UserName, Version, project_name
from changelog.names import version as version_name
from changelog.tables import Store
from changelog.views import documentation, fetched, files, history, projects, results, upstream
from changelog.views.documentation import Documentation
from changelog.views.files import File
from changelog.views.page import Status
from changelog.views.pages import Source
from changelog.views.results import Result
from server import archives, filenames, incoming, missing
from server.executors import in_thread
from server.filenames import Distribution
from server.growing import Arrived, first_news
from server.mirrors import State, unavailable
from server.parts import Parts
from server.push_commands import PushedDocumentation, PushedFile, PushedResult
from server.pushed import Wanted

KEPT_S = 60.0  # until a file that came is a blob
LOOK_S = 0.02  # between two looks whether it is
MAX_ACTIONS = 200  # that a file brings along
ATTEMPTS = 3  # to have a file that others may evict meanwhile


@frozen
class Release:
    """A release of an index, whose files are here."""

    source: IndexName
    project: ProjectName
    version: Version
    metadata: bytes  # SHA-256, b"" = none
    files: tuple[PushedFile, ...]  # by name
    documentation: PushedDocumentation | None = None
    contents: tuple[tuple[bytes, bytes], ...] = ()  # small core metadata that the log does not have yet


async def wanted(parts: Parts, name: IndexName, what: Wanted) -> Release:
    """Return the release that a client wants pushed, those parts of it.

    Raises:
        InvalidForm: it is none of the index itself. NotFound: there is nothing of it to push.
        Unavailable, Refused: as :func:`of_index`.
        Unavailable, StorageFull: a part of it is not here, and can not be had from another node.
    """
    try:
        project, version = project_name(what.name), version_name(what.version)
    except InvalidName as error:
        raise InvalidForm(f"there are no files for {what.name[:200]} {what.version[:200]} on {name}") from error
    release = await of_index(parts, name, project, version)
    release = evolve(
        release,
        files=release.files if what.files else (),
        documentation=release.documentation if what.docs else None,
    )
    if not release.files and release.documentation is None:
        raise NotFound(f"no release/files found for {what.name} {what.version}")
    await _have(parts, release)
    return release


async def _have(parts: Parts, release: Release) -> None:
    """Have fetched what is not here: a primary that was a replica may have entries without their files."""
    blobs = [(file.sha256, file.size) for file in release.files]
    blobs += [(result.sha256, result.size) for file in release.files for result in file.results]
    if release.documentation is not None:
        blobs.append((release.documentation.sha256, release.documentation.size))
    await missing.fetch(parts, blobs)
    brought = {digest for digest, _ in release.contents}
    documents = {release.metadata, *(file.metadata for file in release.files)}
    await missing.fetch_documents(parts, documents - brought)


async def of_index(parts: Parts, name: IndexName, project: ProjectName, version: Version) -> Release:
    """Return a release of the index itself, bases left out.

    Raises:
        NotFound: no such index.
        InvalidForm: it has no such release.
        Unavailable: it is a mirror, and a file can not be fetched.
        Refused: the project is quarantined (PEP 792).
    """
    with parts.reader.snapshot() as store:
        source = parts.sources.own(store, name)
        if parts.mirrors.settings(store, source[1]) is None:
            return _of_stage(store, source, project, version)
    return await _of_mirror(parts, source, project, version)


def _of_stage(store: Store, source: Source, project: ProjectName, version: Version) -> Release:
    name, index = source
    row = projects.find(store, index, project)
    release = None if row is None else projects.find_release(store, row.incarnation, version)
    if row is None or release is None:
        raise _missing(name, project, version)
    _check_offered(name, project, row.status)
    tests: dict[FileName, list[PushedResult]] = {}
    for result_name, result in results.of_release(store, release.incarnation):
        there = PushedResult(
            name=result_name,
            size=result.size,
            sha256=result.sha256,
            upload_time=result.upload_time,
            uploader=result.uploader,
            actions=_actions(store, name, result),
        )
        tests.setdefault(result.filename, []).append(there)
    pushed = tuple(
        _of_file(store, name, (filename, file), tuple(tests.get(filename, ())))
        for filename, file in files.of_release(store, release.incarnation)
    )
    documented = documentation.of_release(store, release.incarnation)
    docs = None if documented is None else _of_documentation(store, name, documented)
    return Release(name, project, version, release.metadata, pushed, docs)


def _of_file(
    store: Store, index: IndexName, named: tuple[FileName, File], tests: tuple[PushedResult, ...]
) -> PushedFile:
    filename, file = named
    return PushedFile(
        filename=filename,
        size=file.size,
        sha256=file.sha256,
        blake2b_256=file.blake2b_256,
        md5=file.md5,
        metadata=file.metadata,
        requires_python=file.requires_python,
        filetype=file.filetype,
        pyversion=file.pyversion,
        upload_time=file.upload_time,
        uploader=file.uploader,
        yanked=file.yanked,
        actions=_actions(store, index, file),
        results=tests,
    )


def _of_documentation(store: Store, index: IndexName, row: Documentation) -> PushedDocumentation:
    return PushedDocumentation(row.size, row.sha256, row.upload_time, row.uploader, _actions(store, index, row))


def _actions(store: Store, index: IndexName, row: File | Documentation | Result) -> tuple[FileAction, ...]:
    """Return what was done with something, how often it was replaced here left out; of a long story both ends."""
    told = [action for action in history.of_file(store, index, row) if action.what != history.OVERWRITE]
    return tuple(told if len(told) <= MAX_ACTIONS else [told[0], *told[1 - MAX_ACTIONS :]])


async def _of_mirror(parts: Parts, source: Source, project: ProjectName, version: Version) -> Release:
    name, index = source
    with parts.reader.snapshot() as store:
        looks = parts.mirrors.look(store, [source], project)
    looks = await parts.mirrors.ask(looks, project)
    with parts.reader.snapshot() as store:
        page = upstream.find(store, index, project)
        listed = parts.mirrors.mirrored.of(store, index, project)
    if page is None and any(look.state is State.FAILED for look in looks):
        raise unavailable(name, looks)
    some = sorted((file for file in listed.values() if file.version == version), key=lambda file: file.filename)
    if page is None or not some:
        raise _missing(name, project, version)
    _check_offered(name, project, page.status)
    taken = [await _taken(parts, (index, project), file) for file in some]
    small = {digest: raw for _, digest, raw in taken if raw and contents.is_small(raw)}
    pushed = tuple(file for file, _, _ in taken)
    metadata = next((file.metadata for file in reversed(pushed) if file.metadata), b"")
    return Release(name, project, version, metadata, pushed, None, tuple(small.items()))


async def _taken(parts: Parts, where: tuple[int, ProjectName], file: MirroredFile) -> tuple[PushedFile, bytes, bytes]:
    """Return a file of a mirror, and its core metadata with their digest; both are fetched if need be."""
    distribution = filenames.parse_lenient(file.filename, where[1], "")
    for _ in range(ATTEMPTS):
        path = await _fetched(parts, where, file)
        try:
            pushed, raw = await in_thread(_described, path, file, distribution)
        except FileNotFoundError:
            continue  # evicted meanwhile
        if file.core_metadata and hashlib.sha256(raw).digest() != file.core_metadata:
            raw = await parts.mirrors.metadata(*where, file.filename)  # upstream serves other ones than the archive has
        await in_thread(incoming.publish_metadata, raw, parts.blobs, parts.spool)
        digest = hashlib.sha256(raw).digest() if raw else b""
        return pushed._replace(metadata=digest), digest, raw
    raise Unavailable(f"{file.filename} was evicted again and again: the cache is too small")


async def _fetched(parts: Parts, where: tuple[int, ProjectName], file: MirroredFile) -> Path:
    """Return where a file's bytes lie, once they are here."""
    digest, got = _digests(parts, where, file)
    if got:
        with suppress(Unavailable):  # then upstream is asked, as for those who read it
            await missing.fetch(parts, [(got, file.size or 0)])
    if not (digest and parts.blobs.has(digest, file.size)):
        if parts.mirrors.offline:
            raise Unavailable(f"{file.filename} is not cached, and upstreams are not asked (--offline-mode)")
        digest = await _arrived(parts, where, file)
        await _kept(parts, digest, file)
    return parts.blobs.path(digest)


async def _arrived(parts: Parts, where: tuple[int, ProjectName], file: MirroredFile) -> bytes:
    """Have a file fetched and return its SHA-256."""
    news = await first_news(parts.mirrors.download(*where, file.filename, damaged=False))
    if isinstance(news, Arrived):
        return news.sha256
    while not news.sha256:
        await news.next()
    return news.sha256


async def _kept(parts: Parts, digest: bytes, file: MirroredFile) -> None:
    """Wait until a file that came is a blob; where it was fetched before and evicted, no new entry says so."""
    try:
        async with asyncio.timeout(KEPT_S):
            while not parts.blobs.has(digest, file.size):  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(LOOK_S)
    except TimeoutError as error:
        raise Unavailable(f"{file.filename} came and could not be kept") from error


def _described(path: Path, file: MirroredFile, distribution: Distribution) -> tuple[PushedFile, bytes]:
    """Read what upstream does not say of a file; blocking."""
    with path.open("rb") as content:
        digests = (hashlib.sha256(), hashlib.blake2b(digest_size=32), hashlib.md5(usedforsecurity=False))
        while piece := content.read(1 << 20):
            for each in digests:
                each.update(piece)
    sha256, blake2b_256, md5 = (each.digest() for each in digests)
    if file.sha256 not in {b"", sha256}:
        raise BlobDamaged(f"the bytes of {file.filename} have the SHA-256 {sha256.hex()}")
    status = path.stat()
    pushed = PushedFile(
        filename=file.filename,
        size=status.st_size,
        sha256=sha256,
        blake2b_256=blake2b_256,
        md5=md5,
        metadata=b"",
        requires_python=file.requires_python,
        filetype=distribution.filetype,
        pyversion=distribution.pyversion,
        upload_time=status.st_mtime_ns // 1_000 if file.upload_time is None else file.upload_time,
        uploader=UserName(""),
        yanked=file.yanked,
        actions=(),
        results=(),
    )
    return pushed, archives.inspect(path, distribution, strict=False).metadata or b""


def _digests(parts: Parts, where: tuple[int, ProjectName], file: MirroredFile) -> tuple[bytes, bytes]:
    """Return the digest that a file must have, and the same if it was fetched already; b"" = nobody knows, or not."""
    with parts.reader.snapshot() as store:
        got = fetched.find(store, *where, file.filename) or fetched.NOTHING
    digest = file.sha256 or got.sha256
    return digest, digest if got.sha256 else b""


def _check_offered(name: IndexName, project: ProjectName, status: Status) -> None:
    if status is Status.QUARANTINED:
        raise Refused(f"the project {project} in {name} is quarantined")


def _missing(name: IndexName, project: ProjectName, version: Version) -> InvalidForm:
    return InvalidForm(f"there are no files for {project} {version} on {name}")
