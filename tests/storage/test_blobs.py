"""Blobs: durable before they are named, and never other bytes than their name says."""

import os
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from changelog.blobs import FOLDERS, Blobs, file_digest
from changelog.errors import BlobDamaged

CONTENT = b"bytes of a wheel" * 100
DIGEST = sha256(CONTENT).digest()
ELSE = sha256(b"else").digest()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    made = Blobs(tmp_path / "blobs")
    made.create()
    return made


@pytest.fixture
def spooled(tmp_path: Path) -> Path:
    path = tmp_path / "spooled"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def published(blobs: Blobs, spooled: Path) -> Blobs:
    blobs.publish(spooled, DIGEST)
    return blobs


def path_of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def test_there_is_a_folder_for_every_first_byte(blobs: Blobs) -> None:
    assert sorted(path.name for path in blobs.folder.iterdir()) == sorted(FOLDERS)
    assert len(FOLDERS) == 256


def test_creating_again_keeps_what_is_there(published: Blobs) -> None:
    published.create()
    assert published.read(DIGEST) == CONTENT


def test_a_published_blob_is_read(published: Blobs, spooled: Path) -> None:
    assert published.read(DIGEST) == CONTENT
    assert published.path(DIGEST).parent.name == DIGEST.hex()[:2]
    assert not spooled.exists()
    with published.path(DIGEST).open("rb") as file:
        assert file_digest(file) == DIGEST
    published.check(DIGEST)


def test_bytes_are_durable_before_the_name_and_the_name_before_the_return(
    blobs: Blobs, spooled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def record_fsync(descriptor: int) -> None:
        fsync(descriptor)
        there = "named" if blobs.path(DIGEST).exists() else "unnamed"
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        done.append(f"fsync {kind} {path_of(descriptor)} {there}")

    def record_replace(source: Path, target: Path) -> None:
        replace(source, target)
        done.append(f"rename {target}")

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_replace)
    blobs.publish(spooled, DIGEST)
    target = blobs.path(DIGEST)
    assert done == [
        f"fsync file {spooled} unnamed",
        f"rename {target}",
        f"fsync folder {target.parent} named",
    ]


def test_the_folders_are_durable_when_they_were_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(str(path_of(descriptor)))

    monkeypatch.setattr(os, "fsync", record)
    Blobs(tmp_path / "blobs").create()
    assert synced == [str(tmp_path / "blobs"), str(tmp_path)]


def test_publishing_repairs_a_damaged_blob(published: Blobs, spooled: Path) -> None:
    published.path(DIGEST).write_bytes(b"damaged")
    spooled.write_bytes(CONTENT)
    published.publish(spooled, DIGEST)
    assert published.read(DIGEST) == CONTENT


def test_a_blob_is_there_or_not(published: Blobs) -> None:
    assert published.has(DIGEST)
    assert published.has(DIGEST, len(CONTENT))
    assert not published.has(DIGEST, len(CONTENT) - 1)
    assert not published.has(ELSE)


def test_a_missing_blob_is_damage(blobs: Blobs) -> None:
    with pytest.raises(BlobDamaged, match=f"{ELSE.hex()} is missing"):
        blobs.read(ELSE)
    with pytest.raises(BlobDamaged, match="is missing"):
        blobs.check(ELSE)


@pytest.mark.parametrize("wrong", [CONTENT[:-1], CONTENT + b"\0", b"", b"x" + CONTENT[1:]])
def test_a_blob_of_other_bytes_is_damage(published: Blobs, wrong: bytes) -> None:
    published.path(DIGEST).write_bytes(wrong)
    with pytest.raises(BlobDamaged, match="other bytes"):
        published.read(DIGEST)
    with pytest.raises(BlobDamaged, match="other bytes"):
        published.check(DIGEST)


def test_every_file_is_listed_with_the_digest_it_names(published: Blobs) -> None:
    odd = {published.folder / "00" / name for name in ("odd", DIGEST.hex().upper(), "00" * 31)}
    for path in odd:
        path.write_bytes(b"")
    found = dict(published.names())
    assert found == dict.fromkeys(odd) | {published.path(DIGEST): DIGEST}
