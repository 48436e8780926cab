"""Entries as bytes: they never change, have one form, and hostile ones are refused."""

import json
import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changelog import tree
from changelog.codec import EVENTS, PACKINGS, Stamp, Unknown, check, decode, decode_canonical, encode
from changelog.errors import InvalidEntry
from changelog.fold import FOLDS
from changelog.packing import packb, unpackb

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "entries.json").read_text())
STAMP = Stamp(serial=9, epoch=1025, time=1_700_000_000_000_000, actor="alice", more=0)
GOOD = (1, "ProjectDeleted", True, 1025, 1_700_000_000_000_000, "alice", 0, (6, "demo"))


def value(plain: object) -> Any:  # noqa: ANN401 - whatever the vector says
    """Return a value of a vector as a field has it."""
    if isinstance(plain, dict):
        return bytes.fromhex(plain["hex"])
    return tuple(map(value, plain)) if isinstance(plain, list) else plain


def case_of(vector: dict[str, Any]) -> tuple[Any, Stamp, bytes]:
    classes = {cls.__name__: cls for cls in EVENTS}
    fields = {name: value(plain) for name, plain in vector["fields"]}
    stamp = Stamp(9, vector["epoch"], vector["time"], vector["actor"], vector["more"])
    return classes[vector["kind"]](**fields), stamp, bytes.fromhex(vector["entry"])


def refused(raw: bytes) -> bool:
    try:
        decode_canonical(raw, 9)
    except InvalidEntry:
        return True
    return False


def with_item(place: int, item: object) -> bytes:
    items: list[object] = list(GOOD)
    items[place] = item
    return packb(tuple(items))


def test_every_kind_of_event_has_a_vector() -> None:
    assert {vector["kind"] for vector in VECTORS} == {cls.__name__ for cls in EVENTS}


def test_every_kind_of_event_is_folded() -> None:
    assert set(FOLDS) == set(EVENTS)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["kind"])
def test_an_event_has_the_bytes_it_always_had(vector: dict[str, Any]) -> None:
    event, stamp, raw = case_of(vector)
    assert encode(event, stamp).hex() == raw.hex()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["kind"])
def test_the_bytes_of_an_event_say_what_they_always_said(vector: dict[str, Any]) -> None:
    event, stamp, raw = case_of(vector)
    assert decode_canonical(raw, 9) == (event, stamp)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["kind"])
def test_the_fields_have_the_order_they_always_had(vector: dict[str, Any]) -> None:
    assert PACKINGS[vector["kind"]].names == tuple(name for name, _ in vector["fields"])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["kind"])
def test_the_leaf_of_an_entry_is_the_one_it_always_was(vector: dict[str, Any]) -> None:
    assert tree.leaf_hash(bytes.fromhex(vector["entry"])).hex() == vector["leaf_hash"]


def test_the_good_entry_of_the_tests_below_is_good() -> None:
    assert not refused(packb(GOOD))


@pytest.mark.parametrize(
    "raw",
    [
        packb((*GOOD, 0)),
        packb(GOOD[:-1]),
        packb([]),
        packb(dict(enumerate(GOOD))),
        packb(1),
        packb(GOOD) + b"\0",
        packb(GOOD)[:-1],
        b"",
    ],
)
def test_what_is_no_array_of_eight_is_refused(raw: bytes) -> None:
    assert refused(raw)


@pytest.mark.parametrize(
    ("place", "item"),
    [
        (0, 2),  # another format
        (0, 0),
        (0, True),
        (1, b"ProjectDeleted"),
        (2, 1),
        (2, False),  # known kinds must be understood
        (3, -1),
        (3, 1025.0),
        (4, -1),
        (4, None),
        (5, None),
        (5, b"alice"),
        (6, -1),
        (6, False),
        (7, {"index": 6, "project": "demo"}),
        (7, (6,)),
        (7, (6, "demo", 0)),
        (7, ("6", "demo")),
        (7, (6, b"demo")),
        (7, ()),
    ],
)
def test_a_part_of_another_type_or_range_is_refused(place: int, item: object) -> None:
    assert refused(with_item(place, item))


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (b"\x98\x01", b"\xdc\x00\x08\x01"),  # the array of 16 bit length
        (b"\x98\x01", b"\x98\xcc\x01"),  # the format in two bytes
        (b"\x98\x01", b"\x98\xd0\x01"),  # and signed
        (b"\xaeProjectDeleted", b"\xd9\x0eProjectDeleted"),  # text of 8 bit length
        (b"\xa5alice", b"\xda\x00\x05alice"),
        (b"\xa5alice", b"\xc4\x05alice"),  # bytes instead of text
        (b"\xcd\x04\x01", b"\xce\x00\x00\x04\x01"),  # the epoch in four bytes
        (b"\x92\x06\xa4demo", b"\xdd\x00\x00\x00\x02\x06\xa4demo"),
    ],
)
def test_longer_forms_of_the_same_values_are_refused(short: bytes, long: bytes) -> None:
    raw = packb(GOOD)
    assert raw.count(short) == 1
    assert refused(raw.replace(short, long))


