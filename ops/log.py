"""``ledgerpi log``: who did what, and when."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import click

from changelog.codec import PACKINGS
from changelog.errors import InvalidName
from changelog.names import index_name, project_name
from changelog.reader import Reader
from ops.log_entries import BEGIN, MICROSECOND, Selection, selected
from ops.log_formats import FORMATS
from ops.node import serverdir_option
from server.layout import Layout


class Moment(click.ParamType[int]):
    """A date or an instant (ISO 8601) as microseconds; a date is its first or its last one."""

    name = "time"

    def __init__(self, *, last: bool) -> None:
        """Take the *last* or the first microsecond of a day (UTC)."""
        self._last = last

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the microseconds; an instant without an offset is UTC."""
        if isinstance(value, int):
            return value
        try:
            moment = self._day(value) or datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither 2026-01-31 nor 2026-01-31T12:00:00Z", param, ctx)
        known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (known - BEGIN) // MICROSECOND

    def _day(self, value: str) -> datetime | None:
        try:
            day = datetime.combine(date.fromisoformat(value), time(), UTC)
        except ValueError:
            return None
        return day + (timedelta(days=1) - MICROSECOND) if self._last else day


@click.command(
    epilog="""\b
Example:
  ledgerpi log --serverdir /srv/ledgerpi --index alice/dev --since 2026-01-01
  ledgerpi log --serverdir /srv/ledgerpi --kind FileDeleted --format csv"""
)
@serverdir_option
@click.option("--index", metavar="USER/INDEX", help="Only this index, in all its lives.")
@click.option("--project", metavar="NAME", help="Only this project.")
@click.option("--actor", metavar="NAME", help='Only by this user; "" is the anonymous one.')
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    help="Only this event; repeatable.",
    type=click.Choice(sorted(PACKINGS), case_sensitive=False),
)
@click.option("--since", metavar="TIME", type=Moment(last=False), help="From this time on (UTC).")
@click.option("--until", metavar="TIME", type=Moment(last=True), help="Up to this time (UTC).")
@click.option("--first", metavar="SERIAL", type=click.IntRange(1), default=1, help="First entry.")
@click.option("--last", metavar="SERIAL", type=click.IntRange(1), help="Last entry.")
@click.option("--reverse", is_flag=True, help="Newest first.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="table",
    show_default=True,
    help="For people, or for programs.",
)
def log(  # noqa: PLR0913 - one parameter for each option
    layout: Layout,
    *,
    index: str | None,
    project: str | None,
    actor: str | None,
    kinds: tuple[str, ...],
    since: int | None,
    until: int | None,
    first: int,
    last: int | None,
    reverse: bool,
    form: str,
) -> None:
    """Print the entries of the changelog: who did what, and when.

    The node may be running. Nothing secret is in an entry; private records are shown by the begin
    of their name only.
    """
    selection = Selection(
        first=first,
        last=last,
        since=since,
        until=until,
        index=None if index is None else _name(index_name, index),
        project=None if project is None else _name(project_name, project),
        actor=actor,
        kinds=frozenset(kinds),
        reverse=reverse,
    )
    reader = Reader(layout.changelog)
    try:
        for line in FORMATS[form](selected(reader.snapshot, selection)):
            click.echo(line)
    finally:
        reader.close()


def _name(parse: Callable[[str], str], text: str) -> str:
    try:
        return parse(text)
    except InvalidName as error:
        raise click.UsageError(str(error)) from error
