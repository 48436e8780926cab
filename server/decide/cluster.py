"""What may become of the cluster: who may follow the log, who is a member, and whose copies count."""

from collections.abc import Sequence

from changelog import checkpoint, log
from changelog.codec import Event
from changelog.errors import Conflict, InvalidOption, NotFound, Refused, Unauthenticated
from changelog.events.cluster import (
    DurabilitySet,
    MemberAdded,
    MemberChanged,
    MemberRemoved,
    MembersSettled,
    ReplicaEnrolled,
    ReplicaRevoked,
)
from changelog.tables import Store
from changelog.views import cluster, voting
from changelog.views.cluster import MEMBER_BITS
from changelog.writer import Already, Decision
from server.commands import Caller, EnrolReplica, Join, RemoveMember, RevokeReplica, SetDurability
from server.permissions import ROOT, check_owner

MAX_MEMBERS = (1 << MEMBER_BITS) - 1


def enrol(store: Store, caller: Caller, command: EnrolReplica) -> Decision:
    """Enrol a replica under a name that none has, or that was revoked."""
    check_owner(caller, ROOT, "enrol replicas")
    row = cluster.replica(store, command.name)
    if row is not None and not row.until:
        raise Conflict(f"a replica {command.name} is enrolled already; revoke it first")
    if cluster.member_named(store, command.name) is not None:
        raise Conflict(f"a member of the cluster has the name {command.name}")
    if command.may_promote and not command.voter:
        raise InvalidOption("who may become the primary has to be a voter")
    return [ReplicaEnrolled(command.name, command.token, command.voter, command.may_promote)]


def revoke(store: Store, caller: Caller, command: RevokeReplica) -> Decision:
    """Revoke a replica, once, and let the member go that it became."""
    check_owner(caller, ROOT, "revoke replicas")
    row = cluster.replica(store, command.name)
    if row is None:
        raise NotFound(f"no replica {command.name} was enrolled")
    if row.until:
        return Already(row.until)
    found = cluster.member_named(store, command.name)
    if found is None:
        return [ReplicaRevoked(command.name)]
    return [ReplicaRevoked(command.name), *_removed(store, found[0], found[1].voter)]


def join(store: Store, _: Caller, command: Join) -> Decision:
    """Make a replica a member; the handler checked that it is the one of that name."""
    found = cluster.member_named(store, command.name)
    if found is not None:
        return _changed(found, command)
    row = cluster.replica(store, command.name)
    if row is None or row.until:
        raise Unauthenticated(f"no replica {command.name} is enrolled")
    if cluster.number_of(store, command.node_key):
        raise Conflict(f"a member has the node key of {command.name} already")
    if row.voter and not command.url:
        raise InvalidOption(f"the voter {command.name} has to tell where it is (--member-url)")
    number = max((number for number, _ in cluster.members(store)), default=0) + 1
    if number > MAX_MEMBERS:
        raise Conflict(f"there were {MAX_MEMBERS} members, and numbers are not used again")
    added = MemberAdded(command.name, number, command.url, command.node_key, row.voter, row.may_promote)
    events = [added, MemberChanged(number, command.url, command.cosigner_key)]
    return [*events, *_settled(store, voting.required(store))] if row.voter else events


def remove(store: Store, caller: Caller, command: RemoveMember) -> Decision:
    """Let a member go; the name's token is worthless then."""
    check_owner(caller, ROOT, "remove members")
    found = cluster.member_named(store, command.name)
    if found is None:
        raise NotFound(f"no member {command.name}")
    row = cluster.replica(store, command.name)
    revoked = [ReplicaRevoked(command.name)] if row is not None and not row.until else []
    return [*revoked, *_removed(store, found[0], found[1].voter)]


def set_durability(store: Store, caller: Caller, command: SetDurability) -> Decision:
    """Ask for another number of copies."""
    check_owner(caller, ROOT, "set how many copies there have to be")
    now = voting.find(store)
    if command.replicas == now.replicas and not now.since:
        return Already(log.head(store).size)
    _check_copies(len(now.voters), command.replicas)
    nowhere = [row.name for number, row in cluster.members(store) if number in now.voters and not row.url]
    if command.replicas and nowhere:
        raise Conflict(
            f"where {', '.join(nowhere)} is was never told (--member-url), so nobody could ask who took over"
        )
    return [DurabilitySet(command.replicas), *_settled(store, max(command.replicas, voting.required(store)))]


def _changed(found: tuple[int, cluster.Member], command: Join) -> Decision:
    number, row = found
    if row.node_key != command.node_key:
        raise Conflict(f"the member {command.name} has another node key; remove it first if its disk was lost")
    if (row.url, row.cosigner_key) == (command.url, command.cosigner_key):
        return []
    return [MemberChanged(number, command.url, command.cosigner_key)]


def _removed(store: Store, number: int, voter: bool) -> Sequence[Event]:  # noqa: FBT001 - as the row has it
    primary = cluster.PRIMARY.get(store, cluster.ONLY)
    if primary is not None and primary.member == number:
        raise Refused("the primary can not be removed; promote another member first")
    if not voter:
        return [MemberRemoved(number)]
    now = voting.find(store)
    _check_copies(len(now.voters) - 1, now.replicas)
    return [MemberRemoved(number), *_settled(store, voting.required(store))]


def _check_copies(voters: int, replicas: int) -> None:
    if not 0 <= replicas < voters:
        raise InvalidOption(f"{replicas} copies besides the primary's can not be had with {voters} voters")


def _settled(store: Store, replicas: int) -> Sequence[Event]:
    """Check that voting may change now, and return what ends the change at once where no copies are wanted.

    Raises:
        Conflict: a change is under way, or the primary's own first entry has yet to be acknowledged.
    """
    now, primary = voting.find(store), cluster.PRIMARY.get(store, cluster.ONLY)
    if now.since:
        raise Conflict(f"the change of entry {now.since} is not settled yet")
    signed = checkpoint.claimed_size(log.head(store).checkpoint)
    if primary is not None and signed < primary.since:
        raise Conflict("the primary's first entry is not acknowledged yet")
    return [] if replicas else [MembersSettled()]
