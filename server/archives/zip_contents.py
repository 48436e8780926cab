"""A zip file opened strictly, and its members' bytes, held against announced size and CRC-32."""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from attrs import define, field

from changelog.errors import InvalidArchive
from server.archives.bounds import CHUNK
from server.archives.tar_members import is_tar_header
from server.archives.zip_directory import (
    DEFLATED,
    STORED,
    Member,
    check_member,
    find_end,
    locate,
    read_central,
)

_TAR_BLOCK = 512


@define
class ZipArchive:
    """A zip file whose structure holds; not yet its contents."""

    _file: BinaryIO
    _located: dict[str, tuple[Member, int]]  # name -> record, start of its bytes
    _verified: set[str] = field(factory=set)

    @property
    def names(self) -> list[str]:
        """All names; that of a directory ends in ``/``."""
        return list(self._located)

    @property
    def files(self) -> set[str]:
        """The names of the files."""
        return {name for name in self._located if not name.endswith("/")}

    def read(self, name: str, limit: int) -> bytes:
        """Return the contents of *name*, at most *limit* bytes.

        Raises:
            InvalidArchive: there is no such file, it is larger, or is not what was announced.
        """
        if name not in self._located:
            raise InvalidArchive(f"there is no {name!r} in the archive")
        member, start = self._located[name]
        raw = read_member(self._file, member, start, limit)
        self._verified.add(name)
        return raw

    def verify(self) -> None:
        """Unpack what was not read yet, keeping nothing.

        Raises:
            InvalidArchive: bytes are not what was announced.
        """
        for name, (member, start) in self._located.items():
            if name not in self._verified:
                for _ in contents_of(self._file, member, start):
                    pass


def open_zip(file: BinaryIO, size: int) -> ZipArchive:
    """Return *file* (*size* bytes) as a zip file of sound structure.

    Raises:
        InvalidArchive: readers could disagree about it.
    """
    end = find_end(file, size)
    members = read_central(file, end)
    for member in members:
        check_member(member)
    starts = locate(file, members, end)
    _check_no_tar(file)
    located = {member.name: (member, start) for member, start in zip(members, starts, strict=True)}
    if len(located) != len(members):
        raise InvalidArchive("a member's name stands twice")
    return ZipArchive(file, located)


def read_member(file: BinaryIO, member: Member, start: int, limit: int) -> bytes:
    """Return the contents of *member*, whose bytes begin at *start*.

    Raises:
        InvalidArchive: they are over *limit* bytes or not what is announced.
    """
    if member.unpacked > limit:
        raise InvalidArchive(f"{member.name!r} has {member.unpacked} bytes, over {limit}")
    at_once = _small(file, member, start)
    return b"".join(contents_of(file, member, start)) if at_once is None else at_once


def _small(file: BinaryIO, member: Member, start: int) -> bytes | None:
    """Return the contents of a small deflated member, in one step; None where it is another or something is wrong."""
    if member.method != DEFLATED or member.unpacked > CHUNK or member.packed > CHUNK:
        return None
    file.seek(start)
    packed = file.read(member.packed)
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        raw = inflate.decompress(packed, member.unpacked + 1)
    except zlib.error:
        return None
    is_whole = inflate.eof and not inflate.unused_data and len(packed) == member.packed
    return raw if is_whole and (len(raw), zlib.crc32(raw)) == (member.unpacked, member.crc) else None


def contents_of(file: BinaryIO, member: Member, start: int) -> Iterator[bytes]:
    """Yield the contents of *member*, whose bytes begin at *start*, in pieces of at most 256 KiB.

    Raises:
        InvalidArchive: they are not what is announced, perhaps after some of them.
    """
    if member.method not in {STORED, DEFLATED}:
        raise InvalidArchive(f"{member.name!r} has method {member.method}")
    file.seek(start)
    unpacked = _stored if member.method == STORED else _inflated
    size = crc = 0
    for chunk in unpacked(file, member):
        size += len(chunk)
        crc = zlib.crc32(chunk, crc)
        if size > member.unpacked:
            break  # whatever follows: it is larger than announced
        yield chunk
    if (size, crc) != (member.unpacked, member.crc):
        raise InvalidArchive(f"{member.name!r} has not the announced size or CRC-32")


def _stored(file: BinaryIO, member: Member) -> Iterator[bytes]:
    left = member.packed
    while left and (chunk := file.read(min(CHUNK, left))):
        left -= len(chunk)
        yield chunk


def _inflated(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """Yield what one deflate stream of exactly the packed bytes makes."""
    left, tail = member.packed, b""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    while not inflate.eof:
        packed = tail or file.read(min(CHUNK, left))
        left -= 0 if tail else len(packed)
        try:
            chunk = inflate.decompress(packed, CHUNK)
        except zlib.error as error:
            raise InvalidArchive(f"{member.name!r} can not be inflated: {error}") from error
        tail = inflate.unconsumed_tail
        if not packed and not chunk and not inflate.eof:
            raise InvalidArchive(f"{member.name!r} ends early")
        yield chunk
    if left or inflate.unused_data:
        raise InvalidArchive(f"{member.name!r} has bytes after its deflate stream")


def _check_no_tar(file: BinaryIO) -> None:
    # The checksum of a tar header is what tar readers go by.
    file.seek(0)
    block = file.read(_TAR_BLOCK)
    if len(block) == _TAR_BLOCK and is_tar_header(block):
        raise InvalidArchive("the file is both a zip and a tar file")
