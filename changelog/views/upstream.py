"""What mirrors know of their upstreams' pages: which entries make up the page of a project.

The entries themselves are the store: a page is read from them, so that a fold writes one row for each entry however
many files it has, and what a page was at any serial is read the same way.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from attrs import frozen

from changelog import log
from changelog.codec import Stamp
from changelog.events.upstream import MirroredFile, MirrorPageChanged
from changelog.names import FileName, IndexName, ProjectName, Sha256
from changelog.packing import unpackb
from changelog.tables import Store, Table, key_serial, serial_key
from changelog.views import fetched, serials
from changelog.views.fetched import Fetched
from changelog.views.page import PageFile, Status

ENTRIES = "mirror_entries"  # keys alone: index incarnation, project, a zero byte, serial
LOCATION_BYTES = 8  # in the paths of files without a digest
SMALL = 4_096  # bytes of entries of a page that is read in no time
EVENT = 7  # where an entry has its event's fields
BASE, FILES, REMOVED = 4, 5, 6  # fields of MirrorPageChanged


@frozen
class MirrorPage:
    """A project of a mirror; index incarnation and name are the key."""

    since: int
    status: Status
    reason: str


PAGES = Table("mirror_pages", MirrorPage)

Files = dict[FileName, MirroredFile]  # with whole URL references


def on_mirror_page_changed(store: Store, event: MirrorPageChanged, stamp: Stamp) -> None:
    """Note the entry, and what it says of the project."""
    key = project_key(event.index, event.project)
    PAGES.put(store, key, MirrorPage(stamp.serial, Status(event.status), event.reason))
    store.put(ENTRIES, key + b"\0" + serial_key(stamp.serial), b"")
    serials.touch_project(store, event.index, event.project, stamp.serial)


def find(store: Store, index: int, project: ProjectName) -> MirrorPage | None:
    """Return the project of the mirror with incarnation *index*, None if no page of it was ever taken."""
    return PAGES.get(store, project_key(index, project))


def names(store: Store, index: int) -> Iterator[ProjectName]:
    """Yield the names of the projects whose pages the mirror has, sorted."""
    for key, _ in store.scan(PAGES.name, serial_key(index)):
        yield ProjectName(key[8:].decode())


def files(store: Store, index: int, project: ProjectName) -> Files:
    """Return the files of upstream's page, in the order in which they were first seen."""
    page: Files = {}
    prefix = project_key(index, project) + b"\0"
    for key, _ in store.scan(ENTRIES, prefix):
        serial = key_serial(key)
        raw = log.entry(store, serial)
        if raw is None:
            raise LookupError(f"the views speak of an entry that is not there: {serial}")
        _apply(page, unpackb(raw)[EVENT])
    return page


def is_small(store: Store, index: int, project: ProjectName) -> bool:
    """Return whether the entries of a page have no more than SMALL bytes together: some twenty files."""
    size = 0
    for key, _ in store.scan(ENTRIES, project_key(index, project) + b"\0"):
        size += len(log.entry(store, key_serial(key)) or b"")
        if size > SMALL:
            return False
    return True


def page_files(store: Store, name: IndexName, index: int, project: ProjectName) -> Iterator[PageFile]:
    """Yield what a simple page shows of the mirror's files; what upstream does not say is added once it was fetched."""
    known = fetched.of_project(store, index, project)
    for file in files(store, index, project).values():
        yield page_file(name, file, known.get(file.filename, fetched.NOTHING))


def page_file(name: IndexName, file: MirroredFile, got: Fetched) -> PageFile:
    """Return what a simple page of the mirror *name* shows of a file."""
    size = got.size if file.size is None and got.sha256 else file.size
    metadata = file.core_metadata
    if metadata is None and got.metadata and got.sha256:
        metadata = got.metadata  # made from the wheel
    return PageFile(
        filename=file.filename,
        index=name,
        version=file.version,
        sha256=Sha256(file.sha256 or got.sha256),
        size=size,
        upload_time=file.upload_time,
        requires_python=file.requires_python,
        yanked=file.yanked,
        core_metadata=None if metadata is None else Sha256(metadata),
        location="" if file.sha256 else location(file),
        hashes=file.hashes,
        provenance=file.provenance,
    )


def location(file: MirroredFile) -> str:
    """Return the path of a file whose digest upstream does not say: ``+e/<16 hex>/<filename>``."""
    return f"+e/{location_digest(file).hex()}/{file.filename}"


def location_digest(file: MirroredFile) -> bytes:
    """Return the 8 bytes that stand for a file without a digest."""
    return sha256((file.url or file.filename).encode()).digest()[:LOCATION_BYTES]


def project_key(index: int, project: ProjectName) -> bytes:
    """Return the key of a project."""
    return serial_key(index) + project.encode()


def _apply(page: Files, fields: tuple[Any, ...]) -> None:
    base = fields[BASE]
    for filename, version, url, *rest in fields[FILES]:
        page[filename] = MirroredFile(filename, version, reference(base, url, filename), *rest)
    for filename in fields[REMOVED]:
        page.pop(filename, None)


def reference(base: str, url: str, filename: str) -> str:
    """Return the URL reference of a file in an event; "" = none is said."""
    if not url:
        return ""
    return f"{base}{url}{filename}" if url[-1] == "/" else base + url
