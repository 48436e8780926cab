"""Which entries ``ledgerpi log`` shows, read in ranges from short snapshots."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
from attrs import frozen

from changelog import log
from changelog.codec import Event, Stamp, Unknown, decode
from changelog.tables import Store
from changelog.verify.source import Snapshots
from changelog.views import indexes

RANGE = 1_000  # entries that one snapshot reads
BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@frozen
class Selection:
    """What to show; None and empty leave a choice open."""

    first: int = 1  # serial
    last: int | None = None  # serial, inclusive
    since: int | None = None  # microseconds, inclusive
    until: int | None = None  # microseconds, inclusive
    index: str | None = None
    project: str | None = None  # normalized
    actor: str | None = None
    kinds: frozenset[str] = frozenset()
    reverse: bool = False


@frozen
class Line:
    """An entry as it is shown."""

    stamp: Stamp
    kind: str
    index: str | None  # user/name, None = it is about no index
    project: str | None
    fields: dict[str, Any]  # as in the entry: bytes as bytes, indexes as incarnations

    @property
    def time(self) -> str:
        """ISO 8601 in UTC with microseconds."""
        moment = BEGIN + self.stamp.time * MICROSECOND
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def selected(snapshots: Snapshots, selection: Selection) -> Iterator[Line]:
    """Yield the entries of *selection*; no snapshot is held while the caller uses them.

    Raises:
        InvalidEntry: an entry can not be read.
    """
    with snapshots() as store:
        first, last = _bounds(store, selection)
    for low, high in _ranges(first, last, reverse=selection.reverse):
        with snapshots() as store:
            lines = [
                line
                for serial, raw in log.entries(store, low, high)
                if _wanted(line := _line(store, *decode(raw, serial)), selection)
            ]
        yield from reversed(lines) if selection.reverse else lines


def _bounds(store: Store, selection: Selection) -> tuple[int, int]:
    """Return the first and last serial to read; times grow with serials: they can be searched."""
    size = log.head(store).size
    first, last = max(selection.first, 1), min(selection.last or size, size)
    if selection.since is not None:
        first = max(first, _first_at(store, size, selection.since))
    if selection.until is not None:
        last = min(last, _first_at(store, size, selection.until + 1) - 1)
    return first, last


def _first_at(store: Store, size: int, time: int) -> int:
    """Return the first serial whose time is *time* or later, *size* + 1 if none is."""
    low, high = 1, size + 1
    while low < high:
        middle = (low + high) // 2
        _, stamp = decode(log.entry(store, middle) or b"", middle)
        low, high = (middle + 1, high) if stamp.time < time else (low, middle)
    return low


def _ranges(first: int, last: int, *, reverse: bool) -> Iterator[tuple[int, int]]:
    if reverse:
        for high in range(last, first - 1, -RANGE):
            yield max(first, high - RANGE + 1), high
    else:
        for low in range(first, last + 1, RANGE):
            yield low, min(low + RANGE - 1, last)


def _line(store: Store, event: Event, stamp: Stamp) -> Line:
    if isinstance(event, Unknown):
        return Line(stamp, event.kind, None, None, {"fields": event.fields})
    fields = attrs.asdict(event, recurse=False)
    return Line(stamp, type(event).__name__, _index(store, fields), fields.get("project"), fields)


def _index(store: Store, fields: dict[str, Any]) -> str | None:
    index = fields.get("index")
    if isinstance(index, int):
        life = indexes.life(store, index)
        return f"#{index}" if life is None else life.index
    return index


def _wanted(line: Line, selection: Selection) -> bool:
    return (
        (selection.index is None or line.index == selection.index)
        and (selection.project is None or line.project == selection.project)
        and (selection.actor is None or line.stamp.actor == selection.actor)
        and (not selection.kinds or line.kind in selection.kinds)
    )
