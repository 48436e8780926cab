"""Taking files of a dump into the blobs, in processes of its own: each is read once, for all that has to be known."""

import contextlib
import errno
import hashlib
import io
import itertools
import json
import os
import shutil
import stat
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from attrs import frozen

from changelog.blobs import Blobs
from changelog.contents import is_small
from changelog.errors import InvalidInput
from ops.devpi.described import Described, described
from ops.devpi.parked import DOCS, RESULT, Release
from ops.devpi.released import Registered, fields_of, registered
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

    def __init__(self, more: Collection[str]) -> None:
        self.sha256, self.blake2b = hashlib.sha256(), hashlib.blake2b(digest_size=32)
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.others = {name: hashlib.new(name, usedforsecurity=False) for name in _MORE.intersection(more)}

    def update(self, piece: bytes) -> None:
        self.sha256.update(piece)
        self.blake2b.update(piece)
        self.md5.update(piece)
        for other in self.others.values():
            other.update(piece)

    def hex(self) -> dict[str, str]:
        others = {name: digest.hexdigest() for name, digest in self.others.items()}
        return {"sha256": self.sha256.hexdigest(), "md5": self.md5.hexdigest(), **others}


_numbers = itertools.count()


def take(place: Place, releases: list[Release]) -> list[TakenRelease]:
    """Take the files of *releases*; what can not be taken is refused, one by one."""
    return [_take_release(place, release) for release in releases]


def _take_release(place: Place, release: Release) -> TakenRelease:
    fields, refused = fields_of(release), list[Refusal]()
    parts = [
        [taken for desc in descs if (taken := _attempt(place, desc, fields, refused)) is not None]
        for descs in (release.files, release.docs, release.results)
    ]
    newest = parts[0][-1] if parts[0] else None
    name = Release(release.number, release.project, release.version)
    found = registered(release, fields, b"" if newest is None else _document(place, newest))
    if not is_small(found.document):
        _publish(place, found.document, found.metadata)
    files, docs, results = map(tuple, parts)
    return TakenRelease(name, found, files, docs, results, tuple(refused))


def _attempt(place: Place, raw: bytes, fields: dict[str, list[str]], refused: list[Refusal]) -> Taken | None:
    desc = json.loads(raw)
    try:
        return _take(place, described(desc), fields)
    except InvalidInput as error:
        refused.append(Refusal(str(desc.get("relpath")), str(error)))
    except OSError as error:
        if error.errno in _FATAL:
            raise
        refused.append(Refusal(str(desc.get("relpath")), error.strerror or str(error)))
    return None


def _take(place: Place, what: Described, fields: dict[str, list[str]]) -> Taken:
    source = f"{place.dump}/{what.relpath}"
    _check_folder(place.dump, os.path.dirname(source))
    digests = _Digests(what.hashes)
    descriptor = os.open(source, _OPEN)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidInput("not a regular file")
        spooled = f"{place.spool}/{os.getpid()}-{next(_numbers)}"
        try:
            content = _spool(place, source, file, spooled, found.st_size, digests)
            _compare(what.hashes, digests.hex())
            core = _core(what, content, spooled, fields)
            size = found.st_size if content is None else len(content)
            os.replace(spooled, _blob(place, digests.sha256.hexdigest()))
        finally:
            with contextlib.suppress(FileNotFoundError):  # it is there still where it was the blob's inode already
                os.unlink(spooled)
    metadata = hashlib.sha256(core).digest() if core else b""
    if not is_small(core):
        _publish(place, core, metadata)
    small = core if is_small(core) else b""
    raw = (digests.sha256.digest(), digests.blake2b.digest(), digests.md5.digest())
    return Taken(what, size, *raw, metadata, small, bool(what.hashes.keys() & digests.hex().keys()))


def _spool(  # noqa: PLR0913, PLR0917 - one file
    place: Place, source: str, file: BinaryIO, spooled: str, size: int, digests: _Digests
) -> bytes | None:
    """Have the bytes in *spooled* and their digests taken; return them if they are few."""
    if size <= AT_ONCE:
        content = file.read(AT_ONCE + 1)
        if len(content) > AT_ONCE:
            raise InvalidInput("the file grows while it is read")
        digests.update(content)
        if place.hard_links:
            os.link(source, spooled, follow_symlinks=False)
        else:
            descriptor = os.open(spooled, _CREATE, 0o600)
            with open(descriptor, "wb") as copy:
                copy.write(content)
        return content
    if place.hard_links:
        os.link(source, spooled, follow_symlinks=False)
    else:
        descriptor = os.open(spooled, _CREATE, 0o600)
        with open(descriptor, "wb") as copy:
            _copy(file, copy)
    with open(spooled, "rb") as copy:
        while piece := copy.read(CHUNK):
            digests.update(piece)
    return None


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


def _core(what: Described, content: bytes | None, path: str, fields: dict[str, list[str]]) -> bytes:
    """Return the core metadata: those in the archive, else what the dump says."""
    if what.kind in (DOCS, RESULT):
        return b""
    if content is not None:
        found = find_metadata(io.BytesIO(content), len(content), what.filename)
    else:
        with open(path, "rb") as file:
            found = find_metadata(file, os.fstat(file.fileno()).st_size, what.filename)
    return found or document(fields)


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


def _compare(said: dict[str, str], found: dict[str, str]) -> None:
    for name in said.keys() & found.keys():
        if said[name] != found[name]:
            raise InvalidInput(f"the {name} digest is {found[name]}, not {said[name]} as the dump says")


@lru_cache(maxsize=4096)
def _check_folder(dump: str, folder: str) -> None:
    """Raise InvalidInput if a symbolic link stands between the dump and one of its folders."""
    if folder != dump:
        _check_folder(dump, os.path.dirname(folder))
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            raise InvalidInput("a symbolic link in the path, or no folder")
