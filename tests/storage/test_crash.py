"""A writer that is killed in the middle loses nothing that it acknowledged and leaves no half."""

import os
import subprocess
import sys
import time
from pathlib import Path

from changelog.codec import decode
from tests.nodes import FIRST_EVENTS, SMALL_MAP, everything, node

ROUNDS = 20
PROGRAM = Path(__file__).parent / "committing.py"
PROJECT = PROGRAM.parents[2]


def killed_after(folder: Path, word: str, lines: int, pause_s: float) -> int:
    """Run the program, kill it *pause_s* after it printed *lines*, return the last serial told."""
    command = [sys.executable, str(PROGRAM), str(folder), word]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        time.sleep(pause_s)
        process.kill()
        told += process.stdout.readlines()
    assert process.returncode == -9
    return max(int(line) for line in told if line.endswith(b"\n"))


def test_what_was_acknowledged_outlives_a_killed_writer(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    with node(folder, durable=True):
        pass
    before: list[bytes] = []
    for turn in range(ROUNDS):
        acknowledged = killed_after(folder, f"r{turn}", lines=1 + turn, pause_s=turn * 0.0007)
        with node(folder, map_size=SMALL_MAP * 8) as opened:  # checks log, tree, head and views
            raws = opened.entries()
            assert len(raws) >= acknowledged > len(before)
            assert raws[: len(before)] == before
            assert decode(raws[-1], len(raws))[1].more == 0
            commands = (len(raws) - len(FIRST_EVENTS)) / 3
            assert len(everything(opened.env)["records"]) == commands
            before = raws
