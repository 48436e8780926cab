"""The only place that opens LMDB: one environment for the log, its tree and the views."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb

from changelog.errors import Damaged, StorageFull
from changelog.tables import LmdbStore

DEFAULT_MAP_SIZE = 1 << 40  # bytes of address space, not of disk
MAX_READERS = 1024
FULL = ("No space left", "Disk quota exceeded")  # how the system calls ENOSPC and EDQUOT
LITTLE_SPACE = 16 << 20  # bytes; with less, a failed write is no fault of the disk
LOG_TABLES = ("entries", "nodes", "meta", "records", "contents")
VIEW_SETS = ("a", "b")  # one is served, the other is empty or being built
CURRENT_SET = b"views"  # key in meta


class Env:
    """An open environment. A process opens one folder once."""

    def __init__(
        self,
        folder: Path,
        view_tables: Sequence[str],
        *,
        readonly: bool,
        map_size: int = DEFAULT_MAP_SIZE,
        durable: bool = True,
    ) -> None:
        """Open *folder*; a writer makes the missing tables.

        ``durable=False`` does not wait for the disk: for copies that can be thrown away.

        Raises:
            Damaged: the files are no LMDB environment of ours.
        """
        self._folder = folder
        self._view_tables = tuple(view_tables)
        if readonly and not _has_bytes(folder / "data.mdb"):
            raise Damaged(f"{folder} is no changelog: its file data.mdb is missing or empty")
        try:
            self._env = lmdb.open(
                str(folder),
                map_size=map_size,
                max_dbs=len(LOG_TABLES) + len(VIEW_SETS) * len(view_tables),
                max_readers=MAX_READERS,
                readonly=readonly,
                create=not readonly,
                readahead=False,
                sync=durable,
                metasync=durable,
            )
        except (
            lmdb.InvalidError,
            lmdb.CorruptedError,
            lmdb.VersionMismatchError,
        ) as error:
            raise Damaged(f"{folder} is no changelog: {error}") from error
        try:
            self._sets = self._open_tables(readonly=readonly)
        except lmdb.NotFoundError as error:
            self.close()  # a process opens one folder once: the next try needs it closed
            raise Damaged(f"{folder} is no changelog: {error}") from error

    def _open_tables(self, *, readonly: bool) -> dict[str, dict[str, Any]]:
        log = {name: self._open(name, readonly) for name in LOG_TABLES}
        return {
            letter: log | {name: self._open(f"{letter}.{name}", readonly) for name in self._view_tables}
            for letter in VIEW_SETS
        }

    def _open(self, name: str, readonly: bool) -> Any:  # noqa: ANN401, FBT001 - lmdb's class is private
        return self._env.open_db(name.encode(), create=not readonly)

    @contextmanager
    def read(self) -> Iterator[LmdbStore]:
        """Yield the tables as they are now; the served set of views."""
        with self._env.begin() as txn:
            yield self._store(txn)

    @contextmanager
    def write(self) -> Iterator[LmdbStore]:
        """Yield the tables to write; committed and fsynced on leaving, undone if the block raises.

        Raises:
            StorageFull: no space; nothing was written.
        """
        with translated(self._folder), self._env.begin(write=True) as txn:
            yield self._store(txn)

    def view_set(self, store: LmdbStore, letter: str) -> LmdbStore:
        """Return the tables of the same transaction with the views of set *letter*."""
        return LmdbStore(store.txn, self._sets[letter])

    def _store(self, txn: lmdb.Transaction) -> LmdbStore:
        letter = LmdbStore(txn, self._sets["a"]).get("meta", CURRENT_SET) or b"a"
        return LmdbStore(txn, self._sets[letter.decode()])

    def transaction(self) -> int:
        """Return the number of the last committed transaction."""
        number: int = self._env.info()["last_txnid"]
        return number

    def used_bytes(self) -> int:
        """Return the bytes of all pages that hold something; the file has free ones besides, which are used next."""
        tables = {id(table): table for names in self._sets.values() for table in names.values()}
        with self._env.begin() as txn:
            found = [txn.stat(table) for table in tables.values()]
        return sum(
            stat["psize"] * (stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]) for stat in found
        )

    def reader_check(self) -> int:
        """Free the slots of readers whose process died and return how many there were."""
        freed: int = self._env.reader_check()
        return freed

    def close(self) -> None:
        """Close the environment."""
        self._env.close()


class ScratchEnv:
    """An environment of a few tables that may be lost at any time: nothing waits for the disk."""

    def __init__(self, folder: Path, tables: Sequence[str], *, readonly: bool, map_size: int) -> None:
        """Open *folder*; who may write makes it, and makes it anew where it can not be read.

        Raises:
            Damaged: the folder can not be opened.
        """
        if not readonly:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._open(folder, tables, readonly=readonly, map_size=map_size)
        except lmdb.Error as error:
            if readonly:
                raise Damaged(f"{folder} can not be opened: {error}") from error
            shutil.rmtree(folder)
            folder.mkdir(mode=0o700)
            self._open(folder, tables, readonly=False, map_size=map_size)

    def _open(self, folder: Path, tables: Sequence[str], *, readonly: bool, map_size: int) -> None:
        self._env = lmdb.open(
            str(folder),
            map_size=map_size,
            max_dbs=len(tables),
            max_readers=MAX_READERS,
            readonly=readonly,
            create=not readonly,
            sync=False,
            metasync=False,
        )
        self._tables = {name: self._env.open_db(name.encode(), create=not readonly) for name in tables}

    @contextmanager
    def read(self) -> Iterator[LmdbStore]:
        """Yield the tables as they are now."""
        with self._env.begin() as txn:
            yield LmdbStore(txn, self._tables)

    @contextmanager
    def write(self) -> Iterator[LmdbStore]:
        """Yield the tables to write; undone if the block raises."""
        with self._env.begin(write=True) as txn:
            yield LmdbStore(txn, self._tables)

    def reader_check(self) -> int:
        """As :meth:`Env.reader_check`."""
        freed: int = self._env.reader_check()
        return freed

    def sync(self) -> None:
        """Wait for the disk."""
        self._env.sync(True)  # noqa: FBT003 - force

    def close(self) -> None:
        """Close the environment."""
        self._env.close()


def _has_bytes(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Turn LMDB's "no space" in *folder* into ours.

    When a part of the pages found room, LMDB says "Input/output error" instead. Both come before it writes the page
    that makes a commit true, so that nothing was committed and the environment stays usable.
    """
    try:
        yield
    except lmdb.MapFullError as error:
        raise StorageFull("the changelog's map is full (--map-size)") from error
    except lmdb.Error as error:
        short_write = "Input/output error" in str(error) and shutil.disk_usage(folder).free < LITTLE_SPACE
        if short_write or any(reason in str(error) for reason in FULL):
            raise StorageFull("no space left for the changelog") from error
        raise
