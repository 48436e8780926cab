"""The index of a dump: read value by value as a whole parser reads it, and whatever it says is bounded."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changelog.errors import InvalidForm, InvalidInput
from ops.devpi import json_values
from ops.devpi.described import described, uploader
from ops.devpi.json_values import Text

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
NEAR = st.sampled_from(["releasefile", "../x", "a/b/c/d", "sha256=ab", "Fri, 12 Sep 2014 13:18:55 GMT", "0" * 64])
SAID = st.recursive(
    SCALARS | NEAR | st.just([2014, 9, 12, 13, 18, 55]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
LINES = st.fixed_dictionaries({}, optional=dict.fromkeys(("what", "who", "when", "src", "dst", "count"), SAID))
MAPPINGS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("last_modified", "hash_spec", "hashes", "md5", "url"), SAID)
)
DESCRIPTIONS = st.fixed_dictionaries(
    {"type": st.sampled_from(["releasefile", "doczip", "toxresult"])},
    optional={
        "relpath": SAID | st.just("a/b/c-1.0.zip"),
        "entrymapping": SAID | MAPPINGS,
        "log": SAID | st.lists(LINES),
        "for_entrypath": SAID,
    },
)


def text_of(folder: Path, raw: bytes) -> Text:
    path = folder / "dataindex.json"
    path.write_bytes(raw)
    return Text(path)


def read(folder: Path, raw: bytes) -> dict[str, Any]:
    """Read an object of objects, the latter member by member."""
    text = text_of(folder, raw)
    try:
        found: dict[str, Any] = {name: {key: text.value() for key in text.members()} for name in text.members()}
        text.finish()
    finally:
        text.close()
    return found


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), st.dictionaries(st.text(), VALUES)), st.sampled_from([None, 1]), st.integers(1, 64))
def test_any_json_is_read_as_the_library_reads_it(
    tmp_path_factory: pytest.TempPathFactory, value: dict[str, Any], indent: int | None, window: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_values, "WINDOW", window)
        raw = json.dumps(value, indent=indent, ensure_ascii=False).encode("utf-8", "replace")
        assert read(tmp_path_factory.mktemp("json"), raw) == json.loads(raw)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60) | st.text('{}[]",:1 e\\u', max_size=40).map(str.encode))
def test_what_is_no_json_is_said_to_be_none(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    folder = tmp_path_factory.mktemp("json")
    with suppress(InvalidForm):
        read(folder, raw)


def test_a_surrogate_that_stands_alone_is_replaced(tmp_path: Path) -> None:
    assert read(tmp_path, rb'{"a": {"b": "\ud800", "c": "\ud83d\ude00"}}') == {"a": {"b": "\ufffd", "c": "\U0001f600"}}


def test_a_value_of_no_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_values, "MAX_VALUE", 1 << 16)
    with pytest.raises(InvalidForm, match="65536 characters"):
        read(tmp_path, b'{"a": {"b": "' + b"x" * (4 << 20))


@settings(max_examples=200, deadline=None)
@given(DESCRIPTIONS)
def test_a_description_is_bounded_or_refused(desc: dict[str, Any]) -> None:
    try:
        found = described(desc)
    except InvalidInput:
        return
    uploader(found.actions)
    assert not found.relpath.startswith("/")
    assert ".." not in found.relpath.split("/")
    assert all(action.when >= 0 and len(action.who) <= 200 for action in found.actions or ())
