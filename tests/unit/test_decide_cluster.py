"""What may become of the cluster: one change at a time, and none before the primary's first entry is acknowledged."""

import pytest

from changelog.codec import Event
from changelog.errors import Conflict, InvalidOption, NotFound, Refused, Unauthenticated
from changelog.events.cluster import (
    DurabilitySet,
    MemberAdded,
    MemberChanged,
    MemberRemoved,
    MembersSettled,
    PrimaryChanged,
    ReplicaEnrolled,
    ReplicaRevoked,
)
from changelog.tables import Store
from changelog.views import cluster
from changelog.writer import Already
from server.commands import REPLICA, Caller, Command, EnrolReplica, Join, RemoveMember, RevokeReplica, SetDurability
from server.decide import decide
from tests.unit.members import OPERATING, added, decided, public, signed, voters

ITSELF = Caller(REPLICA, 0)
TOKEN = b"t" * 32
COSIGNER = b"c" * 32
URL = "http://127.0.0.1:3142"


def enrolled(name: str = "n2", *, voter: bool = True) -> ReplicaEnrolled:
    return ReplicaEnrolled(name, TOKEN, voter=voter, may_promote=voter)


def join(name: str = "n2", number: int = 2, url: str = URL) -> Join:
    return Join(name, public(number), COSIGNER, url)


def joined(store: Store, command: Join) -> list[Event]:
    return decided(store, command, ITSELF)


def test_an_enrolled_voter_becomes_a_member_at_once_where_no_copies_are_wanted() -> None:
    assert joined(voters(1, enrolled()).store, join()) == [
        MemberAdded("n2", 2, URL, public(2), voter=True, may_promote=True),
        MemberChanged(2, URL, COSIGNER),
        MembersSettled(),
    ]


def test_a_voter_has_to_be_settled_where_copies_are_wanted() -> None:
    events = joined(voters(2, enrolled("n3"), replicas=1).store, join("n3", 3))
    assert [type(event) for event in events] == [MemberAdded, MemberChanged]


def test_who_is_no_voter_may_join_amid_a_change_of_voters() -> None:
    folding = voters(2, DurabilitySet(1), enrolled("n3", voter=False))
    assert [type(event) for event in joined(folding.store, join("n3", 3))] == [MemberAdded, MemberChanged]


def test_numbers_are_not_used_again() -> None:
    folding = voters(3, MemberRemoved(3), MembersSettled(), enrolled("n4"))
    signed(folding, folding.serials[-1])
    assert joined(folding.store, join("n4", 4))[0] == MemberAdded("n4", 4, URL, public(4), voter=True, may_promote=True)


def test_a_member_tells_what_changed_and_else_nothing() -> None:
    store = voters(2, MemberChanged(2, URL, COSIGNER)).store
    assert joined(store, join()) == []
    assert joined(store, join(url="http://127.0.0.1:1")) == [MemberChanged(2, "http://127.0.0.1:1", COSIGNER)]
    again = Join("n2", public(2), b"d" * 32, URL)
    assert joined(store, again) == [MemberChanged(2, URL, b"d" * 32)]


def test_a_member_may_tell_amid_a_change_of_voters() -> None:
    assert joined(voters(2, DurabilitySet(1)).store, join()) == [MemberChanged(2, URL, COSIGNER)]


def test_a_member_of_that_name_with_another_key_is_refused() -> None:
    with pytest.raises(Conflict, match="the member n2 has another node key; remove it first if its disk was lost"):
        joined(voters(2).store, join("n2", 3))


def test_a_key_is_that_of_one_member() -> None:
    with pytest.raises(Conflict, match="a member has the node key of n3 already"):
        joined(voters(2, enrolled("n3")).store, join("n3", 2))


def test_a_voter_has_to_tell_where_it_is() -> None:
    with pytest.raises(InvalidOption, match=r"the voter n2 has to tell where it is \(--member-url\)"):
        joined(voters(1, enrolled()).store, join(url=""))
    assert joined(voters(1, enrolled(voter=False)).store, join(url=""))


@pytest.mark.parametrize("more", [(), (enrolled(), ReplicaRevoked("n2"))], ids=["never", "revoked"])
def test_who_is_not_enrolled_can_not_join(more: tuple[Event, ...]) -> None:
    with pytest.raises(Unauthenticated, match="no replica n2 is enrolled"):
        joined(voters(1, *more).store, join())


def test_all_numbers_can_be_used_up() -> None:
    folding = voters(1, MemberAdded("last", 1023, "", public(7), voter=False, may_promote=False), enrolled())
    with pytest.raises(Conflict, match="there were 1023 members"):
        joined(folding.store, join())


def test_a_voter_that_leaves_is_settled_at_once_where_no_copies_are_wanted() -> None:
    assert decided(voters(2).store, RemoveMember("n2")) == [MemberRemoved(2), MembersSettled()]
    assert decided(voters(3, replicas=1).store, RemoveMember("n2")) == [MemberRemoved(2)]


def test_the_token_of_who_is_removed_is_worthless() -> None:
    events = decided(voters(2, enrolled()).store, RemoveMember("n2"))
    assert events == [ReplicaRevoked("n2"), MemberRemoved(2), MembersSettled()]
    assert decided(voters(2, enrolled()).store, RevokeReplica("n2")) == events


