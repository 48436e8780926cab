"""Introductions: a replica says itself who it is, for one log, under the name of its token, and now."""

import pytest
from attrs import evolve

from changelog.errors import InvalidProof
from changelog.signing import SIGNATURE_BYTES
from server import introduction
from server.introduction import GOOD_FOR_S, INTRODUCTIONS, MAX_URL, Introduction
from tests.nodes import ORIGIN
from tests.unit.members import KEYS, public

NOW = 1_800_000_000
SAID = Introduction(0, "n2", ORIGIN, public(2), b"c" * 32, "http://127.0.0.1:3142", NOW)


def checked(said: Introduction, signer: int = 2, now: int = NOW) -> Introduction:
    return introduction.checked(INTRODUCTIONS.sign(said, KEYS[signer]), "n2", ORIGIN, now)


@pytest.mark.parametrize("seconds", [0, GOOD_FOR_S, -GOOD_FOR_S])
def test_a_replica_that_introduces_itself_is_believed_for_some_minutes(seconds: int) -> None:
    assert checked(SAID, now=NOW + seconds) == SAID


@pytest.mark.parametrize("said", [evolve(SAID, name="n3"), evolve(SAID, origin="ledgerpi/other")], ids=["name", "log"])
def test_an_introduction_is_of_the_name_in_the_token_and_for_this_log(said: Introduction) -> None:
    with pytest.raises(InvalidProof, match=f"it introduces .*, not n2 of {ORIGIN}"):
        checked(said)


@pytest.mark.parametrize("seconds", [GOOD_FOR_S + 1, -GOOD_FOR_S - 1])
def test_an_introduction_of_another_time_is_refused(seconds: int) -> None:
    with pytest.raises(InvalidProof, match="it was made 601 s from now"):
        checked(SAID, now=NOW + seconds)


def test_nobody_can_introduce_the_key_of_another() -> None:
    with pytest.raises(InvalidProof, match="does not hold"):
        checked(SAID, signer=3)


def test_nothing_of_an_introduction_can_be_changed() -> None:
    signed = INTRODUCTIONS.sign(SAID, KEYS[2])
    other = INTRODUCTIONS.sign(evolve(SAID, url="http://127.0.0.1:1"), KEYS[3])
    with pytest.raises(InvalidProof, match="does not hold"):
        introduction.checked(signed[:SIGNATURE_BYTES] + other[SIGNATURE_BYTES:], "n2", ORIGIN, NOW)


def test_a_url_is_no_longer_than_it_may_be() -> None:
    longest = evolve(SAID, url="u" * MAX_URL)
    assert checked(longest) == longest
    with pytest.raises(InvalidProof, match="a URL of over 500 characters"):
        checked(evolve(SAID, url="u" * (MAX_URL + 1)))


@pytest.mark.parametrize("key", [b"", b"c" * 31, b"c" * 33])
def test_a_cosigner_key_that_is_none_is_refused(key: bytes) -> None:
    with pytest.raises(InvalidProof, match="a key that is none"):
        checked(evolve(SAID, cosigner_key=key))


@pytest.mark.parametrize("key", [b"", b"short", bytes(33)])
def test_a_node_key_that_is_none_is_refused(key: bytes) -> None:
    with pytest.raises(InvalidProof):
        checked(evolve(SAID, node_key=key))
