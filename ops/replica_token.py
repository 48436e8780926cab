"""``ledgerpi replica-token``: let a replica follow the log of this node, or no longer."""

import re

import click
from attrs import evolve

from changelog import checkpoint, log
from changelog.env import DEFAULT_MAP_SIZE
from changelog.errors import NotReplicated
from changelog.reader import Reader
from changelog.views import cluster
from ops.node import serverdir_option
from ops.order import carry_out
from server import keys
from server import replica_token as tokens
from server.commands import EnrolReplica, RevokeReplica
from server.layout import Layout
from server.replica_token import ReplicaToken

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


def _name(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if not NAME.fullmatch(text):
        raise click.BadParameter(f"{text!r} is no name of a replica: a-z, 0-9, '.', '_' and '-', at most 64 characters")
    return text


@click.command(
    "replica-token",
    epilog="""\b
Example:
  ledgerpi replica-token --serverdir /srv/ledgerpi eu-1 > eu-1.token""",
)
@serverdir_option
@click.argument("name", callback=_name)
@click.option("--voter", is_flag=True, help="Its copy counts where writes wait for copies; it keeps all files.")
@click.option(
    "--may-promote", is_flag=True, help="It may become the primary: its token has the log's key. Implies --voter."
)
@click.option("--revoke", is_flag=True, help="Make the token of the replica NAME worthless.")
def replica_token(layout: Layout, name: str, *, voter: bool, may_promote: bool, revoke: bool) -> None:
    """Print a new token by which the replica NAME may follow this node; it is shown once."""
    if revoke:
        carry_out(layout, RevokeReplica(name))
        click.echo(f"the replica {name} is revoked", err=True)
        return
    secret = tokens.new_secret()
    voter = voter or may_promote
    token = evolve(_of_now(layout, name, secret), voter=voter, log_seed=_log_seed(layout) if may_promote else b"")
    try:
        carry_out(layout, EnrolReplica(name, token.hash, voter=voter, may_promote=may_promote))
    except NotReplicated as few:  # the entry is there, and nobody could tell the secret again
        click.echo(f"the replica {name} is enrolled: {few}", err=True)
    click.echo(token.text)


def _log_seed(layout: Layout) -> bytes:
    return keys.load(layout.keys, keys.LOG_KEY).private_bytes_raw()


def _of_now(layout: Layout, name: str, secret: bytes) -> ReplicaToken:
    reader = Reader(layout.changelog, DEFAULT_MAP_SIZE)
    try:
        with reader.snapshot() as store:
            origin, size = cluster.ORIGIN.get(store, cluster.ONLY), checkpoint.claimed_size(log.head(store).checkpoint)
            root = log.root(store, size)  # of what was acknowledged, which no promotion loses
    finally:
        reader.close()
    if origin is None:
        raise click.ClickException("the log of this node has no first entry yet")
    return ReplicaToken(name, origin.origin, origin.log_key, size, root, secret)
