"""Which indexes a read asks, remembered until an index changes."""

from changelog.errors import NotFound
from changelog.names import IndexName
from changelog.tables import Store
from changelog.views import guard, serials
from changelog.views.guard import Order
from changelog.views.pages import Source

MAX_REMEMBERED = 4_096
NOWHERE = Order((), (), frozenset())


class Sources:
    """The resolution orders of one worker."""

    def __init__(self) -> None:
        """Begin with none."""
        self._serial = -1
        self._orders: dict[str, Order] = {}

    def of(self, store: Store, index: str) -> tuple[Source, ...]:
        """Return the sources of :meth:`order`."""
        return self.order(store, index).sources

    def order(self, store: Store, index: str) -> Order:
        """Return what a read of *index* asks at the snapshot's head, itself first. One LMDB get if known.

        Raises:
            NotFound: there is no such index.
        """
        serial = serials.of_indexes(store)
        if serial != self._serial or len(self._orders) > MAX_REMEMBERED:
            self._orders = {}
            self._serial = serial
        order = self._orders.get(index)
        if order is None:
            order = guard.order(store, IndexName(index)) if len(index) < len("/") + 2 * 64 else NOWHERE
            self._orders[index] = order
        if not order.sources:
            raise NotFound(f"no such index: {index[:200]}")
        return order
