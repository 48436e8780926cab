"""Small contents as the table has them: compressed, bounded, and readable by a stranger."""

import subprocess
import sys
import zlib
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changelog import contents
from changelog.blobs import SMALL_CONTENT
from changelog.errors import BlobDamaged
from tests.storage import sample
from tests.unit.test_docs import FORMAT_PAGE, examples

DICTIONARY = Path(contents.__file__).with_suffix(".dictionary")
FROZEN = "f29829bfce4ff3ed3ec2c3d4c85b157d19cfcabc309328db0c61aa45e16f5699"
USUAL = b"""Metadata-Version: 2.4
Name: house-tools
Version: 3.1.4
Summary: What every service of the house needs
Author-email: Jane Doe <jane@house.example>
Classifier: Programming Language :: Python :: 3
Classifier: Programming Language :: Python :: 3.12
Requires-Python: >=3.11
Requires-Dist: attrs>=25
Requires-Dist: pytest; extra == "test"
Provides-Extra: test
Description-Content-Type: text/markdown

# House tools
"""


def digest_of(raw: bytes) -> bytes:
    return sha256(raw).digest()


@given(raw=st.binary(max_size=SMALL_CONTENT - 1))
def test_what_was_packed_is_unpacked(raw: bytes) -> None:
    assert contents.unpacked(digest_of(raw), contents.packed(raw)) == raw


def test_the_largest_small_content_is_unpacked() -> None:
    raw = bytes(SMALL_CONTENT - 1)
    assert contents.unpacked(digest_of(raw), contents.packed(raw)) == raw


def test_usual_metadata_take_less_than_half_of_their_bytes() -> None:
    assert len(contents.packed(USUAL)) < len(USUAL) / 2


PACKED = contents.packed(USUAL)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(USUAL, id="plain bytes"),
        pytest.param(PACKED[:-1], id="without its end"),
        pytest.param(PACKED + b"x", id="with more behind it"),
        pytest.param(contents.packed(USUAL + b"x"), id="other bytes"),
        pytest.param(zlib.compressobj(zdict=b"another").compress(USUAL), id="another dictionary"),
    ],
)
def test_a_value_that_is_not_its_content_is_damaged(value: bytes) -> None:
    with pytest.raises(BlobDamaged):
        contents.unpacked(digest_of(USUAL), value)


def test_a_value_that_would_be_large_is_damaged_whatever_its_digest() -> None:
    raw = bytes(64 << 20)
    with pytest.raises(BlobDamaged):
        contents.unpacked(digest_of(raw), contents.packed(raw))
    with pytest.raises(BlobDamaged):
        contents.unpacked(digest_of(raw[:SMALL_CONTENT]), contents.packed(raw))


def test_the_dictionary_is_frozen_and_described() -> None:
    raw = DICTIONARY.read_bytes()
    assert sha256(raw).hexdigest() == FROZEN
    assert FROZEN in FORMAT_PAGE
    assert f"{zlib.adler32(raw):08x}" in FORMAT_PAGE
    assert f"{len(raw):,} bytes of lines" in FORMAT_PAGE
    assert PACKED[2:6] == zlib.adler32(raw).to_bytes(4)


def test_the_example_of_the_page_reads_the_contents(tmp_path: Path) -> None:
    opened = sample.make(tmp_path / "node")
    opened.close()
    _, example = examples()
    command = [sys.executable, "-I", "-c", example, str(opened.layout.changelog), str(DICTIONARY)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"{sample.METADATA.decode()}\n"
