"""A primary's word for its head: signed with its node key, so that all who follow it know how old their copy is.

The log's own key signs what the history is; this says until when nothing was added. Replicas hand it on unchanged.
"""

from collections.abc import Callable

from attrs import frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from changelog.errors import InvalidEntry, InvalidProof
from changelog.packing import Packing, unpackb

SIGNATURE_BYTES = 64
_CONTEXT = b"ledgerpi head v1\n"  # what is signed begins with this, so that no other signature is a word for a head


@frozen
class Vouched:
    """A head that a primary had."""

    member: int  # the primary, whose node key signed
    epoch: int
    size: int
    root: bytes  # 32 bytes
    at: int  # microseconds since 1970: when this was its head


_VOUCHED = Packing(Vouched)


def sign(vouched: Vouched, key: Ed25519PrivateKey) -> bytes:
    """Return the signature and what is signed."""
    raw = _VOUCHED.pack(vouched)
    return key.sign(_CONTEXT + raw) + raw


def claimed_size(signed: bytes) -> int:
    """Return the size of the head that *signed* is for; not verified, so only of what the own writer gave."""
    vouched: Vouched = _VOUCHED.unpack(signed[SIGNATURE_BYTES:])
    return vouched.size


def verify(signed: bytes, node_key: Callable[[int], bytes | None]) -> Vouched:
    """Return what *signed* says; *node_key* returns the public key of a member, None if there is no such member.

    Raises:
        InvalidProof: no member signed it.
    """
    signature, raw = signed[:SIGNATURE_BYTES], signed[SIGNATURE_BYTES:]
    try:
        plain = unpackb(raw)
        vouched = _VOUCHED.value(plain if isinstance(plain, tuple) else ())
    except InvalidEntry as error:
        raise InvalidProof("not a primary's word for its head") from error
    public = node_key(vouched.member)
    if public is None:
        raise InvalidProof(f"the word for a head is of member {vouched.member}, who is unknown here")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _CONTEXT + raw)
    except InvalidSignature as error:
        raise InvalidProof(f"the signature of member {vouched.member} does not hold") from error
    return vouched
