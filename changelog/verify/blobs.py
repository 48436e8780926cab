"""Blobs: what the log names must be there, whole."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from attrs import frozen

from changelog.blobs import Blobs, file_digest
from changelog.verify.report import Kind, Progress, Report
from changelog.verify.source import after
from changelog.verify.views import Copy
from changelog.views import digests

STAGE = "blobs"
THREADS = 2  # that hash: one reads while the other computes; more would slow down a running node
BATCH = 64  # blobs


@frozen
class Named:
    """Bytes that the log names."""

    key: bytes  # kind and digest: the key in the table of digests
    size: int  # bytes, 0 = not said

    @property
    def digest(self) -> bytes:
        """SHA-256."""
        return self.key[1:]

    @property
    def may_be_missing(self) -> bool:
        """Whether they can be fetched again, so that only wrong bytes are a fault."""
        return self.key[:1] == digests.CACHED

    @property
    def is_metadata(self) -> bool:
        """Whether they are core metadata, which lie in a table when they are small."""
        return self.key[:1] == digests.METADATA


def check(copy: Copy, blobs: Blobs, report: Report, progress: Progress) -> None:
    """Hash every blob that the log names."""
    with copy.env.read() as folded:
        total = folded.count(digests.DIGESTS.name)
    done = 0
    progress(STAGE, done, total)
    with ThreadPoolExecutor(THREADS, "verify") as pool:
        for batch in _batches(copy):
            wanted = _without_small_contents(copy, batch)
            faults = pool.map(lambda named: _fault(blobs, named), wanted)
            for named, fault in zip(wanted, faults, strict=True):
                if fault and _still_named(copy, named):
                    kind = Kind.CONTENT if named.is_metadata else Kind.BLOB
                    report.add(kind, named.digest.hex(), fault)
            report.checked[STAGE] += len(wanted)
            done += len(batch)
            progress(STAGE, done, max(done, total))


def _batches(copy: Copy) -> Iterator[list[Named]]:
    start: bytes | None = b""
    while start is not None:
        with copy.env.read() as folded:
            rows = list(islice(digests.DIGESTS.scan(folded, start=start), BATCH))
        start = after(rows, BATCH)
        yield [Named(key, row.size) for key, row in rows]


def _without_small_contents(copy: Copy, batch: list[Named]) -> list[Named]:
    """Leave out core metadata that lie in a table, where they were checked."""
    with copy.beside() as (stored, _):
        return [named for named in batch if not named.is_metadata or stored.get("contents", named.digest) is None]


def _fault(blobs: Blobs, named: Named) -> str | None:
    try:
        with blobs.path(named.digest).open("rb") as file:
            digest = file_digest(file)
            size = file.tell()
    except FileNotFoundError:
        if named.may_be_missing:
            return None
        return "the content is missing" if named.is_metadata else "the blob is missing"
    except OSError as error:
        return f"the blob can not be read: {error.strerror}"
    if named.size and size != named.size:
        return f"the blob has {size} bytes, not {named.size}"
    return None if digest == named.digest else "the blob has other bytes than its name says"


def _still_named(copy: Copy, named: Named) -> bool:
    """Return whether the log names the bytes now; the writer may have removed them meanwhile."""
    with copy.beside() as (_, folded):
        return folded.get(digests.DIGESTS.name, named.key) is not None
