"""Which projects a file name may belong to."""

import pytest

from changelog.names import FileName
from server.upstream.candidates import MAX_CANDIDATES, project_candidates

CASES = {
    "demo-1.0-py3-none-any.whl": ["demo"],
    "demo_extra-1.0-1-cp311-cp311-manylinux_2_17_x86_64.whl": ["demo-extra"],
    "Demo.Extra-1.0-py3-none-any.whl": ["demo-extra"],
    "demo-1.0.tar.gz": ["demo"],
    "demo_extra-1.0.tar.gz": ["demo-extra"],
    "demo-extra-1.0.tar.gz": ["demo-extra"],
    "zope.interface-5.0.tar.gz": ["zope-interface"],
    "demo-2-1.0.zip": ["demo-2", "demo"],  # project demo-2, or version 2-1.0 of demo
    "demo-1.0-py3.11.egg": ["demo"],
    "demo-1.0.linux-x86_64.tar.gz": ["demo"],
    "demo-1.0-1.noarch.rpm": ["demo-1-0", "demo"],
}
NONE = [
    "demo-1.0.exe.txt",
    "demo.whl",
    "-1.0.tar.gz",
    "demo-.tar.gz",
    "demo.tar.gz",
    "é-1.0.tar.gz",
    "demo-1.0-py3-none.whl",
    "demo-1.0-py3-none-any.whl.metadata",
]


@pytest.mark.parametrize("filename", CASES)
def test_the_likeliest_project_comes_first(filename: str) -> None:
    assert project_candidates(FileName(filename))[: len(CASES[filename])] == CASES[filename]


@pytest.mark.parametrize("filename", NONE)
def test_other_names_belong_to_no_project(filename: str) -> None:
    assert project_candidates(FileName(filename)) == []


def test_a_name_of_many_parts_has_few_candidates() -> None:
    found = project_candidates(FileName("-".join("1" * 100) + ".tar.gz"))
    assert len(found) == MAX_CANDIDATES
    assert len(set(found)) == len(found)
