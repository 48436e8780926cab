"""Taking files of a dump into the blobs, in processes of its own: each is read once, for all that has to be known."""

import contextlib
import errno
import hashlib
import io
import itertools
import os
import shutil
import stat
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from attrs import frozen

from changelog.blobs import Blobs
from changelog.contents import is_small
from changelog.errors import InvalidInput
from ops.devpi.described import Described, described
from ops.devpi.parked import DOCS, RESULT, Release
from ops.devpi.released import Registered, Said, decoded, fields_of, registered, said_of
from server.archives.lenient import find_metadata
from server.form_metadata import document

CHUNK = 1 << 20  # bytes
AT_ONCE = 4 << 20  # bytes; larger files are read piece by piece
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # no link, and nothing that blocks
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FATAL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE})  # no fault of the file
_MORE = frozenset({"sha512", "sha384", "sha224", "sha1", "sha3_256", "sha3_512"})  # digests besides those that we keep


@frozen
class Place:
    """Where files come from and go to."""

    dump: str
    blobs: str
    spool: str
    hard_links: bool


class Taken(NamedTuple):
    """A file whose bytes are a blob now, not yet durable."""

    what: Described
    size: int
    sha256: bytes
    blake2b_256: bytes
    md5: bytes
    metadata: bytes  # digest of the core metadata document, b"" = none
    small: bytes  # the document itself if it is small
    is_verified: bool  # the dump had a digest of the file


class Refusal(NamedTuple):
    """A file that was not taken."""

    relpath: str
    reason: str


class TakenRelease(NamedTuple):
    """A release as it can be written down."""

    release: Release  # without its parts
    registered: Registered
    files: tuple[Taken, ...]
    docs: tuple[Taken, ...]
    results: tuple[Taken, ...]
    refused: tuple[Refusal, ...]


class _Digests:
    """The digests of a file, taken together."""

    def __init__(self, more: Collection[str], content: bytes = b"") -> None:
        self.sha256, self.blake2b = hashlib.sha256(content), hashlib.blake2b(content, digest_size=32)
        self.md5 = hashlib.md5(content, usedforsecurity=False)
        self.others = {name: hashlib.new(name, content, usedforsecurity=False) for name in _MORE.intersection(more)}

    def update(self, piece: bytes) -> None:
        self.sha256.update(piece)
        self.blake2b.update(piece)
        self.md5.update(piece)
        for other in self.others.values():
            other.update(piece)

    def verify(self, said: Mapping[str, str]) -> bool:
        """Return whether *said* has digests of kinds that were taken.

        Raises:
            InvalidInput: one of them is another.
        """
        taken = {"sha256": self.sha256, "md5": self.md5, **self.others}
        known = said.keys() & taken.keys()
        for name in known:
            if said[name] != (found := taken[name].hexdigest()):
                raise InvalidInput(f"the {name} digest is {found}, not {said[name]} as the dump says")
        return bool(known)


_Paths = tuple[str, str]  # in the dump, in the spool
_numbers = itertools.count()


def take(place: Place, releases: list[Release]) -> list[TakenRelease]:
    """Take the files of *releases*; what can not be taken is refused, one by one."""
    return [_take_release(place, release) for release in releases]


def _take_release(place: Place, release: Release) -> TakenRelease:
    said, refused = said_of(release), list[Refusal]()
    files, docs, results = (
        tuple([taken for desc in descs if (taken := _attempt(place, desc, said, refused)) is not None])
        for descs in (release.files, release.docs, release.results)
    )
    name = Release(release.number, release.project, release.version)
    found = registered(release, said, _document(place, files[-1]) if files else b"")
    if not is_small(found.document):
        _publish(place, found.document, found.metadata)
    return TakenRelease(name, found, files, docs, results, tuple(refused))


def _attempt(place: Place, raw: bytes, said: Said, refused: list[Refusal]) -> Taken | None:
    desc = decoded(raw)
    try:
        return _take(place, described(desc), said)
    except InvalidInput as error:
        refused.append(Refusal(str(desc.get("relpath")), str(error)))
    except OSError as error:
        if error.errno in _FATAL:
            raise
        refused.append(Refusal(str(desc.get("relpath")), error.strerror or str(error)))
    return None


def _take(place: Place, what: Described, said: Said) -> Taken:
    source = f"{place.dump}/{what.relpath}"
    _check_folder(place.dump, source.rpartition("/")[0])
    spooled = f"{place.spool}/{os.getpid()}-{next(_numbers)}"
    descriptor = os.open(source, _OPEN)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidInput("not a regular file")
        if found.st_size <= AT_ONCE:
            return _take_small(place, what, said, (source, spooled), _content(descriptor, found.st_size))
        with open(descriptor, "rb", closefd=False) as file:
            return _take_large(place, what, said, (source, spooled), file)
    finally:
        os.close(descriptor)


