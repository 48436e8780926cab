"""The token of a member: signed by its node key for some minutes, so that nodes need share no secret."""

import base64
import binascii

from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog import log
from changelog.errors import Gone, InvalidProof, Unauthenticated
from changelog.signing import Signing
from changelog.tables import Store
from changelog.views import cluster

PREFIX = "lmt-"
GOOD_FOR_S = 600  # the clocks of two nodes may differ by as much


@frozen
class MemberToken:
    """What a token says."""

    member: int
    origin: str  # of the log
    at: int  # seconds since 1970


_TOKENS = Signing(MemberToken, "member", "the token of a member")


def sign(token: MemberToken, key: Ed25519PrivateKey) -> str:
    """Return the token as it is sent."""
    return PREFIX + base64.urlsafe_b64encode(_TOKENS.sign(token, key)).decode().rstrip("=")


def member_with(store: Store, text: str, now_s: float) -> int:
    """Return the number of the member whose token *text* is.

    Raises:
        Unauthenticated: it is none, is for another log, too old, or of nobody who was ever a member.
        Gone: it was removed.
    """
    try:
        raw = base64.b64decode(text.removeprefix(PREFIX) + "==", b"-_")
        token = _TOKENS.verify(raw, lambda number: cluster.node_key(store, number))
    except (binascii.Error, ValueError, InvalidProof) as error:
        raise Unauthenticated(f"this is not the token of a member: {error}") from error
    if cluster.member(store, token.member) is None:
        raise Gone(f"member {token.member} was removed")
    if not log.continues(token.origin, cluster.origin(store).origin):
        raise Unauthenticated(f"the token of member {token.member} is for {token.origin!r:.200}")
    if abs(token.at - now_s) > GOOD_FOR_S:
        raise Unauthenticated(f"the token of member {token.member} was made {abs(token.at - now_s):.0f} s from now")
    return token.member
