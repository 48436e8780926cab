"""The log's origin and key, and the members that carry it."""

from collections.abc import Iterator

from attrs import frozen

from changelog.codec import Stamp
from changelog.events.cluster import LogCreated, MemberAdded, PrimaryChanged
from changelog.tables import Store, Table

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


ORIGIN = Table("origin", Origin)
MEMBERS = Table("members", Member)
PRIMARY = Table("primary", Primary)
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


def member_key(number: int) -> bytes:
    """Return the key of member *number*."""
    return number.to_bytes(2)


def members(store: Store) -> Iterator[tuple[int, Member]]:
    """Yield numbers and members."""
    for key, member in MEMBERS.scan(store):
        yield int.from_bytes(key), member


def epoch_of(number: int, member: int) -> int:
    """Return the epoch with *number* that *member* takes."""
    return (number << MEMBER_BITS) + member


def shown_epoch(epoch: int) -> str:
    """Return *epoch* as people read it: ``number.member``."""
    return f"{epoch >> MEMBER_BITS}.{epoch & ((1 << MEMBER_BITS) - 1)}"
