"""The options of a node that follows another one, or may have to one day."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from replica.config import REFUSE, SERVE, WARN

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--primary",
        "--primary-url",
        "--master-url",
        "primary",
        multiple=True,
        metavar="URL",
        help="Whom to follow: a primary, or another replica. Again for others that are tried in turn, besides the "
        "members that the log names.",
    ),
    click.option("--primary-ca-file", metavar="FILE", default="", help="Certificates to trust besides the system's."),
    click.option(
        "--member-url",
        metavar="URL",
        default="",
        help="Where other members reach this node. Default: --outside-url, or host and port.",
    ),
    click.option(
        "--files",
        multiple=True,
        metavar="all|lazy|INDEX",
        help="Which files a replica fetches before anybody asks: all (the default), none (lazy), or those of an index; "
        "again for further indexes.",
    ),
    click.option(
        "--max-age",
        "max_age_s",
        metavar="S",
        type=float,
        help="Seconds since the primary vouched for a replica's copy, until that is too old. Default: no bound.",
    ),
    click.option(
        "--when-stale",
        type=click.Choice([SERVE, WARN, REFUSE]),
        default=WARN,
        show_default=True,
        help="What is done with reads then.",
    ),
)


def follower_options(function: F) -> F:
    """Give a command these options."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function
