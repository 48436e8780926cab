"""Whether a token that a request came with is good, and for what: one hash and a few look-ups."""

import hmac
import secrets
from datetime import UTC, datetime
from hashlib import sha256
from math import inf

from changelog import records
from changelog.errors import InvalidInput, Unauthenticated
from changelog.names import UserName
from changelog.records import Record, new_record
from changelog.tables import Store
from changelog.views import tokens
from changelog.views.tokens import Token
from server import api_tokens, caveats, macaroons
from server.caveats import Narrowing
from server.commands import Caller
from server.limits import Limits
from server.macaroons import Macaroon

DEVPI = "devpi-"  # what devpi's client knows a macaroon by
BARE = ("AgE", "AgI")  # how all begin; devpi-tokens derives some without the word before it
ANY = ("__token__", "")  # names that stand for whosever the token is
KEY_BYTES = 32
_KEYS = b"ledgerpi macaroon v1\n"  # what keys are derived from begins with this


def is_token(secret: str) -> bool:
    """Return whether *secret* is meant as a token; a password may begin with ``devpi-``, and be no macaroon."""
    return secret.startswith(api_tokens.PREFIX) or _macaroon(secret) is not None


def caller_with(store: Store, user: str, secret: str, now_s: float) -> tuple[Caller, float]:
    """Return who comes with the token *secret* as *user*, and until when it is good, seconds since 1970.

    Raises:
        Unauthenticated: it is no token, or of somebody else, was revoked, has expired or is not good yet.
    """
    macaroon = _macaroon(secret)
    if macaroon is None:
        token, row, left = *_by_secret(store, secret), Narrowing()
    else:
        token, row = _by_signature(store, macaroon)
        left = caveats.read(macaroon.caveats)
    if user not in ANY and user != row.user:
        raise Unauthenticated(f"the token {token} is not of {user}")
    left = left.also(of_row(row))
    if now_s < left.not_before:
        raise Unauthenticated(f"the token {token} is good from {shown_time(left.not_before)}, not yet")
    if now_s >= left.expires:
        raise Unauthenticated(f"the token {token} expired at {shown_time(left.expires)}")
    return Caller(row.user, 0, token, left.limits), left.expires


def of_row(row: Token) -> Narrowing:
    """Return what a token was made for."""
    limits = Limits(row.verbs or None, row.indexes or None, row.projects or None)
    return Narrowing(limits, float(row.not_before), float(row.expires or inf))


def new_key() -> Record:
    """Return a new key for macaroons."""
    return new_record(secrets.token_bytes(KEY_BYTES))


def minted(store: Store, user: UserName, token: str) -> str:
    """Return the macaroon with the id *token*.

    Raises:
        Unauthenticated: there is no key to make it with.
    """
    macaroon = macaroons.new(f"{user}-{token}".encode(), _key(store, token))
    return DEVPI + macaroon.text


def shown_time(seconds: float) -> str:
    """Return a time as people read it; what no calendar has, as a number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f}"


def _by_secret(store: Store, secret: str) -> tuple[str, Token]:
    given = api_tokens.read(secret)
    row = _row(store, given.id)
    if not row.secret or not hmac.compare_digest(row.secret, given.hash):
        raise Unauthenticated(f"the token {given.id} has another secret")
    return given.id, row


def _by_signature(store: Store, macaroon: Macaroon) -> tuple[str, Token]:
    user, _, token = macaroon.identifier.decode("utf-8", "replace").rpartition("-")
    if len(token) != api_tokens.ID_LENGTH or not token.isalnum() or not token.isascii():
        raise Unauthenticated("the token was not made here")
    row = _row(store, token)
    if row.secret or row.user != user or not macaroon.is_signed(_key(store, token)):
        raise Unauthenticated(f"the signature of the token {token} does not hold")
    return token, row


def _row(store: Store, token: str) -> Token:
    row = tokens.find(store, token)
    if row is None or not tokens.is_good(store, row):
        raise Unauthenticated(f"the token {token} is not good, or no longer")
    return row


def _key(store: Store, token: str) -> bytes:
    """Return the key of a macaroon: each has its own, so that none is stored."""
    current = tokens.key(store)
    stored = None if current is None else store.get("records", current.key)
    if stored is None:
        raise Unauthenticated("this node has no key for macaroons")
    return hmac.digest(records.from_stored(stored).payload, _KEYS + token.encode(), sha256)


def _macaroon(secret: str) -> Macaroon | None:
    text = secret.removeprefix(DEVPI)
    if not text.startswith(BARE):
        return None
    try:
        return macaroons.read(text)
    except InvalidInput:
        return None
