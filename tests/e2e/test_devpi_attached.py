"""devpi-client 7: documentation and test results, with stand-ins for sphinx-build and tox."""

import json
import zipfile
from pathlib import Path

import pytest

from tests.corpora import Project
from tests.e2e.clients import Clients
from tests.e2e.conftest import PASSWORD
from tests.e2e.stand_ins import SPHINX, TOX, stand_in
from tests.http.accounts import make_index
from tests.http.client import Client
from tests.processes import Node


@pytest.fixture
def volatile(root: Client) -> str:
    return make_index(root)


@pytest.fixture
def logged_in(node: Node, clients: Clients, volatile: str) -> Clients:
    clients.run("devpi", "use", f"{node.url}/{volatile}")
    clients.run("devpi", "login", "root", f"--password={PASSWORD}")
    return clients


def tree(folder: Path) -> Path:
    project = Project("described", "1.0").tree(folder)
    (project / "docs").mkdir()
    (project / "docs" / "conf.py").write_text("")
    (project / "tox.ini").write_text("[tox]\n")
    return project


def links(root: Client, index: str, project: str) -> dict[str, int]:
    """Return how many links of each kind a release has."""
    kinds = [link["rel"] for link in root.result(f"{index}/{project}/1.0")["+links"]]
    return {kind: kinds.count(kind) for kind in kinds}


def test_only_documentation_is_uploaded(logged_in: Clients, root: Client, volatile: str, tmp_path: Path) -> None:
    path = stand_in(logged_in, "sphinx-build", SPHINX)
    logged_in.run("devpi", "upload", "--only-docs", "--no-isolation", cwd=tree(tmp_path / "tree"), PATH=path)
    assert links(root, volatile, "described") == {"doczip": 1}
    assert root.get(f"{volatile}/described/1.0/+doc/", "*/*").text == "<p>what it does"
    assert root.get(f"{volatile}/described/latest/+doc/_static/x.css", "*/*").text == "p {}"


def test_documentation_is_uploaded_with_the_files(
    logged_in: Clients, root: Client, volatile: str, tmp_path: Path
) -> None:
    path = stand_in(logged_in, "sphinx-build", SPHINX)
    command = ("devpi", "upload", "--with-docs", "--wheel", "--no-isolation")
    logged_in.run(*command, cwd=tree(tmp_path / "tree"), PATH=path)
    assert links(root, volatile, "described") == {"releasefile": 1, "doczip": 1}


def test_a_zip_file_that_is_there_goes_to_the_newest_release(
    logged_in: Clients, root: Client, volatile: str, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "described.doc.zip", "w") as archive:
        archive.writestr("index.html", "<p>zipped")
    root.submit(volatile, "described", "1.0")
    logged_in.run("devpi", "upload", tmp_path / "described.doc.zip")
    assert root.get(f"{volatile}/described/1.0/+doc/", "*/*").text == "<p>zipped"


@pytest.fixture
def testable(logged_in: Clients, tmp_path: Path) -> Clients:
    logged_in.run("devpi", "upload", *Project("described", "1.0").both(tmp_path / "dist"))
    return logged_in


def run_tests(clients: Clients, code: int, *options: str) -> str:
    (clients.home / "tox.ini").write_text("[tox]\n")
    path = stand_in(clients, "tox", TOX.format(code=code))
    command = ("devpi", "test", "--fallback-ini", str(clients.home / "tox.ini"), *options, "described")
    return clients.attempt(*command, PATH=path).text


@pytest.mark.parametrize(("code", "told"), [(0, "tests passed"), (1, "one failed")])
def test_tests_send_a_result_that_is_listed(
    testable: Clients, root: Client, volatile: str, code: int, told: str
) -> None:
    assert "posting tox result data" in run_tests(testable, code)
    assert links(root, volatile, "described") == {"releasefile": 2, "toxresult": 1}
    said = testable.run("devpi", "list", "--toxresults", "--failures", "described==1.0")
    assert told in said


def test_who_may_not_send_results_is_told(testable: Clients, root: Client, volatile: str) -> None:
    root.patch(volatile, {"acl_toxresult_upload": ["nobody"]})
    said = run_tests(testable, 0)
    assert "403" in said
    assert "--no-upload" in said
    assert links(root, volatile, "described") == {"releasefile": 2}
    assert json.loads(root.get(volatile).text)["result"]["acl_toxresult_upload"] == ["nobody"]
