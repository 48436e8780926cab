"""Quick looks that pass over a slower one say nothing that the slower one does not."""

import io
import re
import zipfile

from hypothesis import example, given
from hypothesis import strategies as st

from changelog.errors import InvalidArchive
from ops.devpi.released import Said, is_spelled_out
from server.archives.member_names import member_name
from server.archives.zip_contents import contents_of, read_member
from server.archives.zip_directory import data_start, find_end, read_central
from server.form_metadata import HEADERS

NAMES = st.text("ab/.\\:C\x00\x1f\x7f\x85é ", min_size=1, max_size=8)
KEYS = st.sampled_from(["name", "version", "summary", "license", "classifiers", "description", "no_such_field"])
MORE = st.sampled_from(["License: a", "Foo: b", "Summary: ", "Classifier: a", "Name: b", ""])
WORDS = st.text("ab:\n N", max_size=6)
METADATA = st.dictionaries(KEYS, WORDS | st.lists(WORDS | st.none(), max_size=3) | st.none(), max_size=4)


def leads_astray(name: str) -> bool:
    """Return what is wrong with a name, part by part."""
    path = name.removesuffix("/")
    parts = path.split("/")
    controls = any(ord(one) < 0x20 or 0x7F <= ord(one) <= 0x9F or one == "\\" for one in path)
    return controls or bool(re.match("[A-Za-z]:", path)) or any(part in ("", ".", "..") for part in parts)


@given(NAMES)
@example("a/..")
@example("a/./b")
@example("a//b")
@example(".")
@example("C:a")
@example("a\\b")
@example("a\x7f")
@example("a.b/c..d/")
def test_a_member_has_a_name_that_leads_nowhere_else(name: str) -> None:
    try:
        assert member_name(name.encode()) == name
    except InvalidArchive:
        assert leads_astray(name)
    else:
        assert not leads_astray(name)


def by_header(head: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in head.removesuffix("\n").split("\n"):
        header, _, value = line.partition(": ")
        found.setdefault(header, []).append(value)
    return {header: values for header, values in found.items() if header not in ("Name", "Version")}


def as_texts(value: object) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str)]


@given(
    METADATA, METADATA, st.lists(st.sampled_from(["License: a", "Foo: b", "Summary: ", "Classifier: a", "Name: b", ""]))
)
@example({"summary": "a\nLicense: a", "license": "a"}, {"summary": "a"}, ["License: a"])
def test_what_is_spelled_out_is_there_line_for_line(said: Said, written: Said, more: list[str]) -> None:
    fields = [(key, text) for key, value in written.items() for text in as_texts(value)]
    lines = [f"{HEADERS.get(key, 'Foo')}: {text}" for key, text in fields if key != "description"]
    newest = "\n".join([*lines, *more]) + "\n\n" + "".join(text for key, text in fields if key == "description")
    if is_spelled_out(newest.encode(), said):
        head, _, body = newest.partition("\n\n")
        wanted = {
            HEADERS.get(key): as_texts(value)
            for key, value in said.items()
            if key not in ("name", "version", "description") and any(as_texts(value))
        }
        assert by_header(head) == wanted
        assert [body] == (as_texts(said.get("description")) or [""])


def test_metadata_that_are_written_as_they_were_registered_are_spelled_out() -> None:
    said: Said = {
        "name": "a",
        "version": "1",
        "summary": "b",
        "classifiers": ["c", "d"],
        "license": "",
        "description": "e",
    }
    newest = b"Metadata-Version: 2.1\nName: A\nVersion: 1.0\nSummary: b\nClassifier: c\nClassifier: d\n\ne"
    assert is_spelled_out(newest, said | {"metadata_version": "2.1"})
    assert not is_spelled_out(newest, said)


@given(st.binary(max_size=200), st.integers(0, 300), st.integers(0, 255))
def test_a_small_member_is_read_as_a_large_one(content: bytes, place: int, other: int) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member", content)
    raw = bytearray(made.getvalue())
    end = find_end(io.BytesIO(raw), len(raw))
    (member,) = read_central(io.BytesIO(raw), end)
    start = data_start(io.BytesIO(raw), member, end)
    raw[start + place % member.packed] = other
    damaged = io.BytesIO(raw)
    try:
        expected: bytes | None = b"".join(contents_of(damaged, member, start))
    except InvalidArchive:
        expected = None
    try:
        found: bytes | None = read_member(damaged, member, start, 1 << 20)
    except InvalidArchive:
        found = None
    assert found == expected
