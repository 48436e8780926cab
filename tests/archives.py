"""Builders of distribution files, good and hostile: every field of a record can lie."""

import base64
import csv
import gzip
import hashlib
import io
import struct
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

WHEEL_NAME = "demo_project-1.2.3-py3-none-any.whl"
SDIST_NAME = "demo_project-1.2.3.tar.gz"
ZIP_SDIST_NAME = "demo_project-1.2.3.zip"
ROOT = "demo_project-1.2.3"
DIST_INFO = f"{ROOT}.dist-info"

METADATA = b"""\
Metadata-Version: 2.4
Name: demo-project
Version: 1.2.3
Summary: A demonstration
Author-email: Ada <ada@index.example>
License-Expression: MIT
License-File: LICENSE
Project-URL: Source, https://index.example/source
Classifier: Programming Language :: Python :: 3
Requires-Python: >=3.9
Requires-Dist: attrs>=23
Requires-Dist: pytest>=8; extra == "test"
Provides-Extra: test
Description-Content-Type: text/markdown

# Demonstration

What it says.
"""
WHEEL = b"Wheel-Version: 1.0\nGenerator: demo (1.0)\nRoot-Is-Purelib: true\nTag: py3-none-any\n"

_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_END = struct.Struct("<4s4H2LH")


@frozen
class Entry:
    """A zip member; ``local`` and ``central`` replace fields of its two records."""

    name: str | bytes
    data: bytes = b""
    method: int = 8
    flags: int = 0
    attributes: int = 0o100644 << 16
    local: Mapping[str, Any] = field(factory=dict)
    central: Mapping[str, Any] = field(factory=dict)
    packed: bytes | None = None  # instead of what *method* makes of *data*
    after: bytes = b""  # follows the packed bytes
    nested: bool = False  # only a central record is written

    @property
    def raw_name(self) -> bytes:
        """The name as stored."""
        return self.name if isinstance(self.name, bytes) else self.name.encode()


def deflate(data: bytes) -> bytes:
    """Return *data* as a raw deflate stream (RFC 1951)."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(data) + squeeze.flush()


def zip_of(
    entries: Sequence[Entry],
    *,
    comment: bytes = b"",
    end: Mapping[str, int] | None = None,
    **around: bytes,
) -> bytes:
    """Return a zip file of *entries*.

    In *around*: ``prefix``, members, ``gap``, directory, ``before_end``, end, ``suffix``.
    Offsets tell the truth unless ``end`` or an entry's ``central`` says otherwise.
    """
    body, directory = bytearray(around.get("prefix", b"")), bytearray()
    for entry in entries:
        offset = len(body)
        packed = entry.packed
        if packed is None:
            packed = deflate(entry.data) if entry.method == 8 else entry.data
        truth = {
            "flags": entry.flags or (0 if entry.raw_name.isascii() else 0x800),
            "method": entry.method,
            "needs": 20,
            "crc": zlib.crc32(entry.data),
            "packed": len(packed),
            "unpacked": len(entry.data),
            "name": entry.raw_name,
            "extra": b"",
            "comment": b"",
            "disk": 0,
            "attributes": entry.attributes,
            "offset": offset,
        }
        if not entry.nested:
            body += _local_record(**{**truth, **entry.local}) + packed + entry.after
        directory += _central_record(**{**truth, **entry.central})
    body += around.get("gap", b"")
    fields = {
        "disk": 0,
        "start_disk": 0,
        "here": len(entries),
        "count": len(entries),
        "size": len(directory),
        "offset": len(body),
        "comment": len(comment),
        **(end or {}),
    }
    record = _END.pack(b"PK\5\6", *fields.values())
    before_end, suffix = around.get("before_end", b""), around.get("suffix", b"")
    return bytes(body + directory + before_end + record + comment + suffix)


def _local_record(**fields: Any) -> bytes:  # noqa: ANN401 - of any field
    name, extra = fields["name"], fields["extra"]
    head = _LOCAL.pack(
        *(b"PK\3\4", fields["needs"], fields["flags"], fields["method"], 0, 33),
        *(fields["crc"], fields["packed"], fields["unpacked"], len(name), len(extra)),
    )
    return bytes(head + name + extra)


def _central_record(**fields: Any) -> bytes:  # noqa: ANN401 - of any field
    name, extra, comment = fields["name"], fields["extra"], fields["comment"]
    head = _CENTRAL.pack(
        *(b"PK\1\2", 0x0314, fields["needs"], fields["flags"], fields["method"], 0, 33),
        *(fields["crc"], fields["packed"], fields["unpacked"]),
        *(len(name), len(extra), len(comment), fields["disk"], 0),
        *(fields["attributes"], fields["offset"]),
    )
    return bytes(head + name + extra + comment)


def zip64_end(directory_at: int, size: int, count: int, /, **lies: int) -> bytes:
    """Return the ZIP64 end and its locator, as they stand before the plain end."""
    at = lies.get("locator", directory_at + size)
    count64, size64 = lies.get("count", count), lies.get("size", size)
    return struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count64, count64, size64, directory_at) + struct.pack(
        "<4sLQL", b"PK\6\7", 0, at, 1
    )


def record_of(files: Mapping[str, bytes], own: str = f"{DIST_INFO}/RECORD") -> bytes:
    """Return RECORD for *files*, as wheel builders write it."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.writerow((name, f"sha256={digest}", len(data)))
    rows.writerow((own, "", ""))
    return text.getvalue().encode()


