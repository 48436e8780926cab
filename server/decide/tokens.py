"""What may become of API tokens. Nothing of it by a token."""

from changelog.errors import Conflict, NotFound, Refused
from changelog.events.tokens import TokenCreated, TokenKeySet, TokenRevoked
from changelog.tables import Store
from changelog.views import tokens, users
from changelog.writer import Already, Decision
from server.commands import Caller
from server.permissions import ROOT, check_own
from server.token_commands import CreateToken, RevokeToken, SetTokenKey

MAX_TOKENS = 1_000  # of a user


def create(store: Store, caller: Caller, command: CreateToken) -> Decision:
    """Users make tokens of their own, root and the operator everybody's."""
    check_own(caller, command.user, f"make tokens of {command.user}")
    owner = users.find(store, command.user)
    if owner is None:
        raise NotFound(f"no such user: {command.user}")
    if tokens.find(store, command.token) is not None or tokens.was(store, command.token):
        raise Conflict(f"there is or was a token {command.token}")
    if sum(1 for _ in tokens.of_user(store, owner.incarnation)) >= MAX_TOKENS:
        raise Refused(f"{command.user} has {MAX_TOKENS} tokens; revoke some first")
    if not command.secret and tokens.key(store) is None:
        raise Conflict("there is no key for macaroons yet")
    return [
        TokenCreated(
            command.token,
            command.user,
            command.secret,
            command.verbs,
            command.indexes,
            command.projects,
            command.not_before,
            command.expires,
            command.description,
        )
    ]


def revoke(store: Store, caller: Caller, command: RevokeToken) -> Decision:
    """Revoke a token for ever; who may make it may."""
    row = tokens.find(store, command.token)
    owner = ROOT if row is None else row.user
    check_own(caller, owner, f"revoke the token {command.token}")
    if row is None:
        raise NotFound(f"there is no token {command.token}")
    return [TokenRevoked(command.token)]


def set_key(store: Store, caller: Caller, command: SetTokenKey) -> Decision:
    """Set the first key, which any user's first macaroon needs; another one only the operator."""
    now = tokens.key(store)
    if now is not None and not command.renew:
        return Already(now.since)
    check_own(caller, (not command.renew and caller.user) or ROOT, "set the key of macaroons")
    return [TokenKeySet(command.key)]
