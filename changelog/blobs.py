"""Blobs: files named by the SHA-256 of their bytes, durable before any entry names them."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path

from changelog.errors import BlobDamaged

FOLDERS = tuple(f"{number:02x}" for number in range(256))
CHUNK = 1 << 20  # bytes
SMALL_CONTENT = 16 * 1024  # bytes; derived content below this lies in the table ``contents``

Share = Callable[[Callable[[str], None], Sequence[str]], None]  # does one thing with each item, side by side


class Blobs:
    """The folder of blobs, 256 sub-folders by the first byte of the digest."""

    def __init__(self, folder: Path) -> None:
        """Use *folder*, which :meth:`create` made."""
        self.folder = folder
        self._folder = os.fspath(folder)  # plain text: paths are made for every upload

    def create(self) -> None:
        """Make the folders, durably."""
        for name in FOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        sync_folder(self.folder)
        sync_folder(self.folder.parent)

    def path(self, digest: bytes) -> Path:
        """Return where the blob is, if it is there."""
        return Path(self._name(digest))

    @staticmethod
    def relative(digest: bytes) -> str:
        """Return where a blob is below the folder."""
        name = digest.hex()
        return f"{name[:2]}/{name}"

    def _name(self, digest: bytes) -> str:
        return f"{self._folder}/{self.relative(digest)}"

    def publish(self, spooled: Path, digest: bytes) -> None:
        """Make the complete file *spooled* the blob *digest*, durably; on the same file system.

        It replaces a file of that name, which has the same bytes or is damaged. A crash leaves a
        spooled file or an unnamed blob, which ``verify --repair`` removes.
        """
        sync_file(spooled)  # first the bytes: a name without them would be an empty file after a power cut
        self.publish_synced(spooled, digest)

    def publish_synced(self, spooled: Path, digest: bytes) -> None:
        """As :meth:`publish`, of a file that :func:`sync_file` was called for since it was written."""
        target = self._name(digest)
        os.replace(spooled, target)
        sync_folder(os.path.dirname(target))  # then the name: only now may an entry speak of it

    def publish_all_synced(self, spooled: Sequence[tuple[Path, bytes]], share: Share) -> None:
        """As :meth:`publish_synced`, of several files with their digests.

        The folders are synced by *share*, side by side: many such waits at a time cost the disk hardly more than one.
        """
        targets = [self._name(digest) for _, digest in spooled]
        for (path, _), target in zip(spooled, targets, strict=True):
            os.replace(path, target)
        share(sync_folder, sorted({os.path.dirname(target) for target in targets}))

    def has(self, digest: bytes, size: int | None = None) -> bool:
        """Return whether the blob is there, with *size* bytes if that is known."""
        try:
            found = os.stat(self._name(digest)).st_size
        except FileNotFoundError:
            return False
        return size is None or found == size

    def remove(self, digest: bytes, settled_s: float = 0.0) -> bool:
        """Remove a blob that can be had again, unless it was written less than *settled_s* seconds ago.

        Return whether it is gone. Only the process that writes the log may call this, between commits.
        """
        name = self._name(digest)
        try:
            if time.time() - os.stat(name).st_ctime < settled_s:
                return False
            os.unlink(name)
        except FileNotFoundError:
            pass
        return True

    def read(self, digest: bytes) -> bytes:
        """Return the bytes of a blob that fits into memory, checked.

        Raises:
            BlobDamaged: it is missing, can not be read, or its bytes have another digest.
        """
        try:
            content = self.path(digest).read_bytes()
        except OSError as error:
            raise _unreadable(digest, error) from error
        if hashlib.sha256(content).digest() != digest:
            raise BlobDamaged(f"blob {digest.hex()} has other bytes than its name says")
        return content

    def check(self, digest: bytes) -> None:
        """Read the whole blob.

        Raises:
            BlobDamaged: it is missing, can not be read, or its bytes have another digest.
        """
        try:
            with self.path(digest).open("rb") as file:
                found = file_digest(file)
        except OSError as error:
            raise _unreadable(digest, error) from error
        if found != digest:
            raise BlobDamaged(f"blob {digest.hex()} has other bytes than its name says")

    def names(self) -> Iterator[tuple[Path, bytes | None]]:
        """Yield every file with the digest that its name says, None if it says none."""
        for folder in FOLDERS:
            for path in sorted((self.folder / folder).iterdir()):
                yield path, _digest_of(path.name)


def file_digest(file: BufferedReader) -> bytes:
    """Return the SHA-256 of the rest of *file*."""
    return hashlib.file_digest(file, "sha256").digest()


def sync_file(path: Path) -> None:
    """Make the bytes of a file durable, not its name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path | str) -> None:
    """Make the names in *folder* durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unreadable(digest: bytes, error: OSError) -> BlobDamaged:
    fault = "is missing" if isinstance(error, FileNotFoundError) else f"can not be read: {error.strerror}"
    return BlobDamaged(f"blob {digest.hex()} {fault}")


def _digest_of(name: str) -> bytes | None:
    try:
        digest = bytes.fromhex(name)
    except ValueError:
        return None
    return digest if len(digest) == hashlib.sha256().digest_size and digest.hex() == name else None
