"""Hypothesis strategies for random histories: wishes that one small world of names can have."""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import cast

from attrs import evolve, frozen
from hypothesis import strategies as st

from changelog.codec import Event
from changelog.errors import Conflict, LedgerpiError, NotFound
from changelog.events.documentation import DocumentationDeleted, DocumentationUploaded
from changelog.events.files import FileAction, FileDeleted, FileHistoryCarried, FileUnyanked, FileUploaded, FileYanked
from changelog.events.indexes import IndexCreated, IndexDeleted, IndexModified, IndexTextsChanged
from changelog.events.projects import (
    ProjectDeleted,
    ProjectStatusSet,
    ReleaseDeleted,
    ReleaseRegistered,
)
from changelog.events.results import TestResultUploaded
from changelog.events.tokens import TokenCreated, TokenKeySet, TokenRevoked
from changelog.events.upstream import (
    MirroredFile,
    MirrorFileFetched,
    MirrorHashAccepted,
    MirrorHashChanged,
    MirrorMetadataFetched,
    MirrorPageChanged,
)
from changelog.events.users import PasswordSet, ProfileChanged, UserCreated, UserDeleted
from changelog.names import FileName, IndexName, ProjectName, UserName, Version
from changelog.records import NONE, SALT_BYTES, Record
from changelog.tables import LmdbStore, Store
from changelog.views import documentation, files, indexes, projects, tokens, upstream, users
from changelog.views.page import Status
from changelog.writer import Already, Decision, Proposal
from tests.nodes import Folding, Node, uploaded

USERS = tuple(map(UserName, ("alice", "bob")))
INDEXES = tuple(map(IndexName, ("alice/dev", "alice/prod", "bob/dev")))
PROJECTS = tuple(map(ProjectName, ("demo", "demo-extra")))
MIRRORED = ProjectName("mirrored")
VERSIONS = tuple(map(Version, ("1.0", "1.0.1", "2.0")))
CONTENTS = (b"first bytes", b"second bytes")
METADATA = (b"Name: one\n", b"Name: two\n")
CANARY = b"only members of the cluster may read this"


@frozen
class Wish:
    """What somebody wants, in a world so small that wishes meet."""

    op: str
    user: UserName
    index: IndexName
    project: ProjectName
    version: Version
    wheel: bool
    content: bytes
    metadata: bytes  # b"" = none
    bases: tuple[IndexName, ...]
    mirror: bool
    volatile: bool
    status: Status
    number: int  # makes private records differ

    @property
    def filename(self) -> FileName:
        """The file that it is about."""
        ending = "-py3-none-any.whl" if self.wheel else ".tar.gz"
        return FileName(f"{self.project.replace('-', '_')}-{self.version}{ending}")

    @property
    def record(self) -> Record:
        """A private record, which differs between any two wishes with other numbers."""
        salt = sha256(f"{self.op} {self.number}".encode()).digest()[:SALT_BYTES]
        return Record(salt, CANARY + str(self.number).encode())

    @property
    def proposal(self) -> Proposal:
        """The wish as the writer takes it."""
        contents = ((sha256(self.metadata).digest(), self.metadata),) if self.metadata else ()
        records = (self.record,) if self.op in WITH_RECORDS else ()
        return Proposal(lambda store: OPS[self.op](store, self), self.user, records, contents)


def _create_user(store: Store, wish: Wish) -> Decision:
    if users.find(store, wish.user) is not None:
        raise Conflict(wish.user)
    return [UserCreated(wish.user, wish.record.commitment)]


def _change_profile(store: Store, wish: Wish) -> Decision:
    _user(store, wish)
    return [ProfileChanged(wish.user, wish.record.commitment)]


def _set_password(store: Store, wish: Wish) -> Decision:
    _user(store, wish)
    return [PasswordSet(wish.user, wish.record.commitment)]


def _delete_user(store: Store, wish: Wish) -> Decision:
    _user(store, wish)
    owned = [IndexDeleted(name) for name, _ in indexes.of_user(store, wish.user)]
    return [*owned, *_revoked(store, wish), UserDeleted(wish.user)]


def _create_token(store: Store, wish: Wish) -> Decision:
    _user(store, wish)
    token, secret = f"token{wish.number}", b"" if wish.volatile else sha256(wish.content).digest()
    limits = (("upload",) if wish.wheel else (), wish.bases, (wish.project,), wish.number, 0)
    return [TokenCreated(token, wish.user, secret, *limits, wish.record.commitment)]


def _revoke_tokens(store: Store, wish: Wish) -> Decision:
    return _revoked(store, wish)


def _revoked(store: Store, wish: Wish) -> list[Event]:
    _user(store, wish)
    owner = users.find(store, wish.user)
    owned = [] if owner is None else tokens.of_user(store, owner.incarnation)
    return [TokenRevoked(token) for token, _ in owned]


