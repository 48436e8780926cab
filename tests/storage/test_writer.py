"""The writer: groups, refusals, time, bounds and a full disk."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from changelog import log, rebuild, tree
from changelog.codec import MAX_ENTRY_BYTES, Event, Stamp, decode, encode
from changelog.contents import read
from changelog.errors import BlobDamaged, Conflict, NotFound, StorageFull, TooLarge
from changelog.events.indexes import IndexCreated
from changelog.events.projects import ProjectStatusSet, ReleaseRegistered
from changelog.events.users import PasswordSet, UserCreated
from changelog.names import IndexName, ProjectName, UserName, Version
from changelog.records import NONE, Record
from changelog.tables import Store
from changelog.views import files, users
from changelog.writer import MAX_EVENTS, Already, Committed, Decision, Proposal
from tests.nodes import BEGIN, FIRST_EVENTS, LOG_KEY, Node, everything, node, uploaded

DEMO = ProjectName("demo")
ONE = Version("1.0")
FIRST = len(FIRST_EVENTS)
SMALL = b"Name: demo\n"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path / "node") as made:
        yield made


def created(name: str) -> Event:
    return UserCreated(UserName(name), NONE)


def proposal(*events: Event, contents: tuple[tuple[bytes, bytes], ...] = ()) -> Proposal:
    return Proposal(lambda _: events, "alice", contents=contents)


def refuse(_: Store) -> Decision:
    raise NotFound("no")


def create_once(name: str) -> Proposal:
    def decide(store: Store) -> Decision:
        row = users.find(store, UserName(name))
        return [created(name)] if row is None else Already(row.since)

    return Proposal(decide, "alice")


def stamps(opened: Node) -> list[Stamp]:
    return [decode(raw, serial)[1] for serial, raw in enumerate(opened.entries(), 1)]


def test_a_new_log_begins_with_its_first_events(opened: Node) -> None:
    assert [decode(raw, 1)[0] for raw in opened.entries()] == list(FIRST_EVENTS)
    assert {stamp.epoch for stamp in stamps(opened)} == {1025}


def test_the_views_of_a_new_log_need_no_rebuild(opened: Node) -> None:
    with opened.env.read() as store:
        assert not rebuild.needed(store)


def test_a_log_is_not_begun_twice(opened: Node) -> None:
    before = everything(opened.env)
    with pytest.raises(Conflict, match="4 entries"):
        opened.writer.create(FIRST_EVENTS, (), 1025)
    assert everything(opened.env) == before


def test_commands_of_a_group_see_those_before_them(opened: Node) -> None:
    outcomes = opened.propose(*(create_once(name) for name in ("a", "b", "a")))
    assert outcomes == [
        Committed(FIRST + 1, FIRST + 1),
        Committed(FIRST + 2, FIRST + 2),
        Already(FIRST + 1),
    ]


def test_a_group_is_one_signed_head(opened: Node) -> None:
    opened.propose(proposal(created("a")), proposal(created("b"), created("c")))
    with opened.env.read() as store:
        head = log.head(store)
    assert head.checkpoint.splitlines()[1] == str(FIRST + 3) == str(head.size)


def test_a_refused_command_changes_nothing_and_the_others_proceed(opened: Node) -> None:
    outcomes = opened.propose(proposal(created("a")), Proposal(refuse, "alice"), proposal(created("b")))
    assert [type(outcome) for outcome in outcomes] == [Committed, NotFound, Committed]
    assert len(opened.entries()) == FIRST + 2


def test_a_group_of_refusals_leaves_every_byte(opened: Node) -> None:
    before = everything(opened.env)
    record = Record(bytes(32), b"secret")
    contents = ((sha256(SMALL).digest(), SMALL),)
    (outcome,) = opened.propose(Proposal(refuse, "alice", (record,), contents))
    assert isinstance(outcome, NotFound)
    assert everything(opened.env) == before


def test_what_is_there_already_leaves_every_byte(opened: Node) -> None:
    opened.propose(create_once("a"))
    before = everything(opened.env)
    assert opened.propose(create_once("a")) == [Already(FIRST + 1)]
    assert everything(opened.env) == before


def test_a_decision_on_no_events_is_done_already(opened: Node) -> None:
    before = everything(opened.env)
    assert opened.propose(proposal()) == [Already(FIRST)]
    assert everything(opened.env) == before


def test_a_mistake_in_a_decision_undoes_its_whole_group(opened: Node) -> None:
    before = everything(opened.env)
    with pytest.raises(ZeroDivisionError):
        opened.propose(proposal(created("a")), Proposal(lambda _: [1 // 0], "alice"))
    assert everything(opened.env) == before


def test_a_mistake_in_a_fold_undoes_its_whole_group(opened: Node) -> None:
    before = everything(opened.env)
    with pytest.raises(LookupError):
        opened.propose(proposal(created("a")), proposal(PasswordSet(UserName("nobody"), NONE)))
    assert everything(opened.env) == before


def test_an_entry_tells_how_many_of_its_command_follow(opened: Node) -> None:
    opened.commit(created("a"), created("b"), created("c"))
    opened.commit(created("d"))
    assert [stamp.more for stamp in stamps(opened)[FIRST:]] == [2, 1, 0, 0]


def test_an_entry_names_its_actor(opened: Node) -> None:
    opened.commit(created("a"), actor="jörg")
    assert stamps(opened)[-1].actor == "jörg"


@pytest.mark.parametrize("step", [0, -1_000_000, 1])
def test_time_increases_though_the_clock_does_not(opened: Node, step: int) -> None:
    opened.clock.step = step
    opened.commit(created("a"), created("b"))
    opened.propose(proposal(created("c")), proposal(created("d")))
    times = [stamp.time for stamp in stamps(opened)]
    assert times == sorted(set(times))


def test_time_is_that_of_the_clock_when_it_went_on(opened: Node) -> None:
    opened.clock.now = BEGIN + 5_000_000
    opened.commit(created("a"))
    assert stamps(opened)[-1].time == BEGIN + 5_000_000


def test_a_command_has_no_more_than_2000_events(opened: Node) -> None:
    many = [created(f"u{number}") for number in range(MAX_EVENTS + 1)]
    before = everything(opened.env)
    (outcome,) = opened.propose(proposal(*many))
    assert isinstance(outcome, TooLarge)
    assert everything(opened.env) == before
    assert opened.commit(*many[:MAX_EVENTS]) == FIRST + 1


def long_entry(size: int) -> Event:
    """Return an event whose entry, committed next, has *size* bytes."""
    event = ProjectStatusSet(FIRST + 1, DEMO, "archived", "x" * 65_000)
    stamp = Stamp(0, 1025, BEGIN + 100, "alice", 0)
    return ProjectStatusSet(event.index, DEMO, event.status, "x" * (65_000 + size - len(encode(event, stamp))))


def test_an_entry_has_at_most_65535_bytes(opened: Node) -> None:
    opened.store_blob(b"wheel")
    opened.commit(IndexCreated(IndexName("alice/dev"), "stage", (), NONE))
    opened.commit(uploaded(FIRST + 1))
    before = everything(opened.env)
    (outcome,) = opened.propose(proposal(long_entry(MAX_ENTRY_BYTES + 1)))
    assert isinstance(outcome, TooLarge)
    assert everything(opened.env) == before
    opened.commit(long_entry(MAX_ENTRY_BYTES))
    assert len(opened.entries()[-1]) == MAX_ENTRY_BYTES


def test_an_event_that_nobody_could_read_is_refused(opened: Node) -> None:
    before = everything(opened.env)
    outcomes = opened.propose(proposal(UserCreated(b"bytes", NONE)))  # type: ignore[arg-type] # the mistake
    assert "UserCreated.user" in str(outcomes[0])
    assert everything(opened.env) == before


def test_a_file_whose_blob_is_missing_is_refused(opened: Node) -> None:
    before = everything(opened.env)
    (outcome,) = opened.propose(proposal(uploaded(FIRST + 1)))
    assert isinstance(outcome, BlobDamaged)
    assert everything(opened.env) == before


def test_a_file_whose_blob_has_another_size_is_refused(opened: Node) -> None:
    digest = opened.store_blob(b"wheel")
    opened.blobs.path(digest).write_bytes(b"whee")
    (outcome,) = opened.propose(proposal(uploaded(FIRST + 1)))
    assert isinstance(outcome, BlobDamaged)


@pytest.fixture
def indexed(opened: Node) -> Node:
    opened.store_blob(b"wheel")
    opened.commit(IndexCreated(IndexName("alice/dev"), "stage", (), NONE))
    return opened


def test_metadata_that_are_nowhere_are_refused(indexed: Node) -> None:
    for event in (
        uploaded(FIRST + 1, metadata=SMALL),
        ReleaseRegistered(FIRST + 1, DEMO, ONE, sha256(SMALL).digest()),
    ):
        (outcome,) = indexed.propose(proposal(event))
        assert isinstance(outcome, BlobDamaged)


def test_small_metadata_commit_with_their_entry(indexed: Node) -> None:
    digest = sha256(SMALL).digest()
    event = uploaded(FIRST + 1, metadata=SMALL)
    (outcome,) = indexed.propose(proposal(event, contents=((digest, SMALL),)))
    assert isinstance(outcome, Committed)
    with indexed.env.read() as store:
        assert read(store, indexed.blobs, digest) == SMALL
    assert isinstance(indexed.propose(proposal(event))[0], Committed)  # they are there now


def test_large_metadata_are_read_from_their_blob(indexed: Node) -> None:
    large = SMALL * 2_000
    digest = indexed.store_blob(large)
    indexed.commit(uploaded(FIRST + 1, metadata=large))
    with indexed.env.read() as store:
        assert read(store, indexed.blobs, digest) == large


@pytest.mark.parametrize("content", [b"other bytes", bytes(16 * 1024)])
def test_contents_that_are_large_or_not_their_digest_are_refused(indexed: Node, content: bytes) -> None:
    digest = sha256(SMALL if len(content) < 1_000 else content).digest()
    before = everything(indexed.env)
    event = uploaded(FIRST + 1, metadata=SMALL)
    (outcome,) = indexed.propose(proposal(event, contents=((digest, content),)))
    assert isinstance(outcome, BlobDamaged)
    assert everything(indexed.env) == before


def fill(opened: Node) -> int:
    """Commit until nothing fits any more and return how many users were acknowledged."""
    for number in range(10_000):
        events = [created(f"u{number}-{part}" + "x" * 40) for part in range(20)]
        try:
            opened.commit(*events)
        except StorageFull:
            return number
    raise AssertionError("the map never was full")


def test_a_full_map_refuses_and_leaves_all_that_was_acknowledged(tmp_path: Path) -> None:
    with node(tmp_path / "node", map_size=1 << 20) as opened:
        number = fill(opened)
        full = everything(opened.env)
        assert len(opened.entries()) == FIRST + 20 * number
        for _ in range(3):
            with pytest.raises(StorageFull, match="map"):
                opened.commit(*(created(f"w{part}" + "x" * 40) for part in range(20)))
        assert everything(opened.env) == full
    with node(tmp_path / "node", map_size=1 << 20) as again:
        assert everything(again.env) == full
    with node(tmp_path / "node", map_size=2 << 20) as larger:
        assert larger.commit(created("at last")) == FIRST + 20 * number + 1


def test_a_full_map_refuses_every_command_of_its_group(tmp_path: Path) -> None:
    with node(tmp_path / "node", map_size=1 << 20) as opened:
        fill(opened)
        before = everything(opened.env)
        many = [proposal(created(f"w{part}" + "x" * 40)) for part in range(60)]
        with pytest.raises(StorageFull):
            opened.propose(*many)
        assert everything(opened.env) == before


def test_a_node_opened_again_goes_on(tmp_path: Path) -> None:
    with node(tmp_path / "node") as opened:
        opened.commit(created("a"))
        before = everything(opened.env)
    with node(tmp_path / "node") as again:
        assert everything(again.env) == before
        assert again.commit(created("b")) == FIRST + 2


def test_proofs_of_a_stored_log_hold(opened: Node) -> None:
    opened.commit(*(created(f"u{number}") for number in range(40)))
    with opened.env.read() as store:
        head, nodes = log.head(store), log.node_reader(store)
        for serial, raw in log.entries(store):
            proof = tree.inclusion_proof(serial - 1, head.size, nodes)
            tree.check_inclusion(serial - 1, head.size, tree.leaf_hash(raw), proof, head.root)
            proof = tree.consistency_proof(serial, head.size, nodes)
            old_root = log.root(store, serial)
            tree.check_consistency(serial, head.size, old_root, head.root, proof)


def test_entries_are_read_in_any_range(opened: Node) -> None:
    opened.commit(*(created(f"u{number}") for number in range(6)))
    with opened.env.read() as store:
        assert [serial for serial, _ in log.entries(store, 3, 5)] == [3, 4, 5]
        assert [serial for serial, _ in log.entries(store, 9)] == [9, 10]
        assert list(log.entries(store, 11)) == []
        assert log.entry(store, 11) is None
        assert log.entry(store, 10) == opened.entries()[-1]


def test_an_entry_out_of_order_is_not_appended(opened: Node) -> None:
    with pytest.raises(ValueError, match="not the last key"), opened.env.write() as store:
        log.append(store, 2, b"again")


def test_a_file_uploaded_again_by_one_group_is_one_entry(indexed: Node) -> None:
    event = uploaded(FIRST + 1)

    def decide(store: Store) -> Decision:
        row = files.find(store, FIRST + 1, DEMO, ONE, event.filename)
        return [event] if row is None else Already(row.uploaded)

    outcomes = indexed.propose(Proposal(decide, "alice"), Proposal(decide, "alice"))
    assert outcomes == [Committed(FIRST + 2, FIRST + 2), Already(FIRST + 2)]


def test_the_log_key_signs(opened: Node) -> None:
    with opened.env.read() as store:
        note = log.head(store).checkpoint
    assert note.startswith("ledgerpi/test\n4\n")
    assert LOG_KEY.public_key().public_bytes_raw() not in note.encode()
