"""Releases of a stage as events: what is there already is passed over, so that an import can go on where it stopped."""

from collections.abc import Iterator

from attrs import Factory, define

from changelog.codec import Event
from changelog.contents import is_small
from changelog.events.documentation import DocumentationUploaded
from changelog.events.files import FileUploaded
from changelog.events.projects import ReleaseRegistered
from changelog.events.results import TestResultUploaded
from changelog.names import FileName, IndexName, ProjectName, Version, documentation_name
from changelog.tables import Store
from changelog.views import documentation, files, projects, results
from ops.devpi.described import uploader
from ops.devpi.histories import UPLOAD, carried
from ops.devpi.report import Report
from ops.devpi.taking import Taken, TakenRelease
from server.filenames import kind_of
from server.metadata import parse_core

_LINE = 1_000  # characters

Contents = tuple[tuple[bytes, bytes], ...]
Unit = tuple[list[Event], Contents]  # events that stay together, with the small contents that they name


@define
class Stage:
    """A stage that is being filled; its releases come by project."""

    index: int  # incarnation
    name: IndexName
    now: int  # microseconds: when things were put here whose time the dump does not say
    unused: list[bytes] = Factory(list)  # digests of files that were taken and then left out
    _project: ProjectName | None = None
    _named: dict[FileName, Version] = Factory(dict)  # files of the project that were taken in this run

    def units(self, store: Store, taken: TakenRelease, report: Report) -> Iterator[Unit]:
        """Yield the events that *taken* is still to be written down with."""
        if taken.release.project != self._project:
            self._project = taken.release.project
            self._named = {}
        for file in taken.files:
            yield from self._file(store, taken, file, report)
        for docs in taken.docs[:-1]:
            self._leave(docs, "the release has newer documentation", report)
        for docs in taken.docs[-1:]:
            yield from self._docs(store, taken, docs, report)
        names = set[FileName]()
        for result in taken.results:
            if result.what.filename in names:
                self._leave(result, "the release has a test result of that name already", report)
                continue
            names.add(result.what.filename)
            yield from self._result(store, taken, result, report)
        registered, row = taken.registered, self._release(store, taken)
        if registered.metadata and (row is None or row.metadata != registered.metadata):
            where = (self.index, taken.release.project, taken.release.version)
            small = ((registered.metadata, registered.document),) if is_small(registered.document) else ()
            yield [ReleaseRegistered(*where, registered.metadata)], small

    def _file(self, store: Store, taken: TakenRelease, file: Taken, report: Report) -> Iterator[Unit]:
        release, name = taken.release, file.what.filename
        there = self._named.get(name) or files.version_of(store, self.index, release.project, name)
        if there is not None:
            row = files.find(store, self.index, release.project, there, name)
            if there != release.version or (row is not None and row.sha256 != file.sha256) or name in self._named:
                self._leave(file, f"release {there} has a file of that name already", report)
            return
        self._named[name] = release.version
        report.counts["files"] += 1
        report.counts["bytes"] += file.size
        if not file.is_verified:
            report.noted(file.what.relpath, "the dump has no digest to verify it with")
        requires = taken.registered.requires_python
        if not taken.registered.is_known:
            report.noted(file.what.relpath, "the dump has no metadata of its release; those of the file were taken")
            requires = " ".join(parse_core(file.small, strict=False).requires_python.split())
        filetype, pyversion = kind_of(name)
        put = (uploader(file.what.actions), self._moment(file))
        event = FileUploaded(
            index=self.index,
            project=release.project,
            version=release.version,
            filename=name,
            size=file.size,
            sha256=file.sha256,
            blake2b_256=file.blake2b_256,
            md5=file.md5,
            metadata=file.metadata,
            requires_python=requires[:_LINE],
            filetype=filetype,
            pyversion=pyversion,
            upload_time=put[1],
            uploader=put[0],
        )
        small = ((file.metadata, file.small),) if file.small else ()
        yield [event, *carried((self.index, self.name), release, name, file.what.actions or (), put)], small

    def _docs(self, store: Store, taken: TakenRelease, docs: Taken, report: Report) -> Iterator[Unit]:
        release = taken.release
        row = documentation.find(store, self.index, release.project, release.version)
        if row is not None and row.sha256 == docs.sha256:
            return
        report.counts["documentation"] += 1
        name = documentation_name(release.project, release.version)
        put = (uploader(docs.what.actions), self._moment(docs))
        where = (self.index, release.project, release.version)
        event = DocumentationUploaded(*where, docs.size, docs.sha256, put[1], put[0])
        yield [event, *carried((self.index, self.name), release, name, docs.what.actions or (), put)], ()

    def _result(self, store: Store, taken: TakenRelease, result: Taken, report: Report) -> Iterator[Unit]:
        release, name, tested = taken.release, result.what.filename, FileName(result.what.belongs_to)
        row = self._release(store, taken)
        if row is not None and results.find(store, row.incarnation, name) is not None:
            return
        is_there = files.find(store, self.index, release.project, release.version, tested) is not None
        if not is_there and self._named.get(tested) != release.version:
            self._leave(result, f"the release has no file {tested!a}", report)
            return
        if not name.startswith(tested):
            self._leave(result, f"its name does not begin with that of its file, {tested!a}", report)
            return
        report.counts["test results"] += 1
        put = (uploader(result.what.actions), self._moment(result))
        where = (self.index, release.project, release.version, tested, name)
        event = TestResultUploaded(*where, result.size, result.sha256, put[1], put[0])
        yield [event, *carried((self.index, self.name), release, name, result.what.actions or (), put)], ()

    def _leave(self, taken: Taken, reason: str, report: Report) -> None:
        self.unused.append(taken.sha256)
        report.left_out(taken.what.relpath, reason)

    def _release(self, store: Store, taken: TakenRelease) -> projects.Release | None:
        project = projects.find(store, self.index, taken.release.project)
        return None if project is None else projects.find_release(store, project.incarnation, taken.release.version)

    def _moment(self, file: Taken) -> int:
        """Return when a file was put there: as it says, or its log."""
        if file.what.modified is not None:
            return file.what.modified
        said = [action.when for action in file.what.actions or () if action.what == UPLOAD and action.when]
        return said[-1] if said else self.now
