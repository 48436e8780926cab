"""Random histories against a naive model: nested dicts that know nothing of tables or incarnations."""

from collections import deque
from collections.abc import Sequence

from attrs import define, field
from hypothesis import given

from changelog.codec import Event
from changelog.events.documentation import DocumentationDeleted, DocumentationUploaded
from changelog.events.files import FileDeleted, FileUnyanked, FileUploaded, FileYanked
from changelog.events.indexes import IndexCreated, IndexDeleted, IndexModified
from changelog.events.projects import (
    ProjectDeleted,
    ProjectStatusSet,
    ReleaseDeleted,
    ReleaseRegistered,
)
from changelog.events.upstream import MirrorPageChanged
from changelog.names import IndexName
from changelog.tables import key_serial
from changelog.views import files, pages, projects, serials
from tests.histories import INDEXES, MIRRORED, PROJECTS, Wish, histories, play
from tests.nodes import Folding

Shown = tuple[str, tuple[str, ...], dict[str, tuple[str, bytes, str | None]]]


@define
class Files:
    """A project: its status, by version the files with digest and yank, and the versions with documentation."""

    status: str = "active"
    releases: dict[str, dict[str, tuple[bytes, str | None]]] = field(factory=dict)
    documented: set[str] = field(factory=set)


@define
class Model:
    """Indexes by name, alive ones only."""

    kinds: dict[str, str] = field(factory=dict)
    bases: dict[str, tuple[str, ...]] = field(factory=dict)
    projects: dict[str, dict[str, Files]] = field(factory=dict)
    numbers: dict[int, str] = field(factory=dict)  # incarnation: name

    def add(self, serial: int, event: Event) -> None:
        """Do what *event* says."""
        match event:
            case IndexCreated(index=name, type=kind, options=options):
                self.kinds[name], self.projects[name] = kind, {}
                self.bases[name] = tuple(dict(options).get("bases", ()))  # type: ignore[arg-type] # a tuple
                self.numbers[serial] = name
            case IndexModified(index=name, options=options):
                self.bases[name] = tuple(dict(options)["bases"])  # type: ignore[arg-type] # a tuple
            case IndexDeleted(index=name):
                del self.kinds[name], self.projects[name], self.bases[name]
            case ProjectStatusSet(index=number, project=project, status=status):
                self.projects[self.numbers[number]][project].status = status
            case ProjectDeleted(index=number, project=project):
                del self.projects[self.numbers[number]][project]
            case ReleaseRegistered() | ReleaseDeleted():
                self._release(event)
            case FileUploaded() | FileDeleted() | FileYanked() | FileUnyanked():
                self._file(event)
            case DocumentationUploaded() | DocumentationDeleted():
                self._documentation(event)
            case MirrorPageChanged(index=number):
                self.projects[self.numbers[number]][MIRRORED] = Files()
            case _:
                pass  # users, fetched files, histories and test results are not on pages

    def _release(self, event: ReleaseRegistered | ReleaseDeleted) -> None:
        index = self.projects[self.numbers[event.index]]
        project = index.setdefault(event.project, Files())
        if isinstance(event, ReleaseRegistered):
            project.releases.setdefault(event.version, {})
        else:
            self._drop(index, event.project, event.version)

    def _file(self, event: FileUploaded | FileDeleted | FileYanked | FileUnyanked) -> None:
        index = self.projects[self.numbers[event.index]]
        project = index.setdefault(event.project, Files())
        found = project.releases.setdefault(event.version, {})
        if isinstance(event, FileUploaded):
            found[event.filename] = (event.sha256, None)
        elif isinstance(event, FileDeleted):
            del found[event.filename]
            if not found and event.version not in project.documented:
                self._drop(index, event.project, event.version)
        else:
            reason = event.reason if isinstance(event, FileYanked) else None
            found[event.filename] = (found[event.filename][0], reason)

    def _documentation(self, event: DocumentationUploaded | DocumentationDeleted) -> None:
        index = self.projects[self.numbers[event.index]]
        project = index.setdefault(event.project, Files())
        found = project.releases.setdefault(event.version, {})
        if isinstance(event, DocumentationUploaded):
            project.documented.add(event.version)
        elif found:
            project.documented.remove(event.version)
        else:
            self._drop(index, event.project, event.version)

    def _drop(self, index: dict[str, Files], project: str, version: str) -> None:
        del index[project].releases[version]
        index[project].documented.discard(version)
        if not index[project].releases:
            del index[project]

    def order(self, index: str) -> list[str]:
        """Return whom a read asks: breadth first, mirrors last."""
        todo, order = deque([index]), []
        while todo:
            name = todo.popleft()
            if name in self.kinds and name not in order:
                order.append(name)
                todo.extend(self.bases[name])
        return sorted(order, key=lambda name: self.kinds[name] == "mirror")

    def page(self, index: str, project: str) -> Shown | None:
        """Return status, versions and files of a page."""
        having = [name for name in self.order(index) if project in self.projects[name]]
        if not having:
            return None
        first = self.projects[having[0]][project].status
        shown: dict[str, tuple[str, bytes, str | None]] = {}
        versions: list[str] = []
        for name in having:
            row = self.projects[name][project]
            for version, found in sorted(row.releases.items()):
                versions.append(version)
                for filename, (digest, yanked) in found.items():
                    if "quarantined" not in (first, row.status):
                        shown.setdefault(filename, (name, digest, yanked))
        return first, tuple(dict.fromkeys(versions)), shown


