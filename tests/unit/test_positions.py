"""Positions: what clients may say, and what a request that says one is for."""

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from changelog.errors import InvalidForm, InvalidName
from changelog.views.cluster import epoch_of
from server.positions import MIN_POSITION, Position, parse, wanted, without_prefix


def test_a_position_is_read_as_it_is_shown() -> None:
    position = Position(epoch_of(3, 2), 42)
    assert str(position) == "3.2:42"
    assert parse("3.2:42") == position
    assert parse(" 3.2:42 ") == position


@given(st.integers(0, 10**10 - 1), st.integers(0, 1023), st.integers(0, 10**18 - 1))
def test_every_position_is_read_as_it_is_shown(number: int, member: int, serial: int) -> None:
    position = Position(epoch_of(number, member), serial)
    assert parse(str(position)) == position


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "1:42",
        "1.1",
        "1.1:",
        ".1:42",
        "1.:42",
        "1.1:-1",
        "-1.1:1",
        "1.1:1.0",
        "1.1024:1",
        "1.1:1:1",
        "1.1 :1",
        "1.1:" + "9" * 19,
        "9" * 11 + ".1:1",
        "1.1:\u0661",
        "1.1:4\n2",
        "0x1.1:1",
        "1.1:1" + "\0",
        "x" * 100_000,
    ],
)
def test_what_is_no_position_is_refused_in_few_words(text: str) -> None:
    with pytest.raises(InvalidForm, match="not a position") as refusal:
        parse(text)
    assert len(str(refusal.value)) < 300


@given(st.text(max_size=40))
def test_no_text_does_worse_than_to_be_refused(text: str) -> None:
    try:
        position = parse(text)
    except InvalidForm:
        return
    assert 0 <= position.serial < 10**18


def test_a_request_that_says_nothing_wants_nothing() -> None:
    assert wanted(make_mocked_request("GET", "/root/dev/+simple/")) is None


@pytest.mark.parametrize("written", ["+min/1.1:42", "+min/1.1%3A42", "%2Bmin/1.1%3a42", "%2bmin/1.1:42"])
def test_the_path_says_what_is_wanted(written: str) -> None:
    request = make_mocked_request("GET", f"/{written}/root/dev/+simple/", {MIN_POSITION: "1.1:7"})
    assert wanted(request) == Position(epoch_of(1, 1), 42)


def test_the_header_says_what_is_wanted() -> None:
    request = make_mocked_request("GET", "/root/dev/", {MIN_POSITION: "1.1:7"})
    assert wanted(request) == Position(epoch_of(1, 1), 7)


@pytest.mark.parametrize("path", ["/+min/", "/+min/x/root/dev", "/+min//root", "/+min/1.1:4%32/root"])
def test_a_prefix_without_a_position_is_refused(path: str) -> None:
    with pytest.raises(InvalidForm):
        wanted(make_mocked_request("GET", path))


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/+min/1.1:42/root/dev/+simple/", "/root/dev/+simple/"),
        ("/+min/1.1:42/root/%2Bx/a%2fb?x=%2F&y", "/root/%2Bx/a%2fb?x=%2F&y"),
        ("/+min/1.1:42/root/dev/../x", "/root/dev/../x"),
        ("/%2Bmin/1.1%3A42/root/dev/+simple/", "/root/dev/+simple/"),
        ("/%2bmin/1.1:42/root/dev?a/b", "/root/dev?a/b"),
        ("/+minute/1.1:42/root", "/+minute/1.1:42/root"),
        ("/+min/1.1:42/", "/"),
        ("/+min/1.1:42", "/"),
        ("/root/dev/", "/root/dev/"),
    ],
)
def test_what_follows_the_prefix_is_asked_for_as_it_is(path: str, rest: str) -> None:
    assert without_prefix(make_mocked_request("GET", path)).raw_path == rest


@pytest.mark.parametrize("path", ["/+min/1.1:42//root/dev", "/+min/1.1:42//a:b/", "/+min/1.1:42//[/"])
def test_no_host_follows_the_prefix(path: str) -> None:
    with pytest.raises(InvalidName):
        without_prefix(make_mocked_request("GET", path))
