"""Stranded tails: entries of a primary that no successor has, with all that they name, in a folder of their own.

``stranded/EPOCH-FIRST-LAST/`` has ``tail``, which is one packed :class:`Tail`, and ``blobs/SHA-256`` for the files that
are here. It is made whole, synced, and then gets its name.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from changelog import holdings, log
from changelog.blobs import Blobs, sync_folder
from changelog.codec import decode
from changelog.errors import Damaged, InvalidEntry, NotFound
from changelog.packing import Packing, unpackb
from changelog.tables import Store
from changelog.views import cluster
from changelog.views.cluster import shown_epoch
from server.layout import Layout

FOLDER = "stranded"


@frozen
class Tail:
    """The end of a log that was left."""

    origin: str
    after: int  # entries that the log kept
    root: bytes  # 32 bytes: of these
    entries: tuple[bytes, ...]
    records: tuple[bytes, ...]  # private records as stored
    contents: tuple[tuple[bytes, bytes], ...]  # digest, and value of the table ``contents``


_TAILS = Packing(Tail)


def bundle(layout: Layout, store: Store, after: int) -> Path:
    """Put the entries behind *after* and what they name into a folder, durably, and return it."""
    raws = [raw for _, raw in log.entries(store, after + 1)]
    events = [decode(raw, serial)[0] for serial, raw in enumerate(raws, after + 1)]
    records = {store.get("records", holdings.commitment(event)) for event in events if holdings.commitment(event)}
    digests = dict.fromkeys(holdings.metadata(event) for event in events if holdings.metadata(event))
    small = [(digest, store.get("contents", digest)) for digest in digests]
    tail = Tail(
        cluster.origin(store).origin,
        after,
        log.root(store, after),
        tuple(raws),
        tuple(record for record in records if record is not None),
        tuple((digest, value) for digest, value in small if value is not None),
    )
    making = layout.serverdir / FOLDER / "new"
    shutil.rmtree(making, ignore_errors=True)
    for folder in (making.parent, making, making / "blobs"):
        folder.mkdir(mode=0o700, exist_ok=True)
    _keep_blobs(Blobs(layout.blobs), making / "blobs", [*_uploads(events), *digests])
    descriptor = os.open(making / "tail", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # private records are in it
    with os.fdopen(descriptor, "wb") as file:
        file.write(_TAILS.pack(tail))
        file.flush()
        os.fsync(file.fileno())
    for folder in (making / "blobs", making):
        sync_folder(folder)
    first, last = after + 1, after + len(raws)
    named = making.with_name(f"{shown_epoch(log.head(store).epoch)}-{first}-{last}")
    shutil.rmtree(named, ignore_errors=True)  # the same, from before a crash
    making.rename(named)
    sync_folder(named.parent)
    sync_folder(layout.serverdir)
    return named


def names(layout: Layout) -> list[str]:
    """Return the names of all bundles, in order."""
    folder = layout.serverdir / FOLDER
    return sorted(path.name for path in folder.glob("*-*-*")) if folder.exists() else []


def read(layout: Layout, name: str) -> Tail:
    """Return a bundle.

    Raises:
        NotFound: there is none of that name.
        Damaged: it can not be read.
    """
    if name not in names(layout):
        raise NotFound(f"no stranded tail {name!r} in {layout.serverdir}")
    try:
        plain = unpackb((layout.serverdir / FOLDER / name / "tail").read_bytes())
        return _TAILS.value(plain if isinstance(plain, tuple) else ())
    except (InvalidEntry, OSError) as error:
        raise Damaged(f"the stranded tail {name} can not be read: {error}") from error


def blobs(layout: Layout, name: str) -> set[str]:
    """Return the SHA-256 of the files in a bundle."""
    return {path.name for path in (layout.serverdir / FOLDER / name / "blobs").iterdir()}


def _uploads(events: list[object]) -> Iterator[bytes]:
    for event in events:
        blob = holdings.blob(event)
        if blob is not None and blob.uploaded:
            yield blob.sha256


def _keep_blobs(there: Blobs, folder: Path, digests: list[bytes]) -> None:
    """Give files a second name, so that they stay when nothing else names them."""
    for digest in digests:
        if there.has(digest):
            (folder / digest.hex()).hardlink_to(there.path(digest))
