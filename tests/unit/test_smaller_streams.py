"""Fewer bytes for batches where links are slow, smaller batches where they break, one reading for many followers."""

import random
import zlib
from pathlib import Path

import pytest

from changelog.copying import MAX_BATCH_BYTES, Batch
from changelog.errors import InvalidEntry, Unavailable
from changelog.packing import Packing
from changelog.reader import Reader
from replica.tail import LEAST_BATCH_BYTES, Amid, next_most
from server import stream
from server.batches import MOST_KEPT, Batches, Wish
from server.stream import DEFLATED, batch_frame, read_frame
from server.wire import Frames, framed
from tests.nodes import node

DIGESTS = random.Random(1).randbytes(10_000).hex().encode()  # noqa: S311 - test data, deflated to the half
LARGE = Batch(1, (DIGESTS,), (), (), "note", b"word", ())
SMALL = Batch(1, (b"entry",), (), (), "note", b"word", ())


def read(raw: bytes) -> Batch | bytes:
    """Return what one frame says."""
    (frame,) = Frames().feed(raw)
    return read_frame(frame)


@pytest.mark.parametrize("batch", [LARGE, SMALL])
def test_a_deflated_batch_is_the_same(batch: Batch) -> None:
    assert read(batch_frame(batch, deflated=True)) == batch


def test_a_large_batch_is_sent_in_fewer_bytes_and_a_small_one_as_it_is() -> None:
    assert len(batch_frame(LARGE, deflated=True)) < len(batch_frame(LARGE)) * 0.6
    assert batch_frame(SMALL, deflated=True) == batch_frame(SMALL)


@pytest.mark.parametrize(
    "packed", [b"", b"not packed", zlib.compress(b"no batch"), zlib.compress(b"\xa1x"), zlib.compress(bytes(100))[:-5]]
)
def test_what_is_no_packed_batch_is_refused(packed: bytes) -> None:
    with pytest.raises(InvalidEntry):
        read(framed(DEFLATED, packed))


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_FRAME", 1_000)
    with pytest.raises(InvalidEntry, match="1000"):
        read(framed(DEFLATED, zlib.compress(bytes(1_000_000))))


def test_batches_get_smaller_only_while_links_break_amid_one() -> None:
    assert next_most(MAX_BATCH_BYTES, Amid("cut"), copied=False) == MAX_BATCH_BYTES // 4
    assert next_most(LEAST_BATCH_BYTES, Amid("cut"), copied=False) == LEAST_BATCH_BYTES
    assert next_most(MAX_BATCH_BYTES // 4, Amid("cut"), copied=True) == MAX_BATCH_BYTES // 2
    assert next_most(MAX_BATCH_BYTES, Unavailable("down"), copied=False) == MAX_BATCH_BYTES


def test_a_batch_that_grows_more_than_entries_do_is_refused() -> None:
    wide = Batch(1, (bytes(1 << 20),), (), (), "note", b"word", ())
    packed = zlib.compress(Packing(Batch).pack(wide))
    assert len(packed) < 10_000
    with pytest.raises(InvalidEntry, match="a batch of over"):
        read(framed(DEFLATED, packed))


async def test_followers_at_one_place_get_what_was_read_once(tmp_path: Path) -> None:
    with node(tmp_path):
        pass  # it is made
    reader = Reader(tmp_path / "changelog")
    batches = Batches(reader)
    first, again = [await batches.next(0, Wish()) for _ in range(2)]
    assert first is again
    assert isinstance(found := read(first.frame), Batch)
    assert found.last == first.last == first.seen
    assert (await batches.next(first.last, Wish())).frame == b""
    reader.close()


async def test_what_is_kept_for_followers_is_bounded(tmp_path: Path) -> None:
    with node(tmp_path):
        pass  # it is made
    reader = Reader(tmp_path / "changelog")
    batches = Batches(reader)
    wishes = [Wish(most) for most in range(MOST_KEPT + 1)]  # a follower may wish for any
    first = [await batches.next(0, wish) for wish in wishes]
    again = [await batches.next(0, wish) for wish in wishes]
    assert [one is other for one, other in zip(first, again, strict=True)] == [True] * MOST_KEPT + [False]
    assert again == first
    reader.close()


def test_a_batch_that_would_look_like_a_bomb_is_sent_as_it_is() -> None:
    alike = Batch(1, (b"a" * 60_000,) * 10, (), (), "note", b"word", ())
    raw = batch_frame(alike, deflated=True)
    assert raw == batch_frame(alike)
    assert read(raw) == alike
