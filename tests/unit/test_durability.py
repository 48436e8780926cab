"""How many voters have a write before it is answered."""

import pytest

from changelog.errors import InvalidOption
from changelog.events.cluster import DurabilitySet, MembersSettled
from changelog.events.indexes import IndexCreated
from changelog.names import IndexName, UserName
from changelog.tables import Store
from server import durability
from server.commands import OPERATOR, UPSTREAM, Caller, DeleteIndex, DeleteUser, ModifyIndex, Request
from tests.unit.members import added, voters

DEV = IndexName("alice/dev")
CALLER = Caller(OPERATOR, 0)
PLAIN = Request(CALLER, DeleteUser(UserName("bob")))


def request(replicas: int = durability.NOT_SAID) -> Request:
    return Request(CALLER, DeleteIndex(DEV), replicas=replicas)


def store(said: str = "", *, replicas: int = 0, count: int = 3) -> Store:
    options = ((durability.OPTION, said),) if said else ()
    return voters(count, IndexCreated(DEV, "stage", options, b""), replicas=replicas).store


@pytest.mark.parametrize(("text", "number"), [("local", 0), ("replicas=1", 1), ("replicas=12", 12), ("replicas=01", 1)])
def test_a_durability_is_local_or_a_number_of_replicas(text: str, number: int) -> None:
    assert durability.parse(text) == number


NONE = ("", "Local", "local ", "replicas", "replicas=", "replicas=0", "replicas=-1", "replicas=1.0", "replicas=12345")


@pytest.mark.parametrize("text", [*NONE, "1", "replicas=\N{ARABIC-INDIC DIGIT ONE}", "x" * 100_000])
def test_what_is_no_durability_is_refused_in_few_words(text: str) -> None:
    with pytest.raises(InvalidOption, match="not a durability") as refusal:
        durability.parse(text)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("replicas", [0, 1, 2])
def test_the_clusters_setting_holds_where_nothing_is_said(replicas: int) -> None:
    assert durability.replicas(store(replicas=replicas), request()) == replicas
    assert durability.replicas(store(replicas=replicas), PLAIN) == replicas


def test_an_index_says_what_its_writes_wait_for() -> None:
    assert durability.replicas(store("replicas=2"), request()) == 2
    assert durability.replicas(store("local", replicas=1), request()) == 0
    assert durability.replicas(store("replicas=2"), PLAIN) == 0


def test_a_request_says_it_before_its_index() -> None:
    assert durability.replicas(store("replicas=2"), request(1)) == 1
    assert durability.replicas(store("replicas=2"), request(0)) == 0


def test_who_waits_for_voters_waits_for_as_many_as_the_cluster_says() -> None:
    assert durability.replicas(store("replicas=1", replicas=2), request()) == 2
    assert durability.replicas(store(replicas=2), request(1)) == 2


def test_amid_a_change_the_larger_number_is_waited_for() -> None:
    changing = voters(3, DurabilitySet(2)).store
    assert durability.replicas(changing, PLAIN) == 2
    back = voters(3, DurabilitySet(0), replicas=2).store
    assert durability.replicas(back, PLAIN) == 2


def test_more_voters_than_there_are_can_not_be_waited_for() -> None:
    with pytest.raises(InvalidOption, match="replicas=3 can not be had: there are 2 voters besides the primary"):
        durability.replicas(store(), request(3))
    with pytest.raises(InvalidOption, match="there are 0 voters"):
        durability.replicas(store("replicas=1", count=1), request())
    joining = voters(1, added(2)).store
    with pytest.raises(InvalidOption, match="there are 0 voters"):
        durability.replicas(joining, request(1))
    settled = voters(1, added(2), MembersSettled()).store
    assert durability.replicas(settled, request(1)) == 1


def test_what_can_be_fetched_again_waits_for_nobody() -> None:
    asked = Request(Caller(UPSTREAM, 0), DeleteIndex(DEV))
    assert durability.replicas(store(replicas=1), asked) == 0


def test_a_change_of_an_index_goes_by_the_clusters_setting() -> None:
    changing = Request(CALLER, ModifyIndex(DEV, 1, (), b""))
    assert durability.replicas(store("replicas=3", count=1), changing) == 0
    assert durability.replicas(store("replicas=3", replicas=1), changing) == 1
