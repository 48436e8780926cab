"""Damaged files and databases: never wrong bytes with a 200, and ``ledgerpi verify`` finds the damage."""

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from attrs import frozen

from changelog import log
from changelog.fold import VIEW_TABLES
from changelog.reader import Reader
from server.layout import Layout
from tests.crash.client import NO_ANSWER, Client, Wheel, wheel
from tests.processes import LEDGERPI, Node, new_node

PATCHES = Path(__file__).with_name("failpoints")
SMALL, LARGE = wheel("alpha", "1.0", b"small"), wheel("alpha", "1.1", random.Random(1).randbytes(300_000))  # noqa: S311
OTHER = wheel("alpha", "1.2", random.Random(2).randbytes(300_000))  # noqa: S311 - as large as LARGE
VERIFY_S = 60.0
NEEDED_ROWS = 6  # tables of views that hold something in this node
ROUNDS = 30 if os.environ.get("LEDGERPI_TEST_FULL") == "1" else 3
BYTES = (1, 4, 40)  # damaged in a round
METADATA = ".metadata"


@frozen
class Damaged:
    """A node with three files, of which a test damages one."""

    node: Node
    layout: Layout

    def blob(self, file: Wheel) -> Path:
        """Return where the bytes of *file* lie."""
        return self.layout.blobs / file.sha256[:2] / file.sha256

    def verify(self) -> "subprocess.CompletedProcess[str]":
        """Run ``ledgerpi verify``."""
        command = [str(LEDGERPI), "verify", "--serverdir", str(self.layout.serverdir)]
        return subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_S, check=False)

    @property
    def database(self) -> Path:
        """The file of the changelog."""
        return self.layout.data_file


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Damaged]:
    """Yield a whole node, at rest; tests take copies of it."""
    node = new_node(tmp_path_factory.mktemp("origin"), workers=1).start()
    client = Client(node.url)
    try:
        for file in (SMALL, LARGE, OTHER):
            assert client.upload(file).status == 200
        client.close()
        node.stop()
        yield Damaged(node, Layout(node.serverdir))
    finally:
        node.kill()


@pytest.fixture(scope="module")
def running(origin: Damaged, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Damaged]:
    """Yield a running copy without root's right to read every file; every test damages a file of its own."""
    serverdir = tmp_path_factory.mktemp("running") / "node"
    _copy(origin, serverdir)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(PATCHES))
        environment.setenv("LEDGERPI_TEST_NO_CAPABILITIES", "1")
        node = Node(serverdir, workers=1).start()
        try:
            yield Damaged(node, Layout(serverdir))
        finally:
            node.kill()


@pytest.fixture
def copy(origin: Damaged, tmp_path: Path) -> Iterator[Damaged]:
    """Yield a copy that does not run."""
    _copy(origin, tmp_path / "node")
    node = Node(tmp_path / "node", workers=1)
    yield Damaged(node, Layout(node.serverdir))
    node.kill()


