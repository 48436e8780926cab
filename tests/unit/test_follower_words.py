"""Words that a follower hears: who sends none that is newer hears of no primary itself, and is left."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from changelog.errors import Unavailable
from changelog.views.cluster import epoch_of
from changelog.vouching import VOUCHED, Vouched
from replica import tail_process
from replica.config import ReplicaConfig
from replica.tail import Source
from replica.tail_process import Follower
from server import keys
from server.layout import Layout
from tests.nodes import BEGIN, LOG_KEY, SMALL_MAP, node
from tests.unit.members import FIRST_EPOCH

SHORT_S = 0.02


@pytest.fixture
def follower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Follower]:
    """Return a follower that waits for newer words for a moment only."""
    monkeypatch.setattr(tail_process, "SAME_WORD_S", SHORT_S)
    layout = Layout(tmp_path)
    with node(layout.serverdir):
        pass  # it is made
    for folder in (layout.keys, layout.run):
        folder.mkdir()
    keys.write(layout.keys, keys.NODE_KEY, LOG_KEY.private_bytes_raw())
    made = Follower(ReplicaConfig(tmp_path, map_size=SMALL_MAP))
    yield made
    made._reader.close()  # noqa: SLF001 - the process of a follower ends with it


async def hear(follower: Follower, *words: tuple[int, int]) -> None:
    """Let words come, each after so long that only a newer one is good enough."""
    source = Source("http://127.0.0.1:1", follower._credentials)  # noqa: SLF001 - made as it makes them
    for epoch, at in words:
        await asyncio.sleep(2 * SHORT_S)
        follower._check_word(source, VOUCHED.sign(Vouched(1, epoch, 4, bytes(32), at), LOG_KEY))  # noqa: SLF001 - one step


async def test_a_later_word_is_newer(follower: Follower) -> None:
    await hear(follower, (FIRST_EPOCH, BEGIN), (FIRST_EPOCH, BEGIN + 1))


async def test_a_word_of_a_later_epoch_is_newer_though_its_clock_is_behind(follower: Follower) -> None:
    await hear(follower, (FIRST_EPOCH, BEGIN), (epoch_of(2, 1), BEGIN - 60_000_000))


@pytest.mark.parametrize("second", [(FIRST_EPOCH, BEGIN), (epoch_of(1, 0), BEGIN + 1)], ids=["same", "older epoch"])
async def test_who_has_no_newer_word_is_left(follower: Follower, second: tuple[int, int]) -> None:
    with pytest.raises(Unavailable, match="hears of no primary since"):
        await hear(follower, (FIRST_EPOCH, BEGIN), second)
