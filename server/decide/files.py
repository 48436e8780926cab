"""What may become of distribution files."""

from changelog.errors import FileExists, Gone, NotFound
from changelog.events.files import FileDeleted, FileUnyanked, FileUploaded, FileYanked
from changelog.names import UserName
from changelog.tables import Store
from changelog.views import files
from changelog.writer import Already, Decision
from server.commands import Caller, DeleteFile, UploadFile, YankFiles
from server.decide.projects import found, stage_for_deletion, stage_for_upload
from server.permissions import check_volatile


def upload(store: Store, caller: Caller, command: UploadFile) -> Decision:
    """Add a file; the same bytes again are there already, others replace them on a volatile index only."""
    index = stage_for_upload(store, caller, command.index, command.project)
    version = files.version_of(store, index.incarnation, command.project, command.filename)
    replaced: list[FileDeleted] = []
    if version is not None:
        there = files.find(store, index.incarnation, command.project, version, command.filename)
        if there is not None and there.sha256 == command.sha256:
            return Already(there.since)
        if not index.volatile:
            raise FileExists(f"File already exists: {command.filename} in non-volatile index {command.index}")
        if version != command.version:  # the same name as another spelling of the version
            replaced.append(FileDeleted(index.incarnation, command.project, version, command.filename))
    return [
        FileUploaded(
            index=index.incarnation,
            project=command.project,
            version=command.version,
            filename=command.filename,
            size=command.size,
            sha256=command.sha256,
            blake2b_256=command.blake2b_256,
            md5=command.md5,
            metadata=command.metadata,
            requires_python=command.requires_python,
            filetype=command.filetype,
            pyversion=command.pyversion,
            upload_time=command.upload_time,
            uploader=UserName(caller.user),
        ),
        *replaced,
    ]


def delete(store: Store, caller: Caller, command: DeleteFile) -> Decision:
    """Delete the file that the caller saw."""
    index = stage_for_deletion(store, caller, command.index, command.project)
    row = files.find(store, index.incarnation, command.project, command.version, command.filename)
    if row is None or row.sha256 != command.digest:
        raise Gone(f"{command.filename} was deleted from {command.index}")
    check_volatile(command.index, index, force=command.force)
    return [FileDeleted(index.incarnation, command.project, command.version, command.filename)]


def yank(store: Store, caller: Caller, command: YankFiles) -> Decision:
    """Write down the marks that differ from what is there."""
    index = stage_for_deletion(store, caller, command.index, command.project)
    found(store, command.index, index, command.project)
    events: list[FileYanked | FileUnyanked] = []
    since = 0
    for filename in command.filenames:
        row = files.find(store, index.incarnation, command.project, command.version, filename)
        if row is None:
            raise NotFound(f"no file {filename} in {command.index}")
        since = max(since, row.since)
        if row.yanked == command.reason:
            continue
        where = (index.incarnation, command.project, command.version, filename)
        events.append(FileUnyanked(*where) if command.reason is None else FileYanked(*where, command.reason))
    return events or Already(since)
