"""Statements of members: who signed is known, and none is good as one of another kind."""

from typing import Any

import pytest
from attrs import evolve, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from changelog.errors import InvalidProof
from changelog.signing import SIGNATURE_BYTES, Signing
from server.acks import ACKS, Ack
from server.ballots import ANSWERS, ASKS, Answer, Ask
from tests.nodes import BEGIN, LOG_KEY, PUBLIC


@frozen
class Said:
    member: int
    words: tuple[str, ...]


SAID = Signing(Said, "said", "what was said")
ALSO = Signing(Said, "also said", "what was also said")
STATEMENT = Said(3, ("one", "two"))
SIGNED = SAID.sign(STATEMENT, LOG_KEY)
KEYS = {3: PUBLIC}


def test_a_statement_is_verified_as_it_was_signed() -> None:
    assert SAID.verify(SIGNED, KEYS.get) == STATEMENT
    assert SAID.claimed(SIGNED) == STATEMENT


def test_a_claim_is_read_without_a_signature() -> None:
    assert SAID.claimed(bytes(SIGNATURE_BYTES) + SIGNED[SIGNATURE_BYTES:]) == STATEMENT


def test_a_statement_of_the_same_fields_under_another_name_does_not_hold() -> None:
    with pytest.raises(InvalidProof, match="what was also said: the signature of member 3 does not hold"):
        ALSO.verify(SIGNED, KEYS.get)


def test_a_member_can_not_speak_for_another() -> None:
    other = Ed25519PrivateKey.generate()
    keys = KEYS | {4: other.public_key().public_bytes_raw()}
    with pytest.raises(InvalidProof):
        SAID.verify(SAID.sign(STATEMENT, other), keys.get)
    with pytest.raises(InvalidProof, match="is of member 5, who is unknown here"):
        SAID.verify(SAID.sign(evolve(STATEMENT, member=5), LOG_KEY), keys.get)


@pytest.mark.parametrize("public", [b"", b"short", bytes(33)])
def test_a_key_that_is_none_makes_no_statement_good(public: bytes) -> None:
    with pytest.raises(InvalidProof):
        SAID.verify(SIGNED, {3: public}.get)


def test_answers_questions_and_acknowledgements_are_not_good_as_each_other() -> None:
    ask = ASKS.sign(Ask(3, 2051, BEGIN), LOG_KEY)
    answer = ANSWERS.sign(Answer(3, 2051, 1025, 7, bytes(32), ()), LOG_KEY)
    ack = ACKS.sign(Ack(3, 1025, 7, bytes(32), (), BEGIN), LOG_KEY)
    kinds: tuple[Signing[Any], ...] = (ASKS, ANSWERS, ACKS)
    for place, signed in enumerate((ask, answer, ack)):
        for other, kind in enumerate(kinds):
            if other == place:
                assert kind.verify(signed, KEYS.get).member == 3
            else:
                with pytest.raises(InvalidProof):
                    kind.verify(signed, KEYS.get)


@given(st.binary(max_size=150))
def test_no_bytes_do_worse_than_to_be_refused(raw: bytes) -> None:
    for kind in (ASKS, ANSWERS, ACKS):
        with pytest.raises(InvalidProof):
            kind.verify(raw, KEYS.get)


@given(st.integers(0, len(SIGNED) - 1), st.integers(0, 7))
def test_no_bit_can_be_changed(place: int, bit: int) -> None:
    raw = bytearray(SIGNED)
    raw[place] ^= 1 << bit
    with pytest.raises(InvalidProof):
        SAID.verify(bytes(raw), KEYS.get)
