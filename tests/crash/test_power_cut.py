"""Loss of power: what was not synced is gone, and nothing that was acknowledged needed it.

The file system is ext4 on a loop device, shut down under load by its own ioctl without a flush of its journal.
"""

import os
import random
import time
from pathlib import Path

from tests.crash.checks import EVERYTHING, check_node, check_served
from tests.crash.disks import Disk, mounted
from tests.crash.load import Load
from tests.crash.model import BROKEN_STATUS, Model
from tests.processes import Node, new_node

FULL = os.environ.get("LEDGERPI_TEST_FULL") == "1"
ROUNDS = 20 if FULL else 2
SEED = 3
SIZE_MIB = 512
MOUNT_OPTIONS = ("data=ordered,commit=300", "data=writeback,commit=300")  # nothing is synced but by who asks for it
RECOVERY_S = 15.0


def test_power_cuts_under_load_lose_nothing(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 - it chooses moments
    with mounted(tmp_path, "ext4", SIZE_MIB, MOUNT_OPTIONS[0]) as disk:
        node, model = new_node(disk.root).start(), Model(BROKEN_STATUS)
        try:
            for number in range(1, ROUNDS + 1):
                _cut_under_load(disk, node, model, chance)
                _boot(disk, node, MOUNT_OPTIONS[number % len(MOUNT_OPTIONS)])
                check_served(node, model, chance)
                check_node(node)
            check_served(node, model, chance, EVERYTHING)
            assert model.done > 20 * ROUNDS, "the load was too small to prove anything"
        finally:
            node.kill()


def test_a_new_node_outlives_a_power_cut(tmp_path: Path) -> None:
    with mounted(tmp_path, "ext4", 64, MOUNT_OPTIONS[1]) as disk:
        node = new_node(disk.root)
        disk.cut_power()
        try:
            _boot(disk, node, MOUNT_OPTIONS[1])
            check_served(node, Model(), random.Random(SEED))  # noqa: S311 - there is nothing to choose from
            check_node(node)
        finally:
            node.kill()


def _cut_under_load(disk: Disk, node: Node, model: Model, chance: random.Random) -> None:
    control = disk.root / "control"
    with Load(node, model, chance) as load:
        load.wait_for(20, RECOVERY_S)
        time.sleep(chance.uniform(0, 0.8))
        control.write_bytes(b"never synced")
        disk.cut_power()
        time.sleep(0.2)  # the load goes on against a dead disk
        node.kill()


def _boot(disk: Disk, node: Node, options: str) -> None:
    disk.unmount()
    disk.mount(options)
    control = disk.root / "control"
    assert not control.exists() or not control.read_bytes(), "the power cut lost nothing, so it proves nothing"
    control.unlink(missing_ok=True)
    node.start()
