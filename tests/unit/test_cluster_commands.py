"""The commands about a cluster say what they do, and refuse what is no node."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from changelog import promise
from ops.cli import main
from replica.create import create_replica
from server import keys
from server.layout import Layout
from server.replica_token import ReplicaToken
from tests.nodes import LOG_KEY, ORIGIN, PUBLIC, SMALL_MAP, node

WORDS = {
    ("cluster",): ("list", "durability", "remove"),
    ("cluster", "list"): ("--serverdir",),
    ("cluster", "durability"): ("REPLICAS", "--serverdir"),
    ("cluster", "remove"): ("NAME", "--serverdir"),
    ("promote",): ("--dry-run", "--accept-loss", "--primary-ca-file", "--serverdir"),
    ("stranded",): ("list", "show"),
    ("stranded", "list"): ("--serverdir",),
    ("stranded", "show"): ("NAME", "--serverdir"),
}


@pytest.mark.parametrize("command", WORDS, ids=" ".join)
def test_a_command_is_explained_with_an_example(command: tuple[str, ...]) -> None:
    told = CliRunner().invoke(main, [*command, "--help"])
    assert told.exit_code == 0
    assert f"ledgerpi {' '.join(command)} " in told.output
    for word in WORDS[command]:
        assert word in told.output


@pytest.mark.parametrize("command", [("cluster", "list"), ("promote",), ("stranded", "list")], ids=" ".join)
def test_a_folder_without_a_node_is_refused(tmp_path: Path, command: tuple[str, ...]) -> None:
    refused = CliRunner().invoke(main, [*command, "--serverdir", str(tmp_path)])
    assert refused.exit_code == 2
    assert "holds no node" in refused.output


def test_a_node_whose_log_is_amid_a_copy_is_not_promoted(tmp_path: Path) -> None:
    token = ReplicaToken("eu-1", ORIGIN, PUBLIC, 42, bytes(32), b"s" * 32)
    create_replica(Layout(tmp_path / "node"), token, SMALL_MAP)
    refused = CliRunner().invoke(main, ["promote", "--serverdir", str(tmp_path / "node"), "--accept-loss"])
    assert refused.exit_code == 1
    assert "is not copied to its end yet" in refused.output


def test_a_primary_is_not_promoted(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "node")
    with node(layout.serverdir) as made:
        layout.keys.mkdir()
        keys.write(layout.keys, keys.NODE_KEY, LOG_KEY.private_bytes_raw())
        before = made.entries()
    refused = CliRunner().invoke(main, ["promote", "--serverdir", str(layout.serverdir)])
    assert refused.exit_code == 1
    assert "this node is the primary already" in refused.output
    with node(layout.serverdir) as made, made.env.read() as store:
        assert made.entries() == before
        assert promise.given(store) == 0


@pytest.mark.parametrize("replicas", ["-1", "x", "1001"])
def test_a_number_of_copies_that_is_none_is_refused(tmp_path: Path, replicas: str) -> None:
    assert CliRunner().invoke(main, ["cluster", "durability", "--serverdir", str(tmp_path), replicas]).exit_code == 2
