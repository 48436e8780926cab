"""Uploads under way: files in a folder of this process, written and hashed while they stream in."""

import asyncio
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from changelog.errors import StorageFull

BATCH_BYTES = 256 << 10  # below, writing and hashing (about 1 ms) is cheaper here than in a thread
_THREADS = 2
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
MODE = 0o640  # a front server of the group may send blobs, once the folders above let it in


@frozen
class Digests:
    """What was written: bytes and raw digests."""

    size: int
    sha256: bytes
    blake2b_256: bytes
    md5: bytes  # a name the field still uses, no protection


class Spool:
    """A folder of uploads under way, on the file system of the blobs so that a rename publishes.

    The folder belongs to one process: :meth:`clear` takes all that is there for what a crash left.
    It is made when first needed, so that a start needs no disk space.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="spool")

    def create(self) -> "SpooledFile":
        """Return a new empty file with a random name.

        Raises:
            StorageFull: no space for it.
        """
        path, descriptor = self._created()
        return SpooledFile(path, descriptor, self._executor)

    def write(self, content: bytes, *, synced: bool = False) -> Path:
        """Return a new file that holds *content*; blocking, *synced* to the disk or not.

        Raises:
            StorageFull: no space for it; no file is left.
        """
        path, descriptor = self._created()
        try:
            with full_disk_named():
                _write(descriptor, content)
                if synced:
                    os.fsync(descriptor)
        except BaseException:
            path.unlink()
            raise
        finally:
            os.close(descriptor)
        return path

    def _created(self) -> tuple[Path, int]:
        """Return a new empty file and its descriptor."""
        path = self._folder / secrets.token_hex(16)
        with full_disk_named():
            try:
                return path, os.open(path, _CREATE, MODE)
            except FileNotFoundError:
                self._folder.mkdir(0o700, parents=True, exist_ok=True)
                return path, os.open(path, _CREATE, MODE)

    def clear(self) -> int:
        """Remove every file of the folder and return how many; call it before the first upload."""
        left = list(self._folder.iterdir()) if self._folder.is_dir() else []
        for path in left:
            path.unlink()
        return len(left)

    def close(self) -> None:
        """End the threads; waits for the batch each is writing."""
        self._executor.shutdown()


class SpooledFile:
    """A file that grows: pieces are gathered to batches, a thread writes and hashes one at a time.

    Memory is at most two batches and one piece. Not for two tasks at once.
    """

    def __init__(self, path: Path, descriptor: int, executor: ThreadPoolExecutor) -> None:
        self.path = path
        self.size = 0  # bytes added
        self.descriptor = descriptor
        self._executor = executor
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._running: Future[None] | None = None
        self._sha256 = hashlib.sha256()
        self._blake2b = hashlib.blake2b(digest_size=32)
        self._md5 = hashlib.md5(usedforsecurity=False)

    def add(self, piece: bytes) -> None:
        """Append *piece*; call :meth:`drain` after every chunk that was received."""
        self._batch.append(piece)
        self._batch_bytes += len(piece)
        self.size += len(piece)

    async def drain(self) -> None:
        """Hand a full batch to a thread, as soon as the one before is written.

        Raises:
            StorageFull: no space for that one.
        """
        if self._batch_bytes >= BATCH_BYTES:
            await self._written()
            self._running = self._executor.submit(self._write, self._taken())

    async def finish(self) -> Digests:
        """Write the rest, close the file and return what it holds; it is not synced to the disk.

        Raises:
            StorageFull: no space for it.
        """
        if self._running is None and self._batch_bytes < BATCH_BYTES:
            self._write(self._taken())
        else:
            await self._written()
            self._running = self._executor.submit(self._write, self._taken())
            await self._written()
        self._close()
        return Digests(self.size, self._sha256.digest(), self._blake2b.digest(), self._md5.digest())

    def discard(self) -> None:
        """Remove the file unless it was renamed away; a thread may still be writing to it."""
        self.path.unlink(missing_ok=True)
        if self._running is None:
            self._close()
        else:  # closed now, the thread could write to whatever file gets the number next
            self._running.add_done_callback(lambda _: self._close())

    async def _written(self) -> None:
        if self._running is not None:
            await asyncio.wrap_future(self._running)
            self._running = None

    def _taken(self) -> list[bytes]:
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        return batch

    def _write(self, batch: list[bytes]) -> None:
        content = b"".join(batch)
        with full_disk_named():
            _write(self.descriptor, content)
        for digest in (self._sha256, self._blake2b, self._md5):
            digest.update(content)

    def _close(self) -> None:
        if self.descriptor >= 0:
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextmanager
def full_disk_named() -> Iterator[None]:
    """Raise StorageFull where the system says that no space or quota is left."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(f"no space for the upload: {error.strerror}") from error
        raise
