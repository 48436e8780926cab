"""Which indexes a read asks, and who may read them; remembered until an index changes."""

from attrs import frozen

from changelog.errors import NotFound, Unauthenticated
from changelog.names import IndexName, UserName
from changelog.tables import Store
from changelog.views import guard, indexes, serials
from changelog.views.guard import Order
from changelog.views.indexes import Index
from changelog.views.pages import Source
from server.commands import NOBODY, Caller
from server.permissions import deny, is_public, may_read, may_see, owner_of

MAX_REMEMBERED = 4_096
MAX_NAME = len("/") + 2 * 64


@frozen
class Asked:
    """What a read of an index asks, and those among it that not everybody may read."""

    order: Order
    private: dict[Source, Index]

    def by(self, reader: Caller, project: str = "") -> Order:
        """Return what is asked for *reader*, about *project* if one is given.

        What the reader may not read is left out, and guards its projects all the same.
        """
        hidden = {source for source, index in self.private.items() if not may_read(reader, source[0], index, project)}
        return self.order.without(hidden) if hidden else self.order


class Sources:
    """The resolution orders of one worker."""

    def __init__(self) -> None:
        """Begin with none."""
        self._serial = -1
        self._asked: dict[str, Asked] = {}

    def of(self, store: Store, index: str, reader: Caller = NOBODY) -> tuple[Source, ...]:
        """Return the sources of :meth:`order`."""
        return self.order(store, index, reader).sources

    def order(self, store: Store, index: str, reader: Caller = NOBODY, project: str = "") -> Order:
        """Return what a read of *index* asks for *reader* at the snapshot's head, itself first. One LMDB get if known.

        Raises:
            NotFound: there is no such index, as far as *reader* may know, or its token is not for *project*.
        """
        asked = self._look_up(store, index)
        order = asked.by(reader, project) if asked.private else asked.order
        if not order.sources or order.sources[0][0] != index:
            raise _missing(index)
        return order

    def own(self, store: Store, index: str) -> Source:
        """Return the index itself, whoever asks; raises NotFound."""
        return (IndexName(index), self.row(store, index).incarnation)

    def row(self, store: Store, index: str) -> Index:
        """Return the row of the index itself, whoever asks; raises NotFound."""
        row = indexes.find(store, IndexName(index)) if len(index) < MAX_NAME else None
        if row is None:
            raise _missing(index)
        return row

    def are_public(self, store: Store, index: str) -> bool:
        """Return whether there is such an index, and everybody may read it and its bases."""
        asked = self._look_up(store, index)
        return bool(asked.order.sources) and not asked.private

    def check(self, store: Store, index: str, caller: Caller, *, reads: bool) -> None:
        """Check that *caller* may know of *index*, and read it if the caller *reads*.

        What is private is refused as what is not there: nobody may have to say who it is, others learn nothing.

        Raises:
            Unauthenticated: nobody asks for a private index, or for one that is not there of an owner of private ones.
            NotFound: there is no such index, as far as *caller* may know.
            Refused: the caller's token is not for reading.
        """
        row = indexes.find(store, IndexName(index)) if len(index) < MAX_NAME else None
        if row is not None and may_see(caller, IndexName(index), row):
            if reads and not may_read(caller, IndexName(index), row):
                deny(caller, f"read {index}")
            return
        if not caller.user and (row is not None or _has_private(store, owner_of(IndexName(index)))):
            raise Unauthenticated(f"who you are must be known to read {index[:200]}")
        raise _missing(index)

    def _look_up(self, store: Store, index: str) -> Asked:
        serial = serials.of_indexes(store)
        if serial != self._serial or len(self._asked) > MAX_REMEMBERED:
            self._asked = {}
            self._serial = serial
        asked = self._asked.get(index)
        if asked is None:
            asked = self._asked[index] = looked_up(store, index)
        return asked


def looked_up(store: Store, index: str) -> Asked:
    """Return what a read of *index* asks; nothing if there is no such index."""
    rows = indexes.resolution(store, IndexName(index)) if len(index) < MAX_NAME else []
    return Asked(guard.order_of(rows), {(name, row.incarnation): row for name, row in rows if not is_public(row)})


def _has_private(store: Store, user: str) -> bool:
    return any(not is_public(row) for _, row in indexes.of_user(store, UserName(user)))


def _missing(index: str) -> NotFound:
    return NotFound(f"no such index: {index[:200]}")
