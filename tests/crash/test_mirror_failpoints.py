"""The process that asks upstreams dies at a durable step of a page or a file: nothing is lost, nobody repairs."""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tests.crash.client import Client
from tests.crash.mirror_load import MirrorLoad, MirrorModel, get_file, get_page
from tests.crash.model import Outcome
from tests.mirrors import PRIVATE, check_files, check_spool
from tests.processes import Node, new_node
from tests.upstream.server import upstream

PATCHES = Path(__file__).with_name("failpoints")
RECOVERY_S = 20.0
OLD_S = 2.1  # that a process lives if its death is to be no failure to start, after which the next one is kept waiting
STEPS = (
    "amid-spool-write",  # a file arrives
    "after-rename",  # a blob that no entry names
    "before-submit",
    "outcome-received",  # the entry is there, what this node remembers is older
    "amid-local-commit",
)
MORE_STEPS = (
    "before-spool-fsync",
    "after-spool-fsync",
    "before-rename",
    "before-folder-fsync",
    "after-folder-fsync",
    "after-submit",
    "before-local-commit",
    "after-local-commit",
)
FULL = os.environ.get("LEDGERPI_TEST_FULL") == "1"


@frozen
class Patched:
    """A running node whose process that asks upstreams ends where it is told."""

    node: Node
    model: MirrorModel
    armed: Path
    chance: random.Random


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patched]:
    folder = tmp_path_factory.mktemp("failpoints")
    armed = folder / "armed"
    with upstream() as index, pytest.MonkeyPatch.context() as environment:
        node = new_node(folder, args=PRIVATE, mirror_url=index.simple)
        environment.setenv("PYTHONPATH", str(PATCHES))
        environment.setenv("LEDGERPI_TEST_FAILPOINT", str(armed))
        node.start()
        try:
            yield Patched(node, MirrorModel(index), armed, random.Random(2))  # noqa: S311 - it chooses files
            check_spool(node)
            assert "Traceback" not in node.log, node.log[-5_000:]
        finally:
            node.kill()


@pytest.mark.parametrize("step", (*STEPS, *MORE_STEPS) if FULL else STEPS)
def test_a_process_that_dies_at_a_step_loses_nothing(step: str, patched: Patched) -> None:
    node, model = patched.node, patched.model
    with MirrorLoad(node, model, patched.chance) as load:
        load.wait_for(20, RECOVERY_S)
        time.sleep(OLD_S)
        before = node.whole_pids()
        patched.armed.with_suffix(".new").write_text(step)
        patched.armed.with_suffix(".new").rename(patched.armed)
        _wait_until_hit(patched.armed)
        load.wait_for(20, RECOVERY_S)
    after = node.pids()
    assert [name for name, pid in before.items() if after.get(name) != pid] == ["upstream"]
    client = Client(node.url)
    for project in sorted(model.shown):
        assert get_page(client, model, project) is Outcome.OK, project
    for dist in model.dists():
        assert get_file(client, model, dist) is Outcome.OK, dist.filename
    client.close()
    assert not model.unexpected, model.unexpected[:5]
    check_files(node)


def _wait_until_hit(armed: Path) -> None:
    deadline = time.monotonic() + RECOVERY_S
    while armed.exists():
        assert time.monotonic() < deadline, f"nobody came to the step {armed.read_text()}"
        time.sleep(0.01)
