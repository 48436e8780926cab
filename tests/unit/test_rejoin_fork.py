"""Where two histories part: found by their epochs, and left only for a later one by a member's word."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from changelog import log
from changelog.events.cluster import PrimaryChanged
from changelog.signing import SIGNATURE_BYTES
from changelog.tables import MemoryStore, Store, serial_key
from changelog.views import cluster
from changelog.views.cluster import EPOCHS, MEMBER_BITS, MEMBERS, Epoch, member_key, member_of
from replica.rejoin import Fork, fork
from server.ballots import ANSWERS, Answer
from tests.unit.members import FIRST_EPOCH, KEYS, added, voters

Epochs = list[tuple[int, int]]


def history(epochs: Epochs, size: int) -> Store:
    """Return a store whose log has these epochs, with members 1 to 3."""
    store: MemoryStore = voters(3).store
    for key, _ in list(EPOCHS.scan(store)):
        store.delete(EPOCHS.name, key)
    for epoch, since in epochs:
        EPOCHS.put(store, serial_key(epoch), Epoch(since))
    log.set_head(store, evolve(log.EMPTY, epoch=epochs[-1][0], size=size))
    return store


def answer(epochs: Epochs, size: int, member: int = 2, signer: int | None = None) -> bytes:
    said = Answer(member, 0, epochs[-1][0], size, bytes(32), tuple(epochs))
    return ANSWERS.sign(said, KEYS[signer or member])


def epoch(number: int, member: int) -> int:
    return (number << MEMBER_BITS) + member


FIRST = (FIRST_EPOCH, 1)
TAKEN = [FIRST, (epoch(2, 2), 31)]


def test_an_old_primary_keeps_what_its_successor_took_over() -> None:
    assert fork(history([FIRST], 50), answer(TAKEN, 40)) == Fork(30, epoch(2, 2))


def test_a_longer_log_of_an_older_epoch_is_left_too() -> None:
    assert fork(history([FIRST], 5_000), answer(TAKEN, 31)) == Fork(30, epoch(2, 2))


def test_who_has_nothing_of_its_own_need_not_leave() -> None:
    assert fork(history([FIRST], 30), answer(TAKEN, 40)) is None
    assert fork(history([FIRST], 20), answer(TAKEN, 40)) is None


def test_two_that_took_over_from_the_same_history_part_where_it_ended() -> None:
    ours = [FIRST, (epoch(2, 3), 26)]
    assert fork(history(ours, 60), answer([FIRST, (epoch(3, 2), 31)], 40)) == Fork(25, epoch(3, 2))
    assert fork(history(ours, 60), answer([FIRST, (epoch(3, 2), 11)], 40)) == Fork(10, epoch(3, 2))


def test_nobody_leaves_for_an_earlier_epoch_or_the_same() -> None:
    store = history(TAKEN, 40)
    assert fork(store, answer([FIRST], 50)) is None
    assert fork(store, answer(TAKEN, 35)) is None


@pytest.mark.parametrize(("member", "signer"), [(2, 3), (7, 7)])
def test_nobody_leaves_by_the_word_of_a_stranger(member: int, signer: int) -> None:
    assert fork(history([FIRST], 50), answer(TAKEN, 40, member, signer)) is None


def test_nobody_leaves_for_what_was_not_signed() -> None:
    assert fork(history([FIRST], 50), b"") is None
    assert fork(history([FIRST], 50), answer(TAKEN, 40)[SIGNATURE_BYTES:]) is None


def test_epochs_can_not_be_put_into_an_answer_that_has_others() -> None:
    assert fork(history([FIRST], 50), answer(TAKEN, 40)) is not None
    forged = answer([FIRST, (epoch(2, 2), 11)], 40)  # would strand what was acknowledged
    assert fork(history([FIRST], 50), answer(TAKEN, 40)[:SIGNATURE_BYTES] + forged[SIGNATURE_BYTES:]) is None


def test_nobody_leaves_by_the_word_of_who_is_no_voter() -> None:
    store = history([FIRST], 50)
    row = MEMBERS.get(store, member_key(2))
    assert row is not None
    MEMBERS.put(store, member_key(2), evolve(row, voter=False))
    assert fork(store, answer(TAKEN, 40)) is None


def test_nobody_leaves_for_a_history_without_a_common_epoch() -> None:
    assert fork(history([FIRST], 50), answer([(FIRST_EPOCH, 2), (epoch(2, 2), 31)], 40)) is None


def test_epochs_are_listed_with_their_first_entries() -> None:
    folding = voters(2)
    size = folding.serials[-1]
    assert cluster.epochs(folding.store) == [FIRST]
    folding.add(PrimaryChanged(2, FIRST_EPOCH, size, bytes(32)), added(3))
    assert cluster.epochs(folding.store)[-1][1] == size + 1


@st.composite
def histories(draw: st.DrawFn) -> tuple[Epochs, int, Epochs, int, int]:
    """Return two histories as epochs and sizes, and how many entries they have in common."""
    lengths = st.lists(st.integers(1, 9), min_size=1, max_size=4)
    common, number, size = [], 1, 0
    for length in draw(lengths):
        common.append((epoch(number, draw(st.integers(1, 3))), size + 1))
        size += length
        number += draw(st.integers(1, 2))
    both = draw(st.integers(common[-1][1], size))  # where the first history leaves the last common epoch
    ours, theirs = list(common), list(common)
    sizes = []
    for place, epochs in enumerate((ours, theirs)):
        begin, later = (size, both)[place], number
        for length in draw(st.lists(st.integers(1, 9), min_size=place, max_size=3)):
            epochs.append((epoch(later, 1 + place), begin + 1))
            begin += length
            later += draw(st.integers(1, 2))
        sizes.append(begin)
    return ours, sizes[0], theirs, sizes[1], both


@given(histories())
def test_what_is_left_is_exactly_what_is_not_common(drawn: tuple[Epochs, int, Epochs, int, int]) -> None:
    ours, our_size, theirs, their_size, both = drawn
    assert member_of(theirs[-1][0]) == 2
    found = fork(history(ours, our_size), answer(theirs, their_size))
    if theirs[-1][0] <= ours[-1][0] or both == our_size:
        assert found is None
    else:
        assert found == Fork(both, theirs[-1][0])
