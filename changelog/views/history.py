"""What was done with files: what they brought along, and what their own rows say."""

from attrs import frozen

from changelog.codec import Stamp
from changelog.events.files import FileAction, FileHistoryCarried
from changelog.names import IndexName, documentation_name
from changelog.tables import Store, Table, serial_key
from changelog.views import documentation, files, projects, results
from changelog.views.documentation import Documentation
from changelog.views.files import File
from changelog.views.results import Result

UPLOAD, PUSH, OVERWRITE = "upload", "push", "overwrite"


@frozen
class History:
    """What a file brought along; the serial of the entry that put the file here is the key, so it goes with it."""

    since: int
    actions: tuple[FileAction, ...]


HISTORIES = Table("histories", History)


def on_file_history_carried(store: Store, event: FileHistoryCarried, stamp: Stamp) -> None:
    """Note the actions beside what they belong to."""
    HISTORIES.put(store, serial_key(_put_here(store, event)), History(stamp.serial, event.actions))


def of_file(store: Store, index: IndexName, row: File | Documentation | Result) -> list[FileAction]:
    """Return what was done with a file, documentation or test result of *index*, in order."""
    actions = []
    overwrites = 0 if isinstance(row, Result) else row.overwrites
    if overwrites:
        actions.append(FileAction(OVERWRITE, "", row.upload_time, "", "", overwrites))
    carried = HISTORIES.get(store, serial_key(_put_by(row)))
    if carried is None:
        actions.append(FileAction(UPLOAD, row.uploader, row.upload_time, "", index, 0))
    else:
        actions += (FileAction(*action) for action in carried.actions)
    return actions


def _put_here(store: Store, event: FileHistoryCarried) -> int:
    """Return the serial of the entry that put here what the event speaks of."""
    project = projects.find(store, event.index, event.project)
    release = None if project is None else projects.find_release(store, project.incarnation, event.version)
    row: File | Documentation | Result | None = None
    if release is not None:
        row = files.FILES.get(store, files.file_key(release.incarnation, event.filename))
        row = row or results.find(store, release.incarnation, event.filename)
    if row is None and release is not None and event.filename == documentation_name(event.project, event.version):
        row = documentation.of_release(store, release.incarnation)
    if row is None:
        raise LookupError(f"the log speaks of the history of a file that is not there: {event.filename}")
    return _put_by(row)


def _put_by(row: File | Documentation | Result) -> int:
    return row.uploaded if isinstance(row, File) else row.since
