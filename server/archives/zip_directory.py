"""The structure of a zip file (APPNOTE 6.3.10), read so that no two readers see different members.

A reader that goes by the central directory (Python's zipfile) and one that streams local headers
must find the same; so every byte of the file has exactly one owner: a local header, a member, the
directory or its end.
"""

import struct
from itertools import pairwise
from typing import BinaryIO, NamedTuple

from changelog.errors import InvalidArchive
from server.archives import zip_extras
from server.archives.bounds import MAX_DIRECTORY, MAX_NAME, check_count, check_ratio
from server.archives.member_names import member_name

STORED, DEFLATED = 0, 8
ENCRYPTED = 0x0001  # a flag

_CENTRAL = struct.Struct("<4s6H3L5H2L")  # APPNOTE 4.3.12
_LOCAL = struct.Struct("<4s5H3L2H")  # 4.3.7
_END = struct.Struct("<4s4H2LH")  # 4.3.16
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_LOCATOR64 = struct.Struct("<4sLQL")  # 4.3.15
_MAX_COMMENT = 0xFFFF
_MAX_NEEDS = 63
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF  # "see the ZIP64 record"

_UTF8 = 0x0800  # the name is UTF-8
_FLAGS = 0x0006 | _UTF8  # the only ones taken; 0x0006 is the effort of deflate
_FILE_TYPE = 0xF000  # of a unix mode, in the upper half of the external attributes
_FILE_TYPES = frozenset({0x0000, 0x8000})  # not said, regular
_DIRECTORY_TYPES = frozenset({0x0000, 0x4000})


class End(NamedTuple):
    """Where the central directory lies."""

    offset: int
    size: int  # bytes
    records: int


