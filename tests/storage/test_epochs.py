"""Logs of several primaries on disk: who signs a head, what is copied under which signature, and who takes over."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog import checkpoint, copying, log, promise, vouching
from changelog.blobs import Blobs
from changelog.codec import Event
from changelog.copying import Batch, Copier, Known
from changelog.env import Env
from changelog.errors import Conflict, InvalidProof, NotPrimary, Superseded
from changelog.events.cluster import DurabilitySet, LossAccepted, MemberAdded, MembersSettled, PrimaryChanged
from changelog.events.users import UserCreated
from changelog.fold import VIEW_TABLES
from changelog.log import Head
from changelog.names import UserName
from changelog.records import NONE
from changelog.verify import verify_node
from changelog.verify.report import Report
from changelog.views import cluster
from changelog.views.cluster import epoch_of, member_of, origin_under
from changelog.vouching import VOUCHED, Vouched
from changelog.writer import Keys, Proposal, Writer
from server.layout import Layout
from tests.nodes import BEGIN, LOG_KEY, ORIGIN, PUBLIC, SMALL_MAP, Clock, Node, everything, node

OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"2" * 32)
OTHER_PUBLIC = OTHER_KEY.public_key().public_bytes_raw()
SECOND = epoch_of(2, 2)
SECOND_MEMBER = MemberAdded("n2", 2, "", OTHER_PUBLIC, voter=True, may_promote=True)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Node]:
    """Return a primary of two voters, one of which has to acknowledge what is written."""
    with node(tmp_path / "source") as made:
        made.commit(SECOND_MEMBER, MembersSettled())
        made.commit(DurabilitySet(1))
        yield made


@contextmanager
def copied(folder: Path, *batches: Batch) -> Iterator[Env]:
    folder.mkdir()
    env = Env(folder, VIEW_TABLES, readonly=False, map_size=SMALL_MAP, durable=False)
    try:
        for batch in batches:
            copier(env).copy(batch)
        yield env
    finally:
        env.close()


def copier(env: Env) -> Copier:
    return Copier(env, ORIGIN, PUBLIC)


def head(env: Env) -> Head:
    with env.read() as store:
        return log.head(store)


def signed_size(env: Env) -> int:
    return checkpoint.claimed_size(head(env).checkpoint)


def acknowledged(made: Node, size: int) -> None:
    writer = made.writer
    writer.held = size
    writer.sign()


def user(name: str) -> UserCreated:
    return UserCreated(UserName(name), NONE)


def batch_of(env: Env, after: int = 0, upto: int = 0) -> Batch:
    with env.read() as store:
        batch = copying.read_batch(store, after, upto)
    assert batch is not None
    return batch


def batches(env: Env, after: int = 0) -> Iterator[Batch]:
    """Yield what there is: what was acknowledged, then what was not."""
    while after < head(env).size:
        yield batch_of(env, after)
        after = batch_of(env, after).last


def promised(env: Env, epoch: int) -> None:
    with env.write() as store:
        promise.give(store, epoch)


def taken_over(env: Env, made: Node, *more: Event, epoch: int = SECOND, key: Ed25519PrivateKey = LOG_KEY) -> Writer:
    """Let member 2 begin an epoch behind the head of *env*."""
    last = head(env)
    writer = Writer(env, made.blobs, Keys(key, OTHER_KEY), Clock(BEGIN + 10))
    events = [PrimaryChanged(member_of(epoch), last.epoch, last.size, last.root), *more]
    writer.take_over(last, epoch, events)
    return writer


def test_the_logs_key_signs_what_was_acknowledged_and_the_node_key_what_there_is(source: Node) -> None:
    before = signed_size(source.env)
    source.commit(user("alice"))
    assert signed_size(source.env) == before
    with source.env.read() as store:
        word = vouching.verify(vouching.find(store), {1: PUBLIC}.get)
        last = log.head(store)
    assert (word.epoch, word.size, word.root) == (last.epoch, last.size, last.root)


def test_a_head_that_is_held_by_now_is_signed_without_another_entry(source: Node) -> None:
    serial = source.commit(user("alice"), user("bob"))
    for size in (serial, serial + 1, serial):
        acknowledged(source, size)
        assert signed_size(source.env) >= size
    with source.env.read() as store:
        note = checkpoint.verify(log.head(store).checkpoint, {ORIGIN: PUBLIC})
        assert (note.size, note.root) == (serial + 1, log.root(store, serial + 1))


def test_more_than_there_is_is_not_signed(source: Node) -> None:
    acknowledged(source, 10_000)
    assert signed_size(source.env) == head(source.env).size


def test_a_copy_has_both_signatures(source: Node, tmp_path: Path) -> None:
    source.commit(user("alice"))
    with copied(tmp_path / "copy", *batches(source.env)) as env:
        assert everything(env) == everything(source.env)
        assert 0 < signed_size(env) < head(env).size


def test_what_was_not_acknowledged_is_not_taken_without_a_word(source: Node, tmp_path: Path) -> None:
    with copied(tmp_path / "copy", *batches(source.env)) as env:
        source.commit(user("alice"))
        batch = batch_of(source.env, head(env).size)
        with pytest.raises(InvalidProof, match="nobody signed a head that has entry"):
            copier(env).copy(evolve(batch, word=b""))


def test_what_was_acknowledged_needs_no_word(source: Node, tmp_path: Path) -> None:
    acknowledged(source, head(source.env).size)
    with copied(tmp_path / "copy", evolve(batch_of(source.env), word=b"")) as env:
        assert head(env) == head(source.env)


def changed_word(env: Env, key: Ed25519PrivateKey, **fields: object) -> bytes:
    with env.read() as store:
        word = VOUCHED.claimed(vouching.find(store))
    return VOUCHED.sign(evolve(word, **fields), key)  # type: ignore[arg-type] # fields of the word


def test_what_was_not_acknowledged_is_taken_from_the_member_of_its_epoch_alone(source: Node, tmp_path: Path) -> None:
    with copied(tmp_path / "copy", *batches(source.env)) as env:
        size = head(env).size
        source.commit(user("alice"))
        batch = batch_of(source.env, size)
        lies = (
            changed_word(source.env, OTHER_KEY),
            changed_word(source.env, OTHER_KEY, member=2),
            changed_word(source.env, LOG_KEY, root=bytes(32)),
            changed_word(source.env, OTHER_KEY, member=2, epoch=SECOND),
            changed_word(source.env, LOG_KEY, size=size),
        )
        before = everything(env)
        for word in lies:
            with pytest.raises(InvalidProof):
                copier(env).copy(evolve(batch, word=word))
            assert everything(env) == before
        assert copier(env).copy(batch).size == size + 1


def test_who_promised_takes_only_what_was_acknowledged_from_an_older_epoch(source: Node, tmp_path: Path) -> None:
    with copied(tmp_path / "copy", *batches(source.env)) as env:
        promised(env, SECOND)
        size = head(env).size
        source.commit(user("alice"))
        batch = batch_of(source.env, size)
        with pytest.raises(Superseded, match=r"a primary of epoch 1\.1, which is over"):
            copier(env).copy(batch)
        acknowledged(source, size + 1)
        assert copier(env).copy(batch_of(source.env, size)).size == size + 1


def test_exactly_what_a_member_answered_is_taken_without_heads(source: Node, tmp_path: Path) -> None:
    with copied(tmp_path / "copy", *batches(source.env)) as env:
        promised(env, SECOND)
        size = head(env).size
        source.commit(user("alice"))
        answered = Known(size + 1, head(source.env).root)
        source.commit(user("bob"))
        batch = batch_of(source.env, size, size + 1)
        assert (batch.last, batch.note, batch.word) == (size + 1, "", b"")
        with pytest.raises(InvalidProof):
            copier(env).copy(batch)
        with pytest.raises(InvalidProof):
            copier(env).copy(batch, exactly=Known(size + 1, bytes(32)))
        assert copier(env).copy(batch, exactly=answered).root == answered.root


def test_a_batch_up_to_an_entry_ends_there(source: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "MAX_BATCH_ENTRIES", 2)
    sizes, after = [], 0
    with source.env.read() as store:
        while (batch := copying.read_batch(store, after, 4)) is not None:
            after = batch.last
            sizes.append(after)
    assert sizes == [4]  # entries of one command are not torn apart


def test_a_member_takes_over_behind_what_it_promised_at(source: Node, tmp_path: Path) -> None:
    source.commit(user("alice"))
    with copied(tmp_path / "copy", *batches(source.env)) as env:
        before = head(env)
        promised(env, SECOND)
        writer = taken_over(env, source)
        with env.read() as store:
            word = vouching.verify(vouching.find(store), lambda number: cluster.node_key(store, number))
            primary = cluster.PRIMARY.get(store, cluster.ONLY)
        assert (word.member, word.epoch, word.size) == (2, SECOND, before.size + 1)
        assert primary is not None
        assert (primary.member, primary.since) == (2, before.size + 1)
        assert head(env).checkpoint == before.checkpoint  # nobody has acknowledged the new epoch yet
        writer.held = before.size + 1
        writer.sign()
        assert signed_size(env) == before.size + 1


@pytest.mark.parametrize("kind", ["grown", "not promised", "overtaken"])
def test_nobody_takes_over_behind_another_head_or_promise(source: Node, tmp_path: Path, kind: str) -> None:
    with copied(tmp_path / "copy", *batches(source.env)) as env:
        last = head(env)
        if kind != "not promised":
            promised(env, SECOND)
        if kind == "overtaken":
            promised(env, epoch_of(3, 1))
        if kind == "grown":
            last = evolve(last, size=last.size - 1)
        before = everything(env)
        writer = Writer(env, source.blobs, Keys(LOG_KEY, OTHER_KEY), Clock())
        with pytest.raises(Conflict):
            writer.take_over(last, SECOND, [PrimaryChanged(2, last.epoch, last.size, last.root)])
        assert everything(env) == before


def test_who_promised_another_primary_appends_nothing(source: Node) -> None:
    promised(source.env, SECOND)
    before = source.entries()
    with pytest.raises(NotPrimary, match=r"epoch 2\.2 was promised to another primary"):
        source.writer.commit([Proposal(lambda _: [user("alice")], "alice")])
    assert source.entries() == before


def test_an_old_primary_follows_its_successor(source: Node, tmp_path: Path) -> None:
    with copied(tmp_path / "copy", *batches(source.env)) as env:
        promised(env, SECOND)
        taken_over(env, source)
        copier(source.env).copy(batch_of(env, head(source.env).size))
        assert head(source.env).epoch == SECOND
        with source.env.read() as store:
            assert vouching.find(store) == changed_word(env, OTHER_KEY)


def forced(env: Env, made: Node) -> str:
    promised(env, SECOND)
    origin = origin_under(ORIGIN, SECOND)
    taken_over(env, made, LossAccepted(origin, OTHER_PUBLIC, (2,), (1,)), key=OTHER_KEY)
    return origin


def test_a_log_that_was_taken_over_by_force_goes_on_under_another_origin(source: Node, tmp_path: Path) -> None:
    with copied(tmp_path / "copy", *batches(source.env)) as env:
        origin = forced(env, source)
        note = checkpoint.verify(head(env).checkpoint, {origin: OTHER_PUBLIC})
        assert (note.size, note.root) == (head(env).size, head(env).root)
        with pytest.raises(InvalidProof):
            copier(source.env).copy(batch_of(env, head(source.env).size))
        with copied(tmp_path / "other") as other:
            for batch in batches(env):
                Copier(other, origin, OTHER_PUBLIC).copy(batch)
            assert head(other) == head(env)


def report(folder: Path, env: Env) -> Report:
    for name in ("run", "spool"):
        (folder / name).mkdir()
    Blobs(folder / "blobs").create()
    env.close()
    return verify_node(Layout(folder))


@pytest.mark.parametrize("kind", ["not acknowledged", "taken over", "by force"])
def test_a_log_of_a_cluster_is_verified(source: Node, tmp_path: Path, kind: str) -> None:
    source.commit(user("alice"))
    (tmp_path / "node").mkdir()
    with copied(tmp_path / "node" / "changelog", *batches(source.env)) as env:
        if kind == "taken over":
            promised(env, SECOND)
            taken_over(env, source)
        if kind == "by force":
            forced(env, source)
        found = report(tmp_path / "node", env)
        assert found.clean, found.findings


def word_of(last: Head, **fields: object) -> Vouched:
    return evolve(Vouched(1, last.epoch, last.size, last.root, BEGIN), **fields)  # type: ignore[arg-type] # its fields


@pytest.mark.parametrize(
    "fields", [{"root": bytes(32)}, {"size": 99}, {"epoch": epoch_of(2, 1)}, {"member": 2}], ids=str
)
def test_a_word_for_another_head_is_found(source: Node, tmp_path: Path, fields: dict[str, object]) -> None:
    (tmp_path / "node").mkdir()
    with copied(tmp_path / "node" / "changelog", *batches(source.env)) as env:
        with env.write() as store:
            vouching.keep(store, VOUCHED.sign(word_of(log.head(store), **fields), LOG_KEY))
        found = report(tmp_path / "node", env)
    assert [str(finding.kind) for finding in found.findings] == ["head"]


@pytest.mark.parametrize("size", [5, 99])
def test_a_checkpoint_of_another_history_is_found(source: Node, tmp_path: Path, size: int) -> None:
    (tmp_path / "node").mkdir()
    with copied(tmp_path / "node" / "changelog", *batches(source.env)) as env:
        note = checkpoint.sign(checkpoint.Checkpoint(ORIGIN, size, bytes(32)), LOG_KEY)
        with env.write() as store:
            log.set_head(store, evolve(log.head(store), checkpoint=note))
        found = report(tmp_path / "node", env)
    assert [str(finding.kind) for finding in found.findings] == ["head"]
