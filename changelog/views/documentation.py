"""The documentation that releases have."""

from attrs import frozen

from changelog.codec import Stamp
from changelog.events.documentation import DocumentationDeleted, DocumentationUploaded
from changelog.names import ProjectName, UserName, Version, documentation_name
from changelog.tables import Store, TimedTable, serial_key
from changelog.views import digests, projects, serials
from changelog.views.digests import Digest
from changelog.views.links import LINK_DIGEST_BYTES, LINKS, Link, link_key
from changelog.views.projects import FILES_OF


@frozen
class Documentation:
    """A zip file; the release incarnation is the key."""

    since: int
    size: int  # bytes
    sha256: bytes
    upload_time: int  # microseconds
    uploader: UserName
    overwrites: int  # how often it was replaced by other bytes


DOCUMENTATION = TimedTable("documentation", Documentation)


def on_documentation_uploaded(store: Store, event: DocumentationUploaded, stamp: Stamp) -> None:
    """Add or replace it, and make project and release where they are missing."""
    where = (event.index, event.project, event.version)
    project, release = projects.ensure_release(store, where, b"", stamp.serial)
    key = serial_key(release.incarnation)
    before = DOCUMENTATION.get(store, key)
    overwrites = 0 if before is None else before.overwrites + 1
    row = Documentation(stamp.serial, event.size, event.sha256, event.upload_time, event.uploader, overwrites)
    DOCUMENTATION.put(store, key, row)
    link = Link(event.project, project.incarnation, event.version, release.incarnation)
    name = documentation_name(event.project, event.version)
    LINKS.put(store, link_key(event.index, event.sha256, name), link)
    digests.name(store, digests.BLOB, event.sha256, Digest(stamp.serial, event.size))
    serials.touch_project(store, event.index, event.project, stamp.serial)


def on_documentation_deleted(store: Store, event: DocumentationDeleted, stamp: Stamp) -> None:
    """Close it, its release if that has no files, and the project with its last release."""
    project = projects.find(store, event.index, event.project)
    release = None if project is None else projects.find_release(store, project.incarnation, event.version)
    if release is None or of_release(store, release.incarnation) is None:
        raise LookupError(f"the log speaks of documentation that is not there: {event.project} {event.version}")
    DOCUMENTATION.close(store, serial_key(release.incarnation), stamp.serial)
    if not serials.counted(store, FILES_OF, release.incarnation):
        projects.end_release(store, event.index, event.project, event.version, stamp.serial)
    serials.touch_project(store, event.index, event.project, stamp.serial)


def of_release(store: Store, release: int) -> Documentation | None:
    """Return the documentation of the release with incarnation *release*, or None."""
    return DOCUMENTATION.get(store, serial_key(release))


def find(store: Store, index: int, project: ProjectName, version: Version) -> Documentation | None:
    """Return the documentation of a release in the index with incarnation *index* itself, or None."""
    row = projects.find(store, index, project)
    release = None if row is None else projects.find_release(store, row.incarnation, version)
    return None if release is None else of_release(store, release.incarnation)


def behind(store: Store, index: int, link: Link, digest: bytes) -> Documentation | None:
    """Return the documentation that *link* leads to, or None if that one was deleted or replaced."""
    row = find(store, index, link.project, link.version)
    return row if row is not None and row.sha256[:LINK_DIGEST_BYTES] == digest else None
