"""The first copy of a replica's log, with a progress bar."""

import asyncio

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from changelog.errors import Conflict, Damaged
from replica import first_copy
from replica.config import ReplicaConfig
from replica.tail import Diverged

EXIT_CODES: tuple[tuple[type[Exception], int], ...] = ((Diverged, 3), (Damaged, 4), (Conflict, 6))


def copy(config: ReplicaConfig) -> None:
    """Copy the log; the caller holds the lock."""
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
