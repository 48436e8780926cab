"""File names: what the two PEPs and devpi make of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changelog.errors import InvalidName
from server.filenames import Distribution, parse, parse_lenient, same_version


@pytest.mark.parametrize(
    ("filename", "project", "version", "filetype", "pyversion"),
    [
        ("demo_project-1.2.3-py3-none-any.whl", "demo-project", "1.2.3", "bdist_wheel", "py3"),
        ("Demo.Project-1.0-py2.py3-none-any.whl", "demo-project", "1.0", "bdist_wheel", "py2.py3"),
        ("a-1-1build-cp311-abi3-linux_x86_64.whl", "a", "1", "bdist_wheel", "cp311"),
        ("a-1.0+up_1-py3-none-any.whl", "a", "1.0+up-1", "bdist_wheel", "py3"),
        ("demo_project-1.2.3.tar.gz", "demo-project", "1.2.3", "sdist", "source"),
        ("demo-1.2.3rc1.zip", "demo", "1.2.3rc1", "sdist", "source"),
    ],
)
def test_a_standard_name_says_what_the_file_is(
    filename: str, project: str, version: str, filetype: str, pyversion: str
) -> None:
    found = parse(filename)
    assert (found.project, found.version, found.filetype, found.pyversion) == (
        *(project, version, filetype, pyversion),
    )


@pytest.mark.parametrize(
    "filename",
    [
        *("", "demo", "demo.whl", "demo-1.0.whl", "demo-1.0-py3-none.whl", "-1.0.tar.gz"),
        *("demo-1.0-py3-none-any.WHL", "demo-1.0.tar.bz2", "demo-1.0.egg", "demo-1.0.tgz"),
        *("demo-one.tar.gz", "demo.tar.gz", "my-project-1.0.tar.gz", "demo-1.0-py3-none-any.zip"),
        *("a/demo-1.0.tar.gz", "..-1.0.tar.gz", "demo-1.0\n.tar.gz", "démo-1.0.tar.gz"),
        *("dеmo-1.0-py3-none-any.whl", "demo-1.0-x-py3-none-any.whl", "demo__x-1-py3-none-any.whl"),  # noqa: RUF001 - a Cyrillic letter
        "d" * 300 + "-1.0.tar.gz",
    ],
)
def test_any_other_name_is_refused_where_names_are_strict(filename: str) -> None:
    with pytest.raises(InvalidName):
        parse(filename)


@pytest.mark.parametrize(
    ("filename", "version", "filetype", "pyversion"),
    [
        ("My.Project-1.0.tar.gz", "1.0", "sdist", "source"),
        ("my-project-1.0.tgz", "1.0", "sdist", "source"),
        ("my-project-1.0.tar.bz2", "1.0", "sdist", "source"),
        ("my-project-1.0.zip", "1.0", "sdist", "source"),
        ("my_project-1.0-py3.8.egg", "1.0", "bdist_egg", "3.8"),
        ("my_project-1.0-py2.7-linux-x86_64.egg", "1.0", "bdist_egg", "2.7"),
        ("my-project-1.0.win32-py2.7.exe", "1.0", "bdist_wininst", "2.7"),
        ("my-project-1.0.win-amd64-py3.6.msi", "1.0", "bdist_msi", "3.6"),
        ("my-project-1.0-1.noarch.rpm", "1.0", "bdist_rpm", "any"),
        ("my-project-1.0.linux-x86_64.tar.gz", "1.0", "bdist_dumb", "any"),
        ("my-project-1.0.doc.zip", "1.0", "bdist_dumb", "any"),
        ("my_project-1.0_1-py3-none-any.whl", "1.0-1", "bdist_wheel", "py3"),
        ("my_project-docs-1.0.tar.gz", "1.0", "sdist", "source"),
    ],
)
def test_devpis_rules_take_what_devpi_takes(filename: str, version: str, filetype: str, pyversion: str) -> None:
    found = parse_lenient(filename, "My_Project", version)
    assert found == Distribution(found.filename, found.project, found.version, filetype, pyversion)
    assert (found.filename, found.project, found.version) == (filename, "my-project", version)


@pytest.mark.parametrize(
    ("filename", "words"),
    [
        ("demo-1.1.tar.gz", "does not contain version '1.0'"),
        ("demo-1.0.txt", "no known archive extension"),
        ("demo-1.0", "no known archive extension"),
        ("other-1.0.tar.gz", "does not match project name 'demo'"),
        ("../demo-1.0.tar.gz", "not a file name"),
        ("demo-1.0\r\nX: y.tar.gz", "not a file name"),
    ],
)
def test_devpis_rules_refuse_in_words_that_name_the_value(filename: str, words: str) -> None:
    with pytest.raises(InvalidName, match=words):
        parse_lenient(filename, "demo", "1.0")


def test_versions_are_the_same_by_pep_440_and_else_by_text() -> None:
    assert same_version("1.0", "1.0.0")
    assert same_version("1.0.POST1", "1.0-1")
    assert same_version("not one", "not one")
    assert not same_version("not one", "not  one")
    assert not same_version("1.0", "1.0.1")


@given(st.text(max_size=40) | st.from_regex(r"[a-z._-]{1,9}-[0-9a-z.+_-]{1,9}(\.tar\.gz|\.whl)"))
def test_no_name_raises_anything_but_invalid_name(filename: str) -> None:
    for read in (parse, lambda name: parse_lenient(name, "demo", "1")):
        try:
            found = read(filename)
        except InvalidName:
            continue
        assert found.filename == filename
