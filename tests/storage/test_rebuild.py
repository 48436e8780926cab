"""Views folded anew: the same rows, whatever happens in between."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changelog import rebuild
from changelog.env import CURRENT_SET, Env
from changelog.events.users import PasswordSet, UserCreated
from changelog.fold import VIEW_TABLES
from changelog.names import UserName
from changelog.packing import packb
from changelog.reader import Reader
from changelog.records import NONE, new_record
from changelog.views import users
from tests.histories import Wish, histories, settle
from tests.nodes import FIRST_EVENTS, Node, Rows, everything, node, refolded, rows

USERS_AT_FIRST = 25


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setattr(rebuild, "SLICE", 10)
    with node(tmp_path / "node") as made:
        made.commit(*(UserCreated(UserName(f"u{n}"), NONE) for n in range(USERS_AT_FIRST)))
        yield made


def served(env: Env) -> bytes:
    with env.read() as store:
        return store.get("meta", CURRENT_SET) or b"a"


def view(env: Env, letter: str) -> Rows:
    with env.read() as store:
        return rows(env.view_set(store, letter))


def spoil(env: Env) -> None:
    """Make the served views wrong, as folds of an older version might be."""
    with env.write() as store:
        store.put("users", b"ghost", next(store.scan("users"))[1])
        store.delete("users", b"u1")
        store.put("meta", rebuild.VERSION, packb(0))


def is_needed(env: Env) -> bool:
    with env.read() as store:
        return rebuild.needed(store)


def test_a_rebuild_makes_the_same_views(opened: Node) -> None:
    before = opened.views()
    progress = list(rebuild.run(opened.env))
    size = len(FIRST_EVENTS) + USERS_AT_FIRST
    assert progress == [(10, size), (20, size), (size, size)]
    assert served(opened.env) == b"b"
    assert opened.views() == before


def test_views_of_another_version_are_made_right(opened: Node) -> None:
    before = opened.views()
    spoil(opened.env)
    assert is_needed(opened.env)
    list(rebuild.run(opened.env))
    assert not is_needed(opened.env)
    assert opened.views() == before


@pytest.mark.parametrize("slices", [1, 2])
def test_an_interrupted_rebuild_goes_on_where_it_was(tmp_path: Path, slices: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rebuild, "SLICE", 10)
        with node(tmp_path / "node") as opened:
            opened.commit(*(UserCreated(UserName(f"u{n}"), NONE) for n in range(USERS_AT_FIRST)))
            going = rebuild.run(opened.env)
            for _ in range(slices):
                next(going)
        with node(tmp_path / "node") as again:
            before = again.views()
            assert served(again.env) == b"a"
            folded = [done for done, _ in rebuild.run(again.env)]
            assert folded[0] == min((slices + 1) * 10, 29)
            assert again.views() == before


def test_the_served_views_do_not_change_while_others_are_built(opened: Node) -> None:
    before = opened.views()
    going = rebuild.run(opened.env)
    for _ in range(2):
        next(going)
        assert opened.views() == before
        assert served(opened.env) == b"a"
    next(going)
    assert served(opened.env) == b"b"


def test_what_is_written_between_slices_is_in_the_new_views(opened: Node) -> None:
    for number, _ in enumerate(rebuild.run(opened.env)):
        if number < 3:
            opened.commit(*(UserCreated(UserName(f"w{number}-{n}"), NONE) for n in range(4)))
    assert served(opened.env) == b"b"
    with opened.env.read() as store:
        assert users.find(store, UserName("w2-3")) is not None
    assert len(opened.views()["users"]) == 1 + USERS_AT_FIRST + 3 * 4


def test_writes_after_the_switch_go_to_the_new_views(opened: Node) -> None:
    list(rebuild.run(opened.env))
    old = view(opened.env, "a")
    opened.commit(UserCreated(UserName("late"), NONE))
    assert view(opened.env, "a") == old
    with opened.env.read() as store:
        assert users.find(store, UserName("late")) is not None


def test_the_old_set_is_used_again(opened: Node) -> None:
    list(rebuild.run(opened.env))
    opened.commit(UserCreated(UserName("late"), NONE))
    before = opened.views()
    list(rebuild.run(opened.env))
    assert served(opened.env) == b"a"
    assert opened.views() == before


def test_beginning_empties_only_the_set_that_is_not_served(opened: Node) -> None:
    before = opened.views()
    list(rebuild.run(opened.env))
    rebuild.start(opened.env)
    assert view(opened.env, "a") == {table: [] for table in VIEW_TABLES}
    assert opened.views() == before


def test_a_rebuild_begun_by_another_version_begins_anew(opened: Node) -> None:
    next(rebuild.run(opened.env))
    with opened.env.write() as store:
        store.put("meta", rebuild.BUILDING, packb(("b", 0, 20)))
    assert [done for done, _ in rebuild.run(opened.env)] == [10, 20, 29]


def test_there_is_no_slice_of_a_rebuild_that_was_not_begun(opened: Node) -> None:
    before = everything(opened.env)
    with pytest.raises(LookupError):
        rebuild.advance(opened.env)
    assert everything(opened.env) == before


def test_a_rebuild_touches_neither_log_nor_records(opened: Node) -> None:
    old, new = new_record(b"old"), new_record(b"new")
    opened.commit(PasswordSet(UserName("u1"), old.commitment), records=(old,))
    opened.commit(PasswordSet(UserName("u1"), new.commitment), records=(new,))
    tables = ("entries", "nodes", "records", "contents")
    before = everything(opened.env)
    list(rebuild.run(opened.env))
    after = everything(opened.env)
    assert [after[table] for table in tables] == [before[table] for table in tables]
    assert after["records"]


def test_a_reader_keeps_its_views_over_the_switch(tmp_path: Path) -> None:
    with node(tmp_path / "node") as opened:
        list(rebuild.run(opened.env))
        before = opened.views()
    reader = Reader(tmp_path / "node" / "changelog", map_size=8 << 20)
    try:
        with reader.snapshot() as store:
            assert rows(store) == before
            assert users.find(store, UserName("root")) is not None
    finally:
        reader.close()


def test_a_snapshot_begun_before_the_switch_sees_the_old_set(opened: Node) -> None:
    with opened.env.read() as old:
        before = rows(old)
        list(rebuild.run(opened.env))
        opened.commit(UserCreated(UserName("late"), NONE))
        assert rows(old) == before
        assert users.find(old, UserName("late")) is None


groups = st.integers(1, 6)


@settings(max_examples=25)
@given(history=histories(), group=groups, slice_size=st.integers(1, 12))
def test_views_are_the_same_however_they_came_about(
    tmp_path_factory: pytest.TempPathFactory, history: list[Wish], group: int, slice_size: int
) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        node(tmp_path_factory.mktemp("run") / "node") as opened,
    ):
        patch.setattr(rebuild, "SLICE", slice_size)
        settle(opened)
        middle = len(history) // 2
        commit(opened, history[:middle], group)
        rebuild.start(opened.env)
        rebuild.advance(opened.env)
        commit(opened, history[middle:], group)
        live = opened.views()
        records = everything(opened.env)["records"]
        list(rebuild.run(opened.env))
        assert opened.views() == live
        assert rows(refolded(opened.entries())) == live
        assert everything(opened.env)["records"] == records


@settings(max_examples=20)
@given(history=histories(), group=groups)
def test_nodes_with_the_same_entries_have_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, history: list[Wish], group: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    with node(folder / "one") as one, node(folder / "two") as two:
        for opened, size in ((one, group), (two, 1)):
            settle(opened)
            commit(opened, history, size)
        assert everything(one.env) == everything(two.env)


def commit(opened: Node, history: list[Wish], group: int) -> None:
    """Commit *history* in groups of *group*."""
    for begin in range(0, len(history), group):
        opened.propose(*(wish.proposal for wish in history[begin : begin + group]))


def test_an_empty_log_is_rebuilt_at_once(tmp_path: Path) -> None:
    env = Env(tmp_path, VIEW_TABLES, readonly=False, map_size=1 << 20)
    assert list(rebuild.run(env)) == [(0, 0)]
    env.close()