def _take_small(place: Place, what: Described, said: Said, paths: _Paths, content: bytes) -> Taken:
    """Take a file that is in memory; nothing is written of one that is refused."""
    digests = _Digests(what.hashes, content)
    is_verified = digests.verify(what.hashes)
    core = _core(what, io.BytesIO(content), len(content), said)
    source, spooled = paths
    try:
        if place.hard_links:
            os.link(source, spooled, follow_symlinks=False)
        else:
            _write(spooled, content)
        _move(place, spooled, digests)
    except OSError:
        _discard(spooled)
        raise
    return _taken(place, what, len(content), digests, core, is_verified=is_verified)


def _take_large(place: Place, what: Described, said: Said, paths: _Paths, file: BinaryIO) -> Taken:
    """Take a file that is not to be in memory: the copy is what is read."""
    source, spooled = paths
    try:
        if place.hard_links:
            os.link(source, spooled, follow_symlinks=False)
        else:
            with open(os.open(spooled, _CREATE, 0o600), "wb") as copy:
                _copy(file, copy)
        digests = _Digests(what.hashes)
        with open(spooled, "rb") as copied:
            while piece := copied.read(CHUNK):
                digests.update(piece)
            size = copied.tell()
            is_verified = digests.verify(what.hashes)
            core = _core(what, copied, size, said)
        _move(place, spooled, digests)
    except BaseException:
        _discard(spooled)
        raise
    return _taken(place, what, size, digests, core, is_verified=is_verified)


def _taken(  # noqa: PLR0913 - one file
    place: Place, what: Described, size: int, digests: _Digests, core: bytes, *, is_verified: bool
) -> Taken:
    metadata = hashlib.sha256(core).digest() if core else b""
    small = core if is_small(core) else b""
    if core and not small:
        _publish(place, core, metadata)
    raw = (digests.sha256.digest(), digests.blake2b.digest(), digests.md5.digest())
    return Taken(what, size, *raw, metadata, small, is_verified)


def _content(descriptor: int, size: int) -> bytes:
    """Return what a file of *size* bytes has; calls of the system alone, as a file object takes as long as the rest."""
    content = os.read(descriptor, size + 1)
    if len(content) == size:  # one byte less than was asked for: this is the end
        return content
    while len(content) <= AT_ONCE and (piece := os.read(descriptor, CHUNK)):
        content += piece
    if len(content) > AT_ONCE:
        raise InvalidInput("the file grows while it is read")
    return content


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, _CREATE, 0o600)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)


def _move(place: Place, spooled: str, digests: _Digests) -> None:
    os.rename(spooled, _blob(place, digests.sha256.hexdigest()))
    if place.hard_links:  # renaming does nothing where the blob is that inode already
        _discard(spooled)


def _discard(spooled: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(spooled)


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    """Copy all of *source*: by the file system itself where it can, which then shares the blocks."""
    try:
        while os.copy_file_range(source.fileno(), target.fileno(), 1 << 30):
            pass
    except (AttributeError, OSError):  # not on this system, or not between these two file systems
        os.lseek(source.fileno(), 0, os.SEEK_SET)
        os.ftruncate(target.fileno(), 0)
        os.lseek(target.fileno(), 0, os.SEEK_SET)
        shutil.copyfileobj(source, target, CHUNK)


def _core(what: Described, file: BinaryIO, size: int, said: Said) -> bytes:
    """Return the core metadata: those in the archive, else what the dump says."""
    if what.kind in (DOCS, RESULT):
        return b""
    return find_metadata(file, size, what.filename) or document(fields_of(said))


def _document(place: Place, taken: Taken) -> bytes:
    if taken.small or not taken.metadata:
        return taken.small
    return Blobs(Path(place.blobs)).read(taken.metadata)


def _publish(place: Place, raw: bytes, digest: bytes) -> None:
    spooled = f"{place.spool}/{os.getpid()}-{next(_numbers)}"
    with open(spooled, "wb") as file:
        file.write(raw)
    os.replace(spooled, _blob(place, digest.hex()))


def _blob(place: Place, name: str) -> str:
    return f"{place.blobs}/{name[:2]}/{name}"


@lru_cache(maxsize=4096)
def _check_folder(dump: str, folder: str) -> None:
    """Raise InvalidInput if a symbolic link stands between the dump and one of its folders."""
    if folder != dump:
        _check_folder(dump, os.path.dirname(folder))
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            raise InvalidInput("a symbolic link in the path, or no folder")
