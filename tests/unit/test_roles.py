"""What a node is, by its log and its promises; where it is; and which nodes a request has passed."""

from pathlib import Path

import pytest
from attrs import evolve

from changelog import log, promise
from changelog.errors import Unavailable
from changelog.events.cluster import MemberRemoved, PrimaryChanged
from changelog.views.cluster import epoch_of
from replica.config import ReplicaConfig
from replica.membership import where
from server import roles, via
from server.via import VIA, with_own
from tests.unit.members import public, signed, voters

ANY = "0.0.0.0"  # noqa: S104 - no address at which others reach a node


def test_the_member_of_the_newest_epoch_is_the_primary() -> None:
    folding = voters(2)
    assert roles.of(folding.store, public(1)) == roles.PRIMARY
    assert roles.of(folding.store, public(2)) == roles.REPLICA
    folding.add(PrimaryChanged(2, 1025, folding.serials[-1], bytes(32)))
    assert roles.of(folding.store, public(1)) == roles.REPLICA
    assert roles.of(folding.store, public(2)) == roles.PRIMARY


def test_a_primary_that_promised_a_later_epoch_is_one_no_longer() -> None:
    folding = voters(2)
    promise.give(folding.store, epoch_of(2, 2))
    assert roles.of(folding.store, public(1)) == roles.REPLICA


def test_a_primary_that_has_entries_of_a_later_epoch_is_one_no_longer() -> None:
    folding = voters(2)
    log.set_head(folding.store, evolve(log.head(folding.store), epoch=epoch_of(2, 2)))
    assert roles.of(folding.store, public(1)) == roles.REPLICA


def test_who_is_no_member_is_a_replica() -> None:
    assert roles.of(voters(1).store, public(2)) == roles.REPLICA
    removed = voters(2, MemberRemoved(2))
    removed.add(PrimaryChanged(2, 1025, removed.serials[-1], bytes(32)))
    signed(removed, 1)
    assert roles.of(removed.store, public(2)) == roles.REPLICA


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({"host": "127.0.0.1", "port": 3142}, "http://127.0.0.1:3142"),
        ({"host": "::1", "port": 3142}, "http://[::1]:3142"),
        ({"host": "node.example", "port": 3142}, "http://node.example:3142"),
        ({"host": ANY, "port": 3142}, ""),
        ({"host": "::", "port": 3142}, ""),
        ({"host": ANY, "outside_url": "https://index.example/"}, "https://index.example"),
        ({"outside_url": "https://index.example", "member_url": "http://10.0.0.2:3141/"}, "http://10.0.0.2:3141"),
    ],
)
def test_a_member_is_where_its_options_say(options: dict[str, str], url: str) -> None:
    assert where(ReplicaConfig(Path("/srv/replica"), **options)) == url  # type: ignore[arg-type] # of several types


@pytest.fixture(autouse=True)
def _nothing_passed() -> None:
    via.passed.set("")


def test_a_request_names_the_nodes_that_it_passed() -> None:
    assert with_own("n1") == {VIA: "n1"}
    via.note({VIA: "n1, n2"}, "n3")
    assert with_own("n3") == {VIA: "n1, n2, n3"}


@pytest.mark.parametrize("names", ["n1", "n1, n2", "n2, n1", "n3, n1, n2"])
def test_a_request_that_comes_back_is_not_handed_on(names: str) -> None:
    with pytest.raises(Unavailable, match="the nodes that were asked follow each other"):
        via.note({VIA: names}, "n1")


def test_a_name_that_only_begins_like_a_nodes_is_another() -> None:
    via.note({VIA: "n10, xn1"}, "n1")
    assert via.passed.get() == "n10, xn1"
