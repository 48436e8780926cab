"""Entries as canonical bytes (``docs/format.md``).

An entry is the msgpack array ``[1, kind, must_understand, epoch, time, actor, more, fields]``. Its
serial is its place in the log and stands nowhere inside.
"""

from typing import Any

from attrs import frozen

from changelog.errors import InvalidEntry
from changelog.events import cluster, documentation, files, indexes, projects, results, tokens, upstream, users
from changelog.packing import Packing, packb_small, unpackb

FORMAT = 1
MAX_ENTRY_BYTES = 65_535  # C2SP tlog-tiles: entries have a 16 bit length
MUST_UNDERSTAND = True  # no kind can be ignored yet: each one changes what is served

Event = Any  # one of EVENTS, or Unknown


@frozen
class Unknown:
    """An event of a kind that this version does not know, kept as it came."""

    kind: str
    must_understand: bool
    fields: tuple[Any, ...]


@frozen
class Stamp:
    """What surrounds an event in the log."""

    serial: int
    epoch: int  # number * 1024 + member number
    time: int  # microseconds since 1970, UTC; greater than in the entry before
    actor: str  # a user's name, "" = anonymous, ":" and a word = this program
    more: int  # how many entries of the same command follow


EVENTS: tuple[type, ...] = (
    cluster.LogCreated,
    cluster.MemberAdded,
    cluster.MemberChanged,
    cluster.MemberRemoved,
    cluster.DurabilitySet,
    cluster.MembersSettled,
    cluster.PrimaryChanged,
    cluster.LossAccepted,
    cluster.ReplicaEnrolled,
    cluster.ReplicaRevoked,
    users.UserCreated,
    users.ProfileChanged,
    users.PasswordSet,
    users.UserDeleted,
    tokens.TokenCreated,
    tokens.TokenRevoked,
    tokens.TokenKeySet,
    indexes.IndexCreated,
    indexes.IndexModified,
    indexes.IndexTextsChanged,
    indexes.IndexDeleted,
    projects.ReleaseRegistered,
    projects.ReleaseDeleted,
    projects.ProjectDeleted,
    projects.ProjectStatusSet,
    files.FileUploaded,
    files.FileDeleted,
    files.FileYanked,
    files.FileUnyanked,
    files.FileHistoryCarried,
    documentation.DocumentationUploaded,
    documentation.DocumentationDeleted,
    results.TestResultUploaded,
    upstream.MirrorPageChanged,
    upstream.MirrorFileFetched,
    upstream.MirrorMetadataFetched,
    upstream.MirrorHashChanged,
    upstream.MirrorHashAccepted,
)
PACKINGS: dict[str, Packing[Any]] = {cls.__name__: Packing(cls) for cls in EVENTS}


def encode(event: Event, stamp: Stamp) -> bytes:
    """Return the bytes of an entry; equal input gives equal bytes for ever.

    The writer checks that they are not too many.
    """
    if isinstance(event, Unknown):
        kind, must_understand, fields = event.kind, event.must_understand, event.fields
    else:
        kind, must_understand = type(event).__name__, MUST_UNDERSTAND
        fields = PACKINGS[kind].plain(event)
    return packb_small((FORMAT, kind, must_understand, stamp.epoch, stamp.time, stamp.actor, stamp.more, fields))


def decode(raw: bytes, serial: int) -> tuple[Event, Stamp]:
    """Return what entry number *serial* says.

    Raises:
        InvalidEntry: not an entry of format 1, a number of its stamp is negative, or the fields are
            not those of its kind.
    """
    _, kind, must_understand, epoch, time, actor, more, fields = _opened(raw, serial)
    stamp = Stamp(serial, epoch, time, actor, more)
    packing = PACKINGS.get(kind)
    if packing is None:
        return Unknown(kind, must_understand, fields), stamp
    return packing.value(fields), stamp


def check(raw: bytes, serial: int) -> None:
    """Raise InvalidEntry where :func:`decode` would, in less time."""
    opened = _opened(raw, serial)
    packing = PACKINGS.get(opened[1])
    if packing is not None:
        packing.check(opened[-1])


def _opened(raw: bytes, serial: int) -> tuple[Any, ...]:
    plain = unpackb(raw)
    if not isinstance(plain, tuple) or tuple(map(type, plain)) != _SHAPE or plain[0] != FORMAT:
        raise InvalidEntry(f"entry {serial} is not an entry of format {FORMAT}")
    _, _, _, epoch, time, _, more, _ = plain
    if epoch < 0 or time < 0 or more < 0:
        raise InvalidEntry(f"entry {serial} has a negative number: {epoch}, {time}, {more}")
    return plain


def decode_canonical(raw: bytes, serial: int) -> tuple[Event, Stamp]:
    """Return what :func:`decode` does, and check that no other bytes could say the same.

    Raises:
        InvalidEntry: as there, or the bytes are not the canonical ones.
    """
    event, stamp = decode(raw, serial)
    if len(raw) > MAX_ENTRY_BYTES or encode(event, stamp) != raw:
        raise InvalidEntry(f"entry {serial} is not in canonical form")
    return event, stamp


_SHAPE = (int, str, bool, int, int, str, int, tuple)
