"""Blobs that entries name: which of them a replica keeps, and which it can do without."""

from collections.abc import Iterable, Iterator
from itertools import islice

from attrs import frozen

from changelog import holdings, log
from changelog.blobs import Blobs
from changelog.codec import Event, decode
from changelog.events.documentation import DocumentationUploaded
from changelog.events.files import FileUploaded
from changelog.events.projects import ReleaseRegistered
from changelog.events.results import TestResultUploaded
from changelog.events.upstream import MirrorFileFetched, MirrorMetadataFetched
from changelog.tables import Store
from changelog.views import digests, documentation, fetched, files, indexes, projects, results
from replica.config import ALL

KINDS = (digests.BLOB, digests.METADATA, digests.CACHED)


@frozen
class Named:
    """A blob, and an entry that names it."""

    digest: bytes  # SHA-256
    kind: bytes  # one of KINDS
    size: int  # bytes, 0 = not said
    serial: int  # of the entry


@frozen
class Looked:
    """What some entries name that is wanted here."""

    last: int  # serial of the last of the entries
    wanted: int  # blobs that no earlier entry wanted
    missing: tuple[Named, ...]  # blobs that are not here, or have another size


class Selection:
    """The blobs that are fetched before anybody asks."""

    def __init__(self, names: Iterable[str], *, cached: bool = True) -> None:
        """Take what entries name about the indexes *names*, or about all of them; files of mirrors if *cached*."""
        self._names = frozenset(names)
        self._cached = cached
        self.key = (*sorted(self._names), *(["+cached"] if cached else []))  # no index has such a name

    def look(self, store: Store, blobs: Blobs, after: int, at_most: int) -> Looked:
        """Return what up to *at_most* entries behind entry *after* want; blocking."""
        last, wanted, missing = after, 0, []
        for serial, raw in islice(log.entries(store, after + 1), at_most):
            last = serial
            for named in self._wanted(store, serial, raw):
                wanted += self._is_first(store, named)
                if not blobs.has(named.digest, named.size or None):
                    missing.append(named)
        return Looked(last, wanted, tuple(missing))

    def _wanted(self, store: Store, serial: int, raw: bytes) -> Iterator[Named]:
        event, _ = decode(raw, serial)
        if not isinstance(event, holdings.WITH_BYTES) or not self._takes(store, event.index):
            return
        blob = holdings.blob(event)
        if blob is not None and (blob.uploaded or self._cached):
            yield Named(blob.sha256, digests.BLOB if blob.uploaded else digests.CACHED, blob.size, serial)
        document = holdings.metadata(event)
        if document and store.get("contents", document) is None:
            yield Named(document, digests.METADATA, 0, serial)

    def _takes(self, store: Store, incarnation: int) -> bool:
        if ALL in self._names:
            return True
        life = indexes.life(store, incarnation)
        return life is not None and life.index in self._names

    def _is_first(self, store: Store, named: Named) -> bool:
        """Return whether no earlier entry wanted the blob."""
        rows = (digests.DIGESTS.get(store, kind + named.digest) for kind in KINDS)
        first = min((row.since for row in rows if row is not None), default=named.serial)
        if first >= named.serial:
            return True
        raw = log.entry(store, first) or b""
        return all(named.digest != earlier.digest for earlier in self._wanted(store, first, raw))


def is_needed(store: Store, named: Named) -> bool:
    """Return whether something that is there now has the blob, and no upstream can give it again."""
    raw = log.entry(store, named.serial)
    if named.kind == digests.CACHED or raw is None:
        return False
    event, _ = decode(raw, named.serial)
    life = indexes.life(store, event.index)
    return life is not None and not life.until and named.digest in set(_there(store, event))


def _there(store: Store, event: Event) -> Iterator[bytes]:
    """Yield the digests of what is now where *event* put something."""
    if isinstance(event, MirrorFileFetched | MirrorMetadataFetched):
        yield (fetched.find(store, event.index, event.project, event.filename) or fetched.NOTHING).metadata
    if not isinstance(event, (*holdings.UPLOADS, ReleaseRegistered)):
        return
    project = projects.find(store, event.index, event.project)
    release = None if project is None else projects.find_release(store, project.incarnation, event.version)
    if release is None:
        return
    yield release.metadata
    row: files.File | documentation.Documentation | results.Result | None = None
    if isinstance(event, FileUploaded):
        row = file = files.find(store, event.index, event.project, event.version, event.filename)
        yield b"" if file is None else file.metadata
    elif isinstance(event, DocumentationUploaded):
        row = documentation.of_release(store, release.incarnation)
    elif isinstance(event, TestResultUploaded):
        row = results.find(store, release.incarnation, event.name)
    yield b"" if row is None else row.sha256
