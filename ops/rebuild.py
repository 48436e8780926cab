"""``ledgerpi rebuild``: fold all views anew."""

import click

from changelog import rebuild as views
from changelog.env import DEFAULT_MAP_SIZE, Env
from changelog.fold import VIEW_TABLES
from changelog.verify import Progress
from ops import progress
from ops.node import locked, serverdir_option, writer_lives
from server.layout import Layout
from server.wire import ask

STAGE = "entries folded"


@click.command(
    epilog="""\b
Example:
  ledgerpi rebuild --serverdir /srv/ledgerpi"""
)
@serverdir_option
def rebuild(layout: Layout) -> None:
    """Fold all views anew from the changelog.

    The old views are served until the new ones are whole. On a running node the writer does it,
    between its commits; an interrupted rebuild goes on where it stopped.
    """
    if writer_lives(layout):
        click.echo("a writer lives here and is asked to do it", err=True)
        size = online(layout)
    else:
        with locked(layout), progress.shown() as shown:
            size = offline(layout, shown)
    click.echo(f"views are folded anew from {size} entries")


def offline(layout: Layout, shown: Progress, map_size: int = DEFAULT_MAP_SIZE) -> int:
    """Rebuild in this process, which holds the lock, and return the number of entries."""
    env = Env(layout.changelog, VIEW_TABLES, readonly=False, map_size=map_size)
    try:
        size = 0
        for folded, size in views.run(env):
            shown(STAGE, folded, size)
        return size
    finally:
        env.close()


def online(layout: Layout) -> int:
    """Have the live writer rebuild and return the number of entries then.

    Raises:
        Conflict: it is rebuilding already.
        OutcomeUnknown: it ended before it answered.
    """
    (size,) = ask(layout.socket, "rebuild")
    return int(size)
