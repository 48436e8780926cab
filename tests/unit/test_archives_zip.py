"""Zip files: whatever two readers could see differently is refused."""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from changelog.errors import InvalidArchive
from server.archives import bounds, inspect
from server.filenames import parse
from tests import archives
from tests.archives import (
    DIST_INFO,
    Entry,
    changed,
    record_of,
    wheel_entries,
    wheel_files,
    zip64_end,
    zip_of,
)

FULL = 0xFFFFFFFF
NAMES = 100  # of a local or central field that lies
GOOD = wheel_entries()
FIRST = GOOD[0]


def _zip64(*values: int) -> bytes:
    return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)


def _path_field(name: bytes, of: bytes = FIRST.raw_name, version: int = 1) -> bytes:
    body = struct.pack("<BL", version, zlib.crc32(of)) + name
    return struct.pack("<HH", 0x7075, len(body)) + body


def _first(**changes: object) -> bytes:
    return zip_of(changed(GOOD, 0, **changes))


def _with(*entries: Entry) -> bytes:
    """Return a wheel with *entries* too, listed in RECORD, so that nothing but they is wrong."""
    listed = {entry.raw_name.decode("utf-8", "replace"): entry.data for entry in entries}
    files = {**wheel_files(), **{n: data for n, data in listed.items() if not n.endswith("/")}}
    own = f"{DIST_INFO}/RECORD"
    return zip_of([*entries, *GOOD[:-1], Entry(own, record_of(files))])


def _with_zip64_end(**lies: int) -> bytes:
    plain = zip_of(GOOD)
    size, at = struct.unpack_from("<2L", plain, len(plain) - 10)
    end = {"count": 0xFFFF, "here": 0xFFFF, "size": FULL, "offset": FULL}
    return zip_of(GOOD, before_end=zip64_end(at, size, len(GOOD), **lies), end=end)


def _nested() -> bytes:
    """Return a wheel with a stored member in which the header and bytes of another lie."""
    hidden = Entry("inner.py", b"hidden", central={"offset": 30 + len("outer.bin")}, nested=True)
    inner = zip_of([Entry("inner.py", b"hidden")])
    return _with(Entry("outer.bin", inner[: inner.index(b"PK\1\2")], method=0), hidden)


def _also_tar() -> bytes:
    """Return a wheel whose first name holds, at the right place, the checksum of a tar header."""
    head, tail = "n" * (148 - 30), "n" * 400
    block = bytearray(_with(Entry(f"{head}        {tail}"))[:512])
    block[148:156] = b" " * 8
    return _with(Entry(f"{head}{sum(block):07o} {tail}"))


PACKED = archives.deflate(FIRST.data)
EOCD = b"PK\5\6" + bytes(18)

HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty file": ("no end of central directory", lambda: b""),
    "no zip file": ("no end of central directory", lambda: b"this is no archive" * 40),
    "empty zip": ("one .dist-info directory", lambda: zip_of([])),
    "bytes before the first member": ("leave a gap", lambda: zip_of(GOOD, prefix=b"#!/bin/sh\n")),
    "bytes before the first member, offsets from there": (
        "not where its end says",
        lambda: b"#!/bin/sh\n" + zip_of(GOOD),
    ),
    "bytes before the directory": ("leave a gap", lambda: zip_of(GOOD, gap=b"\0")),
    "bytes after the directory": ("not where its end says", lambda: zip_of(GOOD, before_end=b"\0")),
    "bytes after the end": ("bytes follow the end of the zip", lambda: zip_of(GOOD, suffix=b"\0")),
    "a comment shorter than it says": (
        "bytes follow the end of the zip",
        lambda: zip_of(GOOD, comment=b"hi", end={"comment": 3}),
    ),
    "an end within the comment": (
        "not where its end says",
        lambda: zip_of(GOOD, comment=b"x" + EOCD),
    ),
    "a whole zip file in the comment": (
        "not where its end says",
        lambda: zip_of(GOOD, comment=zip_of(GOOD)),
    ),
    "two zip files": ("not where its end says", lambda: zip_of(GOOD) + zip_of(GOOD)),
    "more records than there are": (
        "ends early",
        lambda: zip_of(GOOD, end={"here": 9, "count": 9}),
    ),
    "fewer records than there are": (
        "has more than its end says",
        lambda: zip_of(GOOD, end={"here": 2, "count": 2}),
    ),
    "several disks": ("one of several", lambda: zip_of(GOOD, end={"disk": 1})),
    "records on several disks": ("one of several", lambda: zip_of(GOOD, end={"here": 1})),
    "a directory elsewhere": ("not where its end says", lambda: zip_of(GOOD, end={"offset": 7})),
    "a directory beyond the file": (
        "not where its end says",
        lambda: zip_of(GOOD, end={"offset": FULL - 1}),
    ),
    "a directory larger than the file": (
        "directory of 4294967294",
        lambda: zip_of(GOOD, end={"size": FULL - 1}),
    ),
    "ZIP64 needed and missing": ("has none", lambda: zip_of(GOOD, end={"offset": FULL})),
    "a ZIP64 locator that points elsewhere": ("ZIP64 locator", lambda: _with_zip64_end(locator=3)),
    "a ZIP64 locator beyond 63 bit": ("ZIP64 locator", lambda: _with_zip64_end(locator=2**64 - 1)),
    "a ZIP64 end with another count": (
        "has more than its end says",
        lambda: _with_zip64_end(count=2),
    ),
    "a ZIP64 end with a huge count": (
        "members are more than",
        lambda: _with_zip64_end(count=2**63),
    ),
    "a ZIP64 end with another size": ("not where its end says", lambda: _with_zip64_end(size=3)),
    "a ZIP64 end that contradicts the plain one": (
        "contradicts the plain one",
        lambda: _with_zip64_end().replace(struct.pack("<HH", 0xFFFF, 0xFFFF), struct.pack("<HH", 3, 3)),
    ),
    "a member only in the directory": (
        "has no local header",
        lambda: zip_of(GOOD, end={}).replace(b"PK\3\4", b"PK\3\5", 1),
    ),
    "a member without a record": (
        "leave a gap",
        lambda: zip_of(changed(GOOD, 0, after=zip_of([Entry("hidden.py", b"x")])[:40])),
    ),
    "a member within a member": ("leave a gap", _nested),
    "a member behind its directory": (
        "has no local header",
        lambda: _first(central={"offset": 1 << 30}),
    ),
    "a local name that differs": (
        "local header and directory disagree",
        lambda: _first(local={"name": b"demo_project/__INIT__.py"}),
    ),
    "a local name that is longer": (
        "local header and directory disagree",
        lambda: _first(local={"name": FIRST.raw_name + b"c"}),
    ),
    "a local method that differs": (
        "local header and directory disagree",
        lambda: _first(local={"method": 0}),
    ),
    "local flags that differ": (
        "local header and directory disagree",
        lambda: _first(local={"flags": 0x800}),
    ),
    "a local CRC that differs": (
        "local header and directory disagree",
        lambda: _first(local={"crc": 1}),
    ),
    "a local packed size that differs": (
        "local header and directory disagree",
        lambda: _first(local={"packed": 1}),
    ),
    "a local size that differs": (
        "local header and directory disagree",
        lambda: _first(local={"unpacked": 1}),
    ),
    "local extra fields that are cut": (
        "extra field is malformed",
        lambda: _first(local={"extra": b"\1\0\x20\0"}),
    ),
    "central extra fields that are cut": (
        "extra field is malformed",
        lambda: _first(central={"extra": b"UT\5"}),
    ),
    "a wrong CRC on both sides": (
        "has not the announced size or CRC-32",
        lambda: _first(local={"crc": 1}, central={"crc": 1}),
    ),
    "a size too small on both sides": (
        "has not the announced size or CRC-32",
        lambda: _first(local={"unpacked": 3}, central={"unpacked": 3}),
    ),
    "a size too large on both sides": (
        "has not the announced size or CRC-32",
        lambda: _first(local={"unpacked": 999}, central={"unpacked": 999}),
    ),
    "bytes after the deflate stream": (
        "after its deflate stream",
        lambda: _first(packed=PACKED + b"\0\0"),
    ),
    "a deflate stream that is cut": ("ends early", lambda: _first(packed=PACKED[:-2])),
    "a deflate stream that is none": ("can not be inflated", lambda: _first(packed=b"\xff" * 9)),
    "two deflate streams": ("after its deflate stream", lambda: _first(packed=PACKED + PACKED)),
    "stored with two sizes": (
        "stored and has two sizes",
        lambda: _first(method=0, packed=FIRST.data + b"x"),
    ),
    "a data descriptor": (
        "has flags",
        lambda: _first(flags=0x08, after=b"PK\7\x08" + struct.pack("<3L", 0, 0, 0), local={"crc": 0}),
    ),
    "a data descriptor by its flag only": ("has flags", lambda: _first(flags=0x08)),
    "encrypted": ("has flags", lambda: _first(flags=0x01)),
    "strongly encrypted": ("has flags", lambda: _first(flags=0x41)),
    "masked headers": ("has flags", lambda: _first(flags=0x2000)),
    "bzip2": ("neither stored nor deflated", lambda: _first(method=12)),
    "lzma": ("neither stored nor deflated", lambda: _first(method=14)),
    "a version that readers do not know": (
        "needs version 64",
        lambda: _first(central={"needs": 64}),
    ),
    "such a version in the local header": (
        "needs version 255",
        lambda: _first(local={"needs": 255}),
    ),
    "a comment of a record": (
        "has a comment or lies on another disk",
        lambda: _first(central={"comment": b"hi"}),
    ),
    "a member on another disk": (
        "has a comment or lies on another disk",
        lambda: _first(central={"disk": 1}),
    ),
    "a symlink": (
        "no plain file",
        lambda: _with(Entry("link", b"/etc/passwd", attributes=0o120777 << 16)),
    ),
    "a device": ("no plain file", lambda: _with(Entry("device", b"", attributes=0o020666 << 16))),
    "a directory by its mode only": (
        "no plain file",
        lambda: _with(Entry("d", b"", attributes=0o40755 << 16)),
    ),
    "a directory with contents": (
        "directory with contents",
        lambda: _with(Entry("d/", b"x", attributes=0)),
    ),
    "a name twice": ("stands twice", lambda: _with(FIRST)),
    "a name twice but for case": (
        "stands twice",
        lambda: _with(Entry("Demo_Project/core.py", b"")),
    ),
    "a name twice but for its Unicode form": (
        "stands twice",
        lambda: _with(Entry("demo_project/é", b""), Entry("demo_project/e\u0301", b"")),
    ),
    "a file that is a directory too": (
        "both a file and a directory",
        lambda: _with(Entry("demo_project", b"")),
    ),
    "an absolute name": ("leads astray", lambda: _with(Entry("/etc/passwd", b""))),
    "a name on a drive": ("leads astray", lambda: _with(Entry("C:/autoexec.bat", b""))),
    "a name that climbs": ("leads astray", lambda: _with(Entry("../outside.py", b""))),
    "a name that climbs inside": (
        "leads astray",
        lambda: _with(Entry("demo_project/../../x", b"")),
    ),
    "a name that ends in dots": ("leads astray", lambda: _with(Entry("demo_project/..", b""))),
    "a dot": ("leads astray", lambda: _with(Entry("./x.py", b""))),
    "an empty part": ("leads astray", lambda: _with(Entry("demo_project//x.py", b""))),
    "an empty name": ("leads astray", lambda: _with(Entry("", b""))),
    "only a slash": ("leads astray", lambda: _with(Entry("/", b""))),
    "a backslash": ("leads astray", lambda: _with(Entry("demo_project\\x.py", b""))),
    "a NUL": ("leads astray", lambda: _with(Entry("demo_project/x.py\0.txt", b""))),
    "a line end": ("leads astray", lambda: _with(Entry("demo_project/x\n.py", b""))),
    "a C1 control": ("leads astray", lambda: _with(Entry("demo_project/x\x85.py", b""))),
    "a name that is not UTF-8": (
        "not UTF-8",
        lambda: _with(Entry(b"demo_project/\xff", b"", flags=0x800)),
    ),
    "a name not marked as UTF-8": (
        "not marked as UTF-8",
        lambda: _with(Entry("demo_project/é", b"", flags=0x02)),
    ),
    "a name too long": ("longer than 4096", lambda: _with(Entry("n" * (bounds.MAX_NAME + 1), b""))),
    "a Unicode path to another file": (
        "another name in its Unicode path",
        lambda: _first(local={"extra": _path_field(b"evil.py")}, central={"extra": _path_field(b"evil.py")}),
    ),
    "a Unicode path on one side": (
        "another name in its Unicode path",
        lambda: _first(central={"extra": _path_field(b"evil.py")}),
    ),
    "a Unicode path of another version": (
        "another name in its Unicode path",
        lambda: _first(central={"extra": _path_field(FIRST.raw_name, version=2)}),
    ),
    "a Unicode path twice": (
        "extra field 0x7075 twice",
        lambda: _first(central={"extra": 2 * _path_field(FIRST.raw_name)}),
    ),
    "a Unicode path that is cut": (
        "another name in its Unicode path",
        lambda: _first(local={"extra": b"\x75\x70\1\0\1"}),
    ),
    "a ZIP64 field twice": (
        "extra field 0x0001 twice",
        lambda: _first(central={"unpacked": FULL, "extra": 2 * _zip64(len(FIRST.data))}),
    ),
    "a ZIP64 field of another length": (
        "ZIP64 field of 24",
        lambda: _first(central={"unpacked": FULL, "extra": _zip64(len(FIRST.data), 1, 2)}),
    ),
    "a ZIP64 field with another packed size": (
        "local header and directory disagree",
        lambda: _first(local={"packed": FULL, "extra": _zip64(len(FIRST.data), len(PACKED) + 1)}),
    ),
    "a ZIP64 field that is not needed and differs": (
        "has two sizes",
        lambda: _first(local={"extra": _zip64(len(FIRST.data), 5)}),
    ),
    "a ZIP64 offset beyond 63 bit": (
        "has no local header",
        lambda: _first(central={"offset": FULL, "extra": _zip64(2**64 - 1)}),
    ),
    "a ZIP64 size that makes a bomb": (
        "a bomb",
        lambda: _first(
            local={"unpacked": FULL, "packed": FULL, "extra": _zip64(1 << 60, len(PACKED))},
            central={"unpacked": FULL, "extra": _zip64(1 << 60)},
        ),
    ),
    "a tar file too": ("both a zip and a tar", _also_tar),
}

