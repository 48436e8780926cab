"""Projects and releases of an index, and the pages that merge them over the bases."""

from collections.abc import Iterator, Sequence

from attrs import frozen

from changelog.codec import Stamp
from changelog.events.projects import (
    ProjectDeleted,
    ProjectStatusSet,
    ReleaseDeleted,
    ReleaseRegistered,
)
from changelog.names import IndexName, ProjectName, Version
from changelog.tables import Store, TimedTable, changed, serial_key
from changelog.views import digests, serials
from changelog.views.page import Status

RELEASES_OF = b"p"  # counts: releases of a project
FILES_OF = b"r"  # counts: files of a release


@frozen
class Project:
    """A project; index incarnation and name are the key."""

    since: int
    incarnation: int
    status: Status
    reason: str


@frozen
class Release:
    """A release; project incarnation and version are the key."""

    since: int
    incarnation: int
    metadata: bytes  # SHA-256 of the newest core metadata, b"" = none


PROJECTS = TimedTable("projects", Project)
RELEASES = TimedTable("releases", Release)


def on_release_registered(store: Store, event: ReleaseRegistered, stamp: Stamp) -> None:
    """Make project and release where they are not yet, and remember the metadata."""
    ensure_release(store, (event.index, event.project, event.version), event.metadata, stamp.serial)
    digests.name(store, digests.METADATA, event.metadata, digests.Digest(stamp.serial, 0))
    serials.touch_project(store, event.index, event.project, stamp.serial)


def on_release_deleted(store: Store, event: ReleaseDeleted, stamp: Stamp) -> None:
    """Close the release, and the project with its last one."""
    end_release(store, event.index, event.project, event.version, stamp.serial)
    serials.touch_project(store, event.index, event.project, stamp.serial)


def on_project_deleted(store: Store, event: ProjectDeleted, stamp: Stamp) -> None:
    """Close the project; its releases are keyed by its incarnation and end with it."""
    _row(store, event.index, event.project)
    PROJECTS.close(store, project_key(event.index, event.project), stamp.serial)
    serials.touch_project(store, event.index, event.project, stamp.serial)


def on_project_status_set(store: Store, event: ProjectStatusSet, stamp: Stamp) -> None:
    """Remember status and reason."""
    row = _row(store, event.index, event.project)
    new = changed(row, since=stamp.serial, status=Status(event.status), reason=event.reason)
    PROJECTS.put(store, project_key(event.index, event.project), new)
    serials.touch_project(store, event.index, event.project, stamp.serial)


def ensure_release(
    store: Store, where: tuple[int, ProjectName, Version], metadata: bytes, serial: int
) -> tuple[Project, Release]:
    """Return project and release, made by entry *serial* if they are missing.

    New *metadata* replace the old.
    """
    index, name, version = where
    project = find(store, index, name)
    if project is None:
        project = Project(serial, serial, Status.ACTIVE, "")
        PROJECTS.begin(store, project_key(index, name), project)
    key = release_key(project.incarnation, version)
    release = None if project.incarnation == serial else RELEASES.get(store, key)
    if release is None:
        release = Release(serial, serial, metadata)
        RELEASES.begin(store, key, release)
        serials.count(store, RELEASES_OF, project.incarnation, 1)
    elif metadata not in (b"", release.metadata):
        RELEASES.put(store, key, changed(release, since=serial, metadata=metadata))
    return project, release


def end_release(store: Store, index: int, name: ProjectName, version: Version, serial: int) -> None:
    """Close a release, and its project if it was the last one."""
    project = _row(store, index, name)
    if find_release(store, project.incarnation, version) is None:
        raise LookupError(f"the log speaks of a release that is not there: {name} {version}")
    RELEASES.close(store, release_key(project.incarnation, version), serial)
    if serials.count(store, RELEASES_OF, project.incarnation, -1) == 0:
        PROJECTS.close(store, project_key(index, name), serial)


def find(store: Store, index: int, project: ProjectName) -> Project | None:
    """Return the project in the index with incarnation *index* itself, or None."""
    return PROJECTS.get(store, project_key(index, project))


def find_release(store: Store, project: int, version: Version) -> Release | None:
    """Return a release of the project with incarnation *project*, or None."""
    return RELEASES.get(store, release_key(project, version))


def existed(store: Store, index: int, project: ProjectName) -> bool:
    """Return whether the project was in the index and is no longer."""
    return PROJECTS.was(store, project_key(index, project))


def releases(store: Store, project: int) -> Iterator[tuple[Version, Release]]:
    """Yield versions and releases of the project with incarnation *project*."""
    for key, row in RELEASES.scan(store, serial_key(project)):
        yield Version(key[8:].decode()), row


def page_serial(store: Store, indexes: Sequence[tuple[IndexName, int]], project: ProjectName) -> int:
    """Return the last serial that changed *project* in any of *indexes* (name, incarnation).

    0 = it never was there.
    """
    return max((serials.of_project(store, index, project) for _, index in indexes), default=0)


def _row(store: Store, index: int, name: ProjectName) -> Project:
    row = find(store, index, name)
    if row is None:
        raise LookupError(f"the log speaks of a project that is not there: {name}")
    return row


def project_key(index: int, project: ProjectName) -> bytes:
    """Return the key of a project."""
    return serial_key(index) + project.encode()


def release_key(project: int, version: Version) -> bytes:
    """Return the key of a release."""
    return serial_key(project) + version.encode()