def page_of(folding: Folding, index: IndexName, project: str) -> Shown | None:
    page = pages.page(folding.store, pages.sources(folding.store, index), PROJECTS_BY[project])
    if page is None:
        return None
    shown: dict[str, tuple[str, bytes, str | None]] = {
        file.filename: (file.index, file.sha256, file.yanked) for file in page.files
    }
    assert len(shown) == len(page.files)
    return page.status.value, tuple(page.versions), shown


PROJECTS_BY = {str(name): name for name in PROJECTS}


def model_of(events: Sequence[Event]) -> Model:
    model = Model()
    for serial, event in enumerate(events, 1):
        model.add(serial, event)
    return model


@given(histories())
def test_pages_are_those_of_the_model(history: list[Wish]) -> None:
    folding = Folding()
    model = model_of(play(folding, history))
    for index in INDEXES:
        for project in PROJECTS_BY:
            assert page_of(folding, index, project) == model.page(index, project)


@given(histories())
def test_the_order_of_sources_is_that_of_the_model(history: list[Wish]) -> None:
    folding = Folding()
    model = model_of(play(folding, history))
    for index in INDEXES:
        assert [name for name, _ in pages.sources(folding.store, index)] == model.order(index)


@given(histories())
def test_lists_are_those_of_the_model(history: list[Wish]) -> None:
    folding = Folding()
    model = model_of(play(folding, history))
    for index in INDEXES:
        listed = pages.listed(folding.store, pages.sources(folding.store, index))
        there = {name for source in model.order(index) for name in model.projects[source]}
        assert [line.project for line in listed] == sorted(there)


@given(histories())
def test_counts_are_the_number_of_rows(history: list[Wish]) -> None:
    folding = Folding()
    play(folding, history)
    for key, _ in folding.store.scan("projects"):
        row = projects.PROJECTS.get(folding.store, key)
        assert row is not None
        releases = list(projects.releases(folding.store, row.incarnation))
        assert count(folding, projects.RELEASES_OF, row.incarnation) == len(releases) > 0
        for _, release in releases:
            number = len(list(files.of_release(folding.store, release.incarnation)))
            assert count(folding, projects.FILES_OF, release.incarnation) == number


@given(histories())
def test_a_page_that_changed_has_another_serial(history: list[Wish]) -> None:
    folding = Folding()
    before = play(folding, history[: len(history) // 2])
    half = {key: page_of(folding, *key) for key in PAGES}
    serial_of = {key: serial(folding, *key) for key in PAGES}
    sources = {index: pages.sources(folding.store, index) for index in INDEXES}
    whole = Folding()
    play(whole, history)
    for index, project in PAGES:
        now = pages.sources(whole.store, index)
        if half[index, project] != page_of(whole, index, project) and now == sources[index]:
            assert serial(whole, index, project) > serial_of[index, project]
    assert before


def serial(folding: Folding, index: IndexName, project: str) -> int:
    sources = pages.sources(folding.store, index)
    return projects.page_serial(folding.store, sources, PROJECTS_BY[project])


def count(folding: Folding, kind: bytes, incarnation: int) -> int:
    raw = folding.store.get(serials.COUNTS, kind + incarnation.to_bytes(8))
    return 0 if raw is None else key_serial(raw)


PAGES = [(index, project) for index in INDEXES for project in PROJECTS_BY]
