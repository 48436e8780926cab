"""What may become of a release that is pushed from one index to another."""

from changelog.codec import Event
from changelog.errors import FileExists, Unauthenticated
from changelog.events.files import FileDeleted, FileUploaded, FileYanked
from changelog.events.projects import ReleaseRegistered
from changelog.names import IndexName
from changelog.tables import Store
from changelog.views import files, projects
from changelog.views.indexes import Index
from changelog.writer import Already, Decision
from server.commands import OPERATOR, Caller, PushedFile, PushRelease
from server.decide.projects import check_open, stage
from server.permissions import acl_upload, allowed


def push(store: Store, caller: Caller, command: PushRelease) -> Decision:
    """Add what the index does not have; on one that is not volatile none of the names may be there."""
    index = stage(store, command.index)
    check_target(caller, command.index, index)
    check_open(store, command.index, index, command.project)
    events: list[Event] = []
    for plain in command.files:
        events += _placed(store, command, index, PushedFile(*plain))
    events += _registered(store, command, index, events)
    if events:
        return events
    release = _release(store, command, index)
    return Already(0 if release is None else release.since)


def check_target(caller: Caller, name: IndexName, index: Index) -> None:
    """Raise Unauthenticated, as devpi's clients know it, unless the caller may upload to the index."""
    if caller.user != OPERATOR and not allowed(caller, acl_upload(name, index)):
        raise Unauthenticated(f"{caller.user or 'who is not logged in'} may not upload to {name}")


def _placed(store: Store, command: PushRelease, index: Index, file: PushedFile) -> list[Event]:
    version = files.version_of(store, index.incarnation, command.project, file.filename)
    if version is not None and not index.volatile:
        raise FileExists(f"{file.filename} already exists in non-volatile index {command.index}")
    where = (index.incarnation, command.project, command.version, file.filename)
    there = files.find(store, *where)
    if there is not None and there.sha256 == file.sha256:
        return []
    events: list[Event] = [_uploaded(command, index, file)]
    if version is not None and version != command.version:  # the same name as another spelling of the version
        events.append(FileDeleted(index.incarnation, command.project, version, file.filename))
    if file.yanked is not None:
        events.append(FileYanked(*where, file.yanked))
    return events


def _uploaded(command: PushRelease, index: Index, file: PushedFile) -> FileUploaded:
    return FileUploaded(
        index=index.incarnation,
        project=command.project,
        version=command.version,
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


def _registered(store: Store, command: PushRelease, index: Index, events: list[Event]) -> list[Event]:
    """Return what makes the release show the source's metadata, unless *events* do: the last file's are shown."""
    release = _release(store, command, index)
    shown = [event.metadata for event in events if isinstance(event, FileUploaded) and event.metadata]
    last = shown[-1] if shown else b"" if release is None else release.metadata
    is_made = release is not None or any(isinstance(event, FileUploaded) for event in events)
    if is_made and command.metadata in {b"", last}:
        return []
    return [ReleaseRegistered(index.incarnation, command.project, command.version, command.metadata)]


def _release(store: Store, command: PushRelease, index: Index) -> projects.Release | None:
    project = projects.find(store, index.incarnation, command.project)
    return None if project is None else projects.find_release(store, project.incarnation, command.version)
