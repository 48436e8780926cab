"""Snapshots for those who only read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changelog import log
from changelog.env import DEFAULT_MAP_SIZE, Env
from changelog.fold import VIEW_TABLES
from changelog.tables import LmdbStore


class Reader:
    """Opens snapshots of one node's environment; LMDB itself refuses writes."""

    def __init__(self, folder: Path, map_size: int = DEFAULT_MAP_SIZE) -> None:
        """Open *folder* read-only.

        Raises:
            Damaged: it is no environment of ours.
        """
        self._env = Env(folder, VIEW_TABLES, readonly=True, map_size=map_size)

    @contextmanager
    def snapshot(self) -> Iterator[LmdbStore]:
        """Yield all tables at one head.

        Keep it short: pages of the file that it sees can not be used again meanwhile.
        """
        with self._env.read() as store:
            yield store

    def transaction(self) -> int:
        """Return the number of the newest transaction: as long as it stays, nothing changed.

        It is seen as soon as it is written, and only once it is durable do snapshots begin at it: do not take it for
        the state of one.
        """
        return self._env.transaction()

    def snapshot_transaction(self) -> int:
        """Return the number of the transaction that a snapshot begun now sees; one begun later sees that or a newer."""
        with self._env.read() as store:
            number: int = store.txn.id()
        return number

    def head(self) -> log.Head:
        """Return the head as it is now."""
        with self._env.read() as store:
            return log.head(store)

    def close(self) -> None:
        """Close the environment."""
        self._env.close()
