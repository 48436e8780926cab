"""``ledgerpi serve``: run a node in the foreground."""

from pathlib import Path
from typing import Any

import click

from ops import roles
from ops.configured import Configured
from ops.follower_options import follower_options
from ops.node_options import node_options
from replica import rejoin
from replica.create import is_enrolled, read_token
from server.layout import Layout


@click.command(
    cls=Configured,
    epilog="""\b
Example:
  ledgerpi serve --serverdir /srv/ledgerpi --host 0.0.0.0 --port 3141""",
)
@follower_options
@node_options
def serve(serverdir: Path, **options: Any) -> None:  # noqa: ANN401 - the fields of Config
    """Run a node in the foreground until SIGTERM or Ctrl-C, which take its processes along.

    A primary from which another member took over goes on as a replica of that, also when it is started again.
    """
    layout = Layout(serverdir)
    rejoin.finish(layout)
    if not layout.data_file.is_file():
        raise click.UsageError(f"{serverdir} holds no node (ledgerpi init makes one)")
    if is_enrolled(layout) and read_token(layout).secret:  # without one it is of a primary that left a log
        raise click.UsageError(f"{serverdir} was made as a replica (ledgerpi replica runs it)")
    roles.run(roles.made(serverdir, **options))
