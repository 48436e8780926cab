"""Distribution files as they are, by release and by link."""

from collections.abc import Iterator
from itertools import islice

from attrs import frozen

from changelog.codec import Stamp
from changelog.events.files import FileDeleted, FileUnyanked, FileUploaded, FileYanked
from changelog.names import FileName, IndexName, ProjectName, Sha256, UserName, Version
from changelog.tables import Store, Table, TimedTable, changed, serial_key
from changelog.views import digests, documentation, projects, serials
from changelog.views.digests import Digest
from changelog.views.links import LINK_DIGEST_BYTES, LINKS, Link, link_key
from changelog.views.page import PageFile
from changelog.views.projects import FILES_OF


@frozen
class File:
    """A distribution file; release incarnation and file name are the key."""

    since: int
    uploaded: int  # serial of its FileUploaded
    version: Version
    size: int  # bytes
    sha256: bytes
    blake2b_256: bytes
    md5: bytes
    metadata: bytes  # SHA-256, b"" = none
    requires_python: str
    filetype: str
    pyversion: str
    upload_time: int  # microseconds
    uploader: UserName
    overwrites: int  # how often this name was replaced by other bytes
    yanked: str | None


@frozen
class Named:
    """Which release has a file name; project incarnation and file name are the key.

    A file name says its version in one spelling of several (1.0 and 1.0.0), and may lie in one release only.
    """

    version: Version


FILES = TimedTable("files", File)
NAMED = Table("file_names", Named)


def on_file_uploaded(store: Store, event: FileUploaded, stamp: Stamp) -> None:
    """Add or replace the file, and make project and release where they are missing."""
    where = (event.index, event.project, event.version)
    project, release = projects.ensure_release(store, where, event.metadata, stamp.serial)
    key = file_key(release.incarnation, event.filename)
    before = None if release.incarnation == stamp.serial else FILES.get(store, key)
    if before is None:
        serials.count(store, FILES_OF, release.incarnation, 1)
        FILES.begin(store, key, _new_row(event, stamp.serial, 0))
    else:
        FILES.put(store, key, _new_row(event, stamp.serial, before.overwrites + 1))
    NAMED.put(store, file_key(project.incarnation, event.filename), Named(event.version))
    link = Link(event.project, project.incarnation, event.version, release.incarnation)
    LINKS.put(store, link_key(event.index, event.sha256, event.filename), link)
    digests.name(store, digests.BLOB, event.sha256, Digest(stamp.serial, event.size))
    digests.name(store, digests.METADATA, event.metadata, Digest(stamp.serial, 0))
    serials.touch_project(store, event.index, event.project, stamp.serial)


def on_file_deleted(store: Store, event: FileDeleted, stamp: Stamp) -> None:
    """Close the file, its release with its last file if it has no documentation, its project with its last release."""
    key, _ = _row(store, event)
    FILES.close(store, key, stamp.serial)
    release = int.from_bytes(key[:8])
    if serials.count(store, FILES_OF, release, -1) == 0 and documentation.of_release(store, release) is None:
        projects.end_release(store, event.index, event.project, event.version, stamp.serial)
    serials.touch_project(store, event.index, event.project, stamp.serial)


def on_file_yanked(store: Store, event: FileYanked, stamp: Stamp) -> None:
    """Mark the file."""
    _mark(store, event, stamp.serial, event.reason)


def on_file_unyanked(store: Store, event: FileUnyanked, stamp: Stamp) -> None:
    """Remove the mark."""
    _mark(store, event, stamp.serial, None)


def find(store: Store, index: int, project: ProjectName, version: Version, filename: FileName) -> File | None:
    """Return a file in the index with incarnation *index* itself, or None."""
    row = projects.find(store, index, project)
    release = None if row is None else projects.find_release(store, row.incarnation, version)
    return None if release is None else FILES.get(store, file_key(release.incarnation, filename))


def version_of(store: Store, index: int, project: ProjectName, filename: FileName) -> Version | None:
    """Return the version of the release that has a file of that name now, or None."""
    row = projects.find(store, index, project)
    named = None if row is None else NAMED.get(store, file_key(row.incarnation, filename))
    if named is None or find(store, index, project, named.version, filename) is None:
        return None  # deleted, by itself or with its release
    return named.version


def behind(store: Store, index: int, link: Link, digest: bytes, filename: FileName) -> File | None:
    """Return the file that *link* leads to, or None if that one was deleted or replaced."""
    row = find(store, index, link.project, link.version, filename)
    return row if row is not None and row.sha256[:LINK_DIGEST_BYTES] == digest else None


def of_release(store: Store, release: int) -> Iterator[tuple[FileName, File]]:
    """Yield names and files of the release with incarnation *release*."""
    for key, row in FILES.scan(store, serial_key(release)):
        yield FileName(key[8:].decode()), row


def of_project(store: Store, index: IndexName, project: int) -> Iterator[PageFile]:
    """Yield the files of the project with incarnation *project*, by version, then by name."""
    for _, release in projects.releases(store, project):
        for filename, row in of_release(store, release.incarnation):
            yield page_file(index, filename, row)


def are_few(store: Store, project: int, at_most: int) -> bool:
    """Return whether the project with incarnation *project* has *at_most* so many files; each release has one."""
    releases = list(islice(projects.releases(store, project), at_most + 1))
    if len(releases) > at_most:
        return False
    return sum(serials.counted(store, FILES_OF, release.incarnation) for _, release in releases) <= at_most


def page_file(index: IndexName, filename: FileName, row: File) -> PageFile:
    """Return what a simple page shows of a file."""
    return PageFile(
        filename=filename,
        index=index,
        version=row.version,
        sha256=Sha256(row.sha256),
        size=row.size,
        upload_time=row.upload_time,
        requires_python=row.requires_python,
        yanked=row.yanked,
        core_metadata=Sha256(row.metadata) if row.metadata and row.filetype == "bdist_wheel" else None,
    )


def file_key(incarnation: int, filename: FileName) -> bytes:
    """Return the key of a file by its release, or of its name by its project."""
    return serial_key(incarnation) + filename.encode()


def _mark(store: Store, event: FileYanked | FileUnyanked, serial: int, yanked: str | None) -> None:
    key, row = _row(store, event)
    FILES.put(store, key, changed(row, since=serial, yanked=yanked))
    serials.touch_project(store, event.index, event.project, serial)


def _row(store: Store, event: FileDeleted | FileYanked | FileUnyanked) -> tuple[bytes, File]:
    project = projects.find(store, event.index, event.project)
    release = None if project is None else projects.find_release(store, project.incarnation, event.version)
    key = b"" if release is None else file_key(release.incarnation, event.filename)
    row = FILES.get(store, key) if key else None
    if row is None:
        raise LookupError(f"the log speaks of a file that is not there: {event.filename}")
    return key, row


def _new_row(event: FileUploaded, serial: int, overwrites: int) -> File:
    return File(
        since=serial,
        uploaded=serial,
        version=event.version,
        size=event.size,
        sha256=event.sha256,
        blake2b_256=event.blake2b_256,
        md5=event.md5,
        metadata=event.metadata,
        requires_python=event.requires_python,
        filetype=event.filetype,
        pyversion=event.pyversion,
        upload_time=event.upload_time,
        uploader=event.uploader,
        overwrites=overwrites,
        yanked=None,
    )