def wheel_files(
    metadata: bytes = METADATA,
    dist_info: str = DIST_INFO,
    wheel: bytes = WHEEL,
    more: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """Return the files of a good wheel but RECORD, and *more*."""
    return {
        "demo_project/__init__.py": b'__version__ = "1.2.3"\n',
        "demo_project/core.py": b"def answer() -> int:\n    return 42\n" * 20,
        **(more or {}),
        f"{dist_info}/licenses/LICENSE": b"Do as you like.\n" * 30,
        f"{dist_info}/METADATA": metadata,
        f"{dist_info}/WHEEL": wheel,
    }


def wheel_entries(
    files: Mapping[str, bytes] | None = None,
    record: bytes | None = None,
    dist_info: str = DIST_INFO,
) -> list[Entry]:
    """Return the members of a wheel of *files* (a good one's by default), RECORD last."""
    files = wheel_files() if files is None else files
    own = f"{dist_info}/RECORD"
    record = record_of(files, own) if record is None else record
    return [*(Entry(name, data) for name, data in files.items()), Entry(own, record)]


def good_wheel(metadata: bytes = METADATA, dist_info: str = DIST_INFO) -> bytes:
    """Return a wheel that every rule takes."""
    return zip_of(wheel_entries(wheel_files(metadata, dist_info), dist_info=dist_info))


def changed(entries: Sequence[Entry], index: int, **changes: Any) -> list[Entry]:  # noqa: ANN401 - of any field
    """Return *entries* with the fields *changes* of the one at *index*."""
    return [evolve(entry, **changes) if at == index % len(entries) else entry for at, entry in enumerate(entries)]


def tar_entry(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:  # noqa: ANN401 - of any field
    """Return a tar member; *fields* are those of TarInfo (``type``, ``linkname``, ...)."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def tar_of(members: Sequence[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return an unpacked tar file of *members*."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def without_end(tar: bytes) -> bytes:
    """Return *tar* without the zero blocks at its end (its last member does not end in zeros)."""
    length = len(tar.rstrip(b"\0"))
    return tar[: length + -length % 512]


def gzipped(tar: bytes) -> bytes:
    """Return *tar* as one gzip member."""
    return gzip.compress(tar, mtime=0)


def sdist_members(metadata: bytes = METADATA) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Return the members of a good sdist."""
    return [
        tar_entry(f"{ROOT}", type=tarfile.DIRTYPE),
        tar_entry(f"{ROOT}/PKG-INFO", metadata),
        tar_entry(f"{ROOT}/LICENSE", b"Do as you like.\n" * 30),
        tar_entry(f"{ROOT}/pyproject.toml", b"[build-system]\n"),
        tar_entry(f"{ROOT}/src/demo_project/__init__.py", b'__version__ = "1.2.3"\n'),
        tar_entry(f"{ROOT}/tests/{'long' * 40}/grüße.txt", b"hello\n"),
    ]


def good_sdist(metadata: bytes = METADATA, form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a ``.tar.gz`` sdist that every rule takes."""
    return gzipped(tar_of(sdist_members(metadata), form))


def good_zip_sdist(metadata: bytes = METADATA) -> bytes:
    """Return a ``.zip`` sdist that every rule takes."""
    names = [Entry(f"{ROOT}/", method=0, attributes=0o40755 << 16 | 0x10)]
    files = {"PKG-INFO": metadata, "LICENSE": b"Do as you like.\n", "setup.py": b"pass\n"}
    return zip_of([*names, *(Entry(f"{ROOT}/{name}", data) for name, data in files.items())])


def written(folder: Path, name: str, data: bytes) -> Path:
    """Write *data* as *name* in *folder* and return its path."""
    path = folder / name
    path.write_bytes(data)
    return path
