"""Project pages: what an index shows of a project, its bases merged."""

from collections.abc import Iterator, Sequence

from changelog.names import FileName, IndexName, ProjectName, Version
from changelog.tables import Store, serial_key
from changelog.views import files, indexes, projects, serials
from changelog.views.page import ListedProject, PageFile, ProjectPage, Status

Source = tuple[IndexName, int]  # an index and its incarnation


def sources(store: Store, index: IndexName) -> tuple[Source, ...]:
    """Return the indexes that a read of *index* asks, in order; empty if there is no such index."""
    return tuple((name, row.incarnation) for name, row in indexes.resolution(store, index))


def page(store: Store, asked: Sequence[Source], project: ProjectName) -> ProjectPage | None:
    """Return the page of *project* that the first of *asked* shows, or None if none has it.

    The first index that has a file name wins, later copies are hidden; the first that has the
    project says its status. A quarantined project offers no files (PEP 792).
    """
    found = [
        (name, row) for name, incarnation in asked if (row := projects.find(store, incarnation, project)) is not None
    ]
    if not found:
        return None
    merged: dict[FileName, PageFile] = {}
    versions: dict[Version, None] = {}
    for name, row in found:
        versions.update((version, None) for version, _ in projects.releases(store, row.incarnation))
        if row.status is not Status.QUARANTINED:
            for file in files.of_project(store, name, row.incarnation):
                merged.setdefault(file.filename, file)
    first = found[0][1]
    quarantined = first.status is Status.QUARANTINED
    return ProjectPage(
        index=asked[0][0],
        project=project,
        files=() if quarantined else tuple(merged.values()),
        versions=tuple(versions),
        status=first.status,
        reason=first.reason,
        last_serial=projects.page_serial(store, asked, project),
    )


def listed(store: Store, asked: Sequence[Source]) -> Iterator[ListedProject]:
    """Yield the projects that *asked* have together, sorted.

    Each with the last serial that changed it in any of them.
    """
    last: dict[bytes, int] = {}
    names: set[bytes] = set()
    for _, incarnation in asked:
        names.update(key[8:] for key, _ in store.scan(projects.PROJECTS.current.name, serial_key(incarnation)))
        for name, serial in serials.of_projects(store, incarnation).items():
            last[name] = max(serial, last.get(name, 0))
    for name in sorted(names):
        yield ListedProject(ProjectName(name.decode()), last[name])


def list_serial(store: Store, asked: Sequence[Source]) -> int:
    """Return the last serial that changed a project in any of *asked*."""
    return max((serials.of_index(store, incarnation) for _, incarnation in asked), default=0)
