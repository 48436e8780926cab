"""Digests that a form sends for its file."""

import hashlib
from pathlib import Path

import pytest

from changelog.errors import InvalidForm
from server.forms import UploadedFile
from server.incoming import check_digests

CONTENT = b"a distribution file"
BLAKE2B_512 = hashlib.blake2b(CONTENT).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> UploadedFile:
    path = tmp_path / "spooled"
    path.write_bytes(CONTENT)
    return UploadedFile(
        "demo-1.0.tar.gz",
        path,
        len(CONTENT),
        hashlib.sha256(CONTENT).digest(),
        hashlib.blake2b(CONTENT, digest_size=32).digest(),
        hashlib.md5(CONTENT, usedforsecurity=False).digest(),
    )


def test_the_512_bits_that_distutils_sends_as_blake2_256_are_taken(file: UploadedFile) -> None:
    check_digests({"blake2_256_digest": [BLAKE2B_512]}, file)


def test_512_bits_of_another_file_are_refused(file: UploadedFile) -> None:
    with pytest.raises(InvalidForm, match="blake2_256_digest"):
        check_digests({"blake2_256_digest": [BLAKE2B_512[::-1]]}, file)


def test_512_bits_that_are_no_digits_are_refused(file: UploadedFile) -> None:
    with pytest.raises(InvalidForm, match="can not be read"):
        check_digests({"blake2_256_digest": ["x" * 128]}, file)
