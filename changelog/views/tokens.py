"""API tokens as they are."""

from collections.abc import Iterator

from attrs import frozen

from changelog.codec import Stamp
from changelog.events.tokens import TokenCreated, TokenKeySet, TokenRevoked
from changelog.names import IndexName, ProjectName, UserName
from changelog.tables import Store, Table, TimedTable, serial_key
from changelog.views import users
from changelog.views.users import erase

MAX_ID = 64  # bytes; LMDB takes no long keys
ONLY = b"0"  # key of a table with one row


@frozen
class Token:
    """A token that was not revoked; its id is the key."""

    since: int
    user: UserName
    incarnation: int  # of the user
    created: int  # microseconds
    secret: bytes  # SHA-256, b"" = a macaroon
    verbs: tuple[str, ...]  # empty = all
    indexes: tuple[IndexName, ...]  # empty = all
    projects: tuple[ProjectName, ...]  # empty = all
    not_before: int  # seconds since 1970, 0 = at once
    expires: int  # seconds since 1970, 0 = never
    description: bytes  # commitment


@frozen
class TokenKey:
    """What the keys of macaroons are derived from."""

    since: int  # older macaroons are worthless
    key: bytes  # commitment


TOKENS = TimedTable("tokens", Token)
OWNED = "tokens_of"  # the user's incarnation and the id; no value
KEY = Table("token_key", TokenKey)


def on_token_created(store: Store, event: TokenCreated, stamp: Stamp) -> None:
    """Add the token to those of its user."""
    owner = users.find(store, event.user)
    if owner is None:
        raise LookupError(f"the log speaks of a user that is not there: {event.user}")
    row = Token(
        stamp.serial,
        event.user,
        owner.incarnation,
        stamp.time,
        event.secret,
        event.verbs,
        event.indexes,
        event.projects,
        event.not_before,
        event.expires,
        event.description,
    )
    TOKENS.put(store, event.token.encode(), row)
    store.put(OWNED, _owned_key(owner.incarnation, event.token), b"")


def on_token_revoked(store: Store, event: TokenRevoked, stamp: Stamp) -> None:
    """Close the row and erase what the token was called."""
    row = find(store, event.token)
    if row is not None:
        erase(store, row.description)
        TOKENS.close(store, event.token.encode(), stamp.serial)
        store.delete(OWNED, _owned_key(row.incarnation, event.token))


def on_token_key_set(store: Store, event: TokenKeySet, stamp: Stamp) -> None:
    """Put the new key and erase the one before."""
    before = KEY.get(store, ONLY)
    if before is not None and before.key != event.key:
        erase(store, before.key)
    KEY.put(store, ONLY, TokenKey(stamp.serial, event.key))


def find(store: Store, token: str) -> Token | None:
    """Return the token with that id, or None if there is none or it was revoked."""
    key = token.encode("utf-8", "replace")
    return TOKENS.get(store, key) if 0 < len(key) <= MAX_ID else None


def was(store: Store, token: str) -> bool:
    """Return whether there was a token with that id that was revoked."""
    return TOKENS.was(store, token.encode())


def of_user(store: Store, incarnation: int) -> Iterator[tuple[str, Token]]:
    """Yield ids and tokens of a user, by id."""
    prefix = serial_key(incarnation)
    for key, _ in store.scan(OWNED, prefix):
        token = key.removeprefix(prefix).decode()
        row = find(store, token)
        if row is not None:
            yield token, row


def key(store: Store) -> TokenKey | None:
    """Return what the keys of macaroons are derived from, None if none was set yet."""
    return KEY.get(store, ONLY)


def is_good(store: Store, row: Token) -> bool:
    """Return whether the token's user and, of a macaroon, its key are still there."""
    owner = users.find(store, row.user)
    if owner is None or owner.incarnation != row.incarnation:
        return False
    current = None if row.secret else key(store)
    return bool(row.secret) or (current is not None and current.since < row.since)


def _owned_key(incarnation: int, token: str) -> bytes:
    return serial_key(incarnation) + token.encode()
