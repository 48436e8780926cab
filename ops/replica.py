"""``ledgerpi replica``: run a replica in the foreground; it is made first where there is none."""

import asyncio
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from changelog.errors import Conflict, Damaged, InvalidInput
from ops.node import locked
from ops.node_options import announce, node_options
from replica import first_copy
from replica.config import REFUSE, SERVE, WARN, ReplicaConfig
from replica.create import create_replica, is_replica, put_token, read_token
from replica.tail import Diverged
from server import replica_token
from server.logs import configure_logs
from server.supervisor import Programs, Supervisor

PROGRAMS = Programs(
    writer="replica.writer_process",
    worker="replica.worker",
    more=(("tail", "replica.tail_process"), ("fetch", "replica.fetch_process")),
)
EXIT_CODES: tuple[tuple[type[Exception], int], ...] = ((Diverged, 3), (Damaged, 4), (Conflict, 6))


@click.command(
    epilog="""\b
Example:
  ledgerpi replica --serverdir /srv/replica --primary https://index.example --token-file eu-1.token

\b
Exit codes where the history can not be copied: 3 = diverged, 4 = not what the log signed, 6 = another log."""
)
@click.option(
    "--primary",
    required=True,
    multiple=True,
    metavar="URL",
    help="Whom to follow: a primary, or another replica. Again for others that are tried in turn.",
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What ledgerpi replica-token printed; needed once, and again for another token.",
)
@click.option("--primary-ca-file", metavar="FILE", default="", help="Certificates to trust besides the system's.")
@click.option(
    "--files",
    multiple=True,
    metavar="all|lazy|INDEX",
    help="Which files to fetch before anybody asks: all (the default), none (lazy), or those of an index; "
    "again for further indexes.",
)
@click.option(
    "--max-age",
    "max_age_s",
    metavar="S",
    type=float,
    help="Seconds since the primary vouched for the copy, until that is too old. Default: no bound.",
)
@click.option(
    "--when-stale",
    type=click.Choice([SERVE, WARN, REFUSE]),
    default=WARN,
    show_default=True,
    help="What is done with reads then.",
)
@node_options
def replica(serverdir: Path, token_file: Path | None, **options: Any) -> None:  # noqa: ANN401 - fields of Config
    """Run a replica in the foreground until SIGTERM or Ctrl-C: it copies a primary's log and serves its pages."""
    try:
        config = ReplicaConfig(serverdir=serverdir.absolute(), **options)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    _make(config, token_file)
    configure_logs()
    if first_copy.is_needed(config):
        with locked(config.layout):
            _copy(config)
    try:
        supervisor = Supervisor(config, announce, PROGRAMS)
    except OSError as error:
        raise click.ClickException(f"can not listen on {config.host}:{config.port}: {error}") from error
    supervisor.run()
    if supervisor.failed:
        raise click.ClickException("the node can not start; the log says why")


def _make(config: ReplicaConfig, token_file: Path | None) -> None:
    """Make the node if there is none; one that is there takes the token."""
    layout = config.layout
    there = layout.data_file.is_file()
    if there and not is_replica(layout):
        raise click.UsageError(f"{layout.serverdir} holds a primary; a replica needs a folder of its own")
    if token_file is None:
        if not there:
            raise click.UsageError("a new replica needs --token-file (ledgerpi replica-token makes one)")
        return
    try:
        token = replica_token.read(token_file.read_text())
    except InvalidInput as error:
        raise click.UsageError(f"{token_file}: {error}") from error
    if not there:
        create_replica(layout, token, config.map_size)
    elif (token.origin, token.log_key) != ((old := read_token(layout)).origin, old.log_key):
        raise click.UsageError(f"{token_file} is for {token.origin}, but {layout.serverdir} has {old.origin}")
    else:
        put_token(layout, token)  # the one before may have been revoked


def _copy(config: ReplicaConfig) -> None:
    """Copy the log for the first time, with a progress bar."""
    columns = (TextColumn("copying entries"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("")

        def trouble(reason: str) -> None:
            progress.console.print(f"waiting: {reason}", markup=False)

        def copied(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        try:
            asyncio.run(first_copy.run(config, copied, trouble))
        except KeyboardInterrupt:
            raise click.ClickException("interrupted; the same command goes on from here") from None
        except (Damaged, Conflict) as error:
            click.echo(f"Error: the history can not be copied: {error}", err=True)
            raise SystemExit(next(code for kind, code in EXIT_CODES if isinstance(error, kind))) from error