def _set_token_key(_: Store, wish: Wish) -> Decision:
    return [TokenKeySet(wish.record.commitment)]


def _create_index(store: Store, wish: Wish) -> Decision:
    if indexes.find(store, wish.index) is not None:
        raise Conflict(wish.index)
    kind = "mirror" if wish.mirror else "stage"
    return [IndexCreated(wish.index, kind, (("bases", wish.bases),), wish.record.commitment)]


def _modify_index(store: Store, wish: Wish) -> Decision:
    _index(store, wish)
    if wish.volatile:
        return [IndexModified(wish.index, (("bases", wish.bases),), ("volatile",))]
    return [IndexModified(wish.index, (("bases", wish.bases), ("volatile", False)), ())]


def _change_texts(store: Store, wish: Wish) -> Decision:
    _index(store, wish)
    return [IndexTextsChanged(wish.index, wish.record.commitment)]


def _delete_index(store: Store, wish: Wish) -> Decision:
    _index(store, wish)
    return [IndexDeleted(wish.index)]


def _register(store: Store, wish: Wish) -> Decision:
    digest = wish.metadata and sha256(wish.metadata).digest()
    return [ReleaseRegistered(_index(store, wish), wish.project, wish.version, digest)]


def _upload(store: Store, wish: Wish) -> Decision:
    event = uploaded(_index(store, wish), wish.filename, wish.content, wish.metadata)
    return [evolve(event, project=wish.project, version=wish.version)]


def _delete_file(store: Store, wish: Wish) -> Decision:
    return [FileDeleted(_file(store, wish), wish.project, wish.version, wish.filename)]


def _yank(store: Store, wish: Wish) -> Decision:
    incarnation = _file(store, wish)
    reason = f"reason {wish.number}"
    return [FileYanked(incarnation, wish.project, wish.version, wish.filename, reason)]


def _unyank(store: Store, wish: Wish) -> Decision:
    return [FileUnyanked(_file(store, wish), wish.project, wish.version, wish.filename)]


def _document(store: Store, wish: Wish) -> Decision:
    index, digest = _index(store, wish), sha256(wish.content).digest()
    return [DocumentationUploaded(index, wish.project, wish.version, len(wish.content), digest, wish.number, wish.user)]


def _delete_documentation(store: Store, wish: Wish) -> Decision:
    index = _index(store, wish)
    if documentation.find(store, index, wish.project, wish.version) is None:
        raise NotFound(wish.version)
    return [DocumentationDeleted(index, wish.project, wish.version)]


def _test(store: Store, wish: Wish) -> Decision:
    where = (_file(store, wish), wish.project, wish.version)
    name = FileName(f"{wish.filename}.toxresult-{wish.number}")
    digest, size = sha256(wish.content).digest(), len(wish.content)
    tested = TestResultUploaded(*where, wish.filename, name, size, digest, wish.number, wish.user)
    carried = FileHistoryCarried(*where, name, (FileAction("upload", wish.user, wish.number, "", wish.index, 0),))
    return [tested, carried] if wish.volatile else [tested]


def _carry(store: Store, wish: Wish) -> Decision:
    (event,) = cast("list[FileUploaded]", _upload(store, wish))
    actions = (
        FileAction("upload", wish.user, wish.number, "", wish.index, 0),
        FileAction("push", wish.user, wish.number + 1, wish.index, wish.index, 0),
    )
    return [event, FileHistoryCarried(event.index, wish.project, wish.version, wish.filename, actions)]


def _delete_release(store: Store, wish: Wish) -> Decision:
    incarnation = _index(store, wish)
    project = projects.find(store, incarnation, wish.project)
    if project is None or projects.find_release(store, project.incarnation, wish.version) is None:
        raise NotFound(wish.version)
    return [ReleaseDeleted(incarnation, wish.project, wish.version)]


def _delete_project(store: Store, wish: Wish) -> Decision:
    return [ProjectDeleted(_project(store, wish), wish.project)]


def _set_status(store: Store, wish: Wish) -> Decision:
    return [ProjectStatusSet(_project(store, wish), wish.project, wish.status.value, "why")]


def _change_page(store: Store, wish: Wish) -> Decision:
    index = _index(store, wish)
    digest = sha256(wish.content).digest()
    file = MirroredFile(
        filename=wish.filename,
        version=wish.version,
        url="files/",
        sha256=digest if wish.volatile else b"",
        hashes=(("md5", "00"),) if wish.mirror else (),
        size=wish.number if wish.wheel else None,
        upload_time=None if wish.mirror else wish.number,
        requires_python=">=3.9",
        yanked="broken" if wish.volatile else None,
        core_metadata=(wish.metadata and sha256(wish.metadata).digest()) or None,
        provenance="",
    )
    there = upstream.files(store, index, MIRRORED) if isinstance(store, LmdbStore) else {}
    removed = tuple(name for name in there if name != wish.filename)[:1]
    return [MirrorPageChanged(index, MIRRORED, wish.status.value, "why", f"../{wish.number}/", (file,), removed)]


