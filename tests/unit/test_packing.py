"""Fields of attrs classes as msgpack, and the types that are refused."""

from enum import StrEnum
from typing import Any, NamedTuple, NewType

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from changelog.errors import InvalidEntry
from changelog.packing import Packing, packb, unpackb

Name = NewType("Name", str)


class Colour(StrEnum):
    RED = "red"


@frozen
class Row:
    number: int
    name: Name
    raw: bytes
    sure: bool
    reason: str | None
    names: tuple[str, ...]
    options: tuple[tuple[str, bool | int | str | tuple[str, ...]], ...]
    colour: Colour


@frozen
class Single:
    number: int


@frozen
class Nothing:
    pass


ROWS = Packing(Row)
ROW = Row(1, Name("n"), b"r", True, None, ("a", "b"), (("o", ("x",)), ("p", False)), Colour.RED)  # noqa: FBT003
PLAIN = (1, "n", b"r", True, None, ("a", "b"), (("o", ("x",)), ("p", False)), "red")


def test_a_row_is_the_array_of_its_fields() -> None:
    assert unpackb(ROWS.pack(ROW)) == PLAIN


def test_a_row_comes_back_as_it_was() -> None:
    assert ROWS.unpack(ROWS.pack(ROW)) == ROW
    assert ROWS.value(PLAIN) == ROW


def test_an_enumeration_comes_back_as_its_member() -> None:
    assert ROWS.value(PLAIN).colour is Colour.RED


def test_classes_of_one_and_no_field_are_packed() -> None:
    assert Packing(Single).pack(Single(5)) == packb((5,))
    assert Packing(Nothing).unpack(Packing(Nothing).pack(Nothing())) == Nothing()


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (0, "1"),
        (0, True),
        (0, 1.0),
        (0, None),
        (1, b"n"),
        (2, "r"),
        (3, 1),
        (4, 0),
        (5, "ab"),
        (5, ("a", 1)),
        (5, {"a": 1}),
        (6, (("o",),)),
        (6, (("o", 1, 1),)),
        (6, (("o", None),)),
        (6, (("o", (1,)),)),
        (7, "green"),
        (7, 1),
    ],
)
def test_a_field_of_another_type_is_refused(place: int, wrong: object) -> None:
    plain: list[Any] = list(PLAIN)
    plain[place] = wrong
    for read in (ROWS.value, ROWS.check):
        with pytest.raises(InvalidEntry, match="Row"):
            read(plain)


@pytest.mark.parametrize("plain", [PLAIN[:-1], (*PLAIN, 1), ()])
def test_more_or_fewer_fields_are_refused(plain: tuple[Any, ...]) -> None:
    for read in (ROWS.value, ROWS.check):
        with pytest.raises(InvalidEntry, match="has 8 fields"):
            read(plain)


def test_a_class_with_fields_that_have_no_canonical_form_is_a_mistake() -> None:
    @frozen
    class Wrong:
        number: float

    with pytest.raises(TypeError, match="float"):
        Packing(Wrong)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xc1",  # never used
        b"\x01\x02",  # two values
        b"\x92\x01",  # cut
        b"\xa1\xff",  # text that is not UTF-8
        b"\xdd\xff\xff\xff\xff",  # an array longer than the bytes
        b"\x91" * 100_000 + b"\x90",  # nested too deep
        b"\x81\x80\x01",  # a map as the key of a map
        b"\xd7\xff" + b"\xff" * 8,  # a timestamp of no time
    ],
)
def test_bytes_that_are_no_msgpack_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidEntry):
        unpackb(raw)


@given(st.binary(max_size=64))
def test_hostile_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        unpackb(raw)
    except InvalidEntry:
        return


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=12,
)


@given(plain_values)
def test_plain_values_come_back_and_have_one_form(value: object) -> None:
    raw = packb(value)
    assert unpackb(raw) == value
    assert packb(unpackb(raw)) == raw


class Pair(NamedTuple):
    """Two values, one of which may be missing."""

    name: str
    number: int | None
    tags: tuple[str, ...]


@frozen
class Holder:
    """A value with named tuples in it."""

    pairs: tuple[Pair, ...]


HOLDERS = Packing(Holder)


def test_named_tuples_are_arrays() -> None:
    assert HOLDERS.pack(Holder((Pair("a", 1, ()), Pair("b", None, ("x",))))) == packb(
        ((("a", 1, ()), ("b", None, ("x",))),)
    )


def test_named_tuples_come_back_as_equal_tuples() -> None:
    value = Holder((Pair("a", 1, ()),))
    assert HOLDERS.value(unpackb(HOLDERS.pack(value))) == value


@pytest.mark.parametrize(
    "wrong", [("a", 1), ("a", 1, (), 2), (1, 1, ()), ("a", "1", ()), ("a", 1, (2,)), ("a", True, ()), "abc", None]
)
def test_named_tuples_of_another_shape_are_refused(wrong: object) -> None:
    with pytest.raises(InvalidEntry):
        HOLDERS.value(((wrong,),))


def test_a_refusal_shows_no_more_of_a_value_than_can_be_read() -> None:
    with pytest.raises(InvalidEntry, match=r"Single\.number can not be 'xxx") as refusal:
        Packing(Single).value(("x" * 1_000_000,))
    assert len(str(refusal.value)) < 100
