"""The pages about the format say what the code does."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import UnionType
from typing import Any, NewType, get_origin, get_type_hints

import attrs
import pytest

from changelog.blobs import SMALL_CONTENT
from changelog.codec import EVENTS, FORMAT, MAX_ENTRY_BYTES, Stamp, decode
from changelog.env import LOG_TABLES, VIEW_SETS
from changelog.events.indexes import IndexCreated
from changelog.fold import VIEW_TABLES
from changelog.log import Head
from changelog.names import IndexName
from changelog.rebuild import SLICE
from changelog.views import (
    cluster,
    digests,
    documentation,
    fetched,
    files,
    history,
    indexes,
    links,
    projects,
    results,
    tokens,
    upstream,
    users,
    voting,
)
from changelog.writer import MAX_EVENTS
from tests.nodes import FIRST_EVENTS, Node, node, uploaded

DOCS = Path(__file__).parents[2] / "docs"
FORMAT_PAGE = (DOCS / "format.md").read_text()
EVENTS_PAGE = (DOCS / "events.md").read_text()
WRITER_PAGE = (DOCS / "design" / "writer.md").read_text()
ROWS = {
    "origin": cluster.Origin,
    "members": cluster.Member,
    "primary": cluster.Primary,
    "epochs": cluster.Epoch,
    "voting": voting.Voting,
    "replicas": cluster.Replica,
    "users": users.User,
    "tokens": tokens.Token,
    "token_key": tokens.TokenKey,
    "indexes": indexes.Index,
    "index_lives": indexes.Life,
    "projects": projects.Project,
    "releases": projects.Release,
    "files": files.File,
    "file_names": files.Named,
    "documentation": documentation.Documentation,
    "test_results": results.Result,
    "histories": history.History,
    "links": links.Link,
    "mirror_pages": upstream.MirrorPage,
    "fetched": fetched.Fetched,
    "alarms": fetched.Alarm,
    "digests": digests.Digest,
}


def tables_of(page: str) -> list[list[list[str]]]:
    """Return the cells of all tables of a page, row by row, without their heads."""
    blocks = re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE)
    return [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()[2:]] for block in blocks
    ]


def section(title: str) -> str:
    """Return what stands below a heading of the events page."""
    found = re.search(rf"^### {title}\n(.*?)(?=^##|\Z)", EVENTS_PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no section {title}"
    return found[1]


def shown_type(kind: Any) -> str:  # noqa: ANN401 - a table of kinds
    """Return the word of the format page for the type of a field."""
    if isinstance(kind, NewType):
        return shown_type(kind.__supertype__)
    assert not isinstance(kind, UnionType), kind
    if get_origin(kind) is tuple:
        return "list"
    return {str: "text", bytes: "bytes", int: "int", bool: "bool"}[kind]


def fields_of(cls: type) -> list[str]:
    return [field.name for field in attrs.fields(cls)]


@pytest.mark.parametrize("cls", EVENTS)
def test_each_event_has_its_fields_in_order(cls: type) -> None:
    (table,) = tables_of(section(cls.__name__))
    hints = get_type_hints(cls)
    assert [row[:2] for row in table] == [[n, shown_type(hints[n])] for n in fields_of(cls)]
    assert all(len(row) == 3 and row[2] for row in table)


def test_no_other_events_are_described() -> None:
    titles = re.findall(r"^### (.*)", EVENTS_PAGE, re.MULTILINE)
    assert sorted(titles) == sorted(cls.__name__ for cls in EVENTS)


@pytest.mark.parametrize("name", LOG_TABLES)
def test_each_table_of_the_log_is_described(name: str) -> None:
    assert any(row[0] == f"`{name}`" for table in tables_of(FORMAT_PAGE) for row in table)


def test_each_view_table_is_described_with_its_fields() -> None:
    rows = {name: row[2] for row in tables_of(FORMAT_PAGE)[-1] for name in re.findall(r"`([a-z_]+)`", row[0])}
    assert set(rows) == set(VIEW_TABLES)
    for name, cls in ROWS.items():
        assert rows[name].split(", ") == fields_of(cls)


def test_each_row_of_meta_is_described() -> None:
    for name in ("head", "word", "promised", "views", "views_version", "views_building"):
        assert f"`{name}`" in FORMAT_PAGE
    assert all(f"`{letter}" in FORMAT_PAGE for letter in VIEW_SETS)


def test_the_head_is_described_in_order() -> None:
    names = [[row[1] for row in table] for table in tables_of(FORMAT_PAGE) if len(table[0]) == 4]
    assert fields_of(Head) in names


def test_the_stamp_of_an_entry_is_described_in_order() -> None:
    names = [[row[1] for row in table] for table in tables_of(FORMAT_PAGE) if len(table[0]) == 4]
    stamp = [name for name in fields_of(Stamp) if name != "serial"]
    assert ["format", "kind", "must_understand", *stamp, "fields"] in names


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"1 to {MAX_ENTRY_BYTES:,} bytes" in FORMAT_PAGE
    assert f"under {SMALL_CONTENT:,} of them" in FORMAT_PAGE
    assert f"| 0 | format | int | {FORMAT} |" in FORMAT_PAGE
    assert f"at most {MAX_EVENTS:,} events" in WRITER_PAGE
    assert f"slices of {SLICE:,} entries" in WRITER_PAGE


def examples() -> list[str]:
    """Return the programs of the format page: the decoder, and how to read contents."""
    code: list[str] = re.findall(r"```python\n(.*?)```", FORMAT_PAGE, re.DOTALL)
    return sorted(code, key=len, reverse=True)


def decoder() -> str:
    return examples()[0]


def decoded(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the decoder of the page, away from our code."""
    command = [sys.executable, "-I", "-c", decoder(), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def small_node(opened: Node) -> None:
    opened.store_blob(b"wheel")
    opened.commit(IndexCreated(IndexName("alice/dev"), "stage", (("volatile", False),), b""))
    opened.commit(*(uploaded(len(FIRST_EVENTS) + 1) for _ in range(10)), actor="jörg")


def test_the_decoder_has_25_lines() -> None:
    lines = [line for line in decoder().splitlines() if line]
    assert len(lines) <= 25


def test_the_decoder_reads_what_the_log_says(tmp_path: Path) -> None:
    with node(tmp_path / "node") as opened:
        small_node(opened)
        raws = opened.entries()
    run = decoded(tmp_path / "node" / "changelog")
    assert (run.returncode, run.stderr) == (0, "")
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line[0] for line in lines] == list(range(1, len(raws) + 1))
    for (serial, kind, _, *stamp, values), raw in zip(lines, raws, strict=True):
        event, told = decode(raw, serial)
        assert kind == type(event).__name__
        assert stamp == [told.epoch, told.time, told.actor, told.more]
        assert values == json.loads(json.dumps(attrs.astuple(event, recurse=False), default=bytes.hex))


def test_the_decoder_finds_a_flipped_byte(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    with node(folder) as opened:
        small_node(opened)
    path = folder / "changelog" / "data.mdb"
    path.write_bytes(path.read_bytes().replace(b"demo-1.0-py3", b"demo-1.1-py3"))
    assert decoded(folder / "changelog").stderr == "the entries are not those of the head\n"
