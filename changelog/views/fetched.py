"""What a mirror fetched of its files, and upstream's claims that contradict it."""

from collections.abc import Iterator
from typing import TypeVar

import attrs
from attrs import frozen

from changelog.codec import Stamp
from changelog.events.upstream import MirrorFileFetched, MirrorHashAccepted, MirrorHashChanged, MirrorMetadataFetched
from changelog.names import FileName, ProjectName
from changelog.tables import Store, Table, serial_key
from changelog.views import digests, serials
from changelog.views.digests import Digest


@frozen
class Fetched:
    """What was fetched of a file; index incarnation, project, a zero byte and file name are the key."""

    since: int
    size: int  # bytes
    sha256: bytes  # of the file, b"" = only its core metadata were fetched
    metadata: bytes  # SHA-256 of the core metadata, b"" = not fetched


@frozen
class Alarm:
    """Upstream claimed another digest for a known file name; the key is that of Fetched."""

    since: int
    known: bytes  # SHA-256
    claimed: bytes  # SHA-256
    accepted: bool


FETCHED = Table("fetched", Fetched)
ALARMS = Table("alarms", Alarm)
R = TypeVar("R")
NOTHING = Fetched(0, 0, b"", b"")


def on_mirror_file_fetched(store: Store, event: MirrorFileFetched, stamp: Stamp) -> None:
    """Remember size and digests."""
    key = file_key(event.index, event.project, event.filename)
    metadata = event.metadata or (FETCHED.get(store, key) or NOTHING).metadata
    FETCHED.put(store, key, Fetched(stamp.serial, event.size, event.sha256, metadata))
    digests.name(store, digests.CACHED, event.sha256, Digest(stamp.serial, event.size))
    digests.name(store, digests.METADATA, event.metadata, Digest(stamp.serial, 0))
    if event.completes:
        serials.touch_project(store, event.index, event.project, stamp.serial)


def on_mirror_metadata_fetched(store: Store, event: MirrorMetadataFetched, stamp: Stamp) -> None:
    """Remember the digest of the core metadata."""
    key = file_key(event.index, event.project, event.filename)
    row = attrs.evolve(FETCHED.get(store, key) or NOTHING, since=stamp.serial, metadata=event.metadata)
    FETCHED.put(store, key, row)
    digests.name(store, digests.METADATA, event.metadata, Digest(stamp.serial, 0))


def on_mirror_hash_changed(store: Store, event: MirrorHashChanged, stamp: Stamp) -> None:
    """Raise the alarm; the page stays what it is."""
    row = Alarm(stamp.serial, event.known, event.claimed, accepted=False)
    ALARMS.put(store, file_key(event.index, event.project, event.filename), row)


def on_mirror_hash_accepted(store: Store, event: MirrorHashAccepted, stamp: Stamp) -> None:
    """Let the next look at upstream's page take the claimed digest; what was fetched of the old bytes is past."""
    key = file_key(event.index, event.project, event.filename)
    known = (ALARMS.get(store, key) or Alarm(0, b"", b"", accepted=False)).known
    ALARMS.put(store, key, Alarm(stamp.serial, known, event.sha256, accepted=True))
    store.delete(FETCHED.name, key)


def find(store: Store, index: int, project: ProjectName, filename: FileName) -> Fetched | None:
    """Return what was fetched of a file, or None."""
    return FETCHED.get(store, file_key(index, project, filename))


def of_project(store: Store, index: int, project: ProjectName) -> dict[FileName, Fetched]:
    """Return what was fetched of a project's files."""
    return dict(_rows(FETCHED, store, index, project))


def alarm(store: Store, index: int, project: ProjectName, filename: FileName) -> Alarm | None:
    """Return the newest alarm about a file name, or None."""
    return ALARMS.get(store, file_key(index, project, filename))


def alarms_of(store: Store, index: int, project: ProjectName) -> dict[FileName, Alarm]:
    """Return the alarms about files of a project, accepted ones too."""
    return dict(_rows(ALARMS, store, index, project))


def alarms(store: Store, index: int) -> Iterator[tuple[ProjectName, FileName, Alarm]]:
    """Yield the alarms of the mirror with incarnation *index*, accepted ones too."""
    for key, row in ALARMS.scan(store, serial_key(index)):
        project, _, filename = key[8:].decode().partition("\0")
        yield ProjectName(project), FileName(filename), row


def file_key(index: int, project: ProjectName, filename: FileName) -> bytes:
    """Return the key of a file."""
    return b"%s%s\0%s" % (serial_key(index), project.encode(), filename.encode())


def _rows(table: Table[R], store: Store, index: int, project: ProjectName) -> Iterator[tuple[FileName, R]]:
    prefix = file_key(index, project, FileName(""))
    for key, row in table.scan(store, prefix):
        yield FileName(key[len(prefix) :].decode()), row
