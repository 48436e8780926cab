"""How far a long command is: bars on a terminal, a line for each finished stage elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeRemainingColumn as Remaining

from changelog.verify import Progress as Report


@contextmanager
def shown(*, quiet: bool = False) -> Iterator[Report]:
    """Yield a function (stage, done, total) that shows progress on standard error."""
    if quiet:
        yield _silent
    elif sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
        with Progress(*columns, console=Console(stderr=True)) as bars:
            yield _Bars(bars)
    else:
        yield _Lines()


class _Bars:
    """One bar for each stage."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total)
        self._bars.update(self._tasks[stage], completed=done, total=total)


class _Lines:
    """One line for each finished stage, because the output goes to a file or a journal."""

    def __init__(self) -> None:
        self._finished: set[str] = set()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if done >= total and stage not in self._finished:
            self._finished.add(stage)
            click.echo(f"{stage}: {done}", err=True)


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Say nothing."""
