"""Promises that are asked for: by whom, for which epoch, and what else is believed about epochs."""

import pytest
from attrs import evolve

from changelog import log, promise
from changelog.errors import Conflict, InvalidProof, Refused
from changelog.events.cluster import MemberRemoved
from changelog.tables import Store
from changelog.views.cluster import epoch_of
from server import ballots
from server.ballots import ANSWERS, ASKS, Answer, Ask
from tests.nodes import BEGIN
from tests.unit.members import FIRST_EPOCH, KEYS, added, voters

SECOND = epoch_of(2, 2)


def ask(member: int = 2, epoch: int = SECOND, signer: int | None = None) -> bytes:
    return ASKS.sign(Ask(member, epoch, BEGIN), KEYS[signer or member])


def answer(member: int, *, promised: int = 0, epoch: int = FIRST_EPOCH) -> bytes:
    return ANSWERS.sign(Answer(member, promised, epoch, 7, bytes(32), ((FIRST_EPOCH, 1),)), KEYS[member])


def three() -> Store:
    return voters(3).store


def test_a_member_is_promised_an_epoch_of_its_own() -> None:
    store = three()
    ballots.promised(store, ask())
    assert promise.given(store) == SECOND
    head = log.head(store)
    assert ballots.position(store, 3) == Answer(3, SECOND, FIRST_EPOCH, head.size, head.root, ((FIRST_EPOCH, 1),))


def test_the_same_question_may_come_twice() -> None:
    store = three()
    ballots.promised(store, ask())
    ballots.promised(store, ask())
    assert promise.given(store) == SECOND


def test_the_position_of_who_asks_does_not_matter() -> None:
    store = three()
    ballots.promised(store, ask(3, epoch_of(2, 3)))
    assert promise.given(store) == epoch_of(2, 3)


def test_an_epoch_that_is_not_above_all_seen_is_not_promised() -> None:
    store = three()
    ballots.promised(store, ask(3, epoch_of(2, 3)))
    with pytest.raises(Conflict, match=r"epoch 2\.2 is not above 2\.3"):
        ballots.promised(store, ask())
    assert promise.given(store) == epoch_of(2, 3)


def test_an_epoch_of_another_member_is_not_promised() -> None:
    with pytest.raises(InvalidProof, match=r"member 3 asks for epoch 2\.2, which is not its own"):
        ballots.promised(three(), ask(3, SECOND))


@pytest.mark.parametrize(("member", "signer"), [(2, 3), (7, 7)])
def test_who_did_not_sign_or_is_unknown_is_promised_nothing(member: int, signer: int) -> None:
    store = three()
    with pytest.raises(InvalidProof):
        ballots.promised(store, ask(member, epoch_of(2, member), signer))
    assert promise.given(store) == 0


def test_who_may_not_become_the_primary_is_promised_nothing() -> None:
    removed = voters(3, MemberRemoved(2)).store
    for store in (removed, voters(1, added(2, may_promote=False)).store):
        with pytest.raises(Refused, match="member 2 may not become the primary"):
            ballots.promised(store, ask())
        assert promise.given(store) == 0


def test_a_voter_tells_of_a_newer_epoch() -> None:
    store = three()
    assert ballots.newest(store, answer(2, promised=SECOND)) == SECOND
    assert ballots.newest(store, answer(2, promised=SECOND, epoch=epoch_of(3, 3))) == epoch_of(3, 3)


def test_what_was_seen_already_is_no_news() -> None:
    store = three()
    assert ballots.newest(store, answer(2)) == 0
    promise.keep(store, SECOND)
    assert ballots.newest(store, answer(2, promised=SECOND)) == 0
    log.set_head(store, evolve(log.head(store), epoch=epoch_of(4, 1)))
    assert ballots.newest(store, answer(2, promised=epoch_of(3, 2))) == 0


def test_who_is_no_voter_tells_nothing_of_epochs() -> None:
    store = voters(1, added(2, voter=False)).store
    with pytest.raises(InvalidProof, match="member 2 is no voter"):
        ballots.newest(store, answer(2, promised=SECOND))
    with pytest.raises(InvalidProof):
        ballots.newest(voters(3, MemberRemoved(2)).store, answer(2, promised=SECOND))
