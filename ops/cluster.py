"""``ledgerpi cluster``: the members, and how many copies an acknowledged write has."""

import click
from rich.console import Console
from rich.table import Table

from changelog.reader import Reader
from changelog.views import cluster as members
from changelog.views import voting
from ops.node import serverdir_option
from ops.order import carry_out
from ops.printable import printable
from server.commands import RemoveMember, SetDurability
from server.layout import Layout


@click.group(
    epilog="""\b
Example:
  ledgerpi cluster list --serverdir /srv/ledgerpi
  ledgerpi cluster durability --serverdir /srv/ledgerpi 1"""
)
def cluster() -> None:
    """Look at and change the members of the cluster, on the primary."""


@cluster.command(
    "list",
    epilog="""\b
Example:
  ledgerpi cluster list --serverdir /srv/ledgerpi""",
)
@serverdir_option
def list_(layout: Layout) -> None:
    """List the members as the log of this node has them."""
    reader = Reader(layout.changelog)
    try:
        with reader.snapshot() as store:
            rows = list(members.members(store))
            primary = members.PRIMARY.get(store, members.ONLY)
            now = voting.find(store)
    finally:
        reader.close()
    table = Table("number", "name", "url", "voter", "may promote", "", box=None)
    for number, row in rows:
        is_primary = primary is not None and primary.member == number
        note = "removed" if row.until else "primary" if is_primary else ""
        table.add_row(
            str(number), printable(row.name), printable(row.url), _yes(row.voter), _yes(row.may_promote), note
        )
    Console(width=160).print(table)
    click.echo(f"copies besides the primary's: {now.replicas}")
    if now.since:
        click.echo(f"the change of entry {now.since} is not settled yet: the setting before it counts too")


@cluster.command(
    epilog="""\b
Example:
  ledgerpi cluster durability --serverdir /srv/ledgerpi 1"""
)
@serverdir_option
@click.argument("replicas", type=click.IntRange(0, 1_000))
def durability(layout: Layout, replicas: int) -> None:
    """Have writes answered when so many voters besides the primary have them; 0 = when they are on its disk."""
    carry_out(layout, SetDurability(replicas))


@cluster.command(
    epilog="""\b
Example:
  ledgerpi cluster remove --serverdir /srv/ledgerpi eu-1"""
)
@serverdir_option
@click.argument("name")
def remove(layout: Layout, name: str) -> None:
    """Let the member NAME go for ever; its token is worthless then."""
    carry_out(layout, RemoveMember(name))


def _yes(value: bool) -> str:  # noqa: FBT001 - it is what is shown
    return "yes" if value else ""
