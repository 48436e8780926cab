"""Wheels: one .dist-info that the file name means, and a RECORD that lists everything."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from changelog.errors import InvalidArchive
from server.archives import inspect
from server.filenames import parse
from tests import archives
from tests.archives import DIST_INFO, METADATA, Entry, wheel_entries, wheel_files, zip_of


def _without(name: str) -> bytes:
    """Return a wheel without that file of .dist-info, which RECORD does not list either."""
    files = {path: data for path, data in wheel_files().items() if path != f"{DIST_INFO}/{name}"}
    return zip_of(wheel_entries(files)[: -1 if name == "RECORD" else None])


def _files(more: Mapping[str, bytes]) -> bytes:
    return zip_of(wheel_entries(wheel_files(more=more)))


def _record(old: bytes, new: bytes) -> bytes:
    return zip_of(wheel_entries(record=archives.record_of(wheel_files()).replace(old, new)))


def _metadata(old: bytes, new: bytes) -> bytes:
    return archives.good_wheel(METADATA.replace(old, new))


WRONG: dict[str, tuple[str, Callable[[], bytes]]] = {
    "no METADATA": ("there is no", lambda: _without("METADATA")),
    "no WHEEL": ("there is no", lambda: _without("WHEEL")),
    "no RECORD": ("there is no", lambda: _without("RECORD")),
    "no .dist-info": (
        "one .dist-info directory",
        lambda: zip_of([Entry("demo_project/__init__.py", b"")]),
    ),
    "two .dist-info": (
        "one .dist-info directory",
        lambda: _files({"demo_project-1.2.4.dist-info/x": b""}),
    ),
    "a second .dist-info in other case": (
        "one .dist-info directory",
        lambda: _files({"DEMO_project-1.2.3.DIST-INFO/x": b""}),
    ),
    ".dist-info of another project": (
        "is not the directory of",
        lambda: archives.good_wheel(dist_info="other-1.2.3.dist-info"),
    ),
    ".dist-info of another version": (
        "is not the directory of",
        lambda: archives.good_wheel(dist_info="demo_project-1.2.4.dist-info"),
    ),
    ".dist-info in capitals": (
        "is not the directory of",
        lambda: archives.good_wheel(dist_info="demo_project-1.2.3.DIST-INFO"),
    ),
    "a second .dist-info through .data": (
        "as a second .dist-info",
        lambda: _files({f"demo_project-1.2.3.data/purelib/{DIST_INFO}/METADATA": b"Name: evil\n"}),
    ),
    "METADATA twice but for case": (
        "stands twice",
        lambda: _files({f"{DIST_INFO}/metadata": b"Name: evil\n"}),
    ),
    "an unlisted file": (
        "does not list",
        lambda: zip_of([*wheel_entries(), Entry("evil.py", b"")]),
    ),
    "a listed file that is not there": ("does not list", lambda: _record(b"core.py", b"gone.py")),
    "a listed file outside": (
        "RECORD lists",
        lambda: _record(f"{DIST_INFO}/RECORD".encode(), f"../evil.py,,\n{DIST_INFO}/RECORD".encode()),
    ),
    "two rows for one path": (
        "two different rows",
        lambda: _record(b"demo_project/core.py", b"demo_project/core.py,,\ndemo_project/core.py"),
    ),
    "a row with two columns": ("has 2 columns", lambda: _record(b"RECORD,,", b"RECORD,")),
    "RECORD with an open quote": (
        "RECORD can not be read",
        lambda: _record(b"demo_project/core.py", b'"demo_project/core.py'),
    ),
    "RECORD that is not UTF-8": ("RECORD can not be read", lambda: _record(b"core.py", b"\xff.py")),
    "RECORD with a NUL": ("does not list", lambda: _record(b"core.py", b"core.py\0")),
    "an empty RECORD": ("does not list", lambda: zip_of(wheel_entries(record=b""))),
    "WHEEL without a version": (
        "Wheel-Version 1.x",
        lambda: zip_of(wheel_entries(wheel_files(wheel=b"Tag: x\n"))),
    ),
    "WHEEL of version 2": (
        "Wheel-Version 1.x",
        lambda: zip_of(wheel_entries(wheel_files(wheel=b"Wheel-Version: 2.0\n"))),
    ),
    "WHEEL of two versions": (
        "Wheel-Version 1.x",
        lambda: zip_of(wheel_entries(wheel_files(wheel=b"Wheel-Version: 1.0\nWheel-Version: 2.0\n"))),
    ),
    "a License-File that is missing": (
        "is not in demo_project-1.2.3.dist-info/licenses",
        lambda: _metadata(b"File: LICENSE", b"File: COPYING"),
    ),
    "METADATA without a name": (
        "Name in the metadata",
        lambda: _metadata(b"Name: demo-project\n", b""),
    ),
    "a Requires-Python that is none": (
        "requires-python in the metadata",
        lambda: _metadata(b">=3.9", b"3.9 or so"),
    ),
    "METADATA over its bound": (
        "over 8388608",
        lambda: archives.good_wheel(METADATA + b"x" * (9 << 20)),
    ),
}


def _inspect(folder: Path, data: bytes) -> bytes | None:
    path = archives.written(folder, archives.WHEEL_NAME, data)
    return inspect(path, parse(archives.WHEEL_NAME), strict=True).metadata


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wheel_that_is_not_what_it_says_is_refused(wrong: str, tmp_path: Path) -> None:
    words, build = WRONG[wrong]
    with pytest.raises(InvalidArchive, match=re.escape(words)):
        _inspect(tmp_path, build())


@pytest.mark.parametrize(
    "data",
    [
        archives.good_wheel(),
        archives.good_wheel(dist_info="Demo.Project-1.2.3.0.dist-info"),
        _record(f"{DIST_INFO}/RECORD,,\n".encode(), b""),
        _record(b"\n", b"\r\n"),
        zip_of([*wheel_entries(), Entry(f"{DIST_INFO}/RECORD.jws", b"{}")]),
        _files({"with, comma.txt": b"", 'with " quote.txt': b""}),
        _files({f"{DIST_INFO}/sboms/a.json": b"{}"}),
    ],
    ids=["plain", "not normalized", "unlisted RECORD", "crlf", "signed", "quotes", "sbom"],
)
def test_a_good_wheel_gives_its_metadata(data: bytes, tmp_path: Path) -> None:
    assert _inspect(tmp_path, data) == METADATA


def test_license_files_need_not_exist_before_metadata_2_4(tmp_path: Path) -> None:
    old = METADATA.replace(b": 2.4", b": 2.1").replace(b"License-Expression", b"License")
    raw = old.replace(b"File: LICENSE", b"File: COPYING")
    assert _inspect(tmp_path, archives.good_wheel(raw)) == raw
