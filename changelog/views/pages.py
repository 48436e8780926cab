"""Project pages: what an index shows of a project, its bases merged."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from changelog.names import FileName, IndexName, ProjectName, Version
from changelog.tables import Store, serial_key
from changelog.views import files, indexes, projects, serials, upstream
from changelog.views.page import ListedProject, PageFile, ProjectPage, Status
from changelog.views.projects import Project
from changelog.views.upstream import MirrorPage

Source = tuple[IndexName, int]  # an index and its incarnation
Row = Project | MirrorPage
FEW = 20  # files of a small page; of a mirror, as many as fit into its entries' bytes


def sources(store: Store, index: IndexName) -> tuple[Source, ...]:
    """Return the indexes that a read of *index* asks, in order; empty if there is no such index."""
    return tuple((name, row.incarnation) for name, row in indexes.resolution(store, index))


def page(
    store: Store,
    asked: Sequence[Source],
    project: ProjectName,
    offered: Callable[[PageFile], bool] | None = None,
) -> ProjectPage | None:
    """Return the page of *project* that the first of *asked* shows, or None if none has it.

    The first index that has a file name wins, later copies are hidden; the first that has the
    project says its status. A quarantined project offers no files (PEP 792). Of a mirror's files
    only those are shown that are *offered*.
    """
    found = [(source, there) for source in asked if (there := row(store, source, project)) is not None]
    if not found:
        return None
    merged: dict[FileName, PageFile] = {}
    versions: dict[Version, None] = {}
    for source, there in found:
        versions.update((version, None) for version in _releases(store, there))
        if there.status is not Status.QUARANTINED:
            for file in files_of(store, source, there, project):
                if offered is not None and isinstance(there, MirrorPage) and not offered(file):
                    continue
                merged.setdefault(file.filename, file)
                versions[file.version] = None
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


def listed(store: Store, asked: Sequence[Source], more: Iterable[bytes] = ()) -> Iterator[ListedProject]:
    """Yield the projects that *asked* have together, and those named by *more*, sorted.

    Each with the last serial that changed it in any of them, 0 if nothing did.
    """
    last: dict[bytes, int] = {}
    names: set[bytes] = set(more)
    for _, incarnation in asked:
        for table in (projects.PROJECTS.current.name, upstream.PAGES.name):
            names.update(key[8:] for key, _ in store.scan(table, serial_key(incarnation)))
        for name, serial in serials.of_projects(store, incarnation).items():
            last[name] = max(serial, last.get(name, 0))
    for name in sorted(names):
        yield ListedProject(ProjectName(name.decode()), last.get(name, 0))


def list_serial(store: Store, asked: Sequence[Source]) -> int:
    """Return the last serial that changed a project in any of *asked*."""
    return max((serials.of_index(store, incarnation) for _, incarnation in asked), default=0)


def row(store: Store, source: Source, project: ProjectName) -> Row | None:
    """Return the project of an index itself, a stage's or a mirror's, or None."""
    return projects.find(store, source[1], project) or upstream.find(store, source[1], project)


def is_small(store: Store, asked: Sequence[Source], project: ProjectName) -> bool:
    """Return whether the page of *project* has few files, which takes no longer to tell than some look-ups."""
    rows = (row(store, source, project) for source in asked)
    return all(
        files.are_few(store, there.incarnation, FEW)
        if isinstance(there, Project)
        else there is None or upstream.is_small(store, source[1], project)
        for source, there in zip(asked, rows, strict=True)
    )


def files_of(store: Store, source: Source, there: Row, project: ProjectName) -> Iterator[PageFile]:
    """Yield the files of *project* in an index itself, where it is the row *there*."""
    name, incarnation = source
    if isinstance(there, Project):
        return files.of_project(store, name, there.incarnation)
    return upstream.page_files(store, name, incarnation, project)


def _releases(store: Store, there: Row) -> Iterator[Version]:
    if isinstance(there, Project):
        yield from (version for version, _ in projects.releases(store, there.incarnation))