def test_no_entry_is_over_65535_bytes() -> None:
    event = Unknown("Long", must_understand=False, fields=(bytes(65_535),))
    assert refused(encode(event, STAMP))


unknown_fields = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.text().filter(lambda kind: kind not in PACKINGS), st.booleans(), st.lists(unknown_fields))
def test_an_unknown_kind_comes_back_byte_for_byte(kind: str, must: bool, fields: list[Any]) -> None:  # noqa: FBT001 - drawn
    raw = packb((1, kind, must, 1025, 5, "alice", 0, tuple(fields)))
    event, stamp = decode_canonical(raw, 9)
    assert event == Unknown(kind, must, tuple(fields))
    assert encode(event, stamp) == raw


@pytest.mark.parametrize(
    "fields",
    [
        b"\x91\xd4\x07\x01",  # an extension type
        b"\x91\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",  # not a number
        b"\x91" * 600 + b"\x90",  # deep, but not too deep
    ],
)
def test_unknown_kinds_may_hold_what_no_known_one_does(fields: bytes) -> None:
    raw = packb(GOOD).replace(b"ProjectDeleted", b"ProjectDoubled")[: -len(packb(GOOD[-1]))] + fields
    event, stamp = decode_canonical(raw, 9)
    assert encode(event, stamp) == raw


@given(st.binary(max_size=80))
def test_hostile_bytes_are_refused(raw: bytes) -> None:
    assert refused(raw)


@given(st.sampled_from(VECTORS), st.data())
def test_a_changed_entry_is_refused_or_says_something_else(vector: dict[str, Any], data: st.DataObject) -> None:
    raw = bytes.fromhex(vector["entry"])
    place = data.draw(st.integers(0, len(raw) - 1))
    instead = data.draw(st.binary(max_size=3).filter(lambda new: new != raw[place : place + 1]))
    changed = raw[:place] + instead + raw[place + 1 :]
    if not refused(changed):
        assert decode_canonical(changed, 9) != decode_canonical(raw, 9)


def fields_of(cls: type) -> st.SearchStrategy[Any]:
    """Any event of a class, from the types of its fields."""
    return st.builds(cls, **{name: st.from_type(kind) for name, kind in get_type_hints(cls).items()})


numbers = st.integers(0, (1 << 64) - 1)


@given(
    st.sampled_from(EVENTS).flatmap(fields_of),
    st.builds(Stamp, st.just(9), numbers, numbers, st.text(), numbers),
)
def test_every_event_comes_back_as_it_was(event: object, stamp: Stamp) -> None:
    try:
        raw = encode(event, stamp)
    except OverflowError:  # an integer beyond 64 bit, which no command can carry
        return
    assert decode_canonical(raw, 9) == (event, stamp)
    assert decode(raw, 9) == (event, stamp)
    check(raw, 9)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["kind"])
@pytest.mark.parametrize("other", [None, -1, 1, "", "1", b"", True, (), (b"",)], ids=repr)
def test_an_entry_is_good_for_the_writer_where_it_can_be_read(vector: dict[str, Any], other: object) -> None:
    good = unpackb(bytes.fromhex(vector["entry"]))
    fields = good[7]
    changed = [(*good[:place], other, *good[place + 1 :]) for place in range(len(good))]
    changed += [(*good[:7], (*fields[:place], other, *fields[place + 1 :])) for place in range(len(fields))]
    for raw in map(packb, changed):
        try:
            decode(raw, 9)
        except InvalidEntry as error:
            with pytest.raises(InvalidEntry, match=re.escape(str(error))):
                check(raw, 9)
        else:
            check(raw, 9)
