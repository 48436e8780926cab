"""A small real node in a folder: environment, blobs and writer with a clock that the test sets."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b, md5, sha256
from pathlib import Path

from attrs import define, evolve, field, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog import checkpoint, log
from changelog.blobs import Blobs
from changelog.codec import Event, Stamp, decode
from changelog.env import VIEW_SETS, Env
from changelog.events.cluster import LogCreated, MemberAdded, PrimaryChanged
from changelog.events.files import FileUploaded
from changelog.events.users import UserCreated
from changelog.fold import VIEW_TABLES, fold
from changelog.names import FileName, IndexName, ProjectName, UserName, Version
from changelog.records import NONE, Record
from changelog.tables import MemoryStore, Store
from changelog.views import cluster, voting
from changelog.writer import Committed, Keys, Outcome, Proposal, Writer

ORIGIN = "ledgerpi/test"
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = LOG_KEY.public_key().public_bytes_raw()
BEGIN = 1_700_000_000_000_000  # microseconds: what the clock of a new node shows
SMALL_MAP = 8 << 20  # bytes

Rows = dict[str, list[tuple[bytes, bytes]]]

FIRST_EVENTS: tuple[Event, ...] = (
    LogCreated(ORIGIN, PUBLIC),
    MemberAdded("n1", 1, "", PUBLIC, voter=True, may_promote=True),
    PrimaryChanged(1, 0, 0, sha256().digest()),
    UserCreated(UserName("root"), NONE),
)


@define
class Clock:
    """Shows what it was set to, and goes on by *step* with every look."""

    now: int = BEGIN
    step: int = 0

    def __call__(self) -> int:
        """Return microseconds since 1970."""
        self.now += self.step
        return self.now


@define
class Node:
    """An open node."""

    folder: Path
    env: Env
    blobs: Blobs
    clock: Clock = field(factory=Clock)

    @property
    def writer(self) -> Writer:
        """A writer; it has no state of its own."""
        return Writer(self.env, self.blobs, Keys(LOG_KEY, LOG_KEY), self.clock)

    def propose(self, *proposals: Proposal) -> list[Outcome]:
        """Carry out *proposals* in one group."""
        return self.writer.commit(proposals)

    def commit(self, *events: Event, actor: str = "alice", records: Sequence[Record] = ()) -> int:
        """Commit *events* as one command and return the first serial."""
        (outcome,) = self.propose(Proposal(lambda _: events, actor, tuple(records)))
        assert isinstance(outcome, Committed), outcome
        return outcome.first

    def store_blob(self, content: bytes) -> bytes:
        """Publish *content* and return its digest."""
        spooled = self.folder / "spooled"
        spooled.write_bytes(content)
        digest = sha256(content).digest()
        self.blobs.publish(spooled, digest)
        return digest

    def entries(self) -> list[bytes]:
        """Return the bytes of all entries."""
        with self.env.read() as store:
            return [raw for _, raw in log.entries(store)]

    def views(self) -> Rows:
        """Return every row of the served views."""
        with self.env.read() as store:
            return rows(store)

    def close(self) -> None:
        """Close the environment."""
        self.env.close()


@contextmanager
def node(folder: Path, *, map_size: int = SMALL_MAP, durable: bool = False) -> Iterator[Node]:
    """Make a node in *folder*, or open the one that is there."""
    new = not (folder / "changelog").exists()
    (folder / "changelog").mkdir(parents=True, exist_ok=True)
    blobs = Blobs(folder / "blobs")
    env = Env(folder / "changelog", VIEW_TABLES, readonly=False, map_size=map_size, durable=durable)
    opened = Node(folder, env, blobs)
    try:
        if new:
            blobs.create()
            opened.writer.create(FIRST_EVENTS, (), cluster.epoch_of(1, 1))
        yield opened
        check(opened)
    finally:
        opened.close()


def check(opened: Node) -> None:
    """Check that log, tree, head and views of a node agree."""
    with opened.env.read() as store:
        head = log.head(store)
        raws = [raw for _, raw in log.entries(store)]
        assert head.size == len(raws)
        assert head.root == log.root(store, head.size)
        note = checkpoint.verify(head.checkpoint, {ORIGIN: PUBLIC})
        assert (note.origin, note.root) == (ORIGIN, log.root(store, note.size))
        assert note.size == head.size or (voting.required(store) and note.size < head.size)
        assert rows(store) == rows(refolded(raws))


def refolded(raws: Sequence[bytes]) -> MemoryStore:
    """Return the views of *raws*, folded from nothing."""
    memory = MemoryStore()
    for serial, raw in enumerate(raws, 1):
        fold(memory, *decode(raw, serial))
    return memory


def rows(store: Store) -> Rows:
    """Return every row of the views in *store*."""
    return {table: list(store.scan(table)) for table in VIEW_TABLES}


def everything(env: Env) -> Rows:
    """Return every row of every table, both sets of views."""
    with env.read() as store:
        found: Rows = {}
        for letter in VIEW_SETS:
            view = env.view_set(store, letter)
            found |= {f"{letter}.{table}": list(view.scan(table)) for table in VIEW_TABLES}
        for table in ("entries", "nodes", "meta", "records", "contents"):
            found[table] = list(store.scan(table))
        return found


@frozen
class Folding:
    """Views in memory, to which a test adds events."""

    store: MemoryStore = field(factory=MemoryStore)
    serials: list[int] = field(factory=lambda: [0])

    def add(self, *events: Event) -> int:
        """Fold *events* and return the last serial."""
        for event in events:
            self.serials.append(self.serials[-1] + 1)
            serial = self.serials[-1]
            fold(self.store, event, Stamp(serial, 1025, BEGIN + serial, "alice", 0))
        return self.serials[-1]


def uploaded(
    index: int,
    filename: str = "demo-1.0-py3-none-any.whl",
    content: bytes = b"wheel",
    metadata: bytes = b"",
) -> FileUploaded:
    """Return the event of an upload; project and version are in the file name."""
    project, version = filename.split("-")[:2]
    return FileUploaded(
        index=index,
        project=ProjectName(project),
        version=Version(version.removesuffix(".tar.gz")),
        filename=FileName(filename),
        size=len(content),
        sha256=sha256(content).digest(),
        blake2b_256=blake2b(content, digest_size=32).digest(),
        md5=md5(content, usedforsecurity=False).digest(),
        metadata=metadata and sha256(metadata).digest(),
        requires_python=">=3.11",
        filetype="bdist_wheel" if filename.endswith(".whl") else "sdist",
        pyversion="py3" if filename.endswith(".whl") else "source",
        upload_time=BEGIN,
        uploader=UserName("alice"),
    )


def spelled(event: FileUploaded, version: str) -> FileUploaded:
    """Return *event* for another spelling of the version."""
    return evolve(event, version=Version(version))


def index(text: str) -> IndexName:
    """Return *text*, which is an index name."""
    return IndexName(text)
