"""What a distribution file contains, and whether it is the distribution that its name says."""

import os
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from changelog.errors import InvalidArchive
from server.archives.bounds import CHUNK
from server.archives.lenient import find_metadata
from server.archives.sdist import metadata_of_tar_sdist, metadata_of_zip_sdist
from server.archives.wheel import metadata_of_wheel
from server.filenames import Distribution, archive_extension
from server.metadata import CoreMetadata, parse_core


@frozen
class Inspected:
    """What an upload takes from the archive."""

    metadata: bytes | None  # METADATA or PKG-INFO, exactly the member's bytes; None if not found
    core: CoreMetadata | None  # the same, parsed; judged where strict


def inspect(path: Path, distribution: Distribution, *, strict: bool) -> Inspected:
    """Read the archive at *path* and return its metadata.

    *strict* refuses what ``docs/design/archives.md`` lists; otherwise nothing is refused. Blocks:
    where *strict*, it reads and unpacks the whole file, in a few MiB beside the members' names.

    Raises:
        InvalidArchive: *strict*, and the file is not what its name says, or readers could
            disagree about it.
        OSError: *path* can not be read.
    """
    with path.open("rb", buffering=CHUNK) as file:
        size = os.fstat(file.fileno()).st_size
        if strict:
            return Inspected(*_checked(file, size, distribution))
        raw = find_metadata(file, size, distribution.filename)
        return Inspected(raw, None if raw is None else parse_core(raw, strict=False))


def _checked(file: BinaryIO, size: int, distribution: Distribution) -> tuple[bytes, CoreMetadata]:
    match distribution.filetype, archive_extension(distribution.filename):
        case "bdist_wheel", ".whl":
            return metadata_of_wheel(file, size, distribution)
        case "sdist", ".tar.gz":
            return metadata_of_tar_sdist(file, size, distribution)
        case "sdist", ".zip":
            return metadata_of_zip_sdist(file, size, distribution)
    raise InvalidArchive(f"{distribution.filename!r} is neither a wheel nor an sdist")
