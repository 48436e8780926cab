"""Words for heads: who signed them is known, and everything else is refused."""

import random
from typing import Any

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from changelog import vouching
from changelog.errors import InvalidProof
from changelog.packing import packb
from changelog.signing import SIGNATURE_BYTES
from changelog.tables import MemoryStore
from changelog.vouching import VOUCHED, Vouched
from server import logins
from tests.nodes import BEGIN, LOG_KEY, PUBLIC

WORD = Vouched(member=1, epoch=1025, size=42, root=bytes(32), at=BEGIN)
KEYS = {1: PUBLIC}
SIGNED = VOUCHED.sign(WORD, LOG_KEY)


def test_a_member_is_believed() -> None:
    assert vouching.verify(SIGNED, KEYS.get) == WORD
    assert vouching.claimed_size(SIGNED) == 42


def test_a_member_who_is_not_known_is_not_believed() -> None:
    with pytest.raises(InvalidProof, match="of member 1, who is unknown here"):
        vouching.verify(SIGNED, {2: PUBLIC}.get)


def test_a_member_is_not_believed_about_the_epoch_of_another() -> None:
    signed = VOUCHED.sign(evolve(WORD, epoch=2050), LOG_KEY)
    with pytest.raises(InvalidProof, match="member 1 vouches for a head of epoch 2050, which is not its own"):
        vouching.verify(signed, KEYS.get)


def test_a_word_is_kept_with_the_log() -> None:
    store = MemoryStore()
    assert vouching.find(store) == b""
    assert vouching.claimed_size(vouching.find(store)) == 0
    vouching.keep(store, SIGNED)
    assert vouching.find(store) == SIGNED


def test_a_stranger_is_not_believed() -> None:
    with pytest.raises(InvalidProof, match="the signature of member 1 does not hold"):
        vouching.verify(VOUCHED.sign(WORD, Ed25519PrivateKey.generate()), KEYS.get)


@pytest.mark.parametrize(
    "change", [{"epoch": 2049}, {"size": 43}, {"root": b"\1" + bytes(31)}, {"at": BEGIN + 1}], ids=lambda it: str(*it)
)
def test_no_word_of_it_can_be_changed(change: dict[str, Any]) -> None:
    changed = SIGNED[:SIGNATURE_BYTES] + VOUCHED.sign(evolve(WORD, **change), LOG_KEY)[SIGNATURE_BYTES:]
    with pytest.raises(InvalidProof):
        vouching.verify(changed, KEYS.get)


def test_no_bit_of_it_can_be_changed() -> None:
    chance = random.Random(1)  # noqa: S311 - test data
    for _ in range(100):
        raw = bytearray(SIGNED)
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        with pytest.raises(InvalidProof):
            vouching.verify(bytes(raw), KEYS.get)


def test_another_signature_of_the_same_key_is_no_word_for_a_head() -> None:
    raw = SIGNED[SIGNATURE_BYTES:]
    with pytest.raises(InvalidProof):
        vouching.verify(LOG_KEY.sign(raw) + raw, KEYS.get)
    login = logins.sign(logins.Login("root", 1, 1, 1), LOG_KEY)
    with pytest.raises(InvalidProof):
        vouching.verify(login.encode(), KEYS.get)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        packb(()),
        packb(None),
        packb((1, 1025, 42, bytes(32))),
        packb((1, 1025, 42, bytes(32), BEGIN, 0)),
        packb((1, 1025, "42", bytes(32), BEGIN)),
        packb((True, 1025, 42, bytes(32), BEGIN)),
        packb({1: 2}),
    ],
)
def test_what_says_something_else_is_refused_although_it_is_signed(raw: bytes) -> None:
    signature = LOG_KEY.sign(b"ledgerpi head v1\n" + raw)
    with pytest.raises(InvalidProof):
        vouching.verify(signature + raw, KEYS.get)


@given(st.binary(max_size=200))
def test_no_bytes_do_worse_than_to_be_refused(raw: bytes) -> None:
    with pytest.raises(InvalidProof):
        vouching.verify(raw, KEYS.get)
