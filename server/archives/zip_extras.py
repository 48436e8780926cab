"""Extra fields of a zip member: ZIP64 sizes and Unicode path; the others do not matter."""

import struct
import zlib
from typing import NamedTuple

from changelog.errors import InvalidArchive

_FULL32 = 0xFFFFFFFF  # "see the ZIP64 field"
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075  # APPNOTE 4.5.3 and 4.6.9
_FIELD = struct.Struct("<HH")
_PATH = struct.Struct("<BL")  # version, CRC-32 of the name it replaces


class Sizes(NamedTuple):
    """What a ZIP64 field may replace, in its order."""

    unpacked: int
    packed: int
    offset: int  # 0 in a local header, which has none


def resolve(extra: bytes, raw_name: bytes, sizes: Sizes, *, local: bool) -> Sizes:
    """Return *sizes* with those of a ZIP64 field in *extra*.

    Raises:
        InvalidArchive: fields do not fill *extra*, one of the two kinds stands twice, the ZIP64 one
            does not fit, or a Unicode path names another file than *raw_name*.
    """
    seen: dict[int, bytes] = {}
    at = 0
    while at < len(extra):
        kind, field, at = _next(extra, at)
        if kind in {_ZIP64, _UNICODE_PATH} and kind in seen:
            raise InvalidArchive(f"{raw_name!r} has extra field {kind:#06x} twice")
        seen[kind] = field
    if _UNICODE_PATH in seen:
        _check_path(seen[_UNICODE_PATH], raw_name)
    if _ZIP64 in seen:
        return _zip64(seen[_ZIP64], raw_name, sizes, local=local)
    if _FULL32 in sizes:
        raise InvalidArchive(f"{raw_name!r} needs a ZIP64 field and has none")
    return sizes


def _next(extra: bytes, at: int) -> tuple[int, bytes, int]:
    if at + _FIELD.size > len(extra):
        raise InvalidArchive("an extra field is malformed")
    kind, length = _FIELD.unpack_from(extra, at)
    after = at + _FIELD.size + length
    if after > len(extra):
        raise InvalidArchive("an extra field is malformed")
    return kind, extra[at + _FIELD.size : after], after


def _check_path(field: bytes, raw_name: bytes) -> None:
    # Readers differ in whether they follow this name; so it must be the same one.
    if field != _PATH.pack(1, zlib.crc32(raw_name)) + raw_name:
        raise InvalidArchive(f"{raw_name!r} has another name in its Unicode path field")


def _zip64(field: bytes, raw_name: bytes, sizes: Sizes, *, local: bool) -> Sizes:
    """Return *sizes* with the values of *field*.

    A local field has both sizes (APPNOTE 4.5.3), whether or not they are replaced; a central one
    has those that are, in order. Where none is, a central field may repeat both sizes.
    """
    full = [index for index, value in enumerate(sizes) if value == _FULL32]
    present = [0, 1] if local or not full else full
    if len(field) != 8 * len(present):
        raise InvalidArchive(f"{raw_name!r} has a ZIP64 field of {len(field)} bytes")
    values = list(sizes)
    for index, value in zip(present, struct.unpack(f"<{len(present)}Q", field), strict=True):
        if values[index] not in {value, _FULL32}:
            raise InvalidArchive(f"{raw_name!r} has two sizes")
        values[index] = value
    return Sizes(*values)
