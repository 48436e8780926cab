"""Login tokens: signed by the primary's node key, good on every node until they expire or the password changes."""

import base64
import binascii
from collections.abc import Callable

from attrs import frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from changelog.errors import InvalidEntry, Unauthenticated
from changelog.packing import Packing, unpackb

PREFIX = "lpl-"
SIGNATURE_BYTES = 64
_CONTEXT = b"ledgerpi login v1\n"  # what is signed begins with this, so that no other signature is a login


@frozen
class Login:
    """What a login token says."""

    user: str
    password_serial: int
    expires: int  # seconds since 1970
    member: int  # whose node key signed


_LOGINS = Packing(Login)


def sign(login: Login, key: Ed25519PrivateKey) -> str:
    """Return the token: ``lpl-`` and base64url of the packed login with its signature."""
    raw = _LOGINS.pack(login)
    return PREFIX + base64.urlsafe_b64encode(key.sign(_CONTEXT + raw) + raw).decode().rstrip("=")


def verify(token: str, now_s: float, node_key: Callable[[int], bytes | None]) -> Login:
    """Return what *token* says; the caller still has to compare the password's serial.

    Raises:
        Unauthenticated: it is no token, was not signed by a member, or expired.
    """
    try:
        raw = base64.urlsafe_b64decode(token.removeprefix(PREFIX) + "==")
        login = _LOGINS.value(_plain(raw[SIGNATURE_BYTES:]))
    except (binascii.Error, ValueError, InvalidEntry) as error:
        raise Unauthenticated("not a login token") from error
    public = node_key(login.member)
    if public is None:
        raise Unauthenticated("the login was signed by no member")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(raw[:SIGNATURE_BYTES], _CONTEXT + raw[SIGNATURE_BYTES:])
    except InvalidSignature as error:
        raise Unauthenticated("the signature of the login does not hold") from error
    if login.expires <= now_s:
        raise Unauthenticated("the login expired")
    return login


def _plain(raw: bytes) -> tuple[object, ...]:
    plain = unpackb(raw)
    if not isinstance(plain, tuple):
        raise InvalidEntry("not a login")
    return plain
