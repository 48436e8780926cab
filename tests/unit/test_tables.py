"""Tables: rows with a past, and the same answers over a dict and over LMDB."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from changelog.env import Env
from changelog.tables import MemoryStore, Store, Table, TimedTable, changed, key_serial, serial_key


@frozen
class Row:
    since: int
    text: str


ROWS = TimedTable("rows", Row)
PLAIN = Table("plain", Row)
TABLES = ("rows", "rows_past", "plain")


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    opened = Env(tmp_path, TABLES, readonly=False, map_size=1 << 24, durable=False)
    yield opened
    opened.close()


@pytest.fixture(params=["memory", "lmdb"])
def store(request: pytest.FixtureRequest, env: Env) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    with env.write() as written:
        yield written


def test_serials_sort_as_numbers() -> None:
    serials = [0, 1, 255, 256, 65_535, 1 << 40]
    assert sorted(map(serial_key, serials)) == list(map(serial_key, serials))
    assert key_serial(b"name" + serial_key(65_535)) == 65_535


def test_a_row_that_was_never_there_is_none(store: Store) -> None:
    assert PLAIN.get(store, b"k") is None
    assert ROWS.get(store, b"k") is None
    assert ROWS.at(store, b"k", 9) is None
    assert not ROWS.was(store, b"k")


def test_a_value_that_is_there_is_not_replaced_by_a_new_one(store: Store) -> None:
    assert store.put_new("plain", b"k", b"first")
    assert not store.put_new("plain", b"k", b"second")
    assert store.get("plain", b"k") == b"first"
    PLAIN.put_new(store, b"l", Row(1, "first"))
    PLAIN.put_new(store, b"l", Row(2, "second"))
    assert PLAIN.get(store, b"l") == Row(1, "first")


def test_many_values_are_put_at_once_and_replace_those_that_are_there(env: Env) -> None:
    with env.write() as store:
        store.put("plain", b"k", b"before")
        store.put_all("plain", [(b"a", b"1"), (b"k", b"2"), (b"b", b"3")])
        assert list(store.scan("plain")) == [(b"a", b"1"), (b"b", b"3"), (b"k", b"2")]


def test_a_row_that_begins_has_no_past(store: Store) -> None:
    ROWS.begin(store, b"k", Row(4, "first"))
    assert ROWS.get(store, b"k") == Row(4, "first")
    assert not ROWS.was(store, b"k")


def test_deleting_tells_whether_it_was_there(store: Store) -> None:
    store.put("plain", b"k", b"v")
    assert store.delete("plain", b"k")
    assert not store.delete("plain", b"k")
    assert list(store.scan("plain")) == []


def test_an_empty_value_is_there(store: Store) -> None:
    store.put("plain", b"k", b"")
    assert store.get("plain", b"k") == b""
    assert store.delete("plain", b"k")


def test_a_scan_keeps_to_its_prefix_and_start(store: Store) -> None:
    for key in (b"a", b"ab", b"ab\0", b"abc", b"ac", b"b"):
        store.put("plain", key, b"")
    assert [key for key, _ in store.scan("plain", b"ab")] == [b"ab", b"ab\0", b"abc"]
    assert [key for key, _ in store.scan("plain", b"ab", b"ab\0")] == [b"ab\0", b"abc"]
    assert [key for key, _ in store.scan("plain", b"ab", b"a")] == [b"ab", b"ab\0", b"abc"]
    assert list(store.scan("plain", b"ab", b"b")) == []
    assert [key for key, _ in store.scan("plain", start=b"ac")] == [b"ac", b"b"]


def test_a_row_tells_what_it_was_at_each_serial(store: Store) -> None:
    ROWS.put(store, b"k", Row(3, "first"))
    ROWS.put(store, b"k", Row(5, "second"))
    ROWS.close(store, b"k", 7)
    ROWS.put(store, b"k", Row(9, "third"))
    then = [ROWS.at(store, b"k", serial) for serial in range(11)]
    texts = [None if row is None else row.text for row in then]
    assert texts == [*[None] * 3, *["first"] * 2, *["second"] * 2, *[None] * 2, *["third"] * 2]


def test_a_row_changed_twice_by_one_entry_has_one_past(store: Store) -> None:
    ROWS.put(store, b"k", Row(3, "first"))
    ROWS.put(store, b"k", Row(5, "half"))
    ROWS.put(store, b"k", Row(5, "whole"))
    assert [ROWS.at(store, b"k", serial) for serial in (4, 5)] == [Row(3, "first"), Row(5, "whole")]
    assert len(list(store.scan("rows_past"))) == 1


def test_a_row_made_and_closed_by_one_entry_never_was(store: Store) -> None:
    ROWS.put(store, b"k", Row(3, "first"))
    ROWS.close(store, b"k", 3)
    assert ROWS.get(store, b"k") is None
    assert not ROWS.was(store, b"k")


def test_closing_what_is_not_there_leaves_nothing(store: Store) -> None:
    ROWS.close(store, b"k", 3)
    assert list(store.scan("rows")) == list(store.scan("rows_past")) == []


def test_the_past_of_a_key_is_not_that_of_a_longer_one(store: Store) -> None:
    for key in (b"k", b"k1", b"k-"):
        ROWS.put(store, key, Row(3, key.decode()))
        ROWS.close(store, key, 4)
    assert ROWS.at(store, b"k", 3) == Row(3, "k")
    assert ROWS.was(store, b"k")
    assert not ROWS.was(store, b"k2")


def test_the_past_of_a_key_with_nul_bytes_in_front_is_its_own(store: Store) -> None:
    for serial in (1, 256):
        ROWS.put(store, serial_key(serial) + b"k", Row(serial, "k"))
        ROWS.close(store, serial_key(serial) + b"k", 300)
    assert ROWS.at(store, serial_key(256) + b"k", 299) == Row(256, "k")
    assert ROWS.at(store, serial_key(256) + b"k", 255) is None


def test_rows_are_scanned_in_the_order_of_their_keys(store: Store) -> None:
    for key in (b"b", b"a", b"c"):
        ROWS.put(store, key, Row(1, key.decode()))
    assert [row.text for _, row in ROWS.scan(store)] == ["a", "b", "c"]
    assert [key for key, _ in ROWS.scan(store, start=b"b")] == [b"b", b"c"]


def test_a_changed_row_keeps_the_other_fields() -> None:
    assert changed(Row(1, "text"), since=2) == Row(2, "text")


keys = st.binary(min_size=1, max_size=3).map(lambda raw: bytes(byte % 3 for byte in raw))
actions = st.one_of(
    st.tuples(st.just("put"), keys, st.binary(max_size=2)),
    st.tuples(st.just("delete"), keys, st.just(b"")),
    st.tuples(st.just("get"), keys, st.just(b"")),
    st.tuples(st.just("scan"), keys | st.just(b""), keys | st.just(b"")),
)


def act(store: Store, action: tuple[str, bytes, bytes]) -> object:
    name, key, value = action
    if name == "put":
        store.put("plain", key, value)
        return None
    if name == "delete":
        return store.delete("plain", key)
    return store.get("plain", key) if name == "get" else list(store.scan("plain", key, value))


@given(st.lists(actions, max_size=30))
def test_a_dict_answers_as_lmdb_does(
    tmp_path_factory: pytest.TempPathFactory, todo: list[tuple[str, bytes, bytes]]
) -> None:
    memory = MemoryStore()
    folder = tmp_path_factory.mktemp("env")
    opened = Env(folder, TABLES, readonly=False, map_size=1 << 20, durable=False)
    try:
        with opened.write() as written:
            for action in todo:
                assert act(memory, action) == act(written, action)
    finally:
        opened.close()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12))
def test_the_past_is_what_was_seen_then(changes: list[tuple[str, bool]]) -> None:
    store = MemoryStore()
    seen: list[dict[str, Row]] = [{}]
    for serial, (name, there) in enumerate(changes, 1):
        now = dict(seen[-1])
        if there:
            now[name] = Row(serial, name)
            ROWS.put(store, name.encode(), now[name])
        else:
            now.pop(name, None)
            ROWS.close(store, name.encode(), serial)
        seen.append(now)
    for serial, then in enumerate(seen):
        assert {n: r for n in "abc" if (r := ROWS.at(store, n.encode(), serial))} == then
