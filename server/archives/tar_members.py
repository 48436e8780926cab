"""The members of a tar file (pax, ustar, GNU), read so that no two readers see different ones."""

from collections.abc import Iterator
from typing import NamedTuple

from changelog.errors import InvalidArchive
from server.archives.bounds import MAX_DIRECTORY, MAX_HEADER, MAX_NAME, check_count
from server.archives.gzip_stream import GzipStream
from server.archives.member_names import member_name

FILE, HARD_LINK, SYMLINK, DIRECTORY = "file", "hard link", "symlink", "directory"

_BLOCK = 512
_USTAR, _GNU = b"ustar\x0000", b"ustar  \0"
_KINDS = {b"0": FILE, b"\0": FILE, b"1": HARD_LINK, b"2": SYMLINK, b"5": DIRECTORY}
_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_TARGET = b"x", b"g", b"L", b"K"
# Pax keywords that change no name, size or contents, and prefixes of those that add attributes.
_HARMLESS = frozenset(
    {
        *("atime", "ctime", "mtime", "uid", "gid", "uname", "gname", "comment"),
        *("LIBARCHIVE.creationtime", "LIBARCHIVE.symlinktype"),
        *("SCHILY.dev", "SCHILY.ino", "SCHILY.nlink", "SCHILY.fflags"),
    }
)
_HARMLESS_PREFIXES = ("SCHILY.xattr.", "LIBARCHIVE.xattr.", "SCHILY.acl.", "RHT.security.")


class TarMember(NamedTuple):
    """One member; ``name`` of a directory ends in ``/``."""

    name: str
    kind: str
    size: int  # bytes; 0 unless a file
    target: str  # of a link, as it stands there; else ""


class TarReader:
    """The members of *stream*, each once; read one's contents before going on to the next."""

    def __init__(self, stream: GzipStream) -> None:
        """Begin at the start of *stream*."""
        self._stream = stream
        self._left = 0  # bytes of the current member, with its padding

    def __iter__(self) -> Iterator[TarMember]:
        """Yield the members, and at their end check that nothing but zeros follows.

        Raises:
            InvalidArchive: a header, a name or the end is wrong, or a bound is passed.
        """
        count = spent = 0
        while (member := self._next()) is not None:
            count += 1
            spent += len(member.name) + len(member.target)
            check_count(count)
            if spent > MAX_DIRECTORY:
                raise InvalidArchive(f"the names of all members are over {MAX_DIRECTORY} bytes")
            yield member
            self._stream.skip(self._left)
        if self._stream.finish() % _BLOCK:
            raise InvalidArchive("the tar file does not end with a whole block")

    def contents(self, member: TarMember, limit: int) -> bytes:
        """Return the contents of *member*, the last one yielded.

        Raises:
            InvalidArchive: they are over *limit* bytes, or the stream ends.
        """
        if member.size > limit:
            raise InvalidArchive(f"{member.name!r} has {member.size} bytes, over {limit}")
        raw = self._stream.read(member.size)
        self._left -= member.size
        return raw

    def _next(self) -> TarMember | None:
        """Return the next member, or None at the two zero blocks that end the archive."""
        overrides: dict[str, bytes] = {}
        while True:
            block = self._stream.read(_BLOCK)
            if block.count(0) == _BLOCK:
                if overrides or self._stream.read(_BLOCK).count(0) != _BLOCK:
                    raise InvalidArchive("the tar file ends at an odd place")
                return None
            _check_header(block)
            kind, size = block[156:157], _octal(block[124:136])
            if kind in {_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_TARGET}:
                self._extend(overrides, kind, size)
            else:
                self._left = _padded(size)
                return _member(block, size, overrides)

    def _extend(self, overrides: dict[str, bytes], kind: bytes, size: int) -> None:
        """Read an extended header of *size* bytes into *overrides* of the next member."""
        if size > MAX_HEADER:
            raise InvalidArchive(f"an extended header of {size} bytes is over {MAX_HEADER}")
        raw = self._stream.read(_padded(size))[:size]
        if kind in {_GNU_NAME, _GNU_TARGET}:
            found = {"path" if kind == _GNU_NAME else "linkpath": raw.removesuffix(b"\0")}
        else:
            found = _pax(raw)
        if b"" in found.values():
            raise InvalidArchive("an extended header gives an empty name, target or size")
        if (kind == _PAX_GLOBAL and found) or found.keys() & overrides.keys():
            raise InvalidArchive("a name, target or size is given twice or for all members")
        overrides.update(found)


