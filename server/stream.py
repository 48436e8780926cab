"""What a changelog stream consists of (``docs/design/replication.md``): msgpack frames behind a 4 byte length."""

import zlib

from attrs import frozen

from changelog import log
from changelog.copying import Batch, Known
from changelog.errors import InvalidEntry, InvalidForm
from changelog.packing import Packing, packb, unpackb
from changelog.tables import Store
from server.wire import MAX_FRAME, Frame, framed

CONTENT_TYPE = "application/vnd.ledgerpi.changelog"
HEARTBEAT_S = 5.0  # between two words for the head while nothing is committed
BATCH = "batch"  # entries with what they name, and a signed head
DEFLATED = "deflated"  # the same as zlib packs it (RFC 1950)
ALIVE = "alive"  # the primary's signed word for its head
BEHIND, DIVERGED, STRANGE = "behind", "diverged", "origin"  # why there is no stream

SMALL = 1_024  # bytes; deflating fewer saves little
MAX_RATIO = 40  # of what is unpacked to what came; entries of uploads are mostly digests and make 1.8
LEVEL = 1  # of zlib: 0.56 of the bytes for 7 us an entry; level 6 makes it 0.55 for 11 us

_BATCHES = Packing(Batch)


@frozen
class Cursor:
    """Where a copy of the log ends."""

    origin: str
    at: Known  # size 0 = the copy is empty

    @property
    def query(self) -> dict[str, str]:
        """The query of a request for what follows."""
        return {"origin": self.origin, "size": str(self.at.size), "root": self.at.root.hex()}


def cursor(query: "dict[str, str]") -> Cursor:
    """Return the cursor that the *query* of a request says.

    Raises:
        InvalidForm: it says none.
    """
    size, root = query.get("size", ""), query.get("root", "")
    try:
        raw = bytes.fromhex(root)
    except ValueError as error:
        raise InvalidForm(f"not a root in hex: {root[:100]!a}") from error
    if not (size.isascii() and size.isdigit() and len(size) < 19) or len(raw) != 32:  # noqa: PLR2004 - 2**63; SHA-256
        raise InvalidForm(f"not a cursor: size {size[:100]!a}, root {root[:100]!a}")
    return Cursor(query.get("origin", ""), Known(int(size), raw))


def cursor_of(store: Store, origin: str) -> Cursor:
    """Return where the log of *store* ends."""
    head = log.head(store)
    return Cursor(origin, Known(head.size, head.root))


def batch_frame(batch: Batch, *, deflated: bool = False) -> bytes:
    """Return the frame of a batch; one that is small, or so alike that it would look like a bomb, is not *deflated*."""
    raw = packb(_BATCHES.plain(batch)) if deflated else b""
    packed = zlib.compress(raw, LEVEL) if len(raw) >= SMALL else b""
    if packed and len(raw) <= _most(packed):
        return framed(DEFLATED, packed)
    return framed(BATCH, *_BATCHES.plain(batch))


def alive_frame(vouched: bytes) -> bytes:
    """Return the frame of a word for a head, as :mod:`changelog.vouching` made it."""
    return framed(ALIVE, vouched)


def read_frame(frame: Frame) -> Batch | bytes:
    """Return the batch, or the word for a head, in *frame*.

    Raises:
        InvalidEntry: it is neither.
    """
    kind, *items = frame
    if kind == BATCH:
        return _BATCHES.value(items)
    if kind == DEFLATED and len(items) == 1 and isinstance(items[0], bytes):
        return _inflated(items[0])
    if kind == ALIVE and len(items) == 1 and isinstance(items[0], bytes):
        return items[0]
    raise InvalidEntry(f"not a frame of a changelog stream: {kind!r:.100}")


def _most(packed: bytes) -> int:
    """Return how many bytes *packed* may be unpacked to."""
    return min(MAX_FRAME, MAX_RATIO * len(packed) + SMALL)


def _inflated(packed: bytes) -> Batch:
    unpacking = zlib.decompressobj()
    most = _most(packed)
    try:
        raw = unpacking.decompress(packed, most)
    except zlib.error as error:
        raise InvalidEntry(f"a batch that can not be unpacked: {error}") from error
    if not unpacking.eof:
        raise InvalidEntry(f"a batch of over {most} bytes, or not a whole one")
    plain = unpackb(raw)
    return _BATCHES.value(plain if isinstance(plain, tuple) else ())
