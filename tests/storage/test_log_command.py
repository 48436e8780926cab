"""What ``ledgerpi log`` prints."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from changelog.codec import Stamp, Unknown
from changelog.events.files import FileYanked
from changelog.events.indexes import IndexDeleted
from changelog.events.users import UserCreated
from changelog.names import UserName
from ops.cli import main
from ops.log_entries import Line, Selection, selected
from ops.log_formats import FORMATS
from tests.storage import sample
from tests.storage.sample import Node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = sample.make(tmp_path / "node")
    yield made
    made.env.close()


def run(node: Node, *arguments: str) -> Result:
    node.env.close()  # the command opens it in this process
    return CliRunner().invoke(main, ["log", "--serverdir", str(node.layout.serverdir), *arguments])


def objects(node: Node, *arguments: str) -> list[dict[str, Any]]:
    result = run(node, "--format", "jsonl", *arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def serials(node: Node, *arguments: str) -> list[int]:
    return [entry["serial"] for entry in objects(node, *arguments)]


def test_every_entry_is_shown_in_order(node: Node) -> None:
    assert serials(node) == list(range(1, 12))


def test_reverse_shows_the_newest_first(node: Node) -> None:
    assert serials(node, "--reverse", "--first", "4") == list(range(11, 3, -1))


def test_first_and_last_bound_the_serials(node: Node) -> None:
    assert serials(node, "--first", "3", "--last", "5") == [3, 4, 5]


def test_an_upload_is_shown_with_the_name_of_its_index(node: Node) -> None:
    (entry,) = objects(node, "--first", "8", "--last", "8")
    assert (entry["kind"], entry["index"], entry["project"]) == (
        "FileUploaded",
        "alice/dev",
        "demo",
    )
    assert entry["epoch"] == "1.1"
    assert entry["actor"] == "alice"
    assert entry["fields"]["index"] == 7
    assert entry["fields"]["sha256"] == sample.sha256(sample.WHEEL_BYTES).hex()


def test_commitments_are_shown_by_the_begin_of_the_records_name(node: Node) -> None:
    (entry,) = objects(node, "--kind", "PasswordSet")
    name = sample.RECORDS[1].commitment.hex()[:12]
    assert entry["fields"] == {"user": "alice", "password": f"record:{name}"}


def test_no_private_record_is_printed(node: Node) -> None:
    for form in FORMATS:
        with node.env.read() as store:
            assert store.get("records", sample.RECORDS[1].commitment) is not None
        lines = FORMATS[form](selected(node.env.read, Selection()))
        assert "secret hash" not in "\n".join(lines)


def test_entries_of_a_deleted_index_are_found_by_its_name(node: Node) -> None:
    node.commit(IndexDeleted(sample.DEV))
    assert serials(node, "--index", "alice/dev") == [7, 8, 9, 10, 11, 12]


def test_entries_are_found_by_project_in_any_spelling(node: Node) -> None:
    assert serials(node, "--project", "DEMO") == [8, 9, 10, 11]


def test_entries_are_found_by_actor(node: Node) -> None:
    assert serials(node, "--actor", ":init") == list(range(1, 8))


def test_kinds_add_up(node: Node) -> None:
    assert serials(node, "--kind", "UserCreated", "--kind", "indexcreated") == [4, 5, 7]


def test_since_and_until_include_their_instants(node: Node) -> None:
    lines = list(selected(node.env.read, Selection()))
    since, until = lines[3].time, lines[5].time
    assert serials(node, "--since", since, "--until", until) == [4, 5, 6]


def test_a_date_is_the_whole_day(node: Node) -> None:
    lines = list(selected(node.env.read, Selection()))
    first, last = lines[0].time[:10], lines[-1].time[:10]
    assert serials(node, "--since", first, "--until", last) == list(range(1, 12))


def test_nothing_is_later_than_the_future(node: Node) -> None:
    assert serials(node, "--since", "9999-12-31") == []


def test_nothing_is_earlier_than_the_log(node: Node) -> None:
    assert serials(node, "--until", "1999-12-31T23:59:59+02:00") == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--since", "yesterday"),
        ("--until", "2026-13-01"),
        ("--kind", "FileLost"),
        ("--index", "noslash"),
        ("--project", "-"),
        ("--first", "0"),
        ("--format", "xml"),
    ],
)
def test_a_wrong_option_is_refused(node: Node, arguments: tuple[str, str]) -> None:
    result = run(node, *arguments)
    assert result.exit_code == 2
    assert arguments[1] in result.stderr


def test_csv_has_a_header_and_a_row_for_each_entry(node: Node) -> None:
    rows = list(csv.DictReader(io.StringIO(run(node, "--format", "csv").stdout)))
    assert [row["serial"] for row in rows] == [str(serial) for serial in range(1, 12)]
    assert json.loads(rows[7]["fields"])["filename"] == sample.WHEEL


@given(actor=st.text())
def test_no_cell_of_csv_is_a_formula(actor: str) -> None:
    (_, row) = FORMATS["csv"]([line(actor=actor)])
    for cell in next(csv.reader(io.StringIO(row, newline=""))):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(actor=st.text())
def test_a_table_never_commands_the_terminal(actor: str) -> None:
    (_, row) = FORMATS["table"]([line(actor=actor)])
    assert row.isprintable()


@given(actor=st.text())
def test_a_json_line_gives_back_what_was_written(actor: str) -> None:
    (row,) = FORMATS["jsonl"]([line(actor=actor)])
    assert json.loads(row)["actor"] == actor


def line(actor: str) -> Line:
    stamp = Stamp(1, 1025, 1_700_000_000_000_000, actor, 0)
    return Line(stamp, "UserCreated", None, None, {"user": actor, "profile": b""})


def test_an_unknown_kind_is_shown_with_its_fields(node: Node) -> None:
    node.commit(Unknown("FileAdmired", must_understand=False, fields=("demo", b"\x01", (2, None))))
    (entry,) = objects(node, "--first", "12")
    assert (entry["kind"], entry["fields"]) == (
        "FileAdmired",
        {"fields": ["demo", "01", [2, None]]},
    )


def test_the_table_shows_actor_kind_index_and_what_happened(node: Node) -> None:
    yanked = FileYanked(sample.DEV_INCARNATION, sample.DEMO, sample.ONE, sample.WHEEL, "broken\x1b[2J")
    node.commit(yanked)
    shown = run(node, "--first", "12").stdout.splitlines()[1]
    assert shown.split()[2:6] == ["alice", "FileYanked", "alice/dev", "demo"]
    assert '"reason": "broken\\u001b[2J"' in shown


def test_more_entries_than_one_range_are_shown_once_each_in_both_directions(node: Node) -> None:
    for part in range(3):
        names = [UserName(f"u{part}-{number}") for number in range(900)]
        node.commit(*(UserCreated(name, b"") for name in names))
    forward = [line.stamp.serial for line in selected(node.env.read, Selection())]
    backward = [line.stamp.serial for line in selected(node.env.read, Selection(reverse=True))]
    assert forward == list(range(1, 2_712))
    assert backward == forward[::-1]


def test_commits_go_on_while_the_entries_are_read(node: Node) -> None:
    lines = selected(node.env.read, Selection())
    next(lines)
    node.commit(UserCreated(UserName("later"), b""))
    assert [line.stamp.serial for line in lines] == list(range(2, 12))


@pytest.mark.parametrize("command", ["verify", "log", "rebuild"])
def test_help_has_an_example(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert "Example:\n" in result.stdout
    assert f"ledgerpi {command} --serverdir" in result.stdout