def check_links(members: list[TarMember], root: str) -> None:
    """Check that links stay below *root*.

    A hard link names an earlier file; a symlink climbs no higher than *root*.

    Raises:
        InvalidArchive: otherwise.
    """
    files: set[str] = set()
    for member in members:
        if member.kind == FILE:
            files.add(member.name)
        elif member.kind == HARD_LINK and member.target not in files:
            raise InvalidArchive(f"{member.name!r} is a hard link to no earlier file")
        elif member.kind == SYMLINK and not _stays_below(member, root):
            raise InvalidArchive(f"{member.name!r} is a link that leads out: {member.target!r}")


def is_tar_header(block: bytes) -> bool:
    """Tell whether the 512 bytes of *block* have the checksum of a tar header."""
    digits = block[148:156].strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        return False
    return int(digits, 8) == sum(block) - sum(block[148:156]) + 8 * 0x20


def _stays_below(member: TarMember, root: str) -> bool:
    # ".." may only lead: after a name that is itself a link it would climb from somewhere else.
    parts = member.target.split("/")
    climbs = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    depth = member.name.count("/") - root.count("/") - 1
    return climbs <= depth and ".." not in parts[climbs:]


def _member(block: bytes, size: int, overrides: dict[str, bytes]) -> TarMember:
    kind = _KINDS.get(block[156:157])
    raw_name = overrides.get("path") or _header_name(block)
    if kind is None:
        raise InvalidArchive(f"{raw_name!r} is of type {block[156:157]!r}: a device, sparse or unknown")
    if kind != FILE and size:
        raise InvalidArchive(f"{raw_name!r} is a {kind} with contents")
    if "size" in overrides and overrides["size"] != str(size).encode():
        raise InvalidArchive(f"{raw_name!r} has two sizes")
    name = member_name(raw_name)
    if kind == DIRECTORY:
        name = name.removesuffix("/") + "/"
    elif name.endswith("/"):
        raise InvalidArchive(f"{name!r} is a {kind} with the name of a directory")
    raw_target = overrides.get("linkpath") or _text(block[157:257])
    target = _target(raw_target) if kind in {HARD_LINK, SYMLINK} else ""
    return TarMember(name, kind, size, target)


def _target(raw: bytes) -> str:
    """Return the target of a link; leading ``..`` parts are judged in :func:`check_links`."""
    climbing = raw
    while climbing.startswith(b"../"):
        climbing = climbing[3:]
    if len(raw) > MAX_NAME:
        raise InvalidArchive(f"the target of a link is longer than {MAX_NAME} bytes")
    if climbing not in {b"..", b".", b""} or not raw:
        member_name(climbing)
    return raw.decode()


def _check_header(block: bytes) -> None:
    if not is_tar_header(block):
        raise InvalidArchive("a tar header has not the checksum it says")
    magic = block[257:265]
    if magic not in {_USTAR, _GNU}:
        raise InvalidArchive(f"a tar header has magic {magic!r}, neither POSIX nor GNU")
    if magic == _GNU and block[345:500].strip(b"\0"):
        # POSIX readers would take these bytes for the first part of the name.
        raise InvalidArchive("a GNU tar header has bytes where others have a name")


def _header_name(block: bytes) -> bytes:
    name, prefix = _text(block[:100]), _text(block[345:500])
    return prefix + b"/" + name if prefix else name


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _octal(field: bytes) -> int:
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise InvalidArchive(f"a tar header has the size {field!r}, which is not octal")
    return int(digits or b"0", 8)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _pax(raw: bytes) -> dict[str, bytes]:
    """Return the keywords of a pax header that change a member: ``path``, ``linkpath``, ``size``.

    Raises:
        InvalidArchive: a record is malformed, of an unknown keyword, or of one that stands twice.
    """
    found: dict[str, bytes] = {}
    seen: set[str] = set()
    at = 0
    while at < len(raw):
        key, value, at = _pax_record(raw, at)
        if key in seen:
            raise InvalidArchive(f"pax keyword {key!r} stands twice")
        seen.add(key)
        if key in {"path", "linkpath", "size"}:
            found[key] = value
        elif key not in _HARMLESS and not key.startswith(_HARMLESS_PREFIXES):
            raise InvalidArchive(f"pax keyword {key!r} is not taken")
    return found


def _pax_record(raw: bytes, at: int) -> tuple[str, bytes, int]:
    """Return keyword and value of the record at *at*, and where the next begins.

    A record is ``LENGTH KEYWORD=VALUE`` and a newline; LENGTH counts all of it.
    """
    length, space, _ = raw[at : at + 8].partition(b" ")
    after = at + int(length) if space and length.isdigit() else 0
    key, equals, value = raw[at + len(length) + 1 : after].partition(b"=")
    if not 0 < after <= len(raw) or not equals or not value.endswith(b"\n") or not key.isascii():
        raise InvalidArchive("a pax record is malformed")
    return key.decode(), value[:-1], after