def test_a_replica_that_never_joined_is_only_revoked() -> None:
    folding = voters(1, enrolled())
    assert decided(folding.store, RevokeReplica("n2")) == [ReplicaRevoked("n2")]
    serial = folding.add(ReplicaRevoked("n2"))
    assert decide(folding.store, OPERATING, RevokeReplica("n2")) == Already(serial)


def test_the_primary_can_not_be_removed() -> None:
    with pytest.raises(Refused, match="the primary can not be removed; promote another member first"):
        decided(voters(2).store, RemoveMember("n1"))


def test_so_many_voters_stay_as_copies_are_wanted() -> None:
    with pytest.raises(InvalidOption, match="1 copies besides the primary's can not be had with 1 voters"):
        decided(voters(2, replicas=1).store, RemoveMember("n2"))


def test_nobody_of_that_name_is_removed() -> None:
    for command in (RemoveMember("n9"), RevokeReplica("n9")):
        with pytest.raises(NotFound):
            decided(voters(2).store, command)


def test_copies_are_asked_for_and_settled_later() -> None:
    assert decided(voters(2).store, SetDurability(1)) == [DurabilitySet(1)]
    assert decided(voters(2, replicas=1).store, SetDurability(0)) == [DurabilitySet(0)]


def test_the_same_number_of_copies_is_nothing_new() -> None:
    folding = voters(2, replicas=1)
    assert decide(folding.store, OPERATING, SetDurability(1)) == Already(folding.serials[-1])


def test_copies_are_not_asked_for_while_a_voter_never_told_where_it_is() -> None:
    store = voters(3, MemberChanged(2, "", COSIGNER)).store
    with pytest.raises(Conflict, match=r"n2 never told where they are \(--member-url\)"):
        decided(store, SetDurability(1))
    of_no_voter = voters(2, MemberAdded("n3", 3, "", public(3), voter=False, may_promote=False)).store
    assert decided(of_no_voter, SetDurability(1)) == [DurabilitySet(1)]


def test_copies_can_be_asked_for_no_longer_wherever_voters_are() -> None:
    store = voters(2, MemberChanged(2, "", COSIGNER), replicas=1).store
    assert decided(store, SetDurability(0)) == [DurabilitySet(0)]


@pytest.mark.parametrize("replicas", [2, 1_000, -1])
def test_more_copies_than_other_voters_can_not_be_had(replicas: int) -> None:
    with pytest.raises(InvalidOption, match="can not be had with 2 voters"):
        decided(voters(2).store, SetDurability(replicas))


CHANGES = (SetDurability(1), SetDurability(2), RemoveMember("n2"), RevokeReplica("n4"))


@pytest.mark.parametrize("command", CHANGES, ids=repr)
def test_only_one_change_is_under_way(command: Command) -> None:
    folding = voters(3, enrolled("n4"), added(4), MembersSettled(), DurabilitySet(1))
    with pytest.raises(Conflict, match=f"the change of entry {folding.serials[-1]} is not settled yet"):
        decided(folding.store, command)
    folding.add(enrolled("n5"))
    with pytest.raises(Conflict, match="is not settled yet"):
        joined(folding.store, join("n5", 5))


@pytest.mark.parametrize("command", CHANGES[1:], ids=repr)
def test_nothing_changes_before_the_primarys_first_entry_is_acknowledged(command: Command) -> None:
    folding = voters(3, enrolled("n4"), added(4), MembersSettled(), replicas=1)
    since = folding.add(PrimaryChanged(3, 1025, folding.serials[-1], bytes(32)))
    signed(folding, since - 1)
    with pytest.raises(Conflict, match="the primary's first entry is not acknowledged yet"):
        decided(folding.store, command)
    signed(folding, since)
    assert decided(folding.store, command)


def test_who_may_become_the_primary_is_a_voter() -> None:
    store = voters(1).store
    with pytest.raises(InvalidOption, match="has to be a voter"):
        decided(store, EnrolReplica("n2", TOKEN, voter=False, may_promote=True))
    assert decided(store, EnrolReplica("n2", TOKEN, voter=True, may_promote=True)) == [enrolled()]


def test_a_name_of_a_member_or_a_replica_is_not_enrolled_again() -> None:
    with pytest.raises(Conflict, match="a member of the cluster has the name n2"):
        decided(voters(2).store, EnrolReplica("n2", TOKEN, voter=False, may_promote=False))
    with pytest.raises(Conflict, match="a replica n2 is enrolled already"):
        decided(voters(1, enrolled()).store, EnrolReplica("n2", TOKEN, voter=False, may_promote=False))


@pytest.mark.parametrize("command", [*CHANGES, EnrolReplica("n9", TOKEN, voter=False, may_promote=False)], ids=repr)
def test_only_the_operator_and_root_change_the_cluster(command: Command) -> None:
    folding = voters(3, enrolled("n4"))
    for caller, refusal in ((Caller("", 0), Unauthenticated), (ITSELF, Refused)):
        with pytest.raises(refusal):
            decided(folding.store, command, caller)


def test_a_removed_member_keeps_its_number_and_key() -> None:
    folding = voters(2, MemberRemoved(2))
    assert cluster.member(folding.store, 2) is None
    assert cluster.node_key(folding.store, 2) == public(2)
    assert cluster.number_of(folding.store, public(2)) == 0
    assert cluster.member_named(folding.store, "n2") is None
