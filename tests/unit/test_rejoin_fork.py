"""Where two histories part: found by their epochs, and left only for a later one by a member's word."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from changelog import log
from changelog.events.cluster import PrimaryChanged
from changelog.tables import MemoryStore, Store, serial_key
from changelog.views import cluster
from changelog.views.cluster import EPOCHS, MEMBER_BITS, Epoch, member_of
from replica.rejoin import fork
from replica.tail import Elsewhere
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


def elsewhere(epochs: Epochs, size: int, member: int = 2, signer: int | None = None) -> Elsewhere:
    answer = Answer(member, 0, epochs[-1][0], size, bytes(32))
    return Elsewhere(ANSWERS.sign(answer, KEYS[signer or member]), tuple(epochs))


def epoch(number: int, member: int) -> int:
    return (number << MEMBER_BITS) + member


FIRST = (FIRST_EPOCH, 1)
TAKEN = [FIRST, (epoch(2, 2), 31)]


def test_an_old_primary_keeps_what_its_successor_took_over() -> None:
    assert fork(history([FIRST], 50), elsewhere(TAKEN, 40)) == 30


def test_a_longer_log_of_an_older_epoch_is_left_too() -> None:
    assert fork(history([FIRST], 5_000), elsewhere(TAKEN, 31)) == 30


def test_who_has_nothing_of_its_own_need_not_leave() -> None:
    assert fork(history([FIRST], 30), elsewhere(TAKEN, 40)) is None
    assert fork(history([FIRST], 20), elsewhere(TAKEN, 40)) is None


def test_two_that_took_over_from_the_same_history_part_where_it_ended() -> None:
    ours = [FIRST, (epoch(2, 3), 26)]
    assert fork(history(ours, 60), elsewhere([FIRST, (epoch(3, 2), 31)], 40)) == 25
    assert fork(history(ours, 60), elsewhere([FIRST, (epoch(3, 2), 11)], 40)) == 10


def test_nobody_leaves_for_an_earlier_epoch_or_the_same() -> None:
    store = history(TAKEN, 40)
    assert fork(store, elsewhere([FIRST], 50)) is None
    assert fork(store, elsewhere(TAKEN, 35)) is None


@pytest.mark.parametrize(("member", "signer"), [(2, 3), (7, 7)])
def test_nobody_leaves_by_the_word_of_a_stranger(member: int, signer: int) -> None:
    assert fork(history([FIRST], 50), elsewhere(TAKEN, 40, member, signer)) is None


def test_nobody_leaves_for_what_was_not_signed() -> None:
    assert fork(history([FIRST], 50), Elsewhere(b"", tuple(TAKEN))) is None
    assert fork(history([FIRST], 50), Elsewhere()) is None


def test_nobody_leaves_for_a_history_without_a_common_epoch() -> None:
    assert fork(history([FIRST], 50), elsewhere([(FIRST_EPOCH, 2), (epoch(2, 2), 31)], 40)) is None


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
    found = fork(history(ours, our_size), elsewhere(theirs, their_size))
    if theirs[-1][0] <= ours[-1][0] or both == our_size:
        assert found is None
    else:
        assert found == both
