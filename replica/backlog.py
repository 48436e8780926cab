"""What a replica has yet to fetch, and how far it has looked at the log: kept so that a start looks at little.

It is the node's own, and can be lost at any time: then all blobs are looked at again.
"""

from collections.abc import Iterable
from pathlib import Path

from attrs import evolve, frozen

from changelog import log
from changelog.env import ScratchEnv, translated
from changelog.tables import Store, Table
from replica.named import Looked, Named

MAP_SIZE = 64 << 30  # bytes of address space
ONLY = b"0"  # key of the table with one row


@frozen
class Progress:
    """How far the log was looked at."""

    selection: tuple[str, ...]  # what was wanted then
    size: int  # entries
    root: bytes  # of these entries
    wanted: int  # blobs that they want


@frozen
class Missing:
    """A blob that is not here yet; its SHA-256 is the key."""

    kind: bytes
    size: int  # bytes, 0 = not said
    serial: int


PROGRESS = Table("progress", Progress)
MISSING = Table("missing", Missing)
ABSENT = "absent"  # SHA-256 of what was wanted, and neither is needed now nor was to be had


class Backlog:
    """The open tables; one process has them."""

    def __init__(self, folder: Path, selection: tuple[str, ...], store: Store) -> None:
        """Go on from where the last process was, or anew if it had another *selection* or another log than *store*."""
        self._folder = folder
        self._env = ScratchEnv(folder, (PROGRESS.name, MISSING.name, ABSENT), readonly=False, map_size=MAP_SIZE)
        with self._env.read() as local:
            before = PROGRESS.get(local, ONLY)
        if before is not None and before.selection == selection and _is_of(before, store):
            self.progress = before
            return
        self.progress = Progress(selection, 0, b"", 0)
        with self._env.write() as local:
            local.clear(MISSING.name)
            local.clear(ABSENT)
            PROGRESS.put(local, ONLY, self.progress)

    def missing(self) -> list[Named]:
        """Return what was missing when the last process ended."""
        with self._env.read() as local:
            return [Named(digest, row.kind, row.size, row.serial) for digest, row in MISSING.scan(local)]

    def looked(self, looked: Looked, root: bytes) -> None:
        """Note what entries want; *root* is that of the log up to the last of them.

        Raises:
            StorageFull: no space; nothing was noted.
        """
        wanted = self.progress.wanted + looked.wanted
        progress = evolve(self.progress, size=looked.last, root=root, wanted=wanted)
        with translated(self._folder), self._env.write() as local:
            PROGRESS.put(local, ONLY, progress)
            for named in looked.missing:
                MISSING.put(local, named.digest, Missing(named.kind, named.size, named.serial))
                local.delete(ABSENT, named.digest)
        self.progress = progress

    def remove(self, digests: Iterable[bytes], *, is_here: bool) -> None:
        """Note that blobs are not missing any more: they came, or are not needed and not to be had.

        Raises:
            StorageFull: no space; nothing was noted.
        """
        with translated(self._folder), self._env.write() as local:
            for digest in digests:
                local.delete(MISSING.name, digest)
                if not is_here:
                    local.put(ABSENT, digest, b"")

    def absent(self) -> int:
        """Return how many blobs were wanted that are neither needed nor to be had."""
        with self._env.read() as local:
            return local.count(ABSENT)

    def close(self) -> None:
        """Close the tables, and let them outlive a restart of the machine."""
        self._env.sync()
        self._env.close()


def _is_of(progress: Progress, store: Store) -> bool:
    if progress.size > log.head(store).size:
        return False
    return not progress.size or log.root(store, progress.size) == progress.root
