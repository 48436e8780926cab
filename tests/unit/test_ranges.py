import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.render.ranges import (
    ByteRange,
    RangeNotSatisfiable,
    byte_range,
    http_date,
    if_modified_since,
    if_none_match,
    if_range_matches,
    parse_http_date,
)

ETAG = '"5f1d-gzip"'
BIRTH_OF_THE_EXAMPLE = 784111777  # the instant of all examples in RFC 9110 section 5.6.7


@pytest.mark.parametrize(
    "header",
    [ETAG, f"W/{ETAG}", "*", " * ", f'"other", {ETAG}', f'"a,b",W/{ETAG}', f"junk, {ETAG}"],
)
def test_if_none_match_names_the_etag(header: str) -> None:
    assert if_none_match(header, ETAG)


@pytest.mark.parametrize("header", ["", '"other"', "5f1d-gzip", '"5f1d-gzip', '"*"', '"5F1D-GZIP"', '"5f1d", "gzip"'])
def test_if_none_match_does_not_name_the_etag(header: str) -> None:
    assert not if_none_match(header, ETAG)


def test_if_none_match_compares_weakly_from_both_sides() -> None:
    assert if_none_match('"a"', 'W/"a"')


@given(st.text(alphabet='W/"*, ab'))
def test_if_none_match_needs_the_tag_itself_or_a_star(header: str) -> None:
    if if_none_match(header, '"ab"'):
        assert '"ab"' in header or header.strip() == "*"


def test_if_range_compares_strongly() -> None:
    assert if_range_matches(ETAG, ETAG)
    assert not if_range_matches(f"W/{ETAG}", ETAG)
    assert not if_range_matches(f"W/{ETAG}", f"W/{ETAG}")
    assert not if_range_matches('"other"', ETAG)
    assert not if_range_matches(f"{ETAG}, {ETAG}", ETAG)


def test_if_range_takes_only_the_very_date() -> None:
    date = http_date(BIRTH_OF_THE_EXAMPLE)
    assert if_range_matches(date, ETAG, BIRTH_OF_THE_EXAMPLE)
    assert not if_range_matches(date, ETAG, BIRTH_OF_THE_EXAMPLE - 1)
    assert not if_range_matches(date, ETAG)
    assert not if_range_matches("yesterday", ETAG, BIRTH_OF_THE_EXAMPLE)


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-", 0, 10),
        ("bytes=0-0", 0, 1),
        ("bytes=9-", 9, 10),
        ("bytes=2-4", 2, 5),
        ("Bytes=2-4", 2, 5),
        ("bytes=5-99", 5, 10),
        ("bytes=0-" + "9" * 5000, 0, 10),
        ("bytes=" + "0" * 5000 + "3-", 3, 10),
        ("bytes=-1", 9, 10),
        ("bytes=-10", 0, 10),
        ("bytes=-11", 0, 10),
        ("bytes=-" + "9" * 5000, 0, 10),
    ],
)
def test_a_range_names_bytes(header: str, start: int, stop: int) -> None:
    assert byte_range(header, 10) == ByteRange(start, stop, 10)


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-11", "bytes=-0", "bytes=" + "9" * 5000 + "-"])
def test_a_range_behind_the_end_is_not_satisfiable(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        byte_range(header, 10)
    assert caught.value.content_range == "bytes */10"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=4-2",
        "bytes=12-11",
        "bytes=0-1,3-4",
        "bytes=0x1-2",
        "bytes=--1",
        "bytes=1--2",
        "bytes=+1-2",
        "bytes 0-1",
        "items=0-1",
        "bytes=٣-٤",
        "bytes=1_0-2_0",
        "bytes=0-1,",
        "bytes=1.0-2",
        "bytes=1 -2",
    ],
)
def test_what_is_no_single_range_is_ignored(header: str) -> None:
    assert byte_range(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-"])
def test_any_range_of_an_empty_file_is_ignored(header: str) -> None:
    assert byte_range(header, 0) is None


def test_a_range_knows_its_headers() -> None:
    asked = ByteRange(2, 5, 10)
    assert (asked.length, asked.content_range) == (3, "bytes 2-4/10")


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20))
def test_first_and_last_are_inclusive(first: int, last: int, size: int) -> None:
    whole = bytes(range(size))
    try:
        asked = byte_range(f"bytes={first}-{last}", size)
    except RangeNotSatisfiable:
        assert size <= first <= last
        return
    if asked is None:
        assert last < first
    else:
        wanted = bytes(n for n in range(size) if first <= n <= last)
        assert whole[asked.start : asked.stop] == wanted


@given(st.one_of(st.text(), st.from_regex(r"bytes=[0-9,-]*", fullmatch=True)), st.integers(0, 99))
def test_any_range_is_within_the_file_and_not_empty(header: str, size: int) -> None:
    try:
        asked = byte_range(header, size)
    except RangeNotSatisfiable:
        return
    assert asked is None or 0 <= asked.start < asked.stop <= asked.size == size


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_all_three_forms_of_a_date_are_read(text: str) -> None:
    assert parse_http_date(text) == BIRTH_OF_THE_EXAMPLE


def test_a_date_is_written_as_imf_fixdate() -> None:
    assert http_date(BIRTH_OF_THE_EXAMPLE) == "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize("text", ["", "0", "-1", "now", "Sun, 99 Nov 1994 08:49:37 GMT", "x" * 9999])
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_http_date(text) is None


@given(st.one_of(st.text(), st.text(alphabet="SunNov 0619:-,+GMT", max_size=40)))
def test_any_text_is_a_date_or_none(text: str) -> None:
    assert isinstance(parse_http_date(text), int | None)


@given(st.integers(0, 253402300799))
def test_a_written_date_is_read_back(seconds: int) -> None:
    assert parse_http_date(http_date(seconds)) == seconds


def test_modified_means_after_that_second() -> None:
    date = http_date(BIRTH_OF_THE_EXAMPLE)
    assert not if_modified_since(date, BIRTH_OF_THE_EXAMPLE)
    assert if_modified_since(date, BIRTH_OF_THE_EXAMPLE + 1)
    assert if_modified_since("no date", BIRTH_OF_THE_EXAMPLE)
