"""Copying a log: the copy equals what it was made from, and nothing that does not follow is committed."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog import checkpoint, copying, log
from changelog.codec import Event, decode, encode
from changelog.copying import Batch, Copier, Known
from changelog.env import Env
from changelog.errors import Damaged, LedgerpiError
from changelog.events.projects import ReleaseRegistered
from changelog.events.users import PasswordSet, UserCreated, UserDeleted
from changelog.fold import VIEW_TABLES
from changelog.names import ProjectName, UserName, Version
from changelog.packing import packb, unpackb
from changelog.records import NONE, Record
from changelog.tables import Store
from changelog.writer import Decision, Proposal
from tests.nodes import LOG_KEY, ORIGIN, PUBLIC, SMALL_MAP, Node, everything, node

METADATA = b"Name: demo\n"


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path / "source") as made:
        yield made


@contextmanager
def empty(folder: Path) -> Iterator[Env]:
    folder.mkdir()
    env = Env(folder, VIEW_TABLES, readonly=False, map_size=SMALL_MAP)
    try:
        yield env
    finally:
        env.close()


def just(event: Event, _: Store) -> Decision:
    return [event]


def fill(source: Node, count: int, seed: int = 0) -> None:
    """Commit commands of one to four entries, with records and contents; some records are erased again."""
    chance = random.Random(seed)  # noqa: S311 - test data
    for number in range(count):
        user = UserName(f"user{seed}-{number}")
        first, second = (Record(bytes([kind]) * 32, user.encode()) for kind in (1, 2))
        events = [UserCreated(user, NONE), PasswordSet(user, first.commitment)]
        source.commit(*events, records=[first])
        if chance.random() < 0.5:
            source.commit(PasswordSet(user, second.commitment), records=[second])
        if chance.random() < 0.2:
            source.commit(UserDeleted(user))
        raw = METADATA + user.encode()
        release = ReleaseRegistered(1, ProjectName("demo"), Version(f"{number}"), sha256(raw).digest())
        source.propose(Proposal(partial(just, release), "alice", contents=((release.metadata, raw),)))


def batches(source: Node, after: int = 0) -> Iterator[Batch]:
    while True:
        with source.env.read() as store:
            batch = copying.read_batch(store, after)
        if batch is None:
            return
        yield batch
        after = batch.last


def copier(env: Env, known: tuple[Known, ...] = ()) -> Copier:
    return Copier(env, ORIGIN, PUBLIC, known)


@pytest.mark.parametrize("bound", [1, 3, 7, 5_000])
def test_a_copy_equals_its_source(source: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: int) -> None:
    monkeypatch.setattr(copying, "MAX_BATCH_ENTRIES", bound)
    fill(source, 20)
    with empty(tmp_path / "copy") as env:
        for batch in batches(source):
            copier(env).copy(batch)
        assert everything(env) == everything(source.env)


def test_a_copy_goes_on_where_it_ended(source: Node, tmp_path: Path) -> None:
    with empty(tmp_path / "copy") as env:
        for turn in range(5):
            fill(source, 3, seed=turn)
            with env.read() as store:
                size = log.head(store).size
            for batch in batches(source, size):
                copier(env).copy(batch)
            assert everything(env) == everything(source.env)


def test_amid_a_copy_the_head_is_not_signed(source: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "MAX_BATCH_ENTRIES", 1)
    fill(source, 3)
    with empty(tmp_path / "copy") as env:
        notes = [copier(env).copy(batch).checkpoint for batch in batches(source)]
    assert notes[-1]
    assert not any(notes[:-1])


def test_a_known_head_is_asked_for(source: Node, tmp_path: Path) -> None:
    fill(source, 5)
    with source.env.read() as store:
        good = Known(10, log.root(store, 10))
    (batch,) = batches(source)
    with empty(tmp_path / "copy") as env:
        with pytest.raises(Damaged, match="the first 10 entries are not those that are known"):
            copier(env, (Known(10, bytes(32)),)).copy(batch)
        assert copier(env, (good,)).copy(batch).size == batch.last


def resigned(batch: Batch, size: int, root: bytes, key: Ed25519PrivateKey = LOG_KEY) -> Batch:
    return evolve(batch, note=checkpoint.sign(checkpoint.Checkpoint(ORIGIN, size, root), key))


def with_entries(batch: Batch, entries: list[bytes]) -> Batch:
    return evolve(batch, entries=tuple(entries))


def changed_entry(batch: Batch, chance: random.Random) -> Batch:
    place = chance.randrange(len(batch.entries))
    event, stamp = decode(batch.entries[place], batch.first + place)
    entries = list(batch.entries)
    entries[place] = encode(event, evolve(stamp, actor="mallory"))
    return with_entries(batch, entries)


def flipped_bit(batch: Batch, chance: random.Random) -> Batch:
    place = chance.randrange(len(batch.entries))
    raw = bytearray(batch.entries[place])
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    entries = list(batch.entries)
    entries[place] = bytes(raw)
    return with_entries(batch, entries)


def changed_order(batch: Batch, chance: random.Random) -> Batch:
    first, second = sorted(chance.sample(range(len(batch.entries)), 2))
    entries = list(batch.entries)
    entries[first], entries[second] = entries[second], entries[first]
    return with_entries(batch, entries)


def dropped_entry(batch: Batch, chance: random.Random) -> Batch:
    entries = list(batch.entries)
    del entries[chance.randrange(len(entries))]
    return with_entries(batch, entries)


def dropped_last_command(batch: Batch, _: random.Random) -> Batch:
    return with_entries(batch, list(batch.entries[:-1]))  # the last command has one entry; no proof goes with that


def doubled_entry(batch: Batch, chance: random.Random) -> Batch:
    place = chance.randrange(len(batch.entries))
    entries = list(batch.entries)
    entries.insert(place, entries[place])
    return with_entries(batch, entries)


def added_entry(batch: Batch, _: random.Random) -> Batch:
    event, stamp = decode(batch.entries[-1], batch.last)
    return with_entries(batch, [*batch.entries, encode(event, evolve(stamp, time=stamp.time + 1))])


def not_canonical(batch: Batch, chance: random.Random) -> Batch:
    place = chance.randrange(len(batch.entries))
    entries = list(batch.entries)
    entries[place] += b"\xc0"
    return with_entries(batch, entries)


def strangers_signature(batch: Batch, _: random.Random) -> Batch:
    signed = checkpoint.parse(batch.note.rpartition("\n\n")[0] + "\n")
    return resigned(batch, signed.size, signed.root, Ed25519PrivateKey.generate())


def changed_signature(batch: Batch, chance: random.Random) -> Batch:
    note = batch.note
    place = chance.randrange(note.rindex(" ") + 10, len(note) - 10)
    other = "A" if note[place] != "A" else "B"
    return evolve(batch, note=note[:place] + other + note[place + 1 :])


def another_root(batch: Batch, chance: random.Random) -> Batch:
    return resigned(batch, batch.last, chance.randbytes(32))


def older_head(batch: Batch, chance: random.Random) -> Batch:
    size = chance.randrange(1, batch.last)
    return resigned(batch, size, chance.randbytes(32))


def rolled_back(batch: Batch, chance: random.Random) -> Batch:
    return evolve(batch, first=chance.randrange(1, batch.first), entries=batch.entries)


def skipped(batch: Batch, chance: random.Random) -> Batch:
    count = chance.randrange(1, len(batch.entries))
    return evolve(batch, first=batch.first + count, entries=batch.entries[count:])


def changed_record(batch: Batch, chance: random.Random) -> Batch:
    records = list(batch.records)
    place = chance.randrange(len(records))
    records[place] = records[place][:-1] + b"!"
    return evolve(batch, records=tuple(records))


def changed_contents(batch: Batch, chance: random.Random) -> Batch:
    small = list(batch.contents)
    place = chance.randrange(len(small))
    small[place] = (small[place][0], small[(place + 1) % len(small)][1])
    return evolve(batch, contents=tuple(small))


def unnamed_contents(batch: Batch, _: random.Random) -> Batch:
    raw = packb("nobody names this")
    return evolve(batch, records=(*batch.records, raw))


def back_in_time(batch: Batch, _: random.Random) -> Batch:
    plain = list(unpackb(batch.entries[-1]))
    plain[4] = 1
    return with_entries(batch, [*batch.entries[:-1], packb(tuple(plain))])


LIES: tuple[Callable[[Batch, random.Random], Batch], ...] = (
    changed_entry,
    flipped_bit,
    changed_order,
    dropped_entry,
    dropped_last_command,
    doubled_entry,
    added_entry,
    not_canonical,
    strangers_signature,
    changed_signature,
    another_root,
    older_head,
    rolled_back,
    skipped,
    changed_record,
    changed_contents,
    unnamed_contents,
    back_in_time,
)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_lie_is_refused_and_changes_no_byte(
    source: Node, tmp_path: Path, lie: Callable[[Batch, random.Random], Batch], seed: int
) -> None:
    with empty(tmp_path / "copy") as env:
        fill(source, 3)
        for batch in batches(source):
            copier(env).copy(batch)
        before = everything(env)
        fill(source, 6, seed=seed + 1)
        (good,) = batches(source, size_of(env))
        with pytest.raises(LedgerpiError):
            copier(env).copy(lie(good, random.Random(seed)))  # noqa: S311 - test data
        assert everything(env) == before
        copier(env).copy(good)
        assert everything(env) == everything(source.env)


def size_of(env: Env) -> int:
    with env.read() as store:
        return log.head(store).size
