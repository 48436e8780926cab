"""A primary's word for its head: signed with its node key, so that followers know what to take and how old it is.

The log's own key signs what was acknowledged; this says what the primary has, and until when nothing was added.
Replicas hand it on unchanged.
"""

from attrs import frozen

from changelog.errors import InvalidProof
from changelog.signing import KeyOf, Signing
from changelog.tables import Store
from changelog.views.cluster import member_of

KEY = b"word"  # in meta: the newest word for a head that this log has


@frozen
class Vouched:
    """A head that a primary had."""

    member: int  # the primary, whose node key signed
    epoch: int
    size: int
    root: bytes  # 32 bytes
    at: int  # microseconds since 1970: when this was its head


VOUCHED = Signing(Vouched, "head", "the word for a head")


def verify(signed: bytes, node_key: KeyOf) -> Vouched:
    """Return what *signed* says; *node_key* returns the public key of a member.

    Raises:
        InvalidProof: it was not signed by the member whose epoch it is.
    """
    vouched = VOUCHED.verify(signed, node_key)
    if member_of(vouched.epoch) != vouched.member:
        raise InvalidProof(f"member {vouched.member} vouches for a head of epoch {vouched.epoch}, which is not its own")
    return vouched


def find(store: Store) -> bytes:
    """Return the word for the head, or for an older one amid a copy; b"" = none yet."""
    return store.get("meta", KEY) or b""


def keep(store: Store, signed: bytes) -> None:
    """Keep the word for a head that the log of *store* has."""
    store.put("meta", KEY, signed)


def claimed_size(signed: bytes) -> int:
    """Return the size of the head that *signed* is for, not verified, 0 for b""."""
    return VOUCHED.claimed(signed).size if signed else 0
