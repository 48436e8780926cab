"""A zip file beyond 4 GiB, in a sparse file."""

import struct
from pathlib import Path

from server.archives.zip_contents import open_zip
from tests import archives
from tests.archives import Entry, zip64_end, zip_of

FULL = 0xFFFFFFFF
NAMES = 100  # bytes of a member at most


def _zip64(*values: int) -> bytes:
    return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)


def test_a_zip_file_beyond_4_gib_is_read(tmp_path: Path) -> None:
    large = 5 << 30
    path = tmp_path / "large.zip"
    local = {"packed": FULL, "unpacked": FULL, "extra": _zip64(large, large)}
    hole = len(zip_of([Entry("hole", method=0, local=local)], end={})) - (46 + 4 + 22)
    after = hole + large
    note = Entry("note", b"found")
    note_head = zip_of([note])[: 30 + 4 + len(archives.deflate(note.data))]
    whole = zip_of(
        [
            Entry("hole", method=0, local=local, central=local),
            Entry("note", b"found", central={"offset": FULL, "extra": _zip64(after)}),
        ]
    )
    directory = whole[whole.index(b"PK\1\2") : -22]
    at = after + len(note_head)
    end = zip64_end(at, len(directory), 2)
    plain = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, len(directory), FULL, 0)
    with path.open("wb") as file:
        file.write(whole[:hole])
        file.seek(after)
        file.write(note_head + directory + end + plain)
    with path.open("rb") as file:
        archive = open_zip(file, path.stat().st_size)
        assert archive.read("note", NAMES) == b"found"