def flip(blob: Path) -> None:
    _flip(blob, blob.stat().st_size // 2)


def flip_unseen(blob: Path) -> None:
    before = blob.stat()
    flip(blob)
    os.utime(blob, ns=(before.st_atime_ns, before.st_mtime_ns))


def truncate(blob: Path) -> None:
    os.truncate(blob, blob.stat().st_size - 1)


def empty(blob: Path) -> None:
    os.truncate(blob, 0)


def remove(blob: Path) -> None:
    blob.unlink()


def make_folder(blob: Path) -> None:
    blob.unlink()
    blob.mkdir()


def forbid(blob: Path) -> None:
    blob.chmod(0)


def put_another(blob: Path) -> None:
    folder = blob.parents[1]
    shutil.copyfile(folder / OTHER.sha256[:2] / OTHER.sha256, blob)


BLOB_FAULTS = (flip, flip_unseen, truncate, empty, remove, make_folder, forbid, put_another)


@pytest.mark.parametrize("served_before", [False, True], ids=["new", "known"])
@pytest.mark.parametrize("size", [100, 300_000], ids=["small", "large"])
@pytest.mark.parametrize("damage", BLOB_FAULTS)
def test_a_damaged_blob_is_never_sent(
    damage: Callable[[Path], None], size: int, running: Damaged, *, served_before: bool
) -> None:
    file = wheel("beta", f"{BLOB_FAULTS.index(damage)}.{size}.{int(served_before)}", os.urandom(size))
    client = Client(running.node.url)
    assert client.upload(file).status == 200
    for _ in range(2 * served_before):
        assert client.get(file.path).body == file.content
    damage(running.blob(file))
    for _ in range(2):
        answer = client.get(file.path)
        if answer.status != 500:
            assert (answer.status, answer.body) == (200, file.content)  # from memory
            assert served_before
    assert client.get(OTHER.path).body == OTHER.content
    client.close()


@pytest.mark.parametrize("damage", [fault for fault in BLOB_FAULTS if fault is not forbid])
def test_verify_finds_a_damaged_blob(damage: Callable[[Path], None], copy: Damaged) -> None:
    damage(copy.blob(LARGE))
    found = copy.verify()
    assert found.returncode == 1, found
    assert LARGE.sha256 in found.stdout


def test_verify_finds_swapped_blobs(copy: Damaged) -> None:
    one, other = copy.blob(LARGE), copy.blob(OTHER)
    one.rename(one.with_suffix(".away"))
    other.rename(one)
    one.with_suffix(".away").rename(other)
    found = copy.verify()
    assert found.returncode == 1
    assert {LARGE.sha256, OTHER.sha256} <= set(found.stdout.replace(":", "").split())


def test_verify_finds_a_damaged_entry(copy: Damaged) -> None:
    reader = Reader(copy.layout.changelog)
    with reader.snapshot() as store:
        entries = dict(log.entries(store))
    reader.close()
    _flip_all(copy.database, entries[len(entries)], -3)
    found = copy.verify()
    assert found.returncode == 1, found
    assert "entry: " in found.stdout


@pytest.mark.parametrize("table", VIEW_TABLES)
def test_verify_finds_a_damaged_row(table: str, origin: Damaged, tmp_path: Path) -> None:
    row = _last_row(origin, table)
    if row is None:
        return  # this node has none
    _copy(origin, tmp_path / "node")
    copy = Damaged(origin.node, Layout(tmp_path / "node"))
    _flip_all(copy.database, row, -1)
    found = copy.verify()
    assert found.returncode == 1, found
    assert "view: " in found.stdout


def test_most_tables_of_views_have_a_row_to_damage(origin: Damaged) -> None:
    assert sum(_last_row(origin, table) is not None for table in VIEW_TABLES) >= NEEDED_ROWS


def test_damaged_metadata_are_not_sent(copy: Damaged) -> None:
    for value in _values(copy, "contents"):
        _flip_all(copy.database, value, len(value) // 2)
    client = Client(copy.node.start().url)
    assert client.get(SMALL.path + METADATA).status == 500
    client.close()
    assert copy.verify().returncode == 1


@pytest.mark.parametrize("key", ["log.key", "node.key"])
@pytest.mark.parametrize("damage", [truncate, remove])
def test_a_node_with_a_damaged_key_takes_no_writes(damage: Callable[[Path], None], key: str, copy: Damaged) -> None:
    damage(copy.layout.keys / key)
    with pytest.raises(RuntimeError):
        copy.node.start()


def test_random_damage_to_the_database_never_makes_a_node_send_wrong_bytes(copy: Damaged) -> None:
    chance, whole = random.Random(7), copy.database.read_bytes()  # noqa: S311 - it chooses bytes
    used = [place for place, byte in enumerate(whole) if byte]
    for number in range(ROUNDS):
        copy.database.write_bytes(whole)
        for place in chance.sample(used, BYTES[number % len(BYTES)]):
            _flip(copy.database, place)
        assert copy.verify().returncode in {0, 1}  # 0: no byte that counts was hit
        _check_never_wrong(copy.node)


def _check_never_wrong(node: Node) -> None:
    """Ask for all files; the node may refuse, break off or not even start."""
    try:
        node.start()
    except RuntimeError:
        return
    for file in (SMALL, LARGE, OTHER):
        client = Client(node.url)
        with suppress(*NO_ANSWER):
            answer = client.get(file.path)
            assert answer.status != 200 or answer.body == file.content
        client.close()
    node.kill()


def _copy(origin: Damaged, serverdir: Path) -> None:
    """Copy a data folder as a backup does, without what lives in ``run``."""
    shutil.copytree(origin.layout.serverdir, serverdir, ignore=shutil.ignore_patterns("*.sock"))


def _flip(path: Path, place: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes((byte ^ 0x10,)))


def _flip_all(database: Path, value: bytes, place: int) -> None:
    """Change the byte at *place* of *value* wherever the file has it: LMDB keeps old pages for a while."""
    whole = database.read_bytes()
    assert value in whole
    at = place % len(value)
    database.write_bytes(whole.replace(value, value[:at] + bytes((value[at] ^ 0x10,)) + value[at + 1 :]))


def _last_row(damaged: Damaged, table: str) -> bytes | None:
    """Return a key and value as they lie beside each other in a page."""
    rows = _rows(damaged, table)
    return b"".join(rows[-1]) if rows else None


def _values(damaged: Damaged, table: str) -> list[bytes]:
    return [value for _, value in _rows(damaged, table)]


def _rows(damaged: Damaged, table: str) -> list[tuple[bytes, bytes]]:
    reader = Reader(damaged.layout.changelog)
    with reader.snapshot() as store:
        rows = list(store.scan(table))
    reader.close()
    return rows
