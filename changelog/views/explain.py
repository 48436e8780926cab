"""Why an index shows what it shows of a project: which index each file comes from, and what is hidden."""

from collections.abc import Iterator

from attrs import frozen

from changelog.names import FileName, IndexName, ProjectName
from changelog.tables import Store
from changelog.views import fetched, guard, pages
from changelog.views.guard import Order
from changelog.views.page import PageFile, Status
from changelog.views.pages import Source

UNREADABLE = "a base that you may not read"
SHOWN = ""  # why nothing hides a file


@frozen
class ExplainedSource:
    """An index that was, or was not, asked about the project."""

    index: IndexName
    type: str  # "stage" or "mirror"
    has: bool  # it has the project, as far as is known here
    asked: bool
    why: str
    status: str  # of the project there (PEP 792), "" = it has none


@frozen
class ExplainedFile:
    """A file of one of the indexes."""

    filename: FileName
    index: IndexName
    sha256: str  # hex, "" = not known
    hidden: str  # why it is not shown, "" = it is


@frozen
class Explanation:
    """All that decides about the page of a project."""

    index: IndexName
    project: ProjectName
    whitelist: tuple[str, ...]  # names that mirrors may have though a stage has them
    sources: tuple[ExplainedSource, ...]
    files: tuple[ExplainedFile, ...]
    alarms: tuple[tuple[IndexName, FileName, str, str, bool], ...]  # index, file, known and claimed SHA-256, accepted


def explain(store: Store, index: IndexName, project: ProjectName, order: Order | None = None) -> Explanation:
    """Return why *index* shows what it shows of *project*; upstreams are not asked.

    *order* is what a reader of *index* may see, None = all of it.
    """
    asked = guard.order(store, index) if order is None else order
    visible = set(guard.visible(store, asked, project))
    return Explanation(
        index=index,
        project=project,
        whitelist=tuple(sorted(asked.allowed)),
        sources=tuple(_source(store, asked, source, project, asked_too=source in visible) for source in asked.sources),
        files=tuple(_files(store, asked, visible, project)),
        alarms=tuple(
            (name, filename, alarm.known.hex(), alarm.claimed.hex(), alarm.accepted)
            for name, incarnation in asked.mirrors
            for filename, alarm in fetched.alarms_of(store, incarnation, project).items()
        ),
    )


def _source(store: Store, asked: Order, source: Source, project: ProjectName, *, asked_too: bool) -> ExplainedSource:
    row = pages.row(store, source, project)
    is_mirror = source in asked.mirrors
    return ExplainedSource(
        index=source[0],
        type="mirror" if is_mirror else "stage",
        has=row is not None,
        asked=asked_too,
        why=_why(store, asked, project) if is_mirror else "stages are always asked",
        status="" if row is None else row.status.value,
    )


def _why(store: Store, asked: Order, project: ProjectName) -> str:
    """Return why mirrors are asked or not."""
    owners = guard.owners(store, asked, project)
    if not owners:
        return "no stage has the project"
    names = ", ".join(dict.fromkeys(owner[0] if owner in asked.sources else UNREADABLE for owner in owners))
    if guard.is_allowed(asked, project):
        return f"{names} has the project, and mirror_whitelist lets mirrors have it too"
    return f"{names} has the project, and no mirror_whitelist names it: upstream is not even asked"


def _files(store: Store, asked: Order, visible: set[Source], project: ProjectName) -> Iterator[ExplainedFile]:
    seen: dict[FileName, IndexName] = {}
    first = next((row for source in asked.sources if (row := pages.row(store, source, project))), None)
    quarantined = first is not None and first.status is Status.QUARANTINED
    for source in asked.sources:
        for file in _of(store, source, project):
            hidden = SHOWN
            if source not in visible:
                hidden = "a stage has the project"
            elif quarantined or _is_quarantined(store, source, project):
                hidden = "the project is quarantined"
            elif file.filename in seen:
                hidden = f"{seen[file.filename]} has a file of that name"
            else:
                seen[file.filename] = source[0]
            yield ExplainedFile(file.filename, source[0], file.sha256.hex(), hidden)


def _of(store: Store, source: Source, project: ProjectName) -> Iterator[PageFile]:
    row = pages.row(store, source, project)
    return iter(()) if row is None else pages.files_of(store, source, row, project)


def _is_quarantined(store: Store, source: Source, project: ProjectName) -> bool:
    row = pages.row(store, source, project)
    return row is not None and row.status is Status.QUARANTINED
