"""The log's origin and key, the members that carry it, and the replicas that may follow it."""

from collections.abc import Iterator

from attrs import evolve, frozen

from changelog.codec import Stamp
from changelog.events.cluster import LogCreated, MemberAdded, PrimaryChanged, ReplicaEnrolled, ReplicaRevoked
from changelog.tables import OPEN, Store, Table

MEMBER_BITS = 10  # of an epoch: number * 1024 + member number


@frozen
class Origin:
    """What the first entry says."""

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


ORIGIN = Table("origin", Origin)
MEMBERS = Table("members", Member)
PRIMARY = Table("primary", Primary)
REPLICAS = Table("replicas", Replica)
ONLY = b"0"  # key of tables with one row


def on_log_created(store: Store, event: LogCreated, _: Stamp) -> None:
    """Remember origin and key."""
    ORIGIN.put(store, ONLY, Origin(event.origin, event.log_key))


def on_member_added(store: Store, event: MemberAdded, _: Stamp) -> None:
    """Add the member."""
    row = Member(event.name, event.url, event.node_key, event.voter, event.may_promote)
    MEMBERS.put(store, member_key(event.number), row)


def on_primary_changed(store: Store, event: PrimaryChanged, stamp: Stamp) -> None:
    """Remember who writes."""
    PRIMARY.put(store, ONLY, Primary(event.member, stamp.epoch, stamp.serial))


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


def members(store: Store) -> Iterator[tuple[int, Member]]:
    """Yield numbers and members."""
    for key, member in MEMBERS.scan(store):
        yield int.from_bytes(key), member


def member_named(store: Store, name: str) -> tuple[int, Member] | None:
    """Return the member of that name with its number, or None."""
    return next(((number, member) for number, member in members(store) if member.name == name), None)


def replica(store: Store, name: str) -> Replica | None:
    """Return the replica that was enrolled under *name*, also if it was revoked since."""
    return REPLICAS.get(store, name.encode())


def replica_with(store: Store, token: bytes) -> tuple[str, Replica] | None:
    """Return the replica whose token has that hash, with its name, or None; there are few."""
    return next(((key.decode(), row) for key, row in REPLICAS.scan(store) if row.token == token), None)


def epoch_of(number: int, member: int) -> int:
    """Return the epoch with *number* that *member* takes."""
    return (number << MEMBER_BITS) + member


def shown_epoch(epoch: int) -> str:
    """Return *epoch* as people read it: ``number.member``."""
    return f"{epoch >> MEMBER_BITS}.{epoch & ((1 << MEMBER_BITS) - 1)}"
