"""What is no dump."""

from pathlib import Path

import pytest

from tests.importing import new_node, refusal


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "JSON"),
        (b"[]", "dumpversion"),
        (b'{"dumpversion": "3", "users": {}, "indexes": {}}', "'3' is not known"),
        (b'{"dumpversion": "2", "users": {}', "JSON"),
        (b'{"dumpversion": "2", "users": {"\xff": {}}}', "UTF-8"),
        (b'{"dumpversion": "2", "users": {"a": ' + b"[" * 100_000, "JSON"),
        (b'{"dumpversion": "2", "users": {}, "indexes": {}} {}', "behind the end"),
        (b'{"dumpversion": "2", "indexes": {"a/b": {"indexconfig": {"type": "constrained"}}}}', "--skip-import-type"),
        (b'{"dumpversion": "2", "users": {"a": ' + b"9" * 10_000 + b"}}", "JSON"),
    ],
)
def test_what_is_no_dump_is_refused_and_says_why(tmp_path: Path, text: bytes, why: str) -> None:
    (tmp_path / "dump").mkdir()
    (tmp_path / "dump" / "dataindex.json").write_bytes(text)
    assert why in refusal(new_node(tmp_path / "node"), tmp_path / "dump")
