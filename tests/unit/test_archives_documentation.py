"""Documentation in zip files: what is taken, how it is read, and what a worker remembers of it."""

import io
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changelog.blobs import Blobs
from changelog.errors import InvalidArchive
from changelog.names import Version
from server import directories
from server.archives.documentation import check_documentation, contents, read_directory
from server.directories import Directories
from server.versions import newest
from tests import archives


class Unseekable(io.RawIOBase):
    """A pipe: writers of zip files put sizes behind the members then."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override] # bytes are enough here
        self.written += data
        return len(data)


def zipped(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def written(folder: Path, content: bytes) -> Path:
    path = folder / "docs.zip"
    path.write_bytes(content)
    return path


def read(content: bytes) -> dict[str, bytes]:
    """Return all files of a zip file as they are shown."""
    file = io.BytesIO(content)
    directory = read_directory(file, len(content))
    return {name: b"".join(contents(file, member, directory.end)) for name, member in directory.files.items()}


@given(st.dictionaries(st.text("abé", min_size=1, max_size=5), st.binary(max_size=300), min_size=1, max_size=5))
def test_what_was_zipped_is_read(files: dict[str, bytes]) -> None:
    assert read(zipped(files)) == files


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_nothing_but_names(place: int, by: int) -> None:
    content = bytearray(zipped({"a.html": b"first " * 20, "b/c.html": b"second " * 20}))
    content[place % len(content)] ^= by
    try:
        found = read(bytes(content))
    except InvalidArchive:
        return
    assert set(found.values()) <= {b"first " * 20, b"second " * 20}


def test_a_zip_file_from_a_pipe_is_taken(tmp_path: Path) -> None:
    pipe = Unseekable()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.html", b"piped")
    check_documentation(written(tmp_path, bytes(pipe.written)))
    assert read(bytes(pipe.written)) == {"index.html": b"piped"}


@pytest.mark.parametrize(
    "entries",
    [
        [archives.Entry("a.html", b"x", flags=1)],
        [archives.Entry("a.html", b"x"), archives.Entry("a.html", b"y")],
        [archives.Entry("a\\b.html", b"x")],
        [archives.Entry("only/")],
        [archives.Entry("a.html", b"x" * 9, central={"unpacked": 3})],
    ],
    ids=["encrypted", "twice", "backslash", "no file", "larger than said"],
)
def test_what_readers_could_disagree_about_is_refused(tmp_path: Path, entries: list[archives.Entry]) -> None:
    with pytest.raises(InvalidArchive):
        check_documentation(written(tmp_path, archives.zip_of(entries)))


async def test_directories_are_read_once_and_few_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directories, "MAX_FILES", 2)
    blobs = Blobs(tmp_path)
    blobs.create()
    kept = Directories(blobs)
    named = [zipped({f"{number}.html": b"x"}) for number in range(3)]
    for content in named:
        blobs.path(sha256(content).digest()).write_bytes(content)
        await kept.of(sha256(content).digest(), len(content))
    for content in named:
        blobs.path(sha256(content).digest()).unlink()
    assert list((await kept.of(sha256(named[2]).digest(), len(named[2]))).files) == ["2.html"]
    with pytest.raises(FileNotFoundError):
        await kept.of(sha256(named[0]).digest(), len(named[0]))


@pytest.mark.parametrize(
    ("versions", "expected", "stable"),
    [
        (["1.9", "1.10", "1.10rc1"], "1.10", "1.10"),
        (["1.0", "2.0.dev1"], "2.0.dev1", "1.0"),
        (["odd", "0.1"], "0.1", "0.1"),
        (["odd", "older"], "older", None),
        ([], None, None),
    ],
)
def test_the_newest_version_is_that_of_pep_440(versions: list[str], expected: str | None, stable: str | None) -> None:
    numbers = [Version(text) for text in versions]
    assert (newest(numbers), newest(numbers, stable=True)) == (expected, stable)