def _fetch(store: Store, wish: Wish) -> Decision:
    index, digest = _index(store, wish), sha256(wish.content).digest()
    metadata = wish.metadata and sha256(wish.metadata).digest()
    if metadata and wish.mirror:
        return [MirrorMetadataFetched(index, MIRRORED, wish.filename, metadata)]
    size = len(wish.content)
    return [MirrorFileFetched(index, MIRRORED, wish.filename, size, digest, metadata, completes=wish.volatile)]


def _claim(store: Store, wish: Wish) -> Decision:
    index, digest = _index(store, wish), sha256(wish.content).digest()
    if wish.volatile:
        return [MirrorHashAccepted(index, MIRRORED, wish.filename, digest)]
    return [MirrorHashChanged(index, MIRRORED, wish.filename, digest, sha256(digest).digest())]


def _user(store: Store, wish: Wish) -> None:
    if users.find(store, wish.user) is None:
        raise NotFound(wish.user)


def _index(store: Store, wish: Wish) -> int:
    row = indexes.find(store, wish.index)
    if row is None:
        raise NotFound(wish.index)
    return row.incarnation


def _project(store: Store, wish: Wish) -> int:
    incarnation = _index(store, wish)
    if projects.find(store, incarnation, wish.project) is None:
        raise NotFound(wish.project)
    return incarnation


def _file(store: Store, wish: Wish) -> int:
    incarnation = _index(store, wish)
    if files.find(store, incarnation, wish.project, wish.version, wish.filename) is None:
        raise NotFound(wish.filename)
    return incarnation


OPS: dict[str, Callable[[Store, Wish], Decision]] = {
    "upload": _upload,
    "create index": _create_index,
    "register": _register,
    "yank": _yank,
    "unyank": _unyank,
    "delete file": _delete_file,
    "document": _document,
    "delete documentation": _delete_documentation,
    "test": _test,
    "carry": _carry,
    "delete release": _delete_release,
    "delete project": _delete_project,
    "set status": _set_status,
    "change page": _change_page,
    "fetch": _fetch,
    "claim": _claim,
    "modify index": _modify_index,
    "change texts": _change_texts,
    "delete index": _delete_index,
    "create user": _create_user,
    "change profile": _change_profile,
    "set password": _set_password,
    "delete user": _delete_user,
    "create token": _create_token,
    "revoke tokens": _revoke_tokens,
    "set token key": _set_token_key,
}
WITH_RECORDS = {
    "create user",
    "change profile",
    "set password",
    "create index",
    "change texts",
    "create token",
    "set token key",
}
OFTEN = ("upload", "upload", "upload", "create index")  # so that most wishes find something there


def wishes() -> st.SearchStrategy[Wish]:
    """Any wish."""
    return st.builds(
        Wish,
        op=st.sampled_from((*OFTEN, *OPS)),
        user=st.sampled_from(USERS),
        index=st.sampled_from(INDEXES),
        project=st.sampled_from(PROJECTS),
        version=st.sampled_from(VERSIONS),
        wheel=st.booleans(),
        content=st.sampled_from(CONTENTS),
        metadata=st.sampled_from((b"", *METADATA)),
        bases=st.lists(st.sampled_from(INDEXES), max_size=3).map(tuple),
        mirror=st.booleans(),
        volatile=st.booleans(),
        status=st.sampled_from(Status),
        number=st.integers(0, 1 << 40),
    )


def histories(max_size: int = 40) -> st.SearchStrategy[list[Wish]]:
    """Wishes in order, for a node where ``WORLD`` is settled; no two have the same number."""
    return st.lists(wishes(), max_size=max_size, unique_by=lambda wish: wish.number)


WORLD: tuple[Event, ...] = (
    *(UserCreated(user, NONE) for user in USERS),
    IndexCreated(INDEXES[0], "stage", (("bases", (INDEXES[1], INDEXES[2])),), NONE),
    IndexCreated(INDEXES[1], "stage", (("bases", (INDEXES[2],)),), NONE),
    IndexCreated(INDEXES[2], "stage", (), NONE),
)


def settle(opened: Node) -> None:
    """Let a node hold the world that histories begin in."""
    for content in CONTENTS:
        opened.store_blob(content)
    opened.commit(*WORLD)


def play(folding: Folding, history: Iterable[Wish]) -> list[Event]:
    """Fold what *history* comes to, without a log, and return the events."""
    events = list(WORLD)
    folding.add(*WORLD)
    for wish in history:
        try:
            decision = OPS[wish.op](folding.store, wish)
        except LedgerpiError:
            continue
        assert not isinstance(decision, Already)
        folding.add(*decision)
        events += decision
    return events
