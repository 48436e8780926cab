"""Promises: only upwards, kept with the position that goes with them."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from changelog import log, promise
from changelog.errors import Conflict
from changelog.tables import MemoryStore
from changelog.views.cluster import epoch_of


def with_head(epoch: int) -> MemoryStore:
    store = MemoryStore()
    log.set_head(store, evolve(log.EMPTY, epoch=epoch, size=7))
    return store


def test_a_new_node_promised_nothing() -> None:
    assert promise.given(MemoryStore()) == 0
    assert promise.epoch(MemoryStore()) == 0


def test_a_promise_is_given_with_the_head_that_goes_with_it() -> None:
    store = with_head(epoch_of(1, 1))
    assert promise.give(store, epoch_of(2, 3)) == log.head(store)
    assert promise.given(store) == promise.epoch(store) == epoch_of(2, 3)


def test_the_epoch_of_the_last_entry_counts_like_a_promise() -> None:
    store = with_head(epoch_of(3, 2))
    promise.keep(store, epoch_of(2, 1))
    assert promise.epoch(store) == epoch_of(3, 2)
    with pytest.raises(Conflict, match=r"epoch 3\.1 is not above 3\.2, which this node has seen"):
        promise.give(store, epoch_of(3, 1))


def test_an_epoch_is_promised_once() -> None:
    store = with_head(epoch_of(1, 1))
    promise.give(store, epoch_of(2, 2))
    with pytest.raises(Conflict):
        promise.give(store, epoch_of(2, 2))
    with pytest.raises(Conflict):
        promise.give(store, epoch_of(2, 1))
    assert promise.given(store) == epoch_of(2, 2)


@given(st.lists(st.integers(1, 9_000), max_size=12), st.integers(0, 9_000))
def test_promises_only_ever_rise(asked: list[int], epoch: int) -> None:
    store, highest = with_head(epoch), epoch
    for number in asked:
        try:
            promise.give(store, number)
        except Conflict:
            assert number <= highest
        else:
            assert number > highest
            highest = number
        assert promise.epoch(store) == highest
