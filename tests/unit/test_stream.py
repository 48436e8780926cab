"""The changelog stream: frames and cursors, and what is neither."""

import random

import pytest
from attrs import astuple
from hypothesis import given
from hypothesis import strategies as st

from changelog.copying import Batch, Known
from changelog.errors import InvalidEntry, InvalidForm, LedgerpiError
from changelog.packing import packb
from server import stream
from server.stream import Cursor, alive_frame, batch_frame, cursor, read_frame
from server.wire import MAX_FRAME, Frames

BATCH = Batch(7, (b"one", b"two"), (b"record",), ((b"d" * 32, b"contents"),), "note\n", b"signed", (b"p" * 32,))
CURSOR = Cursor("ledgerpi/test", Known(42, bytes(range(32))))


def read(raw: bytes) -> list[Batch | bytes]:
    return [read_frame(frame) for frame in Frames().feed(raw)]


def test_frames_are_read_as_they_were_sent() -> None:
    assert read(batch_frame(BATCH) + alive_frame(b"word") + batch_frame(BATCH)) == [BATCH, b"word", BATCH]
    assert BATCH.last == 8


def test_frames_may_come_in_any_pieces() -> None:
    chance = random.Random(1)  # noqa: S311 - test data
    raw = batch_frame(BATCH) + alive_frame(b"word")
    for _ in range(50):
        frames, found, left = Frames(), [], raw
        while left:
            size = chance.randrange(1, 40)
            found += [read_frame(frame) for frame in frames.feed(left[:size])]
            left = left[size:]
        assert found == [BATCH, b"word"]


def test_a_frame_that_is_cut_is_not_read() -> None:
    raw = batch_frame(BATCH)
    for end in range(len(raw)):
        assert read(raw[:end]) == []


def test_a_frame_that_announces_too_much_is_refused_before_it_comes() -> None:
    for size in (MAX_FRAME, 1 << 30, (1 << 32) - 1):
        with pytest.raises(InvalidEntry, match="a message of"):
            read(size.to_bytes(4))


FIELDS = astuple(BATCH, recurse=False)


@pytest.mark.parametrize(
    "plain",
    [
        ("batch",),
        ("batch", *FIELDS[:-1]),
        ("batch", *FIELDS, 1),
        ("batch", "7", *FIELDS[1:]),
        ("batch", 7, ("text",), *FIELDS[2:]),
        ("batch", 7, b"one", *FIELDS[2:]),
        ("batch", 7, (b"one",), (b"r",), ((b"d",),), "note", b"word", ()),
        ("batch", 7, (b"one",), (b"r",), ((b"d", b"c", b"e"),), "note", b"word", ()),
        ("batch", 7, (b"one",), (b"r",), (), b"note", b"word", ()),
        ("batch", 7, (b"one",), (b"r",), (), "note", "word", ()),
        ("alive",),
        ("alive", "word"),
        ("alive", b"word", b"word"),
        ("head", b"word"),
        (b"alive", b"word"),
        (1, 2),
        (None, None),
        ((), ()),
        {"batch": 1},
        "batch",
        7,
    ],
)
def test_what_is_no_frame_is_refused(plain: object) -> None:
    raw = packb(plain)
    with pytest.raises(InvalidEntry):
        read(len(raw).to_bytes(4) + raw)


def test_a_refusal_is_short_enough_to_be_logged() -> None:
    raw = packb(("x" * 1_000_000, 1))
    with pytest.raises(InvalidEntry) as refusal:
        read(len(raw).to_bytes(4) + raw)
    assert len(str(refusal.value)) < 300


@given(st.binary(max_size=100))
def test_no_bytes_do_worse_than_to_be_refused(raw: bytes) -> None:
    try:
        read(len(raw).to_bytes(4) + raw)
        read(raw)
    except InvalidEntry:
        pass


def test_a_cursor_is_read_as_it_is_asked_with() -> None:
    assert cursor(CURSOR.query) == CURSOR
    assert CURSOR.query == {"origin": "ledgerpi/test", "size": "42", "root": bytes(range(32)).hex()}


@pytest.mark.parametrize(
    "change",
    [
        {"size": ""},
        {"size": "-1"},
        {"size": "1.0"},
        {"size": " 1"},
        {"size": "\u0661"},
        {"size": "9" * 19},
        {"root": ""},
        {"root": "00"},
        {"root": "00" * 33},
        {"root": "zz" * 32},
        {"root": "\u0660" * 64},
    ],
    ids=str,
)
def test_what_is_no_cursor_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(InvalidForm):
        cursor({**CURSOR.query, **change})


@given(st.dictionaries(st.sampled_from(["origin", "size", "root", "x"]), st.text(max_size=80)))
def test_no_query_does_worse_than_to_be_refused(query: dict[str, str]) -> None:
    try:
        cursor(query)
    except LedgerpiError as error:
        assert isinstance(error, InvalidForm)  # noqa: PT017 - most are refused, some may be good


def test_words_and_batches_have_names_of_their_own() -> None:
    assert len({stream.BATCH, stream.ALIVE}) == 2
    assert len({stream.BEHIND, stream.DIVERGED, stream.STRANGE}) == 3
