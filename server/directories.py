"""What is in zip files with documentation: read once, kept for the next page of the same documentation."""

from collections import OrderedDict

from changelog.blobs import Blobs
from server.archives.bounds import CHUNK
from server.archives.documentation import Directory, read_directory
from server.executors import for_reading

MAX_FILES = 50_000  # remembered, of all documentation together; one alone may have more


class Directories:
    """The directories that one worker read last."""

    def __init__(self, blobs: Blobs) -> None:
        """Begin with none."""
        self._blobs = blobs
        self._kept: OrderedDict[bytes, Directory] = OrderedDict()
        self._files = 0

    async def of(self, digest: bytes, size: int) -> Directory:
        """Return what the blob *digest* of *size* bytes holds.

        Raises:
            InvalidArchive: it is no zip file, or a name in it leads out.
        """
        found = self._kept.get(digest)
        if found is not None:
            self._kept.move_to_end(digest)
            return found
        found = await for_reading(self._read, digest, size)
        if digest not in self._kept:
            self._kept[digest] = found
            self._files += len(found.files)
        while self._files > MAX_FILES and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._files -= len(oldest.files)
        return found

    def _read(self, digest: bytes, size: int) -> Directory:
        with self._blobs.path(digest).open("rb", buffering=CHUNK) as file:
            return read_directory(file, size)
