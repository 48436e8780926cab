"""``ledgerpi explain``: why an index shows what it shows of a project."""

import json

import attrs
import click
from rich.console import Console
from rich.table import Table

from changelog.errors import NotFound
from changelog.names import IndexName, ProjectName, index_name, project_name
from changelog.reader import Reader
from changelog.views.explain import Explanation
from changelog.views.explain import explain as explained
from ops.arguments import parsed
from ops.node import serverdir_option
from ops.printable import printable
from server.layout import Layout


@click.command(
    epilog="""\b
Example:
  ledgerpi explain --serverdir /srv/ledgerpi root/dev requests"""
)
@serverdir_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("index", metavar="USER/INDEX", callback=parsed(index_name))
@click.argument("project", callback=parsed(project_name))
def explain(layout: Layout, *, as_json: bool, index: IndexName, project: ProjectName) -> None:
    """Say which index each file of PROJECT comes from, what is hidden, and why; upstreams are not asked."""
    reader = Reader(layout.changelog)
    try:
        with reader.snapshot() as store:
            found = explained(store, index, project)
    finally:
        reader.close()
    if not found.sources:
        raise NotFound(f"no such index: {index}")
    if as_json:
        click.echo(json.dumps(attrs.asdict(found), indent=2))
    else:
        _print(found)


def _print(found: Explanation) -> None:
    console = Console(highlight=False)
    sources = Table("index", "type", "has it", "asked", "why")
    for source in found.sources:
        has, asked = ("yes" if yes else "no" for yes in (source.has, source.asked))
        sources.add_row(printable(source.index), source.type, has, asked, printable(source.why))
    console.print(sources)
    files = Table("file", "from", "shown")
    for file in found.files:
        files.add_row(printable(file.filename), printable(file.index), printable(file.hidden) or "yes")
    console.print(files)
    for index, filename, known, claimed, accepted in found.alarms:
        state = "accepted" if accepted else "not accepted"
        console.print(printable(f"alarm: {filename} in {index} was {known}, upstream claims {claimed}: {state}"))
