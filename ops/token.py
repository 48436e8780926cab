"""``ledgerpi token``: make, list and revoke API tokens of this node's users."""

import time

import click
from rich.console import Console
from rich.table import Table

from changelog.errors import InvalidInput, NotFound, NotReplicated
from changelog.names import UserName, user_name
from changelog.reader import Reader
from changelog.records import Record
from changelog.views import tokens, users
from ops.arguments import parsed
from ops.node import serverdir_option
from ops.order import carry_out
from ops.printable import printable
from server import api_tokens, token_checks, token_uses, token_wishes
from server.commands import Command
from server.layout import Layout
from server.limits import VERBS
from server.token_commands import RevokeToken, SetTokenKey
from server.token_shown import description, restrictions
from server.token_wishes import TokenWish

DAY_S = 86_400
MAX_DAYS = 36_500


@click.group(
    epilog="""\b
Example:
  ledgerpi token create --serverdir /srv/ledgerpi alice --verb upload --project demo
  ledgerpi token list --serverdir /srv/ledgerpi
  ledgerpi token revoke --serverdir /srv/ledgerpi kT3vN0q8ZxB1"""
)
def token() -> None:
    """Make, list and revoke API tokens, which programs use in the place of a password."""


@token.command(
    epilog="""\b
Example:
  ledgerpi token create --serverdir /srv/ledgerpi alice \\
      --verb upload --index alice/dev --project demo --days 30 > ci.token"""
)
@serverdir_option
@click.argument("user", callback=parsed(user_name))
@click.option("--verb", "verbs", multiple=True, type=click.Choice(VERBS), help="What it is good for. Default: all.")
@click.option("--index", "indexes", multiple=True, metavar="USER/INDEX", help="Only there. Default: everywhere.")
@click.option("--project", "projects", multiple=True, metavar="NAME", help="Only this one. Default: all.")
@click.option("--days", default=366, show_default=True, type=click.IntRange(0, MAX_DAYS), help="0 = for ever.")
@click.option("--description", default="", metavar="TEXT", help="What it is for; not part of the log.")
@click.option("--macaroon", is_flag=True, help="Make one that devpi's client narrows for each upload.")
def create(layout: Layout, user: UserName, days: int, *, macaroon: bool, **limits: object) -> None:
    """Print a new token of USER; it is shown once. Options that limit it can be repeated."""
    body = {key: list(value) if isinstance(value, tuple) else value for key, value in limits.items() if value}
    try:
        wish = token_wishes.parse(body | {"expires": int(time.time()) + days * DAY_S if days else "never"})
    except InvalidInput as error:
        raise click.UsageError(str(error)) from error
    click.echo(_macaroon(layout, user, wish) if macaroon else _secret(layout, user, wish))


@token.command(
    "list",
    epilog="""\b
Example:
  ledgerpi token list --serverdir /srv/ledgerpi alice""",
)
@serverdir_option
@click.argument("user", required=False)
def list_(layout: Layout, user: str | None) -> None:
    """List the tokens of USER, or of all. Last use is as this node saw it."""
    uses = token_uses.read(layout.token_uses)
    table = Table("id", "user", "kind", "restrictions", "created", "last used", "description", box=None)
    reader = Reader(layout.changelog)
    try:
        with reader.snapshot() as store:
            owners = [(name, row) for name, row in users.everyone(store) if user in (None, name)]
            if user is not None and not owners:
                raise NotFound(f"no such user: {user}")
            for name, owner in owners:
                for key, row in tokens.of_user(store, owner.incarnation):
                    kind = "secret" if row.secret else "macaroon"
                    times = (
                        token_checks.shown_time(row.created // 1_000_000),
                        token_checks.shown_time(uses[key]) if key in uses else "",
                    )
                    limits = printable(" ".join(restrictions(row)))
                    table.add_row(key, printable(name), kind, limits, *times, printable(description(store, row)))
    finally:
        reader.close()
    Console(width=240).print(table)


@token.command(
    epilog="""\b
Example:
  ledgerpi token revoke --serverdir /srv/ledgerpi kT3vN0q8ZxB1"""
)
@serverdir_option
@click.argument("token_id", metavar="ID")
def revoke(layout: Layout, token_id: str) -> None:
    """Revoke the token ID for ever, with all that were derived from it."""
    carry_out(layout, RevokeToken(token_id))
    click.echo(f"the token {token_id} is revoked")


@token.command(
    "renew-key",
    epilog="""\b
Example:
  ledgerpi token renew-key --serverdir /srv/ledgerpi""",
)
@serverdir_option
def renew_key(layout: Layout) -> None:
    """Set a new key for macaroons, which makes all that were made before worthless."""
    _set_key(layout, renew=True)
    click.echo("the key of macaroons is set; those made before are worthless")


def _secret(layout: Layout, user: UserName, wish: TokenWish) -> str:
    new = api_tokens.new()
    command, records = wish.command(user, new.id, new.hash)
    _done(layout, command, records)
    return new.text


def _macaroon(layout: Layout, user: UserName, wish: TokenWish) -> str:
    _set_key(layout, renew=False)
    command, records = wish.command(user, api_tokens.new_id(), b"")
    _done(layout, command, records)
    reader = Reader(layout.changelog)
    try:
        with reader.snapshot() as store:
            return token_checks.minted(store, user, command.token)
    finally:
        reader.close()


def _set_key(layout: Layout, *, renew: bool) -> None:
    key = token_checks.new_key()
    _done(layout, SetTokenKey(key.commitment, renew=renew), (key,))


def _done(layout: Layout, command: Command, records: tuple[Record, ...]) -> None:
    try:
        carry_out(layout, command, records)
    except NotReplicated as few:  # the entry is there, and nobody could tell the secret again
        click.echo(f"it is done: {few}", err=True)