GOOD_ODDITIES: dict[str, Callable[[], bytes]] = {
    "plain": lambda: zip_of(GOOD),
    "a comment": lambda: zip_of(GOOD, comment=b"made by hand"),
    "stored": lambda: zip_of([Entry(entry.name, entry.data, method=0) for entry in GOOD]),
    "directories": lambda: zip_of([Entry("demo_project/", method=0, attributes=0o40755 << 16 | 0x10), *GOOD]),
    "no unix mode": lambda: zip_of([Entry(entry.name, entry.data, attributes=0) for entry in GOOD]),
    "a ZIP64 end": _with_zip64_end,
    "a ZIP64 field": lambda: _first(
        local={"unpacked": FULL, "packed": FULL, "extra": _zip64(len(FIRST.data), len(PACKED))},
        central={"unpacked": FULL, "extra": _zip64(len(FIRST.data))},
    ),
    "a ZIP64 field that is not needed": lambda: _first(local={"extra": _zip64(len(FIRST.data), len(PACKED))}),
    "the same Unicode path": lambda: _first(central={"extra": _path_field(FIRST.raw_name)}),
    "times in extra fields": lambda: _first(local={"extra": b"UT\5\0\1abcd"}),
    "effort of deflate in the flags": lambda: _first(flags=0x02),
}


