"""``ledgerpi stranded``: what a node left behind when another one took over."""

from collections.abc import Iterator

import attrs
import click
from rich.console import Console
from rich.table import Table

from changelog.codec import decode
from ops.log_entries import Line
from ops.log_formats import table
from ops.node import serverdir_option
from replica import stranded as tails
from server.layout import Layout


@click.group(
    epilog="""\b
Example:
  ledgerpi stranded list --serverdir /srv/ledgerpi
  ledgerpi stranded show --serverdir /srv/ledgerpi 1.1-51-60"""
)
def stranded() -> None:
    """Read entries of this node that no later primary has; they are kept when a log is left."""


@stranded.command(
    "list",
    epilog="""\b
Example:
  ledgerpi stranded list --serverdir /srv/ledgerpi""",
)
@serverdir_option
def list_(layout: Layout) -> None:
    """List the stranded tails of a node."""
    found = Table("name", "entries", "files", box=None)
    for name in tails.names(layout):
        found.add_row(name, str(len(tails.read(layout, name).entries)), str(len(tails.blobs(layout, name))))
    Console(width=120).print(found)


@stranded.command(
    epilog="""\b
Example:
  ledgerpi stranded show --serverdir /srv/ledgerpi 1.1-51-60""",
)
@serverdir_option
@click.argument("name")
def show(layout: Layout, name: str) -> None:
    """Print the entries of the stranded tail NAME, one a line."""
    tail = tails.read(layout, name)
    for text in table(_lines(tail)):
        click.echo(text)


def _lines(tail: tails.Tail) -> Iterator[Line]:
    """Yield entries as they are shown; indexes are told by their incarnation, for no view has these entries."""
    for serial, raw in enumerate(tail.entries, tail.after + 1):
        event, stamp = decode(raw, serial)
        fields = attrs.asdict(event, recurse=False)
        yield Line(stamp, type(event).__name__, None, str(fields.get("project") or "") or None, fields)
