"""Tokens of replicas: what they say, and what is none."""

import base64
from hashlib import sha256

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from changelog.errors import InvalidInput, Unauthenticated
from changelog.events.cluster import ReplicaEnrolled, ReplicaRevoked
from changelog.packing import packb
from server import replica_token
from server.replica_token import PREFIX, ReplicaToken
from tests.nodes import FIRST_EVENTS, ORIGIN, PUBLIC, Folding

TOKEN = ReplicaToken("eu-1", ORIGIN, PUBLIC, 42, bytes(32), b"s" * 32)


def enrolled(*more: ReplicaEnrolled | ReplicaRevoked) -> Folding:
    folding = Folding()
    folding.add(*FIRST_EVENTS, ReplicaEnrolled(TOKEN.name, TOKEN.hash, voter=False, may_promote=False), *more)
    return folding


def as_text(plain: object) -> str:
    return PREFIX + base64.urlsafe_b64encode(packb(plain)).decode().rstrip("=")


def test_a_token_is_read_as_it_was_made() -> None:
    assert replica_token.read(TOKEN.text) == TOKEN
    assert replica_token.read(f"\n {TOKEN.text}\n") == TOKEN
    assert TOKEN.text.startswith("lrt-")


def test_the_log_has_the_hash_of_the_secret_alone() -> None:
    assert TOKEN.hash == sha256(TOKEN.secret).digest()
    assert replica_token.new_secret() != replica_token.new_secret()


FIELDS = ("eu-1", ORIGIN, PUBLIC, 42, bytes(32), b"s" * 32)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PREFIX,
        TOKEN.text.removeprefix(PREFIX),
        TOKEN.text[:-4],
        TOKEN.text + "AAAA",
        TOKEN.text + "!",
        TOKEN.text.replace("lrt-", "lpl-"),
        as_text(FIELDS[:-1]),
        as_text((*FIELDS, 1)),
        as_text((*FIELDS[:-1], b"short")),
        as_text((*FIELDS[:-1], "s" * 32)),
        as_text(dict(enumerate(FIELDS))),
        as_text("text"),
        as_text(None),
        PREFIX + "\N{SNOWMAN}",
        PREFIX + "A" * 100_001,
    ],
)
def test_what_is_no_token_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^this is not the token of a replica$"):
        replica_token.read(text)


@given(st.binary(max_size=80) | st.text(max_size=80))
def test_no_input_does_worse_than_to_be_refused(given_text: bytes | str) -> None:
    text = given_text if isinstance(given_text, str) else PREFIX + base64.urlsafe_b64encode(given_text).decode()
    with pytest.raises(InvalidInput):
        replica_token.read(text)


def test_an_enrolled_replica_is_known_by_its_token() -> None:
    assert replica_token.replica_of(enrolled().store, TOKEN.text) == ("eu-1", TOKEN.hash)
    assert replica_token.replica_of(enrolled().store, f"\n{TOKEN.text}") == ("eu-1", TOKEN.hash)


def test_the_name_in_a_token_gives_nobody_anything() -> None:
    assert replica_token.replica_of(enrolled().store, evolve(TOKEN, name="us-1").text) == ("eu-1", TOKEN.hash)
    with pytest.raises(Unauthenticated, match="not good here"):
        replica_token.replica_of(enrolled().store, evolve(TOKEN, secret=b"t" * 32).text)


def test_a_revoked_token_is_good_no_longer_and_a_later_one_is() -> None:
    later = evolve(TOKEN, secret=b"t" * 32)
    again = ReplicaEnrolled(TOKEN.name, later.hash, voter=False, may_promote=False)
    revoked = enrolled(ReplicaRevoked(TOKEN.name))
    with pytest.raises(Unauthenticated, match="no longer"):
        replica_token.replica_of(revoked.store, TOKEN.text)
    revoked.add(again)
    with pytest.raises(Unauthenticated):
        replica_token.replica_of(revoked.store, TOKEN.text)
    assert replica_token.replica_of(revoked.store, later.text) == ("eu-1", later.hash)


@pytest.mark.parametrize("text", ["", "cm9vdDpzZWNyZXQ=", TOKEN.text[:-4], f"{PREFIX}{'A' * 3_000}", "\0"])
def test_who_has_no_token_is_not_known(text: str) -> None:
    with pytest.raises(Unauthenticated):
        replica_token.replica_of(enrolled().store, text)
