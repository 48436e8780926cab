"""Core metadata: read as the email parser does, judged as PyPI does, stored as devpi does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.metadata import parse_email

from changelog.errors import InvalidArchive, InvalidForm
from server.filenames import parse
from server.metadata import check_agreement, parse_core, versiondata
from tests import archives

HEAD = b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"
DEMO = parse("demo-1.0.tar.gz")


def test_the_fields_that_checks_need_are_read() -> None:
    core = parse_core(archives.METADATA)
    assert (core.name, core.version, core.metadata_version) == ("demo-project", "1.2.3", "2.4")
    assert (core.requires_python, core.license_expression) == (">=3.9", "MIT")
    assert core.license_files == ("LICENSE",)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"Name: demo\nVersion: 1.0\n",
        b"Metadata-Version: 2.1\nVersion: 1.0\n",
        b"Metadata-Version: 2.1\nName: demo\n",
        b"Metadata-Version: 2.0\nName: demo\nVersion: 1.0\n",
        b"Metadata-Version: 9.9\nName: demo\nVersion: 1.0\n",
        b"Metadata-Version: 2.1\nName: de mo\nVersion: 1.0\n",
        b"Metadata-Version: 2.1\nName: ../demo\nVersion: 1.0\n",
        b"Metadata-Version: 2.1\nName: demo\nVersion: one\n",
        HEAD + b"Name: other\n",
        HEAD + b"Requires-Python: >=3.8\nRequires-Python: >=3.9\n",
        HEAD + b"Requires-Python: three\n",
        HEAD + b"Requires-Dist: not a requirement !\n",
        HEAD + b"Provides-Extra: no extra!\n",
        HEAD + b"Description-Content-Type: text/html\n",
        HEAD + b"Summary: one\n  two\n",
        HEAD + b"License-Expression: MIT\n",
        HEAD + b"Dynamic: Summary\n",
        HEAD.replace(b"2.1", b"2.4") + b"License-Expression: My Own\n",
        HEAD.replace(b"2.1", b"2.4") + b"License-Expression: MIT\nLicense: MIT\n",
        HEAD.replace(b"2.1", b"2.4") + b"License-File: ../LICENSE\n",
        HEAD.replace(b"2.1", b"2.4") + b"License-File: /etc/passwd\n",
        HEAD.replace(b"2.1", b"2.4") + b"Dynamic: Name\n",
        HEAD.replace(b"2.1", b"2.5") + b"Import-Name: not-one\n",
        HEAD + b"Author: \xff\n",
        b"From nobody\n" + HEAD,
        b"  folded\n" + HEAD,
        HEAD + b"no colon here\nRequires-Python: >=3.9\n",
        HEAD + b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nhello\n--x--\n",
    ],
)
def test_metadata_that_pypi_or_another_reader_would_not_take_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidArchive):
        parse_core(raw)


@pytest.mark.parametrize(
    "raw",
    [
        HEAD,
        HEAD + b"\n",
        HEAD.replace(b"\n", b"\r\n") + b"Requires-Python: >=3.9\r\n\r\nbody\r\n",
        HEAD + b"License-File: LICENSE\n",  # setuptools, long before PEP 639
        HEAD + b"License: a\n        b\n        \n        c\n",
        HEAD + b"X-Vendor: anything\nRequires-Python:>=3.9\n",
        HEAD + "Author: Jürgen\n\nGrüße\n".encode(),
        HEAD + b"Requires-Dist: demo @ https://index.example/demo-1.0.zip\n",
        HEAD.replace(b"2.1", b"2.5") + b"Import-Name:\n",
        HEAD.replace(b"2.1", b"2.5") + b"Import-Name: demo ; private\n",
    ],
)
def test_odd_but_good_metadata_is_taken(raw: bytes) -> None:
    assert parse_core(raw).name == "demo"


def test_without_judgement_anything_is_read() -> None:
    core = parse_core(b"\xff\xfe nonsense\nName: x\n", strict=False)
    assert core.name == ""


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_invalid_archive(raw: bytes) -> None:
    versiondata(HEAD + raw)
    parse_core(raw, strict=False)
    try:
        parse_core(HEAD + raw)
    except InvalidArchive:
        return


_HEADERS = st.sampled_from(
    ["Author", "Summary", "License", "Keywords", "Home-page", "Maintainer", "x-other", "Platform"]
)
_VALUES = st.text(
    st.sampled_from("ab: \t,é€\x0b\x0c\x1c\x85\u2028\n\r=?") | st.characters(codec="utf-8"),
    max_size=12,
)


@given(st.lists(st.tuples(_HEADERS, _VALUES), max_size=5), st.text(max_size=20))
def test_fields_are_those_that_packaging_reads(fields: list[tuple[str, str]], body: str) -> None:
    text = "".join(f"{header}: {value}\n" for header, value in fields)
    raw = (HEAD.decode() + text + "\n" + body).encode("utf-8", "replace")
    try:
        parse_core(raw)
    except InvalidArchive:
        return
    theirs, _ = parse_email(raw)
    ours = versiondata(raw)
    for key in ("name", "version", "author", "license", "maintainer", "home_page"):
        expected = theirs.get(key)
        if isinstance(expected, str) and expected != "UNKNOWN":
            # Email parsers differ in the white space that they keep at the start of a value.
            assert str(ours.get(key, "")).split() == expected.split()


def test_versiondata_has_the_keys_of_the_upload_form() -> None:
    assert versiondata(archives.METADATA) == {
        "metadata_version": "2.4",
        "name": "demo-project",
        "version": "1.2.3",
        "summary": "A demonstration",
        "author_email": "Ada <ada@index.example>",
        "license_expression": "MIT",
        "license_file": ["LICENSE"],
        "project_urls": ["Source, https://index.example/source"],
        "classifiers": ["Programming Language :: Python :: 3"],
        "requires_python": ">=3.9",
        "requires_dist": ["attrs>=23", 'pytest>=8; extra == "test"'],
        "provides_extras": ["test"],
        "description_content_type": "text/markdown",
        "description": "# Demonstration\n\nWhat it says.\n",
    }


def test_versiondata_unfolds_a_description_and_empties_unknown() -> None:
    raw = HEAD + b"Home-page: UNKNOWN\nDescription: one\n        two\n        \n          three\n"
    found = versiondata(raw + b"Platform: UNKNOWN\n")
    assert found["description"] == "one\ntwo\n\n  three"
    assert found["home_page"] == ""
    assert found["platform"] == []


def test_name_and_version_agree_after_normalization() -> None:
    core = parse_core(HEAD.replace(b"demo", b"DEMO").replace(b"1.0", b"1.0.0"))
    check_agreement(DEMO, core, "Demo", "1.0.0.0")
    check_agreement(DEMO, None, "demo", "1.0")


@pytest.mark.parametrize(("name", "version"), [("other", "1.0"), ("demo", "1.0.1"), ("", "")])
def test_a_form_that_differs_from_the_file_name_is_refused(name: str, version: str) -> None:
    with pytest.raises(InvalidForm):
        check_agreement(DEMO, parse_core(HEAD), name, version)


@pytest.mark.parametrize(("old", "new"), [(b"demo", b"other"), (b"1.0", b"1.0.post1")])
def test_an_archive_that_differs_from_the_file_name_is_refused(old: bytes, new: bytes) -> None:
    with pytest.raises(InvalidArchive):
        check_agreement(DEMO, parse_core(HEAD.replace(old, new)), "demo", "1.0")
