"""What a node promised: to take entries of an epoch or later only, and to append none under an earlier one.

A promise is for ever, is kept in the transaction that reads the position which goes with it, and is the one thing
that a node keeps when it copies its log anew.
"""

from changelog import log
from changelog.errors import Conflict
from changelog.tables import Store, key_serial, serial_key
from changelog.views.cluster import shown_epoch

KEY = b"promised"  # in meta


def given(store: Store) -> int:
    """Return the highest epoch that was promised, 0 if none was."""
    raw = store.get("meta", KEY)
    return 0 if raw is None else key_serial(raw)


def epoch(store: Store) -> int:
    """Return the lowest epoch that is taken: the promised one, or that of the last entry."""
    return max(given(store), log.head(store).epoch)


def give(store: Store, asked: int) -> log.Head:
    """Promise the epoch *asked* and return the head that goes with it.

    Raises:
        Conflict: it is not above all that this node has seen.
    """
    newest = epoch(store)
    if asked <= newest:
        raise Conflict(f"epoch {shown_epoch(asked)} is not above {shown_epoch(newest)}, which this node has seen")
    keep(store, asked)
    return log.head(store)


def keep(store: Store, promised: int) -> None:
    """Write a promise down."""
    store.put("meta", KEY, serial_key(promised))
