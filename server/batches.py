"""Batches as the streams of one worker send them; one that several followers want is read and packed once."""

from attrs import frozen

from changelog import copying, log
from changelog.copying import MAX_BATCH_BYTES
from changelog.reader import Reader
from server.executors import for_reading
from server.stream import batch_frame

MOST_KEPT = 64  # frames
FEW = 20  # entries that are read between other tasks


@frozen
class Wish:
    """How a follower wants batches."""

    most: int = MAX_BATCH_BYTES  # bytes of entries; where a link breaks often, fewer arrive whole
    deflated: bool = False


@frozen
class Next:
    """The next batch, as it is sent."""

    frame: bytes  # b"" = there is none yet
    last: int  # serial of its last entry
    seen: int  # how many entries the log has


class Batches:
    """Reads batches."""

    def __init__(self, reader: Reader) -> None:
        """Read them by snapshots of *reader*."""
        self._reader = reader
        self._size = 0  # of the log when what is kept was read
        self._kept: dict[tuple[int, Wish], Next] = {}

    async def next(self, after: int, wish: Wish) -> Next:
        """Return what follows entry *after*."""
        size = self._reader.head().size
        if size - after > FEW:
            return await for_reading(self._read, after, wish)
        if size != self._size:
            self._kept.clear()
        found = self._kept.get((after, wish))
        if found is None:
            found = self._read(after, wish)
            if found.seen == size and len(self._kept) < MOST_KEPT:
                self._size = size
                self._kept[after, wish] = found
        return found

    def _read(self, after: int, wish: Wish) -> Next:
        with self._reader.snapshot() as store:
            batch, size = copying.read_batch(store, after, most=wish.most), log.head(store).size
        if batch is None:
            return Next(b"", after, size)
        return Next(batch_frame(batch, deflated=wish.deflated), batch.last, size)
