"""The node that a command works on: its data folder, its lock, its live writer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from ops.configured import ENVIRONMENT
from server import locks
from server.layout import Layout
from server.wire import connect

F = TypeVar("F", bound=Callable[..., Any])


def serverdir_option(function: F) -> F:
    """Give a command the option ``--serverdir`` of an existing node, as the parameter *layout*."""
    return click.option(
        "--serverdir",
        "layout",
        required=True,
        envvar=[prefix + "SERVERDIR" for prefix in ENVIRONMENT],
        metavar="DIR",
        type=click.Path(path_type=Path),
        callback=_existing,
        help="The node's data folder.",
    )(function)


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Hold the lock of the node, so that no writer can start.

    Raises:
        Conflict: a writer lives.
    """
    layout.run.mkdir(mode=0o700, exist_ok=True)  # it has nothing to keep, so a backup may lack it
    with locks.of_writer(layout):
        yield


def writer_lives(layout: Layout) -> bool:
    """Return whether a writer answers; unlike the lock, asking disturbs nobody who starts."""
    try:
        connect(layout.socket).close()
    except OSError:
        return False
    return True


def _existing(_context: click.Context, _parameter: click.Parameter, folder: Path) -> Layout:
    layout = Layout(folder)
    if not layout.data_file.is_file():
        raise click.BadParameter(f"{folder} holds no node (ledgerpi init makes one)")
    return layout
