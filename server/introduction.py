"""What a replica says of itself when it becomes a member: signed by its node key, so that nobody else can say it."""

from attrs import frozen

from changelog.errors import InvalidProof
from changelog.signing import Signing

GOOD_FOR_S = 600  # the clocks of two nodes may differ by as much
MAX_URL = 500  # characters


@frozen
class Introduction:
    """Who a replica is."""

    member: int  # 0: it may have no number yet
    name: str  # as its token has it
    origin: str  # of the log
    node_key: bytes  # Ed25519 public key, 32 bytes
    cosigner_key: bytes  # the same, for acknowledgements
    url: str  # where other members reach it, "" = not told
    at: int  # seconds since 1970


INTRODUCTIONS = Signing(Introduction, "introduction", "the introduction of a replica")


def checked(signed: bytes, name: str, origin: str, now_s: float) -> Introduction:
    """Return what *signed* says, if it is of the replica *name*, for the log of *origin*, and of now.

    Raises:
        InvalidProof: it is not, or was not signed by the key that it names.
    """
    claimed = INTRODUCTIONS.claimed(signed)
    found = INTRODUCTIONS.verify(signed, lambda _: claimed.node_key)
    if (found.name, found.origin) != (name, origin):
        raise InvalidProof(f"it introduces {found.name!r:.100} of {found.origin!r:.100}, not {name} of {origin}")
    if abs(found.at - now_s) > GOOD_FOR_S:
        raise InvalidProof(f"it was made {abs(found.at - now_s):.0f} s from now")
    if len(found.cosigner_key) != len(found.node_key) or len(found.url) > MAX_URL:
        raise InvalidProof(f"a key that is none, or a URL of over {MAX_URL} characters")
    return found
