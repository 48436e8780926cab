"""Who may copy the log: replicas with a token, and members by their key."""

import time

from attrs import frozen

from changelog.errors import Unauthenticated
from changelog.tables import Store
from changelog.views import cluster
from server import member_token, replica_token


@frozen
class Follower:
    """Who follows."""

    name: str
    token: bytes  # SHA-256 of the secret of its token, b"" = it is the member *number*
    number: int = 0


def of(store: Store, authorization: str) -> Follower:
    """Return who sends an ``Authorization: Bearer`` header.

    Raises:
        Unauthenticated: nobody who may follow.
        Gone: a member that was removed.
    """
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer" or len(text) > replica_token.MAX_TOKEN:
        raise Unauthenticated("this needs the token of a replica")
    if not text.startswith(member_token.PREFIX):
        name, token = replica_token.replica_of(store, text)
        return Follower(name, token)
    number = member_token.member_with(store, text, time.time())
    row = cluster.member(store, number)
    return Follower("" if row is None else row.name, b"", number)


def check(store: Store, follower: Follower) -> None:
    """Raise Unauthenticated if *follower* may follow no longer."""
    if follower.token:
        found = cluster.replica_with(store, follower.token)
        gone = found is None or bool(found[1].until)
    else:
        gone = cluster.member(store, follower.number) is None
    if gone:
        raise Unauthenticated(f"the token of the replica {follower.name} is not good here, or no longer")
