"""Mutated archives: refused in one way only, or read alike by Python's own readers."""

import io
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from changelog.errors import InvalidArchive
from server.archives import inspect
from server.archives.gzip_stream import GzipStream
from server.archives.tar_members import DIRECTORY, TarReader
from server.archives.zip_contents import open_zip
from server.filenames import parse
from tests import archives

STORED = archives.zip_of([archives.Entry(e.name, e.data, method=0) for e in archives.wheel_entries()])
WHEELS = (archives.good_wheel(), STORED, archives.zip_of(archives.wheel_entries(), comment=b"note"))
TAR = archives.tar_of(archives.sdist_members())
SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)


class Change(NamedTuple):
    """One mutation of bytes: at a place (a fraction of the length), new bytes for some old ones."""

    place: float
    new: bytes
    dropped: int


CHANGES = st.lists(
    st.builds(
        Change,
        st.floats(0, 1),
        st.binary(max_size=4)
        | st.sampled_from([b"PK\5\6", b"PK\1\2", b"PK\3\4", b"\0" * 8, b"\xff" * 4, b"/", b"../"]),
        st.integers(0, 8),
    ),
    min_size=1,
    max_size=3,
)


def _changed(data: bytes, changes: list[Change]) -> bytes:
    for change in changes:
        at = int(change.place * len(data))
        data = data[:at] + change.new + data[at + change.dropped :]
    return data


def _overwritten(data: bytes, changes: list[Change]) -> bytes:
    """Return *data* with bytes replaced by as many, so that offsets keep."""
    for change in changes:
        at = int(change.place * len(data))
        data = (data[:at] + change.new + data[at + len(change.new) :])[: len(data)]
    return data


def _taken(folder: Path, name: str, data: bytes) -> bytes | None:
    """Return the metadata if *data* is taken, None if it is refused as it should be."""
    path = archives.written(folder, name, data)
    distribution = parse(name)
    inspect(path, distribution, strict=False)
    try:
        return inspect(path, distribution, strict=True).metadata
    except InvalidArchive:
        return None


@SAME_FOLDER
@given(data=st.sampled_from(WHEELS), changes=CHANGES, keep=st.booleans())
def test_a_mutated_wheel_that_is_taken_is_read_alike_by_zipfile(
    data: bytes,
    changes: list[Change],
    keep: bool,  # noqa: FBT001 - drawn, not passed by anyone
    tmp_path: Path,
) -> None:
    mutated = _overwritten(data, changes) if keep else _changed(data, changes)
    metadata = _taken(tmp_path, archives.WHEEL_NAME, mutated)
    if metadata is None:
        return
    with zipfile.ZipFile(io.BytesIO(mutated)) as theirs:
        ours = open_zip(io.BytesIO(mutated), len(mutated))
        assert theirs.namelist() == ours.names
        assert theirs.read(f"{archives.DIST_INFO}/METADATA") == metadata
        assert theirs.testzip() is None


@SAME_FOLDER
@given(changes=CHANGES, keep=st.booleans())
def test_a_mutated_tar_file_that_is_taken_is_read_alike_by_tarfile(
    changes: list[Change],
    keep: bool,  # noqa: FBT001 - drawn, not passed by anyone
    tmp_path: Path,
) -> None:
    tar = _overwritten(TAR, changes) if keep else _changed(TAR, changes)
    packed = archives.gzipped(tar)
    metadata = _taken(tmp_path, archives.SDIST_NAME, packed)
    if metadata is None:
        return
    reader = TarReader(GzipStream(io.BytesIO(packed), len(packed)))
    ours = [(m.name.rstrip("/"), m.kind == DIRECTORY, m.size) for m in reader]
    with tarfile.open(fileobj=io.BytesIO(packed)) as theirs:
        assert [(m.name.rstrip("/"), m.isdir(), m.size) for m in theirs] == ours
        member = theirs.extractfile(f"{archives.ROOT}/PKG-INFO")
        assert member is not None
        assert member.read() == metadata


@SAME_FOLDER
@given(changes=CHANGES)
def test_a_mutated_gzip_stream_is_refused_or_the_same(changes: list[Change], tmp_path: Path) -> None:
    mutated = _changed(archives.good_sdist(), changes)
    assert _taken(tmp_path, archives.SDIST_NAME, mutated) in {None, archives.METADATA}


@SAME_FOLDER
@given(
    data=st.binary(max_size=2000),
    name=st.sampled_from([archives.WHEEL_NAME, archives.SDIST_NAME, archives.ZIP_SDIST_NAME]),
)
def test_no_bytes_raise_anything_but_invalid_archive(data: bytes, name: str, tmp_path: Path) -> None:
    assert _taken(tmp_path, name, data) is None


@pytest.mark.parametrize("cut", range(0, len(WHEELS[0]), 7))
def test_a_wheel_that_is_cut_is_refused(cut: int, tmp_path: Path) -> None:
    assert _taken(tmp_path, archives.WHEEL_NAME, WHEELS[0][:cut]) is None
