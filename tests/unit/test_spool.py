import asyncio
import errno
import hashlib
import os
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from changelog.errors import StorageFull
from server.forms import read_form
from server.spool import BATCH_BYTES, Spool
from tests.forms import LIMITS, PLAIN, TYPE, WHEEL, content, form_of, left_in, read, stream


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("size", [0, 1, BATCH_BYTES - 1, BATCH_BYTES, 3 * BATCH_BYTES + 7])
async def test_size_and_digests_are_those_of_the_bytes(size: int, spool: Spool) -> None:
    data = os.urandom(size)
    body = form_of(content(data))
    form = await read(spool, *(body[at : at + 65536] for at in range(0, len(body), 65536)))
    file = form.files["content"]
    assert file.path.read_bytes() == data
    assert file.size == size
    assert file.sha256 == hashlib.sha256(data).digest()
    assert file.blake2b_256 == hashlib.blake2b(data, digest_size=32).digest()
    assert file.md5 == hashlib.md5(data, usedforsecurity=False).digest()


@pytest.mark.parametrize("size", [100, 5 * BATCH_BYTES])
async def test_a_full_disk_refuses_and_leaves_no_file(size: int, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    body = form_of(content(b"x" * size))
    with pytest.raises(StorageFull):
        await read(spool, *(body[at : at + 65536] for at in range(0, len(body), 65536)))
    assert left_in(spool) == 0


async def test_a_client_that_leaves_leaves_no_file(spool: Spool) -> None:
    waiting = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield PLAIN[:-100]
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(read_form(TYPE, stalled(), spool, LIMITS))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left_in(spool) == 0


async def leave_during_a_write(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> tuple[int, list[int]]:
    """Return how many files were left as the reader ended, and what the thread's writes returned after that."""
    begun, may_go_on, real = threading.Event(), threading.Event(), os.write
    written: list[int] = []

    def slow(descriptor: int, piece: bytes) -> int:
        begun.set()
        may_go_on.wait()
        written.append(real(descriptor, piece))
        return written[-1]

    monkeypatch.setattr(os, "write", slow)
    task = asyncio.create_task(read(spool, form_of(content(b"x" * BATCH_BYTES))))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    left = left_in(spool)
    may_go_on.set()
    spool.close()
    return left, written


async def test_a_client_that_leaves_during_a_write_leaves_no_file_and_no_descriptor(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_descriptors()
    left, _ = await leave_during_a_write(spool, monkeypatch)
    assert (left, open_descriptors()) == (0, before)


async def test_a_descriptor_is_not_closed_under_a_write(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    _, written = await leave_during_a_write(spool, monkeypatch)
    assert written == [BATCH_BYTES]


async def test_a_large_file_is_written_off_the_loop(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    real, threads = os.write, set()

    def noted(descriptor: int, piece: bytes) -> int:
        threads.add(threading.current_thread())
        return real(descriptor, piece)

    monkeypatch.setattr(os, "write", noted)
    body = form_of(content(b"x" * (4 * BATCH_BYTES + 1)))
    await read(spool, *(body[at : at + 65536] for at in range(0, len(body), 65536)))
    assert threads
    assert threading.current_thread() not in threads


async def test_memory_stays_flat_however_slow_the_disk_is(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write

    def slow(descriptor: int, piece: bytes) -> int:
        time.sleep(0.0005)
        return real(descriptor, piece)

    def large() -> Iterator[bytes]:
        yield content(b"")[: -len(b"\r\n")]
        for number in range(300 * 16):
            yield number.to_bytes(8, "big") * 8192  # 64 KiB, each of its own
        yield b"\r\n--bound--\r\n"

    monkeypatch.setattr(os, "write", slow)
    tracemalloc.start()
    try:
        form = await read_form(TYPE, stream(large()), spool, LIMITS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    size = form.files["content"].size
    form.discard()
    assert size == 300 << 20
    assert peak < 4 << 20


async def test_a_discarded_form_leaves_no_file(spool: Spool) -> None:
    form = await read(spool, PLAIN)
    form.discard()
    assert left_in(spool) == 0


async def test_a_file_that_was_renamed_away_is_not_discarded(spool: Spool, tmp_path: Path) -> None:
    form = await read(spool, PLAIN)
    form.files["content"].path.rename(tmp_path / "blob")
    form.discard()
    assert (tmp_path / "blob").read_bytes() == WHEEL


async def test_what_a_crash_left_is_cleared(spool: Spool) -> None:
    await read(spool, PLAIN)
    await read(spool, PLAIN)
    assert (spool.clear(), spool.clear()) == (2, 0)


def test_a_written_file_holds_the_bytes(spool: Spool) -> None:
    assert spool.write(WHEEL).read_bytes() == WHEEL
