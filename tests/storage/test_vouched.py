"""Who may vouch for a head: only members who may be the primary, for epochs that begin with their own entry."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import evolve

from changelog import copying, log, promise, vouching
from changelog.codec import Event
from changelog.copying import Batch, Copier, Known
from changelog.env import Env
from changelog.errors import InvalidProof, Superseded
from changelog.events.cluster import DurabilitySet, MemberAdded, MemberRemoved, MembersSettled, PrimaryChanged
from changelog.events.users import UserCreated
from changelog.fold import VIEW_TABLES
from changelog.names import UserName
from changelog.records import NONE
from changelog.views.cluster import epoch_of
from changelog.writer import Keys, Writer
from replica.vouched import check_vouched
from tests.nodes import BEGIN, LOG_KEY, ORIGIN, PUBLIC, SMALL_MAP, Clock, Node, everything, node
from tests.unit.members import KEYS, added

NO_PRIMARY, REMOVED = 3, 4  # members who may not be the primary
FALLEN: tuple[Event, ...] = (
    MemberAdded("n1", 1, "", PUBLIC, voter=True, may_promote=False),
    MemberRemoved(1),
)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Node]:
    """Return a primary whose writes one of two other voters has to acknowledge."""
    with node(tmp_path / "source") as made:
        made.commit(added(2), MembersSettled())
        made.commit(added(NO_PRIMARY, may_promote=False), MembersSettled())
        made.commit(added(REMOVED), MembersSettled())
        made.commit(MemberRemoved(REMOVED), MembersSettled())
        made.commit(DurabilitySet(1))
        yield made


@contextmanager
def copied(folder: Path, source: Env) -> Iterator[Env]:
    """Yield a copy of a log."""
    folder.mkdir()
    env = Env(folder, VIEW_TABLES, readonly=False, map_size=SMALL_MAP, durable=False)
    try:
        while size(env) < size(source):
            copier(env).copy(batch_of(source, size(env)))
        yield env
    finally:
        env.close()


def copier(env: Env) -> Copier:
    return Copier(env, ORIGIN, PUBLIC)


def size(env: Env) -> int:
    with env.read() as store:
        return log.head(store).size


def known(env: Env) -> Known:
    with env.read() as store:
        head = log.head(store)
    return Known(head.size, head.root)


def batch_of(env: Env, after: int) -> Batch:
    with env.read() as store:
        batch = copying.read_batch(store, after)
    assert batch is not None
    return batch


def word_of(env: Env) -> bytes:
    with env.read() as store:
        return vouching.find(store)


def promised(env: Env, epoch: int) -> None:
    with env.write() as store:
        promise.give(store, epoch)


def begun(env: Env, made: Node, number: int, *events: Event) -> None:
    """Let member *number* begin epoch 2 in *env* with *events*, signed by its node key, without asking anybody."""
    with env.read() as store:
        head = log.head(store)
    promised(env, epoch_of(2, number))
    writer = Writer(env, made.blobs, Keys(LOG_KEY, KEYS[number]), Clock(BEGIN + 10))
    first = events or (PrimaryChanged(number, head.epoch, head.size, head.root),)
    writer.take_over(head, epoch_of(2, number), first)


def user(name: str) -> UserCreated:
    return UserCreated(UserName(name), NONE)


def check_refused(env: Env, batch: Batch, why: str, exactly: Known | None = None) -> None:
    """Check that a batch is refused and nothing of it stays."""
    before = everything(env)
    with pytest.raises(InvalidProof, match=why):
        copier(env).copy(batch, exactly)
    assert everything(env) == before


def test_what_a_member_who_may_be_the_primary_began_is_taken(source: Node, tmp_path: Path) -> None:
    with copied(tmp_path / "copy", source.env) as env:
        begun(env, source, 2)
        assert copier(source.env).copy(batch_of(env, size(source.env))).epoch == epoch_of(2, 2)


@pytest.mark.parametrize("number", [NO_PRIMARY, REMOVED])
def test_the_word_of_who_may_not_be_the_primary_is_refused(source: Node, tmp_path: Path, number: int) -> None:
    with copied(tmp_path / "copy", source.env) as env:
        begun(env, source, number)
        check_refused(source.env, batch_of(env, size(source.env)), f"of member {number}, who is unknown here")


@pytest.mark.parametrize("fallen", FALLEN, ids=["not promotable", "removed"])
@pytest.mark.parametrize("is_known", [True, False], ids=["before", "with the batch"])
def test_the_word_of_a_primary_that_is_none_any_more_is_refused(
    source: Node, tmp_path: Path, fallen: Event, *, is_known: bool
) -> None:
    with copied(tmp_path / "copy", source.env) as env:
        source.commit(fallen)
        after = size(env)
        if is_known:
            copier(env).copy(evolve(batch_of(source.env, after), word=b""), exactly=known(source.env))
            source.commit(user("alice"))
        check_refused(env, batch_of(source.env, size(env)), "of member 1, who is unknown here")


@pytest.mark.parametrize("fallen", FALLEN, ids=["not promotable", "removed"])
def test_the_word_for_a_head_that_is_here_is_of_who_may_be_the_primary(source: Node, fallen: Event) -> None:
    with source.env.read() as store:
        assert check_vouched(store, vouching.find(store)).member == 1
    source.commit(fallen)
    with source.env.read() as store, pytest.raises(InvalidProof, match="of member 1, who is unknown here"):
        check_vouched(store, vouching.find(store))


@pytest.mark.parametrize("first", ["another event", "the entry of another member", "no event of the cluster behind it"])
def test_an_epoch_begins_with_the_entry_of_the_member_who_took_it(source: Node, tmp_path: Path, first: str) -> None:
    with copied(tmp_path / "copy", source.env) as env:
        last = known(env)
        own = PrimaryChanged(2, epoch_of(1, 1), last.size, last.root)
        events: dict[str, tuple[Event, ...]] = {
            "another event": (user("mallory"), own),
            "the entry of another member": (evolve(own, member=1),),
            "no event of the cluster behind it": (user("mallory"),),
        }
        begun(env, source, 2, *events[first])
        batch, why = batch_of(env, last.size), rf"entry {last.size + 1} does not begin epoch 2\.2"
        check_refused(source.env, batch, why)
        check_refused(source.env, evolve(batch, word=b""), why, known(env))


@pytest.mark.parametrize("number", [NO_PRIMARY, REMOVED])
def test_no_epoch_is_of_who_may_not_be_the_primary_whoever_says_so(source: Node, tmp_path: Path, number: int) -> None:
    with copied(tmp_path / "copy", source.env) as env:
        begun(env, source, number)
        batch = evolve(batch_of(env, size(source.env)), word=b"")
        check_refused(source.env, batch, rf"does not begin epoch 2\.{number} by a member who may be", known(env))


def test_a_word_of_an_epoch_that_is_over_is_not_kept_with_what_was_acknowledged(source: Node, tmp_path: Path) -> None:
    with copied(tmp_path / "copy", source.env) as env:
        before = word_of(env)
        promised(env, epoch_of(2, 2))
        source.commit(user("alice"))
        writer = source.writer
        writer.held = size(source.env)
        writer.sign()
        batch = batch_of(source.env, size(env))
        assert copier(env).copy(batch).size == size(source.env)
        assert word_of(env) == before
        with env.read() as store, pytest.raises(Superseded):
            check_vouched(store, batch.word)
