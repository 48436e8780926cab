"""Sdists: one directory with one PKG-INFO, in a tar or zip file that every reader reads alike."""

import re
import subprocess
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from changelog.errors import InvalidArchive
from server.archives import bounds, inspect
from server.filenames import parse
from tests import archives
from tests.archives import (
    METADATA,
    ROOT,
    gzipped,
    sdist_members,
    tar_entry,
    tar_of,
    without_end,
    zip_of,
)

GNU, USTAR = tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT


def _with(name: str, data: bytes = b"", **fields: object) -> bytes:
    return gzipped(tar_of([*sdist_members(), tar_entry(name, data, **fields)]))


def _link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> bytes:
    return _with(f"{ROOT}/{name}", type=kind, linkname=target)


def _pax(**headers: str) -> bytes:
    return _with(f"{ROOT}/odd.py", b"x", pax_headers=headers)


def _patched(at: int, new: bytes, *, checksum: bool = True) -> bytes:
    """Return a sdist whose second header, that of PKG-INFO, has *new* at *at*."""
    tar = bytearray(archives.tar_of(sdist_members()[:4], USTAR))
    block = tar[512:1024]
    block[at : at + len(new)] = new
    if checksum:
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
    tar[512:1024] = block
    return gzipped(bytes(tar))


def _header(kind: bytes, payload: bytes) -> bytes:
    """Return an extended header of *kind* with *payload*, without the end of an archive."""
    blocks = 1 + -(-len(payload) // 512)
    return tar_of([tar_entry("header", payload, type=kind)])[: blocks * 512]


def _record(key: str, value: str) -> bytes:
    rest = len(f" {key}={value}\n".encode())
    length = rest + len(str(rest + len(str(rest))))
    return f"{length} {key}={value}\n".encode()


def _extended(*headers: bytes) -> bytes:
    """Return an sdist with a member whose headers are *headers*."""
    member = tar_of([tar_entry(f"{ROOT}/odd.py")], USTAR)[:512]
    return gzipped(WITHOUT_END + b"".join(headers) + member + bytes(1024))


def _stored_with_a_zip() -> bytes:
    """Return an sdist with a zip file in it that the outer, not compressing, gzip stream shows."""
    squeeze = zlib.compressobj(0, zlib.DEFLATED, 31)
    hidden = tar_entry(f"{ROOT}/test.zip", archives.good_zip_sdist())
    return squeeze.compress(tar_of([*sdist_members(), hidden])) + squeeze.flush()


TAR = tar_of(sdist_members())
SDIST = gzipped(TAR)
WITHOUT_END = without_end(TAR)

WRONG: dict[str, tuple[str, Callable[[], bytes]]] = {
    "an empty file": ("ends early", lambda: b""),
    "no gzip file": ("not a sound gzip stream", lambda: b"this is no archive" * 40),
    "a plain tar file": ("not a sound gzip stream", lambda: TAR),
    "a zip file": ("both a gzip and a zip", archives.good_zip_sdist),
    "a zip file too": ("both a gzip and a zip", _stored_with_a_zip),
    "an empty tar file": ("one top directory", lambda: gzipped(tar_of([]))),
    "an empty gzip stream": ("ends early", lambda: gzipped(b"")),
    "a gzip stream that is cut": ("ends early", lambda: SDIST[:-9]),
    "a wrong CRC": ("not a sound gzip", lambda: SDIST[:-8] + b"\0" * 4 + SDIST[-4:]),
    "a wrong length": ("not a sound gzip", lambda: SDIST[:-4] + b"\0" * 4),
    "bytes after the gzip stream": ("follow the end of the gzip", lambda: SDIST + b"x"),
    "zeros after the gzip stream": ("follow the end of the gzip", lambda: SDIST + b"\0" * 9),
    "a second gzip stream": ("follow the end of the gzip", lambda: SDIST + SDIST),
    "bytes after the tar file": (
        "follow the end of the archive",
        lambda: gzipped(TAR + b"x" * 512),
    ),
    "a second tar file": ("follow the end of the archive", lambda: gzipped(TAR + TAR)),
    "no end": ("ends early", lambda: gzipped(WITHOUT_END)),
    "half an end": ("ends early", lambda: gzipped(WITHOUT_END + bytes(512))),
    "one zero block between members": (
        "odd place",
        lambda: gzipped(WITHOUT_END + bytes(512) + TAR),
    ),
    "half a block": ("whole block", lambda: gzipped(TAR + bytes(100))),
    "a member that is cut": ("ends early", lambda: gzipped(TAR[:1100])),
    "a checksum that is wrong": ("checksum", lambda: _patched(0, b"x", checksum=False)),
    "no magic": ("magic", lambda: _patched(257, b"\0" * 8)),
    "GNU magic and a POSIX prefix": (
        "others have a name",
        lambda: _patched(257, b"ustar  \0" + b"\0" * 80 + b"x"),
    ),
    "a size that is not octal": ("not octal", lambda: _patched(124, b"0000000999\0 ")),
    "a size in base 256": ("not octal", lambda: _patched(124, b"\x80" + bytes(10) + b"\1")),
    "a negative size": ("not octal", lambda: _patched(124, b"-0000000010 ")),
    "a size of 8 GiB": ("over 8388608", lambda: _patched(124, b"77777777777\0")),
    "a name with a slash but no directory": (
        "name of a directory",
        lambda: _patched(0, ROOT.encode() + b"/PKG-INFO/\0"),
    ),
    "an absolute name": ("leads astray", lambda: _with("/etc/passwd", b"x")),
    "a name that climbs": ("leads astray", lambda: _with(f"{ROOT}/../../x", b"x")),
    "a dot": ("leads astray", lambda: _with(f"./{ROOT}/x", b"x")),
    "a backslash": ("leads astray", lambda: _with(f"{ROOT}/a\\b", b"x")),
    "a line end": ("leads astray", lambda: _with(f"{ROOT}/a\nb", b"x")),
    "a name that is not UTF-8": ("not UTF-8", lambda: _patched(0, f"{ROOT}/".encode() + b"\xff\0")),
    "a device": ("a device", lambda: _with(f"{ROOT}/null", type=tarfile.CHRTYPE)),
    "a block device": ("a device", lambda: _with(f"{ROOT}/disk", type=tarfile.BLKTYPE)),
    "a fifo": ("a device", lambda: _with(f"{ROOT}/fifo", type=tarfile.FIFOTYPE)),
    "a sparse member": ("sparse", lambda: _with(f"{ROOT}/s", b"x", type=tarfile.GNUTYPE_SPARSE)),
    "a contiguous member": ("unknown", lambda: _with(f"{ROOT}/s", b"x", type=tarfile.CONTTYPE)),
    "a type nobody knows": ("unknown", lambda: _patched(156, b"Z")),
    "a directory with contents": ("with contents", lambda: _patched(156, b"5")),
    "a link with contents": ("with contents", lambda: _patched(156, b"2")),
    "a name twice": ("stands twice", lambda: _with(f"{ROOT}/PKG-INFO", METADATA)),
    "PKG-INFO twice but for case": ("this has", lambda: _with(f"{ROOT}/pkg-info", METADATA)),
    "a file that is a directory too": ("both a file", lambda: _with(f"{ROOT}/PKG-INFO/x", b"x")),
    "a member below a link": ("both a file", lambda: gzipped(tar_of([
        *sdist_members(),
        tar_entry(f"{ROOT}/l", type=b"2", linkname="src"),
        tar_entry(f"{ROOT}/l/x"),
    ]))),
    "a link that is absolute": ("leads astray", lambda: _link("l", "/etc/passwd")),
    "a link that climbs out": ("leads out", lambda: _link("l", "../x")),
    "a link that climbs to the directory above": ("leads out", lambda: _link("a/l", "../..")),
    "a link that climbs after another": ("leads astray", lambda: _link("l", "src/../../x")),
    "a link that ends climbing": ("leads astray", lambda: _link("a/l", "x/..")),
    "a link to nothing": ("leads astray", lambda: _link("l", "")),
    "a hard link that climbs out": (
        "no earlier file",
        lambda: _link("l", "../../etc/passwd", b"1"),
    ),
    "a hard link to no member": ("no earlier file", lambda: _link("l", f"{ROOT}/none", b"1")),
    "a pax path that climbs": ("leads astray", lambda: _pax(path="../../evil.py")),
    "a pax size that differs": (
        "two sizes",
        lambda: _extended(_header(b"x", _record("size", "5"))),
    ),
    "a pax keyword that is unknown": ("not taken", lambda: _pax(**{"GNU.sparse.major": "1"})),
    "another charset": ("not taken", lambda: _pax(hdrcharset="BINARY")),
    "a pax keyword twice": ("stands twice", lambda: _extended(
        _header(b"x", _record("path", f"{ROOT}/a") + _record("path", f"{ROOT}/b"))
    )),
    "an empty pax path": ("an empty name", lambda: _extended(_header(b"x", _record("path", "")))),
    "a pax path in two headers": ("given twice", lambda: _extended(
        _header(b"x", _record("path", f"{ROOT}/a")), _header(b"x", _record("path", f"{ROOT}/b"))
    )),
    "a pax path and a GNU name": ("given twice", lambda: _extended(
        _header(b"L", f"{ROOT}/a\0".encode()), _header(b"x", _record("path", f"{ROOT}/b"))
    )),
    "a pax path for all members": ("for all members", lambda: gzipped(
        _header(b"g", _record("path", f"{ROOT}/a")) + TAR
    )),
    "a pax record of length 0": ("malformed", lambda: _extended(_header(b"x", b"0 path=x\n"))),
    "a pax record too long": ("malformed", lambda: _extended(_header(b"x", b"99 path=x\n"))),
    "a pax record without a length": ("malformed", lambda: _extended(_header(b"x", b"path=x\n"))),
    "a pax record without a line end": (
        "malformed",
        lambda: _extended(_header(b"x", b"9 path=xy")),
    ),
    "a pax header and no member": ("odd place", lambda: gzipped(
        WITHOUT_END + _header(b"x", _record("path", f"{ROOT}/a")) + bytes(1024)
    )),
    "a pax header too large": ("over 1048576", lambda: _pax(comment="x" * bounds.MAX_HEADER)),
    "a GNU name with a NUL": ("leads astray", lambda: _extended(
        _header(b"L", f"{ROOT}/a\0b\0".encode())
    )),
    "no top directory": ("one top directory", lambda: _with("PKG-INFO", METADATA)),
    "two top directories": ("one top directory", lambda: _with("other-1.0/setup.py", b"x")),
    "a directory of another project": ("not the directory", lambda: gzipped(tar_of([
        tar_entry("other-1.2.3/PKG-INFO", METADATA)
    ]))),
    "a directory of another version": ("not the directory", lambda: gzipped(tar_of([
        tar_entry("demo_project-1.2.4/PKG-INFO", METADATA)
    ]))),
    "no PKG-INFO": ("has one file", lambda: gzipped(tar_of([tar_entry(f"{ROOT}/setup.py", b"x")]))),
    "PKG-INFO that is a link": ("has one file", lambda: gzipped(tar_of([
        tar_entry(f"{ROOT}/x", METADATA),
        tar_entry(f"{ROOT}/PKG-INFO", type=b"2", linkname="x"),
    ]))),
    "PKG-INFO over its bound": (
        "over 8388608",
        lambda: archives.good_sdist(METADATA + b"x" * (9 << 20)),
    ),
    "PKG-INFO without a name": (
        "Name in",
        lambda: archives.good_sdist(METADATA.replace(b"Name: demo-project\n", b"")),
    ),
    "a License-File that is missing": ("License-File", lambda: archives.good_sdist(
        METADATA.replace(b"File: LICENSE", b"File: COPYING")
    )),
}  # fmt: skip


def _inspect(folder: Path, data: bytes, name: str = archives.SDIST_NAME) -> bytes | None:
    return inspect(archives.written(folder, name, data), parse(name), strict=True).metadata


@pytest.mark.parametrize("wrong", WRONG)
def test_an_sdist_that_is_not_what_it_says_is_refused(wrong: str, tmp_path: Path) -> None:
    words, build = WRONG[wrong]
    with pytest.raises(InvalidArchive, match=re.escape(words)):
        _inspect(tmp_path, build())


@pytest.mark.parametrize(
    "build",
    [
        archives.good_sdist,
        lambda: archives.good_sdist(form=GNU),
        lambda: _link("src/l", "../LICENSE"),
        lambda: _link("src/l", "../"),
        lambda: _link("l", "."),
        lambda: _link("l", f"{ROOT}/LICENSE", b"1"),
        lambda: _with(f"{ROOT}/license", b"a"),
        lambda: _pax(comment="made by hand", mtime="1.5"),
        lambda: gzipped(_header(b"g", _record("comment", "0" * 40)) + TAR),
        lambda: gzipped(TAR + bytes(10240)),
        lambda: _extended(_header(b"x", _record("size", "0"))),
        lambda: gzipped(tar_of([tar_entry("Demo.Project-1.2.3.0/PKG-INFO", METADATA),
                            tar_entry("Demo.Project-1.2.3.0/LICENSE", b"")])),
    ],
    ids=["pax", "gnu", "link", "link to top", "link to itself", "hard link", "case", "pax extras",
         "git archive", "padding", "pax size", "not normalized"],
)  # fmt: skip
def test_a_good_sdist_gives_its_metadata(build: Callable[[], bytes], tmp_path: Path) -> None:
    assert _inspect(tmp_path, build()) == METADATA


def test_what_gnu_tar_writes_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / ROOT
    (folder / ("deep" * 30)).mkdir(parents=True)
    (folder / ("deep" * 30) / ("name" * 40)).write_bytes(b"x" * 2000)
    (folder / "PKG-INFO").write_bytes(METADATA)
    (folder / "LICENSE").write_bytes(b"")
    (folder / "link").symlink_to("LICENSE")
    made = subprocess.run(["tar", "-cz", "-C", tmp_path, ROOT], capture_output=True, check=True)
    assert _inspect(tmp_path, made.stdout) == METADATA


def test_a_zip_sdist_gives_its_metadata(tmp_path: Path) -> None:
    data = archives.good_zip_sdist()
    assert _inspect(tmp_path, data, archives.ZIP_SDIST_NAME) == METADATA


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([archives.Entry(f"{ROOT}/setup.py", b"")], "has one file"),
        ([archives.Entry("PKG-INFO", METADATA)], "one top directory"),
        ([archives.Entry("other-1/PKG-INFO", METADATA)], "not the directory"),
        ([archives.Entry(f"{ROOT}/PKG-INFO", METADATA)], "License-File"),
        ([archives.Entry(f"{ROOT}/PKG-INFO", METADATA, flags=8)], "flags"),
    ],
)
def test_a_zip_sdist_that_is_not_what_it_says_is_refused(
    entries: list[archives.Entry], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidArchive, match=words):
        _inspect(tmp_path, zip_of(entries), archives.ZIP_SDIST_NAME)
