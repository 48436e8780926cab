"""Where archives are not judged, metadata is found where it can be, and nothing is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from server.archives import inspect
from server.filenames import parse_lenient
from tests import archives
from tests.archives import METADATA, ROOT, Entry, tar_entry, wheel_entries, zip_of


def _found(folder: Path, name: str, data: bytes) -> bytes | None:
    path = archives.written(folder, name, data)
    distribution = parse_lenient(name, "demo_project", "1.2.3")
    return inspect(path, distribution, strict=False).metadata


@pytest.mark.parametrize(
    ("name", "build"),
    [
        (archives.WHEEL_NAME, archives.good_wheel),
        (archives.WHEEL_NAME, lambda: zip_of(wheel_entries(record=b"nothing,,\n"))),
        (
            archives.WHEEL_NAME,
            lambda: zip_of(
                [
                    Entry(e.name, e.data, flags=8, local={"crc": 0, "packed": 0, "unpacked": 0})
                    for e in wheel_entries()
                ]
            ),
        ),
        (archives.WHEEL_NAME, lambda: archives.good_wheel(dist_info="Demo-1.DIST-INFO")),
        (archives.SDIST_NAME, archives.good_sdist),
        ("demo-project-1.2.3.tgz", archives.good_sdist),
        (archives.SDIST_NAME, lambda: archives.good_sdist() + b"junk"),
        (archives.SDIST_NAME, lambda: archives.gzipped(archives.tar_of(
            [tar_entry("any/PKG-INFO", METADATA), tar_entry("/absolute")]
        ))),
        (archives.ZIP_SDIST_NAME, archives.good_zip_sdist),
        ("demo_project-1.2.3-py3.11.egg", lambda: zip_of([Entry("EGG-INFO/PKG-INFO", METADATA)])),
    ],
)  # fmt: skip
def test_metadata_is_found(name: str, build: Callable[[], bytes], tmp_path: Path) -> None:
    assert _found(tmp_path, name, build()) == METADATA


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (archives.WHEEL_NAME, b""),
        (archives.WHEEL_NAME, b"no archive"),
        (archives.WHEEL_NAME, zip_of([Entry(f"{ROOT}.dist-info/x", b"")])),
        (archives.WHEEL_NAME, zip_of(wheel_entries())[:-30]),
        (archives.SDIST_NAME, b"\x1f\x8b"),
        (archives.SDIST_NAME, archives.gzipped(archives.tar_of([tar_entry("deep/er/PKG-INFO")]))),
        ("demo_project-1.2.3.tar.bz2", b"BZh9"),
        ("demo_project-1.2.3.win32-py2.7.exe", b"MZ"),
        ("demo_project-1.2.3-1.noarch.rpm", b""),
    ],
)
def test_without_metadata_nothing_is_raised(name: str, data: bytes, tmp_path: Path) -> None:
    assert _found(tmp_path, name, data) is None


def test_what_was_found_is_parsed_without_judgement(tmp_path: Path) -> None:
    odd = archives.good_wheel(b"Metadata-Version: 9\nName: any thing\nRequires-Python: three\n")
    path = archives.written(tmp_path, archives.WHEEL_NAME, odd)
    distribution = parse_lenient(archives.WHEEL_NAME, "demo-project", "1.2.3")
    core = inspect(path, distribution, strict=False).core
    assert core is not None
    assert (core.name, core.requires_python) == ("any thing", "three")
