"""Stranded tails: all that a node leaves is in the bundle, on the same disk blocks, before anything else is touched."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner

from changelog import copying, log, promise, vouching
from changelog.copying import Copier
from changelog.env import Env
from changelog.errors import Damaged, NotFound
from changelog.events.indexes import IndexCreated
from changelog.events.projects import ReleaseRegistered
from changelog.events.users import PasswordSet, UserCreated
from changelog.fold import VIEW_TABLES
from changelog.names import IndexName, ProjectName, UserName, Version
from changelog.records import NONE, Record
from changelog.views.cluster import epoch_of
from changelog.writer import Proposal
from ops.cli import main
from ops.roles import COPYING, REPLICA, programs
from replica import rejoin, stranded
from replica.config import ReplicaConfig
from replica.create import is_enrolled, make_log, read_token
from replica.rejoin import NEW, OLD, Fork
from server import keys
from server.layout import Layout
from tests.nodes import FIRST_EVENTS, LOG_KEY, ORIGIN, PUBLIC, SMALL_MAP, Node, node, uploaded

AFTER = len(FIRST_EVENTS) + 1  # what the log keeps: the first entries, and an index
PROMISED = epoch_of(2, 2)
METADATA = b"Name: demo\n"
SECRET = Record(b"s" * 32, b"hunter2")


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Node]:
    """Return a node with a tail that has an upload, metadata and a private record."""
    layout = Layout(tmp_path / "node")
    with node(layout.serverdir) as made:
        made.commit(IndexCreated(IndexName("alice/dev"), "stage", (), b""))
        made.store_blob(b"wheel")
        release = ReleaseRegistered(AFTER, ProjectName("demo"), Version("1.0"), sha256(METADATA).digest())
        made.propose(Proposal(lambda _: [release], "alice", contents=((release.metadata, METADATA),)))
        made.commit(uploaded(AFTER, content=b"wheel"))
        bob = UserName("bob")
        made.commit(UserCreated(bob, NONE), PasswordSet(bob, SECRET.commitment), records=[SECRET])
        for folder in (layout.keys, layout.local, layout.run):
            folder.mkdir(parents=True, exist_ok=True)
        keys.write(layout.keys, keys.NODE_KEY, LOG_KEY.private_bytes_raw())
        keys.generate(layout.keys, keys.COSIGNER_KEY)
        yield made


def layout_of(left: Node) -> Layout:
    return Layout(left.folder)


def bundled(left: Node, after: int = AFTER) -> str:
    with left.env.read() as store:
        return stranded.bundle(layout_of(left), store, after).name


def test_a_tail_is_read_back_as_it_was(left: Node) -> None:
    name = bundled(left)
    tail = stranded.read(layout_of(left), name)
    assert name == f"1.1-{AFTER + 1}-{len(left.entries())}"
    assert list(tail.entries) == left.entries()[AFTER:]
    assert (tail.origin, tail.after) == (ORIGIN, AFTER)
    with left.env.read() as store:
        assert tail.root == log.root(store, AFTER)
        assert tail.records == (store.get("records", SECRET.commitment),)
        assert [digest for digest, _ in tail.contents] == [sha256(METADATA).digest()]


def test_an_uploaded_file_gets_a_second_name_and_no_second_copy(left: Node) -> None:
    name, digest = bundled(left), sha256(b"wheel").digest()
    assert stranded.blobs(layout_of(left), name) == {digest.hex()}
    second = layout_of(left).serverdir / "stranded" / name / "blobs" / digest.hex()
    assert second.samefile(left.blobs.path(digest))
    left.blobs.path(digest).unlink()
    assert second.read_bytes() == b"wheel"


def test_a_file_that_is_not_here_is_in_no_bundle(left: Node) -> None:
    left.blobs.path(sha256(b"wheel").digest()).unlink()
    assert stranded.blobs(layout_of(left), bundled(left)) == set()


@pytest.mark.parametrize("crash", ["none", "half made", "made"])
def test_a_tail_is_bundled_again_after_a_crash(left: Node, crash: str) -> None:
    folder = layout_of(left).serverdir / "stranded"
    if crash == "half made":
        (folder / "new" / "blobs").mkdir(parents=True)
        (folder / "new" / "tail").write_bytes(b"half")
    if crash == "made":
        bundled(left)
    name = bundled(left)
    assert stranded.names(layout_of(left)) == [name]
    assert len(stranded.read(layout_of(left), name).entries) == 4


def test_only_tails_are_listed_and_read(left: Node) -> None:
    layout = layout_of(left)
    assert stranded.names(layout) == []
    name = bundled(left)
    for wrong in ("", "..", "../keys", f"{name}/..", "new"):
        with pytest.raises(NotFound):
            stranded.read(layout, wrong)
    (layout.serverdir / "stranded" / name / "tail").write_bytes(b"\xc1")
    with pytest.raises(Damaged):
        stranded.read(layout, name)


def test_the_command_shows_what_was_left(left: Node) -> None:
    name, serverdir = bundled(left), str(left.folder)
    listed = CliRunner().invoke(main, ["stranded", "list", "--serverdir", serverdir])
    assert listed.exit_code == 0, listed.output
    assert listed.output.split()[-3:] == [name, "4", "1"]
    shown = CliRunner().invoke(main, ["stranded", "show", "--serverdir", serverdir, name])
    assert shown.exit_code == 0, shown.output
    assert len(shown.output.splitlines()) >= 4
    assert "demo" in shown.output
    assert "hunter2" not in shown.output


def test_what_was_left_is_for_the_owner_of_the_node_alone(left: Node) -> None:
    before = os.umask(0)
    try:
        named = layout_of(left).serverdir / "stranded" / bundled(left)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (named.parent, named, named / "blobs")} == {0o700}
    assert (named / "tail").stat().st_mode & 0o777 == 0o600


def leave(left: Node, promised: int = PROMISED, later: int = PROMISED) -> ReplicaConfig:
    config = ReplicaConfig(left.folder, map_size=SMALL_MAP)
    if promised:
        with left.env.write() as store:
            promise.give(store, promised)
    with left.env.read() as store:
        rejoin.leave(config, store, Fork(AFTER, later))
    return config


def test_who_leaves_keeps_the_promise_and_nothing_of_the_log(left: Node, tmp_path: Path) -> None:
    before = keys.public(keys.load(layout_of(left).keys, keys.COSIGNER_KEY))
    with left.env.read() as store:
        root = log.root(store, AFTER)
    layout = leave(left).layout
    env = Env(layout.changelog.rename(tmp_path / "moved"), VIEW_TABLES, readonly=True)
    with env.read() as store:
        assert promise.given(store) == PROMISED
        assert log.head(store) == log.EMPTY
    env.close()
    assert keys.public(keys.load(layout.keys, keys.COSIGNER_KEY)) != before
    assert stranded.names(layout) == [f"1.1-{AFTER + 1}-{len(left.entries())}"]
    assert is_enrolled(layout)
    token = read_token(layout)
    assert (token.size, token.root, token.member, token.secret) == (AFTER, root, 1, b"")


@pytest.mark.parametrize(
    ("promised", "later", "kept"),
    [(0, PROMISED, PROMISED), (PROMISED, epoch_of(3, 3), epoch_of(3, 3)), (epoch_of(4, 1), PROMISED, epoch_of(4, 1))],
    ids=["nothing", "less", "more"],
)
def test_who_leaves_promises_the_epoch_that_it_leaves_for(left: Node, promised: int, later: int, kept: int) -> None:
    assert promised_in(leave(left, promised, later).layout.changelog) == kept


@contextmanager
def log_in(folder: Path) -> Iterator[Env]:
    """Open the log that is in a folder, read and written to by no other process or name."""
    moved = folder.rename(folder.with_name("moved"))  # LMDB opens a folder once, by its name
    env = Env(moved, VIEW_TABLES, readonly=False, map_size=SMALL_MAP, durable=False)
    try:
        yield env
    finally:
        env.close()
        moved.rename(folder)


def promised_in(folder: Path) -> int:
    with log_in(folder) as env, env.read() as store:
        return promise.given(store)


def put(layout: Layout, name: str, promised: int) -> None:
    """Make an empty log under *name*, as it is left by a crash."""
    make_log(layout, promised, SMALL_MAP).rename(layout.serverdir / name)


@pytest.mark.parametrize(
    ("there", "after"),
    [
        (["changelog"], ["changelog"]),
        (["changelog", NEW], ["changelog"]),
        ([OLD, NEW], [NEW]),
        (["changelog", OLD], ["changelog"]),
        (["changelog", OLD, NEW], ["changelog"]),
    ],
    ids="+".join,
)
def test_a_crash_while_a_log_is_left_loses_no_promise(tmp_path: Path, there: list[str], after: list[str]) -> None:
    layout, numbers = Layout(tmp_path), {"changelog": 2, OLD: 3, NEW: 4}
    for name in sorted(there, key=NEW.__eq__):  # the new one last: each is made under its name
        put(layout, name, epoch_of(numbers[name], 1))
    for _ in range(2):  # a crash in what is done after a crash
        rejoin.finish(layout)
        assert promised_in(layout.changelog) == epoch_of(numbers[after[0]], 1)
        for name in {OLD} & {*there}:
            assert promised_in(tmp_path / name) == epoch_of(numbers[OLD], 1)


def test_the_old_log_stays_until_it_is_forgotten(left: Node) -> None:
    before = (layout_of(left).changelog / "data.mdb").stat().st_ino
    layout = leave(left).layout
    rejoin.finish(layout)
    assert (layout.serverdir / OLD / "data.mdb").stat().st_ino == before
    rejoin.forget(layout)
    assert not (layout.serverdir / OLD).exists()
    assert promised_in(layout.changelog) == PROMISED
    rejoin.forget(layout)


def test_a_node_forgets_the_old_log_when_the_new_one_is_whole(left: Node, tmp_path: Path) -> None:
    config = ReplicaConfig(
        shutil.copytree(left.folder, tmp_path / "copy"), map_size=SMALL_MAP
    )  # LMDB opens a folder once
    layout, old = config.layout, tmp_path / "copy" / OLD
    with left.env.read() as store:
        rejoin.leave(config, store, Fork(AFTER, PROMISED))
        batch, word = copying.read_batch(store, 0), vouching.find(store)
    assert batch is not None
    assert programs(config) == COPYING
    with log_in(layout.changelog) as env:
        Copier(env, ORIGIN, PUBLIC).copy(batch)
    assert programs(config) == COPYING  # no primary of the epoch that was promised has vouched for it
    assert old.exists()
    with log_in(layout.changelog) as env, env.write() as store:
        vouching.keep(store, word)
    assert programs(config) == REPLICA
    assert not old.exists()
    assert promised_in(layout.changelog) == PROMISED
