"""A small node with one of everything that a check looks at."""

from collections.abc import Sequence
from hashlib import sha256 as hash_of
from pathlib import Path

from attrs import define, evolve

from changelog.blobs import Blobs
from changelog.env import Env
from changelog.events.files import FileUploaded
from changelog.events.indexes import IndexCreated
from changelog.events.users import PasswordSet, UserCreated
from changelog.fold import VIEW_TABLES
from changelog.names import FileName, IndexName, ProjectName, UserName, Version
from changelog.records import new_record
from changelog.tables import Store
from changelog.views.cluster import epoch_of
from changelog.writer import Committed, Decision, Proposal
from server.layout import Layout
from tests import nodes

ALICE = UserName("alice")
DEV = IndexName("alice/dev")
DEV_INCARNATION = 7
DEMO = ProjectName("demo")
ONE = Version("1.0")
WHEEL = FileName("demo-1.0-py3-none-any.whl")
WHEEL_BYTES = b"wheel" * 1_000
METADATA = b"Metadata-Version: 2.4\nName: demo\n"
RECORDS = [new_record(word) for word in (b"profile", b"secret hash", b"texts")]
MAP_SIZE = 1 << 28  # bytes


def sha256(data: bytes) -> bytes:
    return hash_of(data).digest()


def upload(filename: str, data: bytes, metadata: bytes = b"") -> FileUploaded:
    """Return an upload into release 1.0 of demo, whatever the file name says."""
    event = nodes.uploaded(DEV_INCARNATION, WHEEL, data, metadata)
    return evolve(event, filename=FileName(filename))


@define
class Node(nodes.Node):
    @property
    def layout(self) -> Layout:
        return Layout(self.folder)

    def commit_with(self, metadata: bytes, events: Sequence[FileUploaded]) -> None:
        """Commit *events* together with small contents."""

        def decide(_: Store) -> Decision:
            return events

        contents = ((sha256(metadata), metadata),)
        (outcome,) = self.propose(Proposal(decide, ALICE, contents=contents))
        assert isinstance(outcome, Committed), outcome


def make(folder: Path) -> Node:
    """Return an open node of 11 entries, the last three of one command."""
    layout = Layout(folder)
    for path in (layout.changelog, layout.spool, layout.run):
        path.mkdir(parents=True)
    env = Env(layout.changelog, VIEW_TABLES, readonly=False, map_size=MAP_SIZE, durable=False)
    node = Node(folder, env, Blobs(layout.blobs))
    node.blobs.create()
    profile, password, texts = (record.commitment for record in RECORDS)
    first = [
        *nodes.FIRST_EVENTS,
        UserCreated(ALICE, profile),
        PasswordSet(ALICE, password),
        IndexCreated(DEV, "stage", (("volatile", False),), texts),
    ]
    node.writer.create(first, RECORDS, epoch_of(1, 1))
    large = [b"large %d" % number * 5_000 for number in range(3)]
    for data in (WHEEL_BYTES, *large):
        node.store_blob(data)
    node.commit_with(METADATA, [upload(WHEEL, WHEEL_BYTES, METADATA)])
    node.commit(*(upload(f"demo-1.0-{data[6]}-py3-none-any.whl", data) for data in large))
    return node
