"""Indexes as they are, and the order in which bases are asked."""

from collections import deque
from collections.abc import Iterator

from attrs import frozen

from changelog.codec import Stamp
from changelog.events.indexes import (
    IndexCreated,
    IndexDeleted,
    IndexModified,
    IndexTextsChanged,
    Option,
    OptionValue,
)
from changelog.names import IndexName, UserName
from changelog.tables import Store, Table, TimedTable, changed, serial_key
from changelog.views import serials
from changelog.views.users import erase

STAGE = "stage"
MIRROR = "mirror"


@frozen
class Index:
    """An index; ``user/name`` is the key."""

    since: int
    incarnation: int
    type: str
    options: tuple[Option, ...]  # those that differ from the default, sorted
    texts: bytes  # commitment to title, description, custom_data

    def option(self, name: str, default: OptionValue) -> OptionValue:
        """Return the value of an option, or *default*."""
        return dict(self.options).get(name, default)

    @property
    def bases(self) -> tuple[IndexName, ...]:
        """The indexes it inherits, first to be asked first."""
        names = self.option("bases", ())
        return tuple(map(IndexName, names)) if isinstance(names, tuple) else ()

    @property
    def volatile(self) -> bool:
        """Whether files may be replaced and deleted."""
        return bool(self.option("volatile", True))  # noqa: FBT003 - a value


@frozen
class Life:
    """The name that an incarnation has or had."""

    index: IndexName
    until: int  # serial that ended it, 0 = it lives


INDEXES = TimedTable("indexes", Index)
LIVES = Table("index_lives", Life)


def on_index_created(store: Store, event: IndexCreated, stamp: Stamp) -> None:
    """Add the index."""
    row = Index(stamp.serial, stamp.serial, event.type, event.options, event.texts)
    INDEXES.put(store, event.index.encode(), row)
    LIVES.put(store, serial_key(stamp.serial), Life(event.index, 0))
    serials.touch_indexes(store, stamp.serial)


def on_index_modified(store: Store, event: IndexModified, stamp: Stamp) -> None:
    """Change the options that the event names."""
    row = _row(store, event.index)
    options = dict(row.options) | dict(event.options)
    kept = tuple(sorted((key, value) for key, value in options.items() if key not in event.dropped))
    INDEXES.put(store, event.index.encode(), changed(row, since=stamp.serial, options=kept))
    serials.touch_indexes(store, stamp.serial)


def on_index_texts_changed(store: Store, event: IndexTextsChanged, stamp: Stamp) -> None:
    """Put the new commitment and erase the old record."""
    row = _row(store, event.index)
    if event.texts != row.texts:
        erase(store, row.texts)
    INDEXES.put(store, event.index.encode(), changed(row, since=stamp.serial, texts=event.texts))
    serials.touch_indexes(store, stamp.serial)


def on_index_deleted(store: Store, event: IndexDeleted, stamp: Stamp) -> None:
    """Close the row; what the index held is keyed by its incarnation and ends with it."""
    row = _row(store, event.index)
    erase(store, row.texts)
    INDEXES.close(store, event.index.encode(), stamp.serial)
    LIVES.put(store, serial_key(row.incarnation), Life(event.index, stamp.serial))
    serials.touch_indexes(store, stamp.serial)


def last(store: Store, name: IndexName) -> Index | None:
    """Return the index as it is or was before it was deleted, or None if there never was one of that name."""
    return INDEXES.last(store, name.encode())


def find(store: Store, index: IndexName) -> Index | None:
    """Return the index, or None."""
    return INDEXES.get(store, index.encode())


def life(store: Store, incarnation: int) -> Life | None:
    """Return whose incarnation this is, or None."""
    return LIVES.get(store, serial_key(incarnation))


def lives(store: Store) -> Iterator[tuple[int, Life]]:
    """Yield all incarnations that ever were, oldest first."""
    for key, row in LIVES.scan(store):
        yield int.from_bytes(key), row


def of_user(store: Store, user: UserName) -> Iterator[tuple[IndexName, Index]]:
    """Yield the indexes of *user*, by name."""
    for key, row in INDEXES.scan(store, f"{user}/".encode()):
        yield IndexName(key.decode()), row


def resolution(store: Store, index: IndexName) -> list[tuple[IndexName, Index]]:
    """Return the indexes that a read of *index* asks, in order.

    Breadth first over the bases, each once, mirrors after all stages; missing bases are left out.
    Empty if *index* itself is missing.
    """
    seen = {index}
    queue = deque([index])
    stages: list[tuple[IndexName, Index]] = []
    mirrors: list[tuple[IndexName, Index]] = []
    while queue:
        name = queue.popleft()
        row = find(store, name)
        if row is None:
            continue
        (mirrors if row.type == MIRROR else stages).append((name, row))
        new = [base for base in dict.fromkeys(row.bases) if base not in seen]
        queue.extend(new)
        seen.update(new)
    return stages + mirrors


def _row(store: Store, index: IndexName) -> Index:
    row = find(store, index)
    if row is None:
        raise LookupError(f"the log speaks of an index that is not there: {index}")
    return row
