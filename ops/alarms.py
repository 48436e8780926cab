"""``ledgerpi alarms``: files of a mirror of which upstream claims other bytes than before."""

import click

from changelog.errors import InvalidName, NotFound
from changelog.names import IndexName, file_name, index_name, project_name, sha256_hex
from changelog.reader import Reader
from changelog.views import fetched, indexes
from ops.arguments import parsed
from ops.node import serverdir_option
from ops.order import carry_out
from ops.printable import printable
from server.layout import Layout
from server.upstream_commands import AcceptHash


@click.command(
    epilog="""\b
Example:
  ledgerpi alarms --serverdir /srv/ledgerpi root/pypi
  ledgerpi alarms --serverdir /srv/ledgerpi root/pypi --accept demo demo-1.0.tar.gz 0f3a…"""
)
@serverdir_option
@click.option("--accept", nargs=3, metavar="PROJECT FILENAME SHA256", help="Accept the bytes that upstream claims.")
@click.argument("index", metavar="USER/INDEX", callback=parsed(index_name))
def alarms(layout: Layout, accept: tuple[str, str, str] | None, index: IndexName) -> None:
    """List the alarms of a mirror, or accept one; the next look at upstream's page then takes the new digest."""
    if accept:
        try:
            command = AcceptHash(index, project_name(accept[0]), file_name(accept[1]), sha256_hex(accept[2]))
        except InvalidName as error:
            raise click.BadParameter(str(error)) from error
        carry_out(layout, command)
        click.echo(f"{command.filename} may have SHA-256 {accept[2]} in {index}")
        return
    reader = Reader(layout.changelog)
    try:
        with reader.snapshot() as store:
            row = indexes.find(store, index)
            if row is None:
                raise NotFound(f"no such index: {index}")
            found = list(fetched.alarms(store, row.incarnation))
    finally:
        reader.close()
    for project, filename, alarm in found:
        state = "accepted" if alarm.accepted else "refused"
        line = f"{project} {filename}: was {alarm.known.hex()}, upstream claims {alarm.claimed.hex()} ({state})"
        click.echo(printable(line))
