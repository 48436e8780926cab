"""The grammar and bounds of every typed name."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from changelog import names
from changelog.errors import InvalidName

Parse = Callable[[str], object]

PARSERS: list[Parse] = [
    names.project_name,
    names.user_name,
    names.index_part,
    names.index_name,
    names.file_name,
    names.version,
    names.sha256_hex,
]
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)
PROJECT_TEXT = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("written", "normalized"),
    [
        ("a", "a"),
        ("Django", "django"),
        ("zope.interface", "zope-interface"),
        ("ruamel_yaml.clib", "ruamel-yaml-clib"),
        ("a-_.b", "a-b"),
        ("7zip", "7zip"),
        ("x" * 128, "x" * 128),
    ],
)
def test_a_project_name_is_normalized(written: str, normalized: str) -> None:
    assert names.project_name(written) == normalized


@pytest.mark.parametrize(
    "text",
    ["", "-a", "a-", ".a", "a_", "a b", "a/b", "a@1", "a\n", "ä", "\u212a", "a\0", "x" * 129],
)
def test_what_is_no_project_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        names.project_name(text)


@pytest.mark.parametrize("text", ["root", "a", "a.b-c_d", "ann@home", "jürgen", "x" * 64])
def test_a_user_name_stays_as_it_was_written(text: str) -> None:
    assert names.user_name(text) == text


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a b", "a/b", "+api", "a:b", "a\x7f", "a\u00a0", "\ud800", "x" * 65, "ü" * 33],
)
def test_what_is_no_user_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        names.user_name(text)


def test_an_at_sign_is_refused_in_the_second_part_of_an_index_name() -> None:
    with pytest.raises(InvalidName, match="point in time"):
        names.index_part("dev@1")


@pytest.mark.parametrize("text", ["root/dev", "/root/dev"])
def test_an_index_name_tolerates_one_leading_slash(text: str) -> None:
    assert names.index_name(text) == "root/dev"


@pytest.mark.parametrize(
    "text", ["", "root", "root/", "/", "//root/dev", "root/dev/", "root//dev", "root/dev@2", "a/.."]
)
def test_what_is_no_index_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        names.index_name(text)


@pytest.mark.parametrize("text", ["a-1.0.tar.gz", "a-1+local-py3-none-any.whl", "_a.zip", "x" * 255])
def test_a_file_name_stays_as_it_was_written(text: str) -> None:
    assert names.file_name(text) == text


@pytest.mark.parametrize(
    "text",
    ["", ".hidden", "../a", "a/b", "a\\b", "C:a", "a b", "a\n", "a\0", "\ud800", "x" * 256, "-a"],
)
def test_what_is_no_file_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        names.file_name(text)


@pytest.mark.parametrize("text", ["1", "1.0", "1!2.0rc1.post2.dev3+local.1", "2020-01", "x" * 128])
def test_a_version_stays_as_it_was_written(text: str) -> None:
    assert names.version(text) == text


@pytest.mark.parametrize("text", ["", "-1", "1 0", "1/0", "\u0661", "1\n", "x" * 129])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        names.version(text)


def test_sha256_in_hex_is_32_bytes() -> None:
    assert names.sha256_hex("00ff" * 16) == b"\x00\xff" * 16


@pytest.mark.parametrize("text", ["", "0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n"])
def test_what_is_no_sha256_in_hex_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        names.sha256_hex(text)


@pytest.mark.parametrize("parse", PARSERS)
@given(text=ANY_TEXT)
@example(text="\ud800")
@example(text="a/\ud800")
@example(text="a\ud800")
def test_any_text_is_a_name_or_an_invalid_name(parse: Parse, text: str) -> None:
    try:
        parse(text)
    except InvalidName as error:
        assert str(error).isascii()  # noqa: PT017 - most texts are refused, and some are not


@given(PROJECT_TEXT)
def test_a_normalized_project_name_is_its_own_normalized_name(text: str) -> None:
    once = names.project_name(text)
    assert names.project_name(once) == once


@given(PROJECT_TEXT)
def test_spellings_that_differ_in_case_and_separators_are_one_project(text: str) -> None:
    other = text.swapcase().replace("-", "_").replace(".", "-_.")[:128]
    if len(text.replace(".", "-_.")) <= names.MAX_PROJECT:
        assert names.project_name(other) == names.project_name(text)
