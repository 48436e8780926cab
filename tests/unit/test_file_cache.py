"""Large files are checked once, however many ask for them first."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from changelog.blobs import Blobs
from changelog.errors import BlobDamaged
from server.file_cache import FileCache

CONTENT = b"a large file " * 400_000
DIGEST = hashlib.sha256(CONTENT).digest()
CLIENTS = 8


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    made = Blobs(tmp_path / "blobs")
    made.create()
    made.path(DIGEST).write_bytes(CONTENT)
    return made


@pytest.fixture
def cache(blobs: Blobs) -> Iterator[FileCache]:
    made = FileCache(blobs, 1 << 20)
    yield made
    made.close()


def bytes_read() -> int:
    """Return what this process has read by system calls (proc(5))."""
    first = Path("/proc/self/io").read_text().splitlines()[0]
    return int(first.removeprefix("rchar: "))


async def test_those_who_ask_at_once_share_one_check(cache: FileCache) -> None:
    before = bytes_read()
    found = await asyncio.gather(*(cache.open(DIGEST, len(CONTENT)) for _ in range(CLIENTS)))
    assert len({file.fileno() for file in found}) == CLIENTS
    assert len(CONTENT) <= bytes_read() - before < 2 * len(CONTENT)


async def test_a_checked_file_is_not_read_again(cache: FileCache) -> None:
    await cache.open(DIGEST, len(CONTENT))
    before = bytes_read()
    await cache.open(DIGEST, len(CONTENT))
    assert bytes_read() - before < len(CONTENT)


async def test_a_client_that_leaves_does_not_end_the_check_of_the_others(cache: FileCache) -> None:
    first, second = (asyncio.create_task(cache.open(DIGEST, len(CONTENT))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).size == len(CONTENT)
    assert first.cancelled()


async def test_all_who_share_a_check_hear_of_damage(cache: FileCache, blobs: Blobs) -> None:
    blobs.path(DIGEST).write_bytes(CONTENT[:-1] + b"x")
    asked = (cache.open(DIGEST, len(CONTENT)) for _ in range(CLIENTS))
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(result) for result in found] == [BlobDamaged] * CLIENTS


async def test_a_file_that_was_damaged_and_healed_is_checked_again(cache: FileCache, blobs: Blobs) -> None:
    blobs.path(DIGEST).write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(BlobDamaged):
        await cache.open(DIGEST, len(CONTENT))
    blobs.path(DIGEST).write_bytes(CONTENT)
    assert (await cache.open(DIGEST, len(CONTENT))).size == len(CONTENT)
