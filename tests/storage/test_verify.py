"""What a check of a node finds, and what it does not."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from changelog import log
from changelog.codec import Stamp, encode
from changelog.events.files import FileYanked
from changelog.events.projects import ReleaseRegistered
from changelog.events.users import ProfileChanged, UserCreated
from changelog.names import FileName, UserName
from changelog.packing import packb, unpackb
from changelog.records import new_record
from changelog.tables import LmdbStore, serial_key
from changelog.verify import Kind, Report, verify_node
from changelog.views import files
from changelog.views.links import link_key
from tests.storage import sample
from tests.storage.sample import Node, sha256

Damage = Callable[[LmdbStore], None]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = sample.make(tmp_path / "node")
    yield made
    made.env.close()


def check(node: Node) -> Report:
    return verify_node(node.layout, snapshots=node.env.read)


def check_running(node: Node) -> Report:
    return verify_node(node.layout, snapshots=node.env.read, settled_s=60.0)


def kinds(report: Report) -> set[Kind]:
    return {finding.kind for finding in report.findings}


def flipped(raw: bytes, place: int = -1) -> bytes:
    changed = bytearray(raw)
    changed[place] ^= 1
    return bytes(changed)


def flip(table: str, key: bytes | None = None) -> Damage:
    """Change the last byte of a row, of the first one if no *key* is given."""

    def damage(store: LmdbStore) -> None:
        name = key if key is not None else next(store.scan(table))[0]
        store.put(table, name, flipped(store.get(table, name) or b""))

    return damage


def put(table: str, key: bytes, value: bytes) -> Damage:
    return lambda store: store.put(table, key, value)


def delete(table: str, key: bytes) -> Damage:
    def damage(store: LmdbStore) -> None:
        assert store.delete(table, key)

    return damage


def forge(place: int, value: object) -> Damage:
    """Change one field of the head."""

    def damage(store: LmdbStore) -> None:
        fields = list(unpackb(store.get("meta", log.HEAD) or b""))
        fields[place] = value
        store.put("meta", log.HEAD, packb(fields))

    return damage


def resign(store: LmdbStore) -> None:
    """Put the checkpoint of an older size under the same head."""
    head = log.head(store)
    older = head.checkpoint.replace(f"\n{head.size}\n", "\n3\n")
    forge(4, older)(store)


def test_a_sound_node_has_no_finding(node: Node) -> None:
    report = check(node)
    assert not report.findings
    assert not report.notes
    assert (report.checked["entries"], report.checked["blobs"]) == (11, 4)


def test_a_small_node_is_checked_in_a_fifth_of_a_second(node: Node) -> None:
    begun = time.process_time()
    check(node)
    assert time.process_time() - begun < 0.2


ALICE_KEY = sample.ALICE.encode()
WHEEL_SHA256 = sha256(sample.WHEEL_BYTES)
LONG_KEY = log.node_key(0, 3) + b"x"
FILE_KEY = files.file_key(8, sample.WHEEL)  # entry 8 made the release


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        pytest.param(flip("entries", serial_key(8)), Kind.ENTRY, id="a byte of an entry"),
        pytest.param(flip("entries", serial_key(11)), Kind.ENTRY, id="a byte of the last entry"),
        pytest.param(delete("entries", serial_key(4)), Kind.ENTRY, id="a missing entry"),
        pytest.param(delete("entries", serial_key(11)), Kind.ENTRY, id="a missing last entry"),
        pytest.param(put("entries", serial_key(12), b"x"), Kind.ENTRY, id="an entry too many"),
        pytest.param(put("entries", b"\0" * 9, b"x"), Kind.ENTRY, id="an entry with an odd key"),
        pytest.param(flip("nodes", log.node_key(0, 3)), Kind.TREE, id="a leaf hash"),
        pytest.param(flip("nodes", log.node_key(2, 1)), Kind.TREE, id="an inner hash"),
        pytest.param(delete("nodes", log.node_key(3, 0)), Kind.TREE, id="a missing hash"),
        pytest.param(put("nodes", log.node_key(0, 11), b"x" * 32), Kind.TREE, id="a leaf too many"),
        pytest.param(put("nodes", log.node_key(9, 0), b"x" * 32), Kind.TREE, id="a level too many"),
        pytest.param(put("nodes", b"\1odd", b"x" * 32), Kind.TREE, id="a node with an odd key"),
        pytest.param(put("nodes", LONG_KEY, b"x" * 32), Kind.TREE, id="a node with a long key"),
        pytest.param(forge(0, 5), Kind.HEAD, id="the head's epoch"),
        pytest.param(forge(1, 1 << 60), Kind.HEAD, id="an absurd size"),
        pytest.param(forge(1, -1), Kind.HEAD, id="a negative size"),
        pytest.param(forge(2, b"r" * 32), Kind.HEAD, id="the head's root"),
        pytest.param(forge(3, 5), Kind.HEAD, id="the head's time"),
        pytest.param(forge(4, "no note"), Kind.HEAD, id="no checkpoint"),
        pytest.param(resign, Kind.HEAD, id="a checkpoint with a false signature"),
        pytest.param(put("meta", log.HEAD, b"\xc1"), Kind.HEAD, id="a head that is no msgpack"),
        pytest.param(put("meta", log.HEAD, b"\1"), Kind.HEAD, id="a head that is a number"),
        pytest.param(delete("meta", log.HEAD), Kind.HEAD, id="no head"),
        pytest.param(flip("users", ALICE_KEY), Kind.VIEW, id="a byte of a row"),
        pytest.param(delete("files", FILE_KEY), Kind.VIEW, id="a missing row"),
        pytest.param(put("links", b"surplus", b"x"), Kind.VIEW, id="a row too many"),
        pytest.param(put("counts", b"\xff", b"x"), Kind.VIEW, id="a row after all others"),
        pytest.param(flip("records"), Kind.RECORD, id="a byte of a private record"),
        pytest.param(delete("records", sample.RECORDS[1].commitment), Kind.RECORD, id="no record"),
        pytest.param(put("records", sha256(b"x"), b"x"), Kind.RECORD, id="a record too many"),
        pytest.param(flip("contents"), Kind.CONTENT, id="a byte of a small content"),
        pytest.param(delete("contents", sha256(sample.METADATA)), Kind.CONTENT, id="no content"),
    ],
)
def test_damage_to_a_table_is_found(node: Node, damage: Damage, kind: Kind) -> None:
    with node.env.write() as store:
        damage(store)
    assert kinds(check(node)) == {kind}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(lambda path: path.write_bytes(b"short"), "has 5 bytes", id="truncated"),
        pytest.param(lambda path: path.unlink(), "missing", id="deleted"),
        pytest.param(lambda path: path.write_bytes(flipped(path.read_bytes())), "other bytes", id="flipped"),
    ],
)
def test_damage_to_a_blob_is_found(node: Node, damage: Callable[[Path], object], words: str) -> None:
    damage(node.blobs.path(WHEEL_SHA256))
    (finding,) = check(node).findings
    assert (finding.kind, finding.subject) == (Kind.BLOB, WHEEL_SHA256.hex())
    assert words in finding.message


@pytest.mark.parametrize("name", ["00/README", f"00/{'ab' * 32}", "stray"])
def test_a_file_that_is_no_blob_is_found(node: Node, name: str) -> None:
    (node.layout.blobs / name).write_bytes(b"x")
    assert kinds(check(node)) == {Kind.BLOB}


def test_a_blob_that_nothing_names_is_an_orphan_and_the_node_still_clean(node: Node) -> None:
    node.store_blob(b"never named")
    report = check(node)
    assert kinds(report) == {Kind.ORPHAN}
    assert report.clean


def test_a_young_blob_is_no_orphan_on_a_running_node(node: Node) -> None:
    node.store_blob(b"about to be named")
    assert not check_running(node).findings


def test_a_blob_that_only_an_entry_names_is_no_orphan(node: Node) -> None:
    metadata = b"Description: " + b"long " * 5_000
    node.store_blob(metadata)
    event = ReleaseRegistered(sample.DEV_INCARNATION, sample.DEMO, sample.ONE, sha256(metadata))
    node.commit(event)
    assert not check(node).findings


def test_a_spooled_leftover_is_an_orphan(node: Node) -> None:
    (node.layout.spool / "worker").mkdir()
    (node.layout.spool / "worker" / "upload").write_bytes(b"half of a")
    assert kinds(check(node)) == {Kind.ORPHAN}


def test_a_head_behind_the_entries_is_found(node: Node) -> None:
    with node.env.write() as store:
        forge(1, 10)(store)
    assert kinds(check(node)) == {Kind.ENTRY, Kind.TREE, Kind.HEAD}


def test_entries_whose_order_is_wrong_are_found_though_head_and_tree_follow(node: Node) -> None:
    early = encode(UserCreated(UserName("eve"), b""), Stamp(12, 3, 5, "", 0))
    with node.env.write() as store:
        log.append(store, 12, early)
    messages = [finding.message for finding in check_at_end(node).findings]
    assert any("its time 5 is not after" in message for message in messages)
    assert any("its epoch 3 is below" in message for message in messages)


def test_a_command_that_the_head_cuts_is_found(node: Node) -> None:
    with node.env.read() as store:
        head = log.head(store)
    cut = encode(UserCreated(UserName("eve"), b""), Stamp(12, head.epoch, head.time + 1, "", 2))
    with node.env.write() as store:
        log.append(store, 12, cut)
    messages = [finding.message for finding in check_at_end(node).findings]
    assert "the log ends 2 entries before its command does" in messages


def test_an_entry_that_is_not_canonical_is_found(node: Node) -> None:
    with node.env.read() as store:
        head = log.head(store)
    event = UserCreated(UserName("eve"), b"")
    raw = encode(event, Stamp(12, head.epoch, head.time + 1, "", 0))
    assert raw[:1] == b"\x98"
    with node.env.write() as store:
        log.append(store, 12, b"\xdc\x00\x08" + raw[1:])  # the same array with a longer length
    messages = [finding.message for finding in check_at_end(node).findings]
    assert "entry 12 is not in canonical form" in messages


def check_at_end(node: Node) -> Report:
    """Check after the head was made to tell of all entries."""
    with node.env.write() as store:
        forge(1, store.count("entries"))(store)
        forge(2, log.root(store, store.count("entries")))(store)
    return check(node)


def test_damage_beyond_the_first_slice_is_found(node: Node) -> None:
    grow(node, 5_000)
    with node.env.write() as store:
        delete("files", files.file_key(8, FileName("demo-1.0-0500.zip")))(store)  # moves all slices
        delete("files", files.file_key(8, FileName("demo-1.0-4321.zip")))(store)
        flip("links", link_key(7, WHEEL_SHA256, FileName("demo-1.0-3000.zip")))(store)
        put("files", files.file_key(8, FileName("demo-1.0-4000.zipx")), b"x")(store)
    report = check(node)
    assert [(finding.subject.split()[0], finding.message) for finding in report.findings] == [
        ("files", "the row is missing"),
        ("files", "no entry made this row"),
        ("files", "the row is missing"),
        ("links", "the row is not what the entries say"),
    ]


def test_one_flipped_entry_among_thousands_is_the_only_finding(node: Node) -> None:
    grow(node, 5_000)
    with node.env.write() as store:
        flip("entries", serial_key(3_333))(store)
    (finding,) = check(node).findings
    assert (finding.kind, finding.subject) == (Kind.ENTRY, "3333")


def test_only_the_first_findings_of_a_kind_are_kept_and_all_are_counted(node: Node) -> None:
    grow(node, 1_000)
    with node.env.write() as store:
        store.clear("links")
    report = check(node)
    assert len(report.findings) == 100
    assert report.counts[Kind.VIEW] == 1_004


def grow(node: Node, count: int) -> None:
    """Upload *count* files that all have the bytes of the wheel."""
    for first in range(0, count, 1_000):
        numbers = range(first, min(first + 1_000, count))
        node.commit(*(sample.upload(f"demo-1.0-{number:04}.zip", sample.WHEEL_BYTES) for number in numbers))


def test_commits_during_the_check_are_no_findings(node: Node) -> None:
    grow(node, 3_000)
    ended = threading.Event()
    committing = threading.Thread(target=keep_committing, args=(node, ended))
    committing.start()
    try:
        begun = log_size(node)
        reports = [check_running(node) for _ in range(4)]
        assert log_size(node) > begun + 4
    finally:
        ended.set()
        committing.join()
    assert [finding for report in reports for finding in report.findings] == []


def log_size(node: Node) -> int:
    with node.env.read() as store:
        return log.head(store).size


def keep_committing(node: Node, ended: threading.Event) -> None:
    """Upload and yank files, change a profile, so that rows and records come and go."""
    for number in itertools.count():
        if ended.is_set():
            return
        data = b"%d" % number
        node.store_blob(data)
        name = FileName(f"demo-2-{number}.zip")
        record = new_record(data)
        uploaded = sample.upload(name, data)
        yanked = FileYanked(sample.DEV_INCARNATION, sample.DEMO, sample.ONE, name, "")
        changed = ProfileChanged(sample.ALICE, record.commitment)
        node.commit(uploaded, yanked, changed, records=(record,))


def test_files_that_come_and_go_during_the_check_are_no_findings_of_damage(node: Node) -> None:
    ended = threading.Event()

    def churn() -> None:
        while not ended.is_set():
            node.store_blob(b"fleeting")
            node.blobs.path(sha256(b"fleeting")).unlink()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        reports = [check(node) for _ in range(10)]
    finally:
        ended.set()
        thread.join()
    assert all(report.clean for report in reports)
