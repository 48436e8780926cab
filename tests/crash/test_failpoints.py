"""A process that dies at a durable step of a write, before it, amid it or after it, loses nothing."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tests.crash.checks import check_node, check_served
from tests.crash.load import Load
from tests.crash.model import Model
from tests.processes import Node, new_node

PATCHES = Path(__file__).with_name("failpoints")
RECOVERY_S = 20.0
WORKER_STEPS = (
    "amid-spool-write",
    "before-spool-fsync",
    "after-spool-fsync",
    "before-rename",
    "after-rename",
    "before-folder-fsync",
    "after-folder-fsync",
    "before-submit",
    "after-submit",
    "outcome-received",
    "before-answer",
    "after-answer",
)
WRITER_STEPS = ("before-commit", "amid-commit", "after-commit", "before-outcome", "after-outcome")


@frozen
class Patched:
    """A running node whose processes end where they are told."""

    node: Node
    model: Model
    armed: Path
    chance: random.Random


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patched]:
    folder = tmp_path_factory.mktemp("failpoints")
    armed = folder / "armed"
    node = new_node(folder)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(PATCHES))
        environment.setenv("LEDGERPI_TEST_FAILPOINT", str(armed))
        node.start()
        try:
            yield Patched(node, Model(), armed, random.Random(1))  # noqa: S311 - it chooses files
        finally:
            node.kill()


@pytest.mark.parametrize("step", WORKER_STEPS)
def test_a_worker_that_dies_at_a_step_loses_nothing(step: str, patched: Patched) -> None:
    _die_and_recover(step, patched, "worker")


@pytest.mark.parametrize("step", WRITER_STEPS)
def test_a_writer_that_dies_at_a_step_loses_nothing(step: str, patched: Patched) -> None:
    _die_and_recover(step, patched, "writer")


def _die_and_recover(step: str, patched: Patched, who: str) -> None:
    node, before = patched.node, patched.node.whole_pids()
    with Load(node, patched.model, patched.chance) as load:
        load.wait_for(5, RECOVERY_S)
        patched.armed.with_suffix(".new").write_text(step)
        patched.armed.with_suffix(".new").rename(patched.armed)
        _wait_until_hit(patched.armed)
        load.wait_for(20, RECOVERY_S)
    after = node.pids()
    died = [name for name, pid in before.items() if after.get(name) != pid]
    assert [name.partition("-")[0] for name in died] == [who], f"{died} died at {step}"
    check_served(node, patched.model, patched.chance, others=5)
    check_node(node)


def _wait_until_hit(armed: Path) -> None:
    deadline = time.monotonic() + RECOVERY_S
    while armed.exists():
        assert time.monotonic() < deadline, f"nobody came to the step {armed.read_text()}"
        time.sleep(0.01)
