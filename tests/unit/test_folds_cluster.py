"""Folds of the members of a cluster, and of an origin that follows another."""

from collections.abc import Callable

import pytest

from changelog import log
from changelog.codec import Event
from changelog.events.cluster import LossAccepted, MemberChanged, MemberRemoved, MembersSettled, PrimaryChanged
from changelog.views import cluster, voting
from changelog.views.cluster import Origin, epoch_of, epoch_under, origin_under
from tests.nodes import ORIGIN, PUBLIC, Folding
from tests.unit.members import added, public, voters

OTHER = origin_under(ORIGIN, epoch_of(2, 3))


@pytest.fixture
def folding() -> Folding:
    return voters(2)


def test_a_member_is_where_it_told_last(folding: Folding) -> None:
    folding.add(MemberChanged(2, "http://127.0.0.1:1", b"c" * 32), MemberChanged(2, "http://127.0.0.1:2", b"d" * 32))
    row = cluster.member(folding.store, 2)
    assert row is not None
    assert (row.name, row.url, row.cosigner_key) == ("n2", "http://127.0.0.1:2", b"d" * 32)
    assert (row.node_key, row.voter, row.may_promote, row.until) == (public(2), True, True, 0)


def test_a_member_that_was_removed_stays_in_the_table_alone(folding: Folding) -> None:
    serial = folding.add(MemberRemoved(2))
    rows = dict(cluster.members(folding.store))
    assert rows[2].until == serial
    assert cluster.member(folding.store, 2) is None
    assert cluster.node_key(folding.store, 2) == public(2)


@pytest.mark.parametrize("number", [0, -1, 7, 1024, 1 << 40])
def test_there_is_no_member_of_a_number_that_was_not_given(folding: Folding, number: int) -> None:
    assert cluster.member(folding.store, number) is None
    assert cluster.node_key(folding.store, number) is None


@pytest.mark.parametrize("event", [MemberChanged(7, "", b""), MemberRemoved(7)], ids=["changed", "removed"])
def test_an_event_about_nobody_changes_no_member(folding: Folding, event: Event) -> None:
    before = list(cluster.members(folding.store))
    folding.add(event)
    assert list(cluster.members(folding.store)) == before


def test_a_loss_that_was_accepted_begins_another_origin_with_another_key(folding: Folding) -> None:
    assert cluster.origin(folding.store) == Origin(ORIGIN, PUBLIC)
    folding.add(LossAccepted(OTHER, public(3), (2,), (1,)))
    assert cluster.origin(folding.store) == Origin(OTHER, public(3))


def test_each_epoch_has_its_first_entry(folding: Folding) -> None:
    size = folding.serials[-1]
    assert cluster.epochs(folding.store) == [(epoch_of(1, 1), 1)]
    folding.add(PrimaryChanged(2, epoch_of(1, 1), size, bytes(32)), added(3))
    assert [since for _, since in cluster.epochs(folding.store)] == [size + 1]


def test_settling_what_is_settled_changes_nothing(folding: Folding) -> None:
    before = voting.find(folding.store)
    folding.add(MembersSettled())
    assert voting.find(folding.store) == before


def test_a_log_without_entries_has_no_origin() -> None:
    with pytest.raises(LookupError):
        cluster.origin(Folding().store)


def test_an_origin_says_the_epoch_that_began_it() -> None:
    assert f"{ORIGIN}/e2.3" == OTHER
    assert epoch_under(OTHER) == epoch_of(2, 3)
    assert epoch_under(origin_under(OTHER, epoch_of(5, 1))) == epoch_of(5, 1)


@pytest.mark.parametrize("origin", [ORIGIN, f"{ORIGIN}/e2", f"{ORIGIN}/e2.3/x", f"{ORIGIN}/e2.3\n", "e2.3", ""])
def test_the_first_origin_of_a_log_began_with_none(origin: str) -> None:
    assert epoch_under(origin) == 0


@pytest.mark.parametrize(
    ("origin", "continues"),
    [
        (ORIGIN, True),
        (OTHER, True),
        (f"{OTHER}/e5.1", True),
        (f"{ORIGIN}2", False),
        (f"{ORIGIN}/x", False),
        ("", False),
    ],
)
def test_an_origin_continues_the_one_that_it_began_as(origin: str, *, continues: bool) -> None:
    assert log.continues(origin, ORIGIN) is continues


@pytest.mark.parametrize("find", [cluster.member_named, cluster.replica])
def test_a_name_that_nobody_has_is_not_found(folding: Folding, find: Callable[[object, str], object]) -> None:
    assert find(folding.store, "n9") is None
