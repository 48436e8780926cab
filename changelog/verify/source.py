"""Where a check reads: short snapshots of one node."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice

from attrs import frozen

from changelog import log, vouching
from changelog.errors import InvalidEntry
from changelog.packing import Packing, unpackb
from changelog.tables import LmdbStore, Store

SLICE = 2_000  # rows or entries that one snapshot reads: some tens of milliseconds
Snapshots = Callable[[], AbstractContextManager[LmdbStore]]

_HEADS = Packing(log.Head)


@frozen
class Begin:
    """The log as the first snapshot of a check saw it."""

    size: int  # number of entries
    head: log.Head | None  # None = missing or no head at all
    word: bytes = b""  # of the primary for its head


def begin(store: LmdbStore) -> Begin:
    """Return size and head; the number of stored entries counts where the head can not be read."""
    raw = store.get("meta", log.HEAD)
    try:
        head = None if raw is None else _HEADS.value(unpackb(raw))
    except (InvalidEntry, TypeError):  # TypeError: the bytes are one value, not several
        head = None
    stored, word = store.count("entries"), vouching.find(store)
    if head is None or abs(head.size - stored) > stored:  # a forged size must not cost a walk without end
        return Begin(stored, head, word)
    return Begin(head.size, head, word)


def slices(snapshots: Snapshots, table: str) -> Iterator[list[tuple[bytes, bytes]]]:
    """Yield the rows of *table* in lists, each read by a snapshot of its own."""
    start: bytes | None = b""
    while start is not None:
        with snapshots() as store:
            rows = list(islice(store.scan(table, start=start), SLICE))
        start = after(rows, SLICE)
        yield rows


def after(rows: Sequence[tuple[bytes, object]], count: int) -> bytes | None:
    """Return where the next slice starts; None if *rows* are fewer than *count* and so the last."""
    return rows[-1][0] + b"\0" if len(rows) == count else None


def ranges(size: int, first: int = 1) -> Iterator[tuple[int, int]]:
    """Yield the ends (inclusive) of the slices of entries *first* to *size*."""
    for low in range(first, size + 1, SLICE):
        yield low, min(low + SLICE - 1, size)


def log_size(store: Store) -> int:
    """Return the number of entries that the store's head tells of."""
    return log.head(store).size