def _inspect(folder: Path, data: bytes) -> bytes | None:
    path = archives.written(folder, archives.WHEEL_NAME, data)
    return inspect(path, parse(archives.WHEEL_NAME), strict=True).metadata


@pytest.mark.parametrize("wrong", HOSTILE)
def test_an_ambiguous_zip_file_is_refused(wrong: str, tmp_path: Path) -> None:
    words, build = HOSTILE[wrong]
    with pytest.raises(InvalidArchive, match=re.escape(words)):
        _inspect(tmp_path, build())


@pytest.mark.parametrize("odd", GOOD_ODDITIES)
def test_an_odd_but_unambiguous_zip_file_is_taken(odd: str, tmp_path: Path) -> None:
    assert _inspect(tmp_path, GOOD_ODDITIES[odd]()) == archives.METADATA


def test_what_pythons_zipfile_writes_is_taken(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in GOOD:
            with archive.open(str(entry.name), "w", force_zip64=True) as member:
                member.write(entry.data)
    assert _inspect(tmp_path, out.getvalue()) == archives.METADATA


def test_names_that_differ_in_case_are_taken_where_case_matters(tmp_path: Path) -> None:
    files = archives.wheel_files(more={"terminfo/A": b"1", "terminfo/a": b"2"})
    name = "demo_project-1.2.3-py3-none-manylinux_2_28_x86_64.whl"
    path = archives.written(tmp_path, name, zip_of(wheel_entries(files)))
    assert inspect(path, parse(name), strict=True).metadata == archives.METADATA
