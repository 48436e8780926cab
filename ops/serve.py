"""``ledgerpi serve``: run a node in the foreground."""

from pathlib import Path
from typing import Any

import click

from ops.node_options import announce, node_options
from replica.create import is_replica
from server.config import Config
from server.layout import Layout
from server.logs import configure_logs
from server.supervisor import Supervisor


@click.command(
    epilog="""\b
Example:
  ledgerpi serve --serverdir /srv/ledgerpi --host 0.0.0.0 --port 3141"""
)
@node_options
def serve(serverdir: Path, **options: Any) -> None:  # noqa: ANN401 - the fields of Config
    """Run a node in the foreground until SIGTERM or Ctrl-C, which take its processes along."""
    if not Layout(serverdir).data_file.is_file():
        raise click.UsageError(f"{serverdir} holds no node (ledgerpi init makes one)")
    if is_replica(Layout(serverdir)):
        raise click.UsageError(f"{serverdir} holds a replica (ledgerpi replica runs it)")
    try:
        config = Config(serverdir=serverdir.absolute(), **options)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    configure_logs()
    try:
        supervisor = Supervisor(config, announce)
    except OSError as error:
        raise click.ClickException(f"can not listen on {config.host}:{config.port}: {error}") from error
    supervisor.run()
    if supervisor.failed:
        raise click.ClickException("the node can not start; the log says why")
