"""The environment: snapshots, refusals and folders that are no changelog."""

from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest

from changelog.env import Env
from changelog.errors import Damaged, StorageFull
from changelog.reader import Reader
from tests.nodes import FIRST_EVENTS, Node, node, uploaded

TABLES = ("rows",)
MAP = 1 << 20


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    opened = Env(tmp_path / "env", TABLES, readonly=False, map_size=MAP)
    yield opened
    opened.close()


def put(env: Env, value: bytes) -> None:
    with env.write() as store:
        store.put("rows", b"k", value)


def get(env: Env) -> bytes | None:
    with env.read() as store:
        return store.get("rows", b"k")


def test_what_is_written_is_seen_by_the_next_snapshot(env: Env) -> None:
    put(env, b"1")
    with env.read() as before:
        put(env, b"2")
        assert before.get("rows", b"k") == b"1"
    assert get(env) == b"2"


def test_a_block_that_raises_writes_nothing(env: Env) -> None:
    put(env, b"1")

    def put_and_raise() -> None:
        with env.write() as store:
            store.put("rows", b"k", b"2")
            raise LookupError(b"k")

    with pytest.raises(LookupError):
        put_and_raise()
    assert get(env) == b"1"


def test_the_two_sets_of_views_are_apart(env: Env) -> None:
    with env.write() as store:
        env.view_set(store, "b").put("rows", b"k", b"other")
    assert get(env) is None


def test_a_reader_can_not_write(tmp_path: Path, env: Env) -> None:
    put(env, b"1")
    env.close()
    reader = Env(tmp_path / "env", TABLES, readonly=True, map_size=MAP)
    with pytest.raises(lmdb.ReadonlyError), reader.write():
        pass
    reader.close()


def test_a_full_map_is_told_as_no_space(env: Env) -> None:
    put(env, b"1")
    with pytest.raises(StorageFull, match="map"), env.write() as store:
        store.put("rows", b"k", bytes(2 * MAP))
    assert get(env) == b"1"


def test_rows_are_counted(env: Env) -> None:
    put(env, b"1")
    with env.read() as store:
        assert (store.count("rows"), store.count("entries")) == (1, 0)


def test_no_reader_died(env: Env) -> None:
    assert env.reader_check() == 0


@pytest.mark.parametrize("content", [b"", b"short", b"garbage " * 4_000])
def test_a_file_that_is_no_changelog_is_damage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.mdb").write_bytes(content)
    with pytest.raises(Damaged, match="no changelog"):
        Env(tmp_path, TABLES, readonly=True, map_size=MAP)


@pytest.mark.parametrize("folder", ["", "missing"])
def test_nothing_is_no_changelog_for_a_reader(tmp_path: Path, folder: str) -> None:
    with pytest.raises(Damaged, match="no changelog"):
        Reader(tmp_path / folder)
    assert list(tmp_path.iterdir()) == []


def test_an_environment_without_our_tables_is_damage_each_time(tmp_path: Path) -> None:
    lmdb.open(str(tmp_path), map_size=MAP).close()
    for _ in range(2):
        with pytest.raises(Damaged, match="no changelog"):
            Env(tmp_path, TABLES, readonly=True, map_size=MAP)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path / "node") as made:
        yield made


def test_a_reader_sees_the_head(tmp_path: Path) -> None:
    with node(tmp_path / "node"):
        pass
    reader = Reader(tmp_path / "node" / "changelog", map_size=8 << 20)
    try:
        assert reader.head().size == len(FIRST_EVENTS)
    finally:
        reader.close()


def test_a_snapshot_sees_one_head_of_log_and_views(opened: Node) -> None:
    with opened.env.read() as store:
        before = list(store.scan("entries")), list(store.scan("users"))
        opened.store_blob(b"wheel")
        opened.commit(uploaded(1))
        assert (list(store.scan("entries")), list(store.scan("users"))) == before


def test_used_bytes_are_of_the_pages_that_hold_something(env: Env) -> None:
    before = env.used_bytes()
    put(env, b"v" * 100_000)
    assert before + 100_000 < env.used_bytes() < before + 120_000
    put(env, b"v")
    assert env.used_bytes() < before + 20_000
