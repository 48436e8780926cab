"""Primaries that are killed or hang under load, and replicas that take over: what was acknowledged stays or is told."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from changelog.codec import decode
from changelog.events.files import FileUploaded
from replica import stranded
from server.layout import Layout
from tests.crash.uploaders import Record, Uploaders
from tests.following import entries, ledgerpi
from tests.processes import Node
from tests.replica.promoting import LOCAL, ONE, Cluster, cluster

FULL = os.environ.get("LEDGERPI_TEST_FULL") == "1"
ROUNDS = 50 if FULL else 5
SEED = 31
PROMOTE_S = 30.0  # more than it takes on a busy machine
RECOVERY_S = 60.0
TIMEOUT_S = 4.0  # that a write waits for copies
Entries = dict[tuple[int, int], set[bytes]]  # by epoch and serial


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tmp_path, ("a", "b"), 1, "--durability-timeout", str(TIMEOUT_S)) as made:
        yield made


@pytest.mark.long
def test_promotions_under_load_lose_nothing_that_was_acknowledged(
    three: Cluster,
) -> None:
    chance, record = random.Random(SEED), Record()  # noqa: S311 - it chooses moments
    took_s: list[float] = []
    began = time.monotonic()
    for _ in range(ROUNDS):
        took_s.append(_round(three, record, chance))
        figures = (time.monotonic() - began, sorted(took_s), record.count(ONE), record.count(LOCAL), record.unknown)
        (three.folder / "figures").write_text("\n".join(map(str, figures)))
    assert max(took_s) < PROMOTE_S
    assert min(record.count(ONE), record.count(LOCAL)) > 3 * ROUNDS, "the load was too small to prove anything"
    assert record.unknown > 0, "no promotion interrupted anything"
    assert not record.unexpected, record.unexpected[:5]
    three.check()
    in_log, in_tails, all_entries = _kept(three)
    lost = [write for write in record.acknowledged if bytes.fromhex(write.dist.sha256) not in in_log]
    assert not [write for write in lost if write.durability == ONE]
    assert not [write for write in lost if bytes.fromhex(write.dist.sha256) not in in_tails]
    forks = [place for place, raws in all_entries.items() if len(raws) > 1]
    assert not forks, "in one epoch there is one history"
    assert {write.epoch for write in record.acknowledged} <= {epoch for epoch, _ in all_entries}


def _round(three: Cluster, record: Record, chance: random.Random) -> float:
    """Have one promotion, and return how long it took."""
    old, new = three.primary, chance.choice(three.replicas)
    with Uploaders(three, record, chance) as uploaders:
        uploaders.wait_for(ONE, record.count(ONE), RECOVERY_S)
        time.sleep(chance.uniform(0, 0.5))
        is_cut = chance.random() < 0.5
        if is_cut:
            _signal(three.replicas, signal.SIGSTOP)
            uploaders.wait_for(LOCAL, record.count(LOCAL), RECOVERY_S)
        hangs = chance.random() < 0.5
        old.pause() if hangs else old.kill()
        if is_cut:
            _signal([node for node in three.nodes.values() if node is not old], signal.SIGKILL)
        took_s = _promoted(new)
        uploaders.wait_for(ONE, record.count(ONE), RECOVERY_S)
        time.sleep(chance.uniform(0, 0.5))
        old.resume() if hangs else old.start()
        time.sleep(chance.uniform(0, 1.0))
    three.wait_until_one()
    assert three.primary is new
    return took_s


def _promoted(node: Node) -> float:
    began = time.monotonic()
    ledgerpi("promote", "--serverdir", str(node.serverdir))
    return time.monotonic() - began


def _signal(nodes: list[Node], number: int) -> None:
    """Signal the processes that follow: what came to them and was not copied is lost with them."""
    for node in nodes:
        if "tail" in (pids := node.pids()):
            os.kill(pids["tail"], number)


def _kept(three: Cluster) -> tuple[set[bytes], set[bytes], Entries]:
    """Return the digests of uploads in the log, those in stranded tails that have their bytes, and all entries."""
    found: Entries = {}
    in_log = _digests(entries(next(iter(three.nodes.values()))), 0, found)
    in_tails: set[bytes] = set()
    for node in three.nodes.values():
        for name in stranded.names(layout := Layout(node.serverdir)):
            tail, blobs = stranded.read(layout, name), stranded.blobs(layout, name)
            in_tails |= {digest for digest in _digests(tail.entries, tail.after, found) if digest.hex() in blobs}
    return in_log, in_tails, found


def _digests(raws: "list[bytes] | tuple[bytes, ...]", after: int, found: Entries) -> set[bytes]:
    digests = set()
    for serial, raw in enumerate(raws, after + 1):
        event, stamp = decode(raw, serial)
        found.setdefault((stamp.epoch, serial), set()).add(raw)
        if isinstance(event, FileUploaded):
            digests.add(event.sha256)
    return digests
