"""The log's origin and key, the members that carry it, and the replicas that may follow it."""

import re
from collections.abc import Iterator

from attrs import evolve, frozen

from changelog.codec import Stamp
from changelog.events.cluster import (
    LogCreated,
    LossAccepted,
    MemberAdded,
    MemberChanged,
    MemberRemoved,
    PrimaryChanged,
    ReplicaEnrolled,
    ReplicaRevoked,
)
from changelog.tables import OPEN, Store, Table, key_serial, serial_key

MEMBER_BITS = 10  # of an epoch: number * 1024 + member number


@frozen
class Origin:
    """What the first entry says, or the last one that began another origin."""

    origin: str
    log_key: bytes  # Ed25519 public key


@frozen
class Member:
    """A node of the cluster; its number is the key."""

    name: str
    url: str
    node_key: bytes  # Ed25519 public key
    voter: bool
    may_promote: bool
    cosigner_key: bytes  # Ed25519 public key, b"" = none
    until: int  # serial of its removal, 0 = it is one


@frozen
class Primary:
    """The member that began the newest epoch, and that epoch's first serial."""

    member: int
    epoch: int
    since: int


@frozen
class Replica:
    """A replica that was enrolled; its name is the key."""

    since: int
    token: bytes  # SHA-256 of the token's secret
    voter: bool
    may_promote: bool
    until: int  # serial of its revocation, 0 = it is good


@frozen
class Epoch:
    """An epoch; its number is the key."""

    since: int  # serial of its first entry


ORIGIN = Table("origin", Origin)
MEMBERS = Table("members", Member)
PRIMARY = Table("primary", Primary)
REPLICAS = Table("replicas", Replica)
EPOCHS = Table("epochs", Epoch)
ONLY = b"0"  # key of tables with one row


def on_log_created(store: Store, event: LogCreated, _: Stamp) -> None:
    """Remember origin and key."""
    ORIGIN.put(store, ONLY, Origin(event.origin, event.log_key))


def on_member_added(store: Store, event: MemberAdded, _: Stamp) -> None:
    """Add the member."""
    row = Member(event.name, event.url, event.node_key, event.voter, event.may_promote, b"", OPEN)
    MEMBERS.put(store, member_key(event.number), row)


def on_member_changed(store: Store, event: MemberChanged, _: Stamp) -> None:
    """Note where it is, and its key."""
    row = MEMBERS.get(store, member_key(event.number))
    if row is not None:
        MEMBERS.put(store, member_key(event.number), evolve(row, url=event.url, cosigner_key=event.cosigner_key))


def on_member_removed(store: Store, event: MemberRemoved, stamp: Stamp) -> None:
    """Keep the row, so that its number is not used again and what it signed can still be verified."""
    row = MEMBERS.get(store, member_key(event.number))
    if row is not None:
        MEMBERS.put(store, member_key(event.number), evolve(row, until=stamp.serial))


def on_loss_accepted(store: Store, event: LossAccepted, _: Stamp) -> None:
    """Go on under another origin."""
    ORIGIN.put(store, ONLY, Origin(event.origin, event.log_key))


def on_primary_changed(store: Store, event: PrimaryChanged, stamp: Stamp) -> None:
    """Remember who writes."""
    PRIMARY.put(store, ONLY, Primary(event.member, stamp.epoch, stamp.serial))
    EPOCHS.put(store, serial_key(stamp.epoch), Epoch(event.last_size + 1))


def on_replica_enrolled(store: Store, event: ReplicaEnrolled, stamp: Stamp) -> None:
    """Take the token."""
    row = Replica(stamp.serial, event.token, event.voter, event.may_promote, OPEN)
    REPLICAS.put(store, event.name.encode(), row)


def on_replica_revoked(store: Store, event: ReplicaRevoked, stamp: Stamp) -> None:
    """Keep the row, so that the name can be told apart from one that never was."""
    row = REPLICAS.get(store, event.name.encode())
    if row is not None:
        REPLICAS.put(store, event.name.encode(), evolve(row, until=stamp.serial))


def member_key(number: int) -> bytes:
    """Return the key of member *number*."""
    return number.to_bytes(2)


def origin(store: Store) -> Origin:
    """Return the origin that the log has now.

    Raises:
        LookupError: the log has no first entry.
    """
    row = ORIGIN.get(store, ONLY)
    if row is None:
        raise LookupError("the log has no first entry")
    return row


def members(store: Store) -> Iterator[tuple[int, Member]]:
    """Yield numbers and members, those that were removed too."""
    for key, member in MEMBERS.scan(store):
        yield int.from_bytes(key), member


def member(store: Store, number: int) -> Member | None:
    """Return the member *number*, None if there is none or it was removed."""
    row = MEMBERS.get(store, member_key(number)) if 0 < number < 1 << MEMBER_BITS else None
    return None if row is None or row.until else row


def node_key(store: Store, number: int) -> bytes | None:
    """Return the public key of a node that is a member, or was one."""
    row = MEMBERS.get(store, member_key(number)) if 0 < number < 1 << MEMBER_BITS else None
    return None if row is None else row.node_key


def primary_key(store: Store, number: int) -> bytes | None:
    """Return the public key of a member that may be the primary, None if there is no such member."""
    row = member(store, number)
    return row.node_key if row is not None and row.may_promote else None


def number_of(store: Store, public: bytes) -> int:
    """Return the number of the member with that node key, 0 if there is none."""
    return next((number for number, row in members(store) if row.node_key == public and not row.until), 0)


def member_named(store: Store, name: str) -> tuple[int, Member] | None:
    """Return the member of that name with its number, or None."""
    return next(((number, row) for number, row in members(store) if row.name == name and not row.until), None)


def replica(store: Store, name: str) -> Replica | None:
    """Return the replica that was enrolled under *name*, also if it was revoked since."""
    return REPLICAS.get(store, name.encode())


def replicas(store: Store) -> Iterator[tuple[str, Replica]]:
    """Yield names and replicas that were enrolled, those that were revoked too."""
    for key, row in REPLICAS.scan(store):
        yield key.decode(), row


def replica_with(store: Store, token: bytes) -> tuple[str, Replica] | None:
    """Return the replica whose token has that hash, with its name, or None; there are few."""
    return next(((key.decode(), row) for key, row in REPLICAS.scan(store) if row.token == token), None)


def epochs(store: Store) -> list[tuple[int, int]]:
    """Return all epochs with the serials of their first entries, in order."""
    return [(key_serial(key), row.since) for key, row in EPOCHS.scan(store)]


def epoch_of(number: int, member: int) -> int:
    """Return the epoch with *number* that *member* takes."""
    return (number << MEMBER_BITS) + member


def origin_under(origin: str, epoch: int) -> str:
    """Return the origin under which a log goes on that was *origin*, when *epoch* began by an operator's word."""
    return f"{origin}/e{shown_epoch(epoch)}"


def epoch_under(origin: str) -> int:
    """Return the epoch that began *origin*, 0 if that is the log's first one."""
    found = re.search(r"/e([0-9]{1,10})\.([0-9]{1,4})\Z", origin, re.ASCII)
    return 0 if found is None else epoch_of(int(found[1]), int(found[2]))


def member_of(epoch: int) -> int:
    """Return the number of the member who took *epoch*."""
    return epoch & ((1 << MEMBER_BITS) - 1)


def shown_epoch(epoch: int) -> str:
    """Return *epoch* as people read it: ``number.member``."""
    return f"{epoch >> MEMBER_BITS}.{member_of(epoch)}"
