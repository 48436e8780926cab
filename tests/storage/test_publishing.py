"""The bytes of an upload are synced while they are checked, and named only after both."""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from attrs import define, field

from changelog.blobs import Blobs
from changelog.errors import InvalidArchive
from changelog.names import IndexName
from server import incoming
from server.forms import Form, UploadedFile
from server.spool import Spool
from tests import forms
from tests.http.client import wheel

DEV = IndexName("root/dev")
DIST = wheel()
DIGEST = bytes.fromhex(DIST.sha256)
WAIT_S = 10.0


@define
class Disk:
    """What was done to the disk, in order."""

    steps: list[str] = field(factory=list)
    synced: Event = field(factory=Event)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    traced, fsync, replace = Disk(), os.fsync, os.replace

    def on_fsync(descriptor: int) -> None:
        fsync(descriptor)
        folder = Path(f"/proc/self/fd/{descriptor}").readlink().parent.name
        traced.steps.append(f"sync in {folder}")
        traced.synced.set()

    def on_replace(source: Any, target: Any) -> None:  # noqa: ANN401 - as os.replace
        replace(source, target)
        traced.steps.append("rename")

    monkeypatch.setattr(os, "fsync", on_fsync)
    monkeypatch.setattr(os, "replace", on_replace)
    return traced


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    made = Blobs(tmp_path / "blobs")
    made.create()
    return made


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool")
    yield made
    made.close()


async def form_and_file(spool: Spool) -> tuple[Form, UploadedFile]:
    parts = [forms.field(name, text.encode()) for name, text in DIST.fields.items()]
    form = await forms.read(spool, forms.form_of(*parts, forms.content(DIST.content, DIST.filename)))
    return form, form.files["content"]


async def test_a_file_is_synced_then_named_then_its_folder_is_synced(disk: Disk, blobs: Blobs, spool: Spool) -> None:
    form, file = await form_and_file(spool)
    disk.steps.clear()
    async with incoming.synced_meanwhile(file, blobs, spool) as publish:
        publish(incoming.check(DEV, form, strict=True))
    assert disk.steps == ["sync in spool", "rename", "sync in blobs"]
    assert blobs.read(DIGEST) == DIST.content


async def test_the_disk_works_while_the_file_is_checked(disk: Disk, blobs: Blobs, spool: Spool) -> None:
    form, file = await form_and_file(spool)
    disk.steps.clear()
    disk.synced.clear()
    async with incoming.synced_meanwhile(file, blobs, spool) as publish:
        found = incoming.check(DEV, form, strict=True)
        assert disk.synced.wait(WAIT_S)
        assert disk.steps == ["sync in spool"]
        publish(found)
    assert blobs.has(DIGEST)


async def test_a_file_that_is_refused_is_never_named(disk: Disk, blobs: Blobs, spool: Spool) -> None:
    form, file = await form_and_file(spool)
    with pytest.raises(InvalidArchive):
        async with incoming.synced_meanwhile(file, blobs, spool):
            raise InvalidArchive("no")
    form.discard()
    assert "rename" not in disk.steps
    assert not blobs.has(DIGEST)
    assert forms.left_in(spool) == 0
