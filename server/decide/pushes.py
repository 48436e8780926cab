"""What may become of a release that is pushed from one index to another."""

from collections.abc import Iterator

from changelog.codec import Event
from changelog.errors import FileExists, Refused, Unauthenticated
from changelog.events.documentation import DocumentationUploaded
from changelog.events.files import FileAction, FileDeleted, FileHistoryCarried, FileUploaded, FileYanked
from changelog.events.projects import ReleaseRegistered
from changelog.events.results import TestResultUploaded
from changelog.names import FileName, IndexName, documentation_name
from changelog.tables import Store
from changelog.views import documentation, files, history, projects, results
from changelog.views.indexes import Index
from changelog.writer import Already, Decision
from server.commands import Caller
from server.decide.projects import check_open, stage
from server.decide.pushed_results import NOTHING, There, renamed
from server.permissions import check_upload
from server.push_commands import PushedDocumentation, PushedFile, PushedResult, PushRelease


def push(store: Store, caller: Caller, command: PushRelease) -> Decision:
    """Add what the index does not have; on one that is not volatile none of the names may be there."""
    index = stage(store, command.index)
    check_target(caller, command.index, index, command.project)
    check_open(store, command.index, index, command.project)
    pushing = _Pushing(store, caller, command, index)
    events = list(pushing.events())
    if events:
        return events
    release = pushing.release
    return Already(0 if release is None else release.since)


def check_target(caller: Caller, name: IndexName, index: Index, project: str) -> None:
    """Raise Unauthenticated, as devpi's clients know it, unless the caller may upload to the index."""
    try:
        check_upload(caller, name, index, project)
    except Refused as refused:
        raise Unauthenticated(str(refused)) from refused


class _Pushing:
    """A push that is decided on."""

    def __init__(self, store: Store, caller: Caller, command: PushRelease, index: Index) -> None:
        self._store = store
        self._command = command
        self._index = index
        self._action = FileAction(history.PUSH, caller.user, command.pushed_at, command.source, command.index, 0)
        self._where = (index.incarnation, command.project, command.version)
        self._named: set[FileName] = set()  # results of this push
        project = projects.find(store, index.incarnation, command.project)
        self.release = None if project is None else projects.find_release(store, project.incarnation, command.version)

    def events(self) -> Iterator[Event]:
        """Yield what makes the release there what it is here."""
        shown = b"" if self.release is None else self.release.metadata
        is_made = self.release is not None
        for plain in self._command.files:
            file = PushedFile(*plain)
            for event in self._file(file):
                if isinstance(event, FileUploaded):  # whose metadata the release shows
                    is_made, shown = True, event.metadata or shown
                yield event
            there = self._there(file)
            for result in file.results:
                yield from self._result(file, there, PushedResult(*result))
        if self._command.documentation is not None:
            for event in self._documentation(PushedDocumentation(*self._command.documentation)):
                is_made = True
                yield event
        if not is_made or self._command.metadata not in {b"", shown}:
            yield ReleaseRegistered(*self._where, self._command.metadata)

    def _file(self, file: PushedFile) -> Iterator[Event]:
        index, project, _ = self._where
        version = files.version_of(self._store, index, project, file.filename)
        if version is not None:
            self._check_volatile(file.filename)
        if self._has(file):
            return
        yield FileUploaded(
            *self._where,
            filename=file.filename,
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
        )
        if version not in {None, self._command.version}:  # the same name as another spelling of the version
            yield FileDeleted(index, project, version or self._command.version, file.filename)
        yield self._carried(file.filename, file.actions)
        if file.yanked is not None:
            yield FileYanked(*self._where, file.filename, file.yanked)

    def _there(self, file: PushedFile) -> There:
        """Return which results the file has, and will not lose with its bytes."""
        if self.release is None or not file.results or not self._has(file):
            return NOTHING
        return There.of_file(self._store, self.release.incarnation, file.filename)

    def _result(self, file: PushedFile, there: There, result: PushedResult) -> Iterator[Event]:
        if there.name_of(result) is not None:
            return
        name = self._free(result.name)
        self._named.add(name)
        yield TestResultUploaded(
            *self._where, file.filename, name, result.size, result.sha256, result.upload_time, result.uploader
        )
        yield self._carried(name, result.actions)

    def _documentation(self, pushed: PushedDocumentation) -> Iterator[Event]:
        there = documentation.find(self._store, *self._where)
        name = documentation_name(self._command.project, self._command.version)
        if there is not None:
            self._check_volatile(name)
        if there is not None and there.sha256 == pushed.sha256:
            return
        yield DocumentationUploaded(*self._where, pushed.size, pushed.sha256, pushed.upload_time, pushed.uploader)
        yield self._carried(name, pushed.actions)

    def _has(self, file: PushedFile) -> bool:
        there = files.find(self._store, *self._where, file.filename)
        return there is not None and there.sha256 == file.sha256

    def _free(self, name: FileName) -> FileName:
        """Return *name*, with another number at its end if another result of the release has it."""
        return name if not self._is_taken(name) else next(one for one in renamed(name) if not self._is_taken(one))

    def _is_taken(self, name: FileName) -> bool:
        there = None if self.release is None else results.find(self._store, self.release.incarnation, name)
        return name in self._named or there is not None

    def _carried(self, name: FileName, actions: tuple[FileAction, ...]) -> FileHistoryCarried:
        return FileHistoryCarried(*self._where, name, (*(FileAction(*action) for action in actions), self._action))

    def _check_volatile(self, name: FileName) -> None:
        if not self._index.volatile:
            raise FileExists(f"{name} already exists in non-volatile index {self._command.index}")
