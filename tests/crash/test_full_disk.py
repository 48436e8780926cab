"""A full disk: writes are refused with 507, reads go on, a restart works, and nothing is lost."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from changelog.env import Env
from changelog.errors import StorageFull
from tests.crash.checks import EVERYTHING, check_node, check_served
from tests.crash.client import Client, wheel
from tests.crash.disks import Disk, mounted
from tests.crash.load import Load
from tests.crash.model import Model
from tests.processes import Node, new_node

SIZE_MIB = 64
MANY = 1_000  # indexes that do not fit into what the changelog has free
RECOVERY_S = 15.0
PAGE = 4_096  # bytes


@pytest.fixture(params=["ext4", "tmpfs"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path, request.param, SIZE_MIB) as made:
        yield made


def test_a_full_disk_stops_writes_only(disk: Disk) -> None:
    chance, model = random.Random(5), Model()  # noqa: S311 - it chooses files
    node = new_node(disk.root).start()
    try:
        _fill_under_load(disk, node, model, chance)
        _check_refusals(disk, node)
        check_served(node, model, chance, EVERYTHING)
        node.stop()
        disk.fill()
        node.start()
        _check_refusals(disk, node)
        check_served(node, model, chance, EVERYTHING)
        disk.filler.unlink()
        with Load(node, model, chance) as load:
            load.wait_for(20, RECOVERY_S)
        check_served(node, model, chance, EVERYTHING)
        check_node(node)
    finally:
        node.kill()


def test_a_full_map_stops_writes_only(tmp_path: Path) -> None:
    node = new_node(tmp_path, args=("--map-size", str(2 << 20))).start()
    client = Client(node.url)
    kept = wheel("alpha", "1.0", b"kept")
    try:
        assert client.upload(kept).status == 200
        assert b"map is full" in _indexes_until_refused(client, "root/full")
        uploads = (client.upload(wheel("alpha", f"1.1.{number}", os.urandom(100))).status for number in range(MANY))
        assert next(status for status in uploads if status != 200) == 507  # a smaller entry may find room before
        assert client.get(kept.path).body == kept.content
        client.close()
        node.stop()
        check_node(node)
    finally:
        node.kill()


def test_a_commit_that_finds_room_in_part_is_refused_whole(disk: Disk) -> None:
    folder = disk.root / "changelog"
    folder.mkdir()
    env = Env(folder, (), readonly=False)
    refused = 0
    for pages in range(20):
        disk.fill()
        os.truncate(disk.filler, disk.filler.stat().st_size - pages * PAGE)
        try:
            with env.write() as store:
                store.put("contents", b"%d" % pages, os.urandom(20 * PAGE))
        except StorageFull:
            refused += 1
            with env.read() as store:
                assert store.get("contents", b"%d" % pages) is None
        disk.filler.unlink()
        with env.write() as store:
            store.put("contents", b"after", b"%d" % pages)
    env.close()
    assert refused > 5, "the disk was never full"


def _fill_under_load(disk: Disk, node: Node, model: Model, chance: random.Random) -> None:
    members = node.pids()
    with Load(node, model, chance) as load:
        load.wait_for(20, RECOVERY_S)
        deadline = time.monotonic() + RECOVERY_S
        while model.refused < 20:
            assert time.monotonic() < deadline, "hardly anything was refused"
            disk.fill()  # again and again, for the load gives back what it spooled
    disk.fill()
    assert node.pids() == members, "a full disk ended a process"


def _check_refusals(disk: Disk, node: Node) -> None:
    members, client = node.pids(), Client(node.url)
    for size in (300, 100_000, 2_000_000):
        answer = client.upload(wheel("alpha", "9.9", os.urandom(size)))
        assert answer.status == 507, answer
    refusal = _indexes_until_refused(client, f"root/{os.urandom(4).hex()}")
    disk.fill()
    assert b"no space left" in refusal.lower()
    assert node.pids() == members, "a full disk ended a process"
    client.close()


def _indexes_until_refused(client: Client, name: str) -> bytes:
    """Make indexes until the changelog has no room, and return what the refusal says."""
    for number in range(MANY):
        answer = client.put_index(f"{name}-{number}")
        if answer.status != 200:
            assert answer.status == 507, answer
            return answer.body
    raise AssertionError(f"{MANY} indexes found room on a full disk")
