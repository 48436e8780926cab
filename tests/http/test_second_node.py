"""A second start in the data folder of a running node does the node no harm."""

import subprocess

from tests.processes import Node


def test_a_second_node_is_refused_and_leaves_uploads_under_way_alone(node: Node) -> None:
    folder = node.serverdir / "spool" / "worker-0"
    folder.mkdir(exist_ok=True)
    under_way = folder / "under-way"
    under_way.touch()
    second = subprocess.run(node.command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert "a node runs in" in second.stderr
    assert under_way.exists()
    under_way.unlink()
