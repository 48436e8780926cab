"""The tables of entries and of their tree."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from changelog import log, tree
from changelog.env import Env
from changelog.tables import LmdbStore

Rows = list[tuple[bytes, bytes]]


@contextmanager
def tables() -> Iterator[LmdbStore]:
    with TemporaryDirectory() as folder:
        env = Env(Path(folder), (), readonly=False, map_size=1 << 24, durable=False)
        try:
            with env.write() as store:
                yield store
        finally:
            env.close()


def stored(store: LmdbStore) -> tuple[Rows, Rows]:
    return list(store.scan("entries")), list(store.scan("nodes"))


@settings(max_examples=40)
@given(st.lists(st.lists(st.binary(max_size=40), max_size=20), max_size=5))
def test_entries_appended_together_make_the_tables_that_they_make_one_by_one(batches: list[list[bytes]]) -> None:
    entries = [entry for batch in batches for entry in batch]
    with tables() as one_by_one, tables() as together:
        for serial, entry in enumerate(entries, 1):
            log.append(one_by_one, serial, entry)
        size = 0
        for batch in batches:
            log.append_all(together, size + 1, batch)
            size += len(batch)
        assert stored(together) == stored(one_by_one)
        assert log.root(together, size) == tree.root(size, log.node_reader(one_by_one))
