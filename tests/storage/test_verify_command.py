"""What ``ledgerpi verify`` prints, what it repairs, and what ``ledgerpi rebuild`` does."""

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from changelog.env import Env
from changelog.fold import VIEW_TABLES
from changelog.tables import serial_key
from changelog.verify import Kind, Report, verify_node
from changelog.views import files
from ops.cli import main
from ops.node import locked
from tests.storage import sample
from tests.storage.sample import Node, sha256

FILE_KEY = files.file_key(8, sample.WHEEL)  # entry 8 made the release
WHEEL_SHA256 = sha256(sample.WHEEL_BYTES)


@pytest.fixture
def stopped(tmp_path: Path) -> Node:
    """Return a node that no process has open."""
    made = sample.make(tmp_path / "node")
    made.env.close()
    return made


def damage(node: Node, table: str, key: bytes, value: bytes | None) -> None:
    """Set a row, or delete it."""
    env = Env(node.layout.changelog, VIEW_TABLES, readonly=False, map_size=sample.MAP_SIZE)
    with env.write() as store:
        if value is None:
            assert store.delete(table, key)
        else:
            store.put(table, key, value)
    env.close()


def repair(node: Node) -> Report:
    return verify_node(node.layout, repair=True, map_size=sample.MAP_SIZE)


def test_repair_removes_orphans(stopped: Node) -> None:
    stopped.store_blob(b"never named")
    assert repair(stopped).repaired == {Kind.ORPHAN: 1}
    assert not stopped.blobs.has(sha256(b"never named"))
    assert not repair(stopped).repaired


def test_repair_folds_damaged_views_anew(stopped: Node) -> None:
    damage(stopped, "files", FILE_KEY, None)
    damage(stopped, "links", b"surplus", b"x")
    report = repair(stopped)
    assert report.repaired == {Kind.VIEW: 2}
    assert report.clean
    assert not repair(stopped).repaired


def test_repair_leaves_everything_when_the_log_is_damaged(stopped: Node) -> None:
    stopped.store_blob(b"never named")
    damage(stopped, "entries", serial_key(8), b"x")
    report = repair(stopped)
    assert not report.repaired
    assert set(report.counts) == {Kind.ENTRY}
    assert stopped.blobs.has(sha256(b"never named"))


def run(node: Node, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["verify", "--in-process", "--serverdir", str(node.layout.serverdir), *arguments])


def test_the_command_says_that_nothing_is_wrong(stopped: Node) -> None:
    result = run(stopped)
    assert result.exit_code == 0
    assert "nothing is wrong: checked 11 entries" in result.stdout


def test_the_command_tells_of_orphans_and_ends_well(stopped: Node) -> None:
    stopped.store_blob(b"never named")
    result = run(stopped)
    assert result.exit_code == 0
    assert sha256(b"never named").hex() in result.stdout


def test_the_command_ends_with_1_on_damage(stopped: Node) -> None:
    stopped.blobs.path(WHEEL_SHA256).unlink()
    result = run(stopped)
    assert result.exit_code == 1
    assert f"blob: {WHEEL_SHA256.hex()}: the blob is missing" in result.stdout


def test_the_command_looks_at_no_blob_if_told_so(stopped: Node) -> None:
    stopped.blobs.path(WHEEL_SHA256).unlink()
    assert run(stopped, "--no-blobs").exit_code == 0


def test_the_command_prints_json(stopped: Node) -> None:
    stopped.blobs.path(WHEEL_SHA256).unlink()
    answer = json.loads(run(stopped, "--json").stdout)
    assert answer["clean"] is False
    assert answer["counts"] == {"blob": 1}


def test_a_folder_without_a_node_is_a_wrong_command_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["verify", "--serverdir", str(tmp_path)])
    assert result.exit_code == 2
    assert "holds no node" in result.stderr


def test_repair_is_refused_while_a_writer_has_the_node(stopped: Node) -> None:
    with locked(stopped.layout):
        result = run(stopped, "--repair")
    assert result.exit_code == 1
    assert "another writer has" in result.stderr


def test_a_changelog_that_is_none_is_told_in_one_line(stopped: Node) -> None:
    stopped.layout.data_file.write_bytes(os.urandom(20_000))
    result = run(stopped)
    assert result.exit_code == 1
    assert "is no changelog" in result.stderr


def test_a_rebuild_of_a_stopped_node_makes_damaged_views_sound(stopped: Node) -> None:
    damage(stopped, "users", sample.ALICE.encode(), b"x")
    assert run(stopped).exit_code == 1
    result = CliRunner().invoke(main, ["rebuild", "--serverdir", str(stopped.layout.serverdir)])
    assert "views are folded anew from 11 entries" in result.stdout
    assert run(stopped).exit_code == 0


def test_pages_that_end_the_process_are_damage(stopped: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["-c", "import os; os.kill(os.getpid(), 11)"])
    result = CliRunner().invoke(main, ["verify", "--serverdir", str(stopped.layout.serverdir)])
    assert result.exit_code == 1
    assert "LMDB ended the process that read it (SIGSEGV)" in result.output
