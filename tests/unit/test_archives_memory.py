"""Memory and time of a check do not grow with what an archive unpacks to, or claims to."""

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from changelog.errors import InvalidArchive
from server.archives import bounds, inspect
from server.filenames import parse
from tests import archives
from tests.archives import ROOT, Entry

MIB = 1 << 20
FULL = 0xFFFFFFFF


def _deflated_zeros(size_mib: int) -> tuple[bytes, int]:
    """Return that many MiB of zeros, deflated, and their CRC-32; made in pieces."""
    squeeze, crc = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS), 0
    pieces = []
    for _ in range(size_mib):
        pieces.append(squeeze.compress(bytes(MIB)))
        crc = zlib.crc32(bytes(MIB), crc)
    return b"".join([*pieces, squeeze.flush()]), crc


def _wheel_of_zeros(size_mib: int, claim: int | None = None) -> bytes:
    packed, crc = _deflated_zeros(size_mib)
    lie = {"crc": crc, "unpacked": size_mib * MIB if claim is None else claim}
    files = {**archives.wheel_files(), "zeros.bin": b""}
    record = archives.record_of(files)
    zeros = Entry("zeros.bin", packed=packed, local=lie, central=lie)
    return archives.zip_of([zeros, *archives.wheel_entries(record=record)])


def _sdist_of_zeros(size_mib: int) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    head, _ = archives.tar_entry(f"{ROOT}/zeros.bin")
    head.size = size_mib * MIB
    pieces = [squeeze.compress(archives.without_end(archives.tar_of(archives.sdist_members())))]
    pieces.append(squeeze.compress(head.tobuf()))
    pieces += [squeeze.compress(bytes(MIB)) for _ in range(size_mib)]
    return b"".join([*pieces, squeeze.compress(bytes(1024)), squeeze.flush()])


def _peak(path: Path, name: str) -> tuple[int, str]:
    """Return the peak of memory of one check, in bytes, and what it refused, if it did."""
    complaint = ""
    tracemalloc.start()
    try:
        inspect(path, parse(name), strict=True)
    except InvalidArchive as error:
        complaint = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak, complaint


@pytest.mark.parametrize(
    ("name", "build", "words"),
    [
        (archives.WHEEL_NAME, lambda: _wheel_of_zeros(60), ""),
        (archives.SDIST_NAME, lambda: _sdist_of_zeros(60), ""),
        (archives.WHEEL_NAME, lambda: _wheel_of_zeros(80), "a bomb"),
        (archives.WHEEL_NAME, lambda: _wheel_of_zeros(80, claim=10), "announced size"),
        (archives.SDIST_NAME, lambda: _sdist_of_zeros(200), "a bomb"),
    ],
    ids=["large wheel", "large sdist", "wheel bomb", "wheel bomb that lies", "sdist bomb"],
)
def test_memory_is_flat(name: str, build: Callable[[], bytes], words: str, tmp_path: Path) -> None:
    path = archives.written(tmp_path, name, build())
    peak, complaint = _peak(path, name)
    assert peak < 4 * MIB
    assert words in complaint
    assert bool(words) == bool(complaint)


@pytest.mark.parametrize(
    ("name", "words"),
    [(archives.WHEEL_NAME, "not a zip file"), (archives.SDIST_NAME, "not a sound gzip stream")],
)
def test_a_large_hole_is_refused_at_once(name: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(5 << 30)
    peak, complaint = _peak(path, name)
    assert words in complaint
    assert peak < 4 * MIB


def test_a_directory_that_claims_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / archives.WHEEL_NAME
    size = 2 << 30
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(0, 2)
        file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 9, 9, size, 0, 0))
    peak, complaint = _peak(path, archives.WHEEL_NAME)
    assert "a central directory of" in complaint
    assert peak < 4 * MIB


def test_members_are_counted_before_they_are_read(tmp_path: Path) -> None:
    end64 = archives.zip64_end(0, 0, bounds.MAX_MEMBERS + 1)
    data = archives.zip_of([], before_end=end64, end={"count": 0xFFFF, "here": 0xFFFF})
    path = archives.written(tmp_path, archives.WHEEL_NAME, data)
    assert "members are more than" in _peak(path, archives.WHEEL_NAME)[1]


def test_tar_members_are_counted_while_they_are_read(tmp_path: Path) -> None:
    head, _ = archives.tar_entry(f"{ROOT}/again")
    packed = archives.gzipped(head.tobuf() * (bounds.MAX_MEMBERS + 1))
    path = archives.written(tmp_path, archives.SDIST_NAME, packed)
    with pytest.raises(InvalidArchive, match="members are more than"):
        inspect(path, parse(archives.SDIST_NAME), strict=True)
