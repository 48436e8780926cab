"""What was done with a file at devpi-server, as events have it."""

from changelog.events.files import FileAction, FileHistoryCarried
from changelog.names import FileName, IndexName, UserName
from ops.devpi.described import Action
from ops.devpi.parked import Release

MAX_BYTES = 32_000  # of the texts of a history, which has to fit into an entry
_SECOND = 1_000_000
_SMALL = 32  # bytes of an action besides its texts
UPLOAD = "upload"


def carried(
    index: tuple[int, IndexName],
    release: Release,
    name: FileName,
    actions: tuple[Action, ...],
    put: tuple[UserName, int],
) -> list[FileHistoryCarried]:
    """Return the event with the history of a file, none where its upload (*put*: by whom, when) says all of it."""
    uploader, upload_time = put
    lines = [
        FileAction(action.what, action.who, action.when, action.src, action.dst, action.times) for action in actions
    ]
    own = FileAction(UPLOAD, uploader, upload_time // _SECOND * _SECOND, "", index[1], 0)
    if not lines or lines == [own]:
        return []
    return [FileHistoryCarried(index[0], release.project, release.version, name, tuple(_newest(lines)))]


def _newest(lines: list[FileAction]) -> list[FileAction]:
    """Return the last of *lines*, as many as an entry has room for."""
    room, kept = MAX_BYTES, list[FileAction]()
    for line in reversed(lines):
        room -= _SMALL + sum(len(text.encode()) for text in (line.what, line.who, line.src, line.dst))
        if room < 0:
            break
        kept.append(line)
    return kept[::-1]