class Member(NamedTuple):
    """One record of the central directory."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int  # bytes in the archive
    unpacked: int  # bytes
    offset: int  # of the local header
    comment: int  # its length
    disk: int
    attributes: int


def find_end(file: BinaryIO, size: int) -> End:
    """Return where the central directory of *file* (*size* bytes) lies: right before its end.

    Raises:
        InvalidArchive: no end record that ends with the file, or it contradicts itself.
    """
    tail_at = max(0, size - _END.size - _MAX_COMMENT)
    tail = _read(file, tail_at, size - tail_at)
    found = tail.rfind(b"PK\5\6")
    if found < 0 or found + _END.size > len(tail):
        raise InvalidArchive("not a zip file: no end of central directory")
    _, disk, start_disk, here, count, length, offset, comment = _END.unpack_from(tail, found)
    if found + _END.size + comment != len(tail):
        raise InvalidArchive("bytes follow the end of the zip file, or its comment has such an end")
    if disk or start_disk or here != count:
        raise InvalidArchive("the zip file is one of several")
    position = tail_at + found
    end, begins = _end64(file, End(offset, length, count), position)
    if end.size > MAX_DIRECTORY:
        raise InvalidArchive(f"a central directory of {end.size} bytes is over {MAX_DIRECTORY}")
    check_count(end.records)
    if end.offset + end.size != begins:
        raise InvalidArchive("the central directory is not where its end says")
    return end


def looks_like_zip(file: BinaryIO, size: int) -> bool:
    """Tell whether a zip reader might find a directory near the end of *file*, even before junk."""
    tail_at = max(0, size - _END.size - _MAX_COMMENT)
    tail = _read(file, tail_at, size - tail_at)
    at = tail.rfind(b"PK\5\6")
    while at >= 0:
        if at + _END.size <= len(tail):
            length = _END.unpack_from(tail, at)[5]
            begins = tail_at + at - length
            if length in {0, _FULL32} or (begins >= 0 and _read(file, begins, 4) == b"PK\1\2"):
                return True
        at = tail.rfind(b"PK\5\6", 0, at)
    return False


def read_central(file: BinaryIO, end: End) -> list[Member]:
    """Return the records of the central directory, in its order.

    Raises:
        InvalidArchive: a record is malformed, or they do not fill the directory exactly.
    """
    raw = _read(file, end.offset, end.size)
    members: list[Member] = []
    at = 0
    for _ in range(end.records):
        if at + _CENTRAL.size > len(raw):
            raise InvalidArchive("the central directory ends early")
        member, at = _central_record(raw, at)
        members.append(member)
    if at != len(raw):
        raise InvalidArchive("the central directory has more than its end says")
    return members


def check_member(member: Member) -> None:
    """Check that *member* is a plain file or directory, stored or deflated.

    Raises:
        InvalidArchive: it is a link, encrypted, has a data descriptor, a comment, another method.
    """
    name, directory = member.name, member.name.endswith("/")
    if member.flags & ~_FLAGS:
        raise InvalidArchive(f"{name!r} has flags {member.flags:#06x}: encrypted, a data descriptor or unknown")
    if not member.raw_name.isascii() and not member.flags & _UTF8:
        raise InvalidArchive(f"{name!r} is not ASCII and not marked as UTF-8")
    if member.method not in {STORED, DEFLATED}:
        raise InvalidArchive(f"{name!r} has method {member.method}, neither stored nor deflated")
    if member.method == STORED and member.packed != member.unpacked:
        raise InvalidArchive(f"{name!r} is stored and has two sizes")
    if member.comment or member.disk:
        raise InvalidArchive(f"{name!r} has a comment or lies on another disk")
    if directory and member.unpacked:
        raise InvalidArchive(f"{name!r} is a directory with contents")
    mode = member.attributes >> 16 & _FILE_TYPE
    if mode not in (_DIRECTORY_TYPES if directory else _FILE_TYPES):
        raise InvalidArchive(f"{name!r} is no plain file (mode {mode:#o}): a link or a device")


def locate(file: BinaryIO, members: list[Member], end: End) -> list[int]:
    """Return where the bytes of each of *members* begin, having held its local header against it.

    Raises:
        InvalidArchive: they differ, or headers and members overlap or leave a gap.
    """
    check_ratio(sum(member.unpacked for member in members), end.offset)
    starts = [_data_start(file, member, end) for member in members]
    extents = sorted((member.offset, start + member.packed) for member, start in zip(members, starts, strict=True))
    for (_, after), (before, _) in pairwise([(0, 0), *extents, (end.offset, end.offset)]):
        if after != before:
            raise InvalidArchive(f"members overlap or leave a gap at offset {min(before, after)}")
    return starts


def data_start(file: BinaryIO, member: Member, end: End) -> int:
    """Return where the bytes of *member* begin, by its local header alone, which is not compared.

    Raises:
        InvalidArchive: there is no local header, or the member reaches into the directory.
    """
    return _local(file, member, end)[0]


def _end64(file: BinaryIO, end: End, position: int) -> tuple[End, int]:
    """Return what holds, and where the end begins: at a ZIP64 one where a locator precedes."""
    full = end.records == _FULL16 or _FULL32 in (end.size, end.offset)
    locator_at = position - _LOCATOR64.size
    end64_at = locator_at - _END64.size
    locator = _read(file, locator_at, _LOCATOR64.size) if locator_at >= 0 else b""
    if locator[:4] != b"PK\6\7":
        if full:
            raise InvalidArchive("the zip file needs a ZIP64 end and has none")
        return end, position
    _, disk, offset, disks = _LOCATOR64.unpack(locator)
    if disk or disks != 1 or offset != end64_at or end64_at < 0:
        raise InvalidArchive("the ZIP64 locator does not point at the record before it")
    signature, length, _, _, disk, start_disk, here, count, size, start = _END64.unpack(
        _read(file, end64_at, _END64.size)
    )
    if signature != b"PK\6\6" or length != _END64.size - 12 or disk or start_disk or here != count:
        raise InvalidArchive("the ZIP64 end is malformed")
    if end.records not in {count, _FULL16} or end.size not in {size, _FULL32} or end.offset not in {start, _FULL32}:
        raise InvalidArchive("the ZIP64 end contradicts the plain one")
    return End(start, size, count), end64_at


def _central_record(raw: bytes, at: int) -> tuple[Member, int]:
    record = _CENTRAL.unpack_from(raw, at)
    signature, _, needs, flags, method, _, _, crc, packed, unpacked, name_length, extra_length = record[:12]
    comment, disk, _, attributes, offset = record[12:]
    name_at = at + _CENTRAL.size
    extra_at = name_at + name_length
    after = extra_at + extra_length + comment
    if needs & 0xFF > _MAX_NEEDS:
        raise _too_new(needs)
    if signature != b"PK\1\2" or after > len(raw):
        raise InvalidArchive("the central directory is malformed")
    raw_name = raw[name_at:extra_at]
    if extra_length:
        extra = raw[extra_at : extra_at + extra_length]
        sizes = zip_extras.Sizes(unpacked, packed, offset)
        unpacked, packed, offset = zip_extras.resolve(extra, raw_name, sizes, local=False)
    elif _FULL32 in (unpacked, packed, offset):
        raise InvalidArchive("a member needs a ZIP64 field and has none")
    name = member_name(raw_name)
    return Member(name, raw_name, flags, method, crc, packed, unpacked, offset, comment, disk, attributes), after


def _data_start(file: BinaryIO, member: Member, end: End) -> int:
    start, (flags, method, crc, packed, unpacked), extra, raw_name = _local(file, member, end)
    sizes = zip_extras.Sizes(unpacked, packed, 0)
    if extra:
        sizes = zip_extras.resolve(extra, raw_name, sizes, local=True)
    here = (raw_name, flags, method, crc, sizes.packed, sizes.unpacked)
    there = (
        *(member.raw_name, member.flags, member.method),
        *(member.crc, member.packed, member.unpacked),
    )
    if here != there:
        raise InvalidArchive(f"local header and directory disagree about {member.name!r}")
    return start


def _local(file: BinaryIO, member: Member, end: End) -> tuple[int, tuple[int, int, int, int, int], bytes, bytes]:
    """Return the start of the data, the compared fields, the extra field and the name."""
    if member.offset + _LOCAL.size > end.offset:
        raise InvalidArchive(f"{member.name!r} has no local header")
    file.seek(member.offset)
    signature, needs, flags, method, _, _, crc, packed, unpacked, name_length, extra_length = _LOCAL.unpack(
        _exactly(file, _LOCAL.size)
    )
    start = member.offset + _LOCAL.size + name_length + extra_length
    if needs & 0xFF > _MAX_NEEDS:
        raise _too_new(needs)
    if signature != b"PK\3\4" or name_length > MAX_NAME or start + member.packed > end.offset:
        raise InvalidArchive(f"{member.name!r} has no local header, or reaches beyond the members")
    rest = _exactly(file, name_length + extra_length)
    fields = (flags, method, crc, packed, unpacked)
    return start, fields, rest[name_length:], rest[:name_length]


def _too_new(needs: int) -> InvalidArchive:
    """Return why readers of APPNOTE 6.3 refuse a member, by the version needed to extract it (the low byte)."""
    return InvalidArchive(f"a member needs version {needs & 0xFF} of the zip format")


def _read(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return _exactly(file, count)


def _exactly(file: BinaryIO, count: int) -> bytes:
    raw = file.read(count)
    if len(raw) != count:
        raise InvalidArchive("the file ends early")
    return raw
