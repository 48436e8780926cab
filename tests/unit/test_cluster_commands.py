"""The commands about a cluster say what they do, and refuse what is no node."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.cli import main

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


@pytest.mark.parametrize("replicas", ["-1", "x", "1001"])
def test_a_number_of_copies_that_is_none_is_refused(tmp_path: Path, replicas: str) -> None:
    assert CliRunner().invoke(main, ["cluster", "durability", "--serverdir", str(tmp_path), replicas]).exit_code == 2
