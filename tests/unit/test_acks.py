"""Acknowledgements: whose count, for which epoch, and which answers they release."""

import asyncio
from collections.abc import Collection

from attrs import evolve

from changelog.views.cluster import epoch_of
from changelog.views.voting import Voting
from server.acks import Ack, Acks, Waiting
from tests.nodes import BEGIN
from tests.unit.members import FIRST_EPOCH

NOW = Voting((1, 2, 3), 1, (), 0, 0)
ACK = Ack(2, FIRST_EPOCH, 7, bytes(32), (), BEGIN)
BLOB = b"b" * 32
Holders = Collection[int] | None


def heard(*acks: Ack, epoch: int = FIRST_EPOCH) -> Acks:
    found = Acks(epoch)
    for ack in acks:
        found.take(ack)
    return found


def test_a_voter_that_has_an_entry_holds_it() -> None:
    acks = heard(ACK)
    assert acks.held(NOW, 10) == 7
    assert acks.is_held(NOW, 7, (), 1)
    assert not acks.is_held(NOW, 8, (), 1)


def test_an_acknowledgement_of_another_epoch_counts_for_nothing() -> None:
    for epoch in (epoch_of(1, 2), epoch_of(2, 1), 0):
        acks = heard(evolve(ACK, epoch=epoch))
        assert acks.held(NOW, 10) == 0
        assert not acks.is_held(NOW, 1, (), 1)


def test_who_is_no_voter_and_the_primary_itself_count_for_nothing() -> None:
    assert heard(evolve(ACK, member=4), evolve(ACK, member=1)).held(NOW, 10) == 0


def test_only_what_is_newer_is_noted() -> None:
    acks = heard(ACK)
    assert not acks.take(ACK)
    assert not acks.take(evolve(ACK, size=6, at=BEGIN + 1))
    assert acks.take(evolve(ACK, at=BEGIN + 1))
    assert acks.take(evolve(ACK, size=8))
    assert acks.take(evolve(ACK, epoch=epoch_of(2, 1), size=1))
    assert [ack.size for ack in acks.newest] == [1]


def test_a_blob_that_is_missing_holds_up_its_own_upload_alone() -> None:
    acks = heard(evolve(ACK, missing=(BLOB,)))
    assert not acks.is_held(NOW, 7, {BLOB}, 1)
    assert acks.is_held(NOW, 7, {b"c" * 32}, 1)
    assert acks.held(NOW, 10) == 7


class Sent:
    """With whose copies answers were sent."""

    def __init__(self) -> None:
        self.holders: list[Holders] = []

    def waiting(self, serial: int = 7, *, digests: frozenset[bytes] = frozenset(), replicas: int = 1) -> Waiting:
        return Waiting(serial, digests, replicas, self.holders.append)


async def test_an_answer_waits_until_enough_voters_have_the_entry() -> None:
    acks, sent = heard(), Sent()
    acks.wait(sent.waiting(), 10)
    acks.release(NOW)
    assert not sent.holders
    acks.take(ACK)
    acks.release(NOW)
    acks.release(NOW)
    acks.give_up()
    assert sent.holders == [None]


async def test_an_answer_that_waits_for_two_is_not_sent_for_one() -> None:
    acks, sent = heard(ACK), Sent()
    acks.wait(sent.waiting(replicas=2), 10)
    acks.release(NOW)
    assert not sent.holders
    acks.take(evolve(ACK, member=3))
    acks.release(NOW)
    assert sent.holders == [None]


async def test_an_answer_that_waited_too_long_says_who_has_it() -> None:
    acks, sent = heard(ACK), Sent()
    acks.wait(sent.waiting(replicas=2), 0.01)
    await asyncio.sleep(0.1)
    assert sent.holders == [{2}]
    acks.take(evolve(ACK, member=3))
    acks.release(NOW)
    assert sent.holders == [{2}]


async def test_who_gives_up_answers_all_that_wait() -> None:
    acks, sent = heard(), Sent()
    for serial in (1, 2, 3):
        acks.wait(sent.waiting(serial), 10)
    acks.give_up()
    assert sent.holders == [set()] * 3
