"""The order of a start: the writer makes tables and views before the others open them."""

import os
import signal
import time
from itertools import combinations
from pathlib import Path

import lmdb
import pytest

from changelog.env import VIEW_SETS
from changelog.fold import VIEWS_VERSION
from changelog.packing import packb
from changelog.rebuild import VERSION
from changelog.verify import verify_node
from changelog.views import files
from server.layout import Layout
from tests.http.client import Client, wheel
from tests.processes import Node, new_node

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
DEATH_S = 10.0


def upload(node: Node, version: str) -> None:
    client = Client(node.url, "root", "secret")
    assert client.upload("root/dev", wheel("demo", version)).status_code == 200
    client.close()


def versions(node: Node) -> list[str]:
    client = Client(node.url)
    page = client.get("root/dev/+simple/demo/", SIMPLE_JSON).json()
    client.close()
    return sorted(page["versions"])


def make_older(folder: Path) -> None:
    """Make a changelog that of a version of the program that did not know one of the view tables."""
    env = lmdb.open(str(folder), max_dbs=2 * len(VIEW_SETS) + 1, map_size=1 << 30)
    tables = [env.open_db(f"{letter}.{files.NAMED.name}".encode(), create=False) for letter in VIEW_SETS]
    meta = env.open_db(b"meta", create=False)
    with env.begin(write=True) as txn:
        for table in tables:
            txn.drop(table)
        txn.put(VERSION, packb(VIEWS_VERSION - 1), db=meta)
    env.close()


def test_a_node_that_lacks_a_view_table_starts_and_serves(tmp_path: Path) -> None:
    node = new_node(tmp_path).start()
    try:
        upload(node, "1.0")
        node.stop()
        make_older(Layout(node.serverdir).changelog)
        node.start()
        assert versions(node) == ["1.0"]
        upload(node, "1.1")
        assert versions(node) == ["1.0", "1.1"]
        assert "process died" not in node.log
    finally:
        node.stop()
    assert verify_node(Layout(node.serverdir)).clean


@pytest.mark.parametrize("name", ["writer", "worker-0"])
def test_a_process_that_dies_later_is_started_again(tmp_path: Path, name: str) -> None:
    node = new_node(tmp_path, workers=1).start()
    try:
        before = node.pids()
        os.kill(before[name], signal.SIGKILL)
        deadline = time.monotonic() + DEATH_S
        while node.pids().get(name, before[name]) == before[name]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        upload(node, "1.0")
        assert versions(node) == ["1.0"]
    finally:
        node.stop()


def test_a_child_holds_nothing_that_is_to_end_with_the_supervisor_or_with_another_child(tmp_path: Path) -> None:
    node = new_node(tmp_path).start()
    try:
        children = node.whole_pids()
        lock = str(Layout(node.serverdir).node_lock)
        assert lock in held_by(children.pop("supervisor"))
        assert not [name for name, pid in children.items() if lock in held_by(pid)]
        for one, other in combinations(children.values(), 2):
            assert len(pipes_of(one) & pipes_of(other)) == 1, "the one that tells of the supervisor's death"
    finally:
        node.stop()


def held_by(pid: int) -> set[str]:
    """Return what the descriptors of a process lead to."""
    return {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}


def pipes_of(pid: int) -> set[str]:
    """Return the pipes that a process holds an end of, without its standard output, which is a pipe of ours."""
    return {target for target in held_by(pid) if target.startswith("pipe:")} - {
        str(Path(f"/proc/{pid}/fd/1").readlink())
    }
