"""Which indexes a read asks, remembered until an index changes."""

from changelog.errors import NotFound
from changelog.names import IndexName
from changelog.tables import Store
from changelog.views import pages, serials
from changelog.views.pages import Source

MAX_REMEMBERED = 4_096


class Sources:
    """The resolution orders of one worker."""

    def __init__(self) -> None:
        """Begin with none."""
        self._serial = -1
        self._orders: dict[str, tuple[Source, ...]] = {}

    def of(self, store: Store, index: str) -> tuple[Source, ...]:
        """Return the indexes that a read of *index* asks at the snapshot's head, itself first. One LMDB get if known.

        Raises:
            NotFound: there is no such index.
        """
        serial = serials.of_indexes(store)
        if serial != self._serial or len(self._orders) > MAX_REMEMBERED:
            self._orders = {}
            self._serial = serial
        order = self._orders.get(index)
        if order is None:
            order = pages.sources(store, IndexName(index)) if len(index) < len("/") + 2 * 64 else ()
            self._orders[index] = order
        if not order:
            raise NotFound(f"no such index: {index[:200]}")
        return order
