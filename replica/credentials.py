"""Who a node is to others, and which log it trusts."""

import time
from collections.abc import Sequence

from attrs import evolve, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog import log
from changelog.copying import Copier, Known
from changelog.env import Env
from changelog.reader import Reader
from changelog.tables import Store
from changelog.views import cluster
from replica.create import is_enrolled, read_token
from server import keys, member_token
from server.layout import Layout
from server.member_token import MemberToken
from server.replica_token import ReplicaToken


@frozen
class Credentials:
    """What a node shows: its token, or, without one, its key, by which members know it."""

    name: str
    origin: str
    log_key: bytes  # Ed25519 public key, 32 bytes
    known: Known | None  # of the log, by the token
    member: int  # its number, 0 = none
    token: str  # "" = it has none
    urls: tuple[str, ...]  # where members were, as far as the log does not say
    node_key: Ed25519PrivateKey

    @property
    def bearer(self) -> str:
        """The token for requests from now on, for some minutes."""
        if self.token:
            return self.token
        return member_token.sign(MemberToken(self.member, self.origin, int(time.time())), self.node_key)

    @property
    def headers(self) -> dict[str, str]:
        """What each request to another node carries."""
        return {"Authorization": f"Bearer {self.bearer}", "Accept": "application/json"}  # what refusals say is read

    def copier(self, env: Env) -> Copier:
        """Return what copies the log."""
        return Copier(env, self.origin, self.log_key, () if self.known is None else (self.known,))


def load(layout: Layout, store: Store) -> Credentials:
    """Return those of the node in a data folder, whose tables are in *store*.

    Raises:
        Damaged: a key is missing.
        InvalidInput: its token can not be read.
        LookupError: it has neither a token nor a log.
    """
    node_key = keys.load(layout.keys, keys.NODE_KEY)
    number = cluster.number_of(store, keys.public(node_key))
    if is_enrolled(layout):
        shown = by_token(read_token(layout), node_key)
        now = cluster.ORIGIN.get(store, cluster.ONLY)
        if now is not None and log.continues(now.origin, shown.origin):  # else the token is for a later one
            shown = evolve(shown, origin=now.origin, log_key=now.log_key)
        return evolve(shown, member=number or shown.member)
    row = cluster.member(store, number)
    if row is None:
        raise LookupError(f"{layout.serverdir} has neither the token of a replica nor a log that it is a member of")
    origin = cluster.origin(store)
    return Credentials(row.name, origin.origin, origin.log_key, None, number, "", (), node_key)


def by_token(token: ReplicaToken, node_key: Ed25519PrivateKey) -> Credentials:
    """Return those of who has *token*; *node_key* is what a member signs with."""
    known = Known(token.size, token.root)
    shown = token.bearer if token.secret else ""
    return Credentials(token.name, token.origin, token.log_key, known, token.member, shown, token.urls, node_key)


def read(layout: Layout, reader: Reader) -> Credentials:
    """Return the same by snapshots of *reader*."""
    with reader.snapshot() as store:
        return load(layout, store)


def anchor(layout: Layout, store: Store, size: int) -> ReplicaToken:
    """Return the token that lets a node copy its log anew, of which *size* entries are those that it knows."""
    shown = load(layout, store)
    if is_enrolled(layout):
        token = read_token(layout)
    else:
        token = ReplicaToken(shown.name, shown.origin, shown.log_key, 0, b"", b"", member=shown.member)
    return evolve(token, size=size, root=log.root(store, size), urls=tuple(urls(store, shown.node_key)))


def urls(store: Store, node_key: Ed25519PrivateKey) -> Sequence[str]:
    """Return where the members are but the one with that key."""
    own = keys.public(node_key)
    return [
        row.url.rstrip("/") for _, row in cluster.members(store) if row.url and not row.until and row.node_key != own
    ]
