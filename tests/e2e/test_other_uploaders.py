"""What flit, hatch, pdm, poetry and setuptools send when they upload."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.corpora import Project
from tests.e2e.clients import Clients
from tests.e2e.conftest import PASSWORD
from tests.e2e.environments import python_with
from tests.http.client import Client
from tests.processes import Node

FLIT = """\
[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"

[project]
name = "{0.name}"
version = "{0.version}"
description = "what it is"
requires-python = "{0.requires_python}"
"""
POETRY = FLIT.replace("flit_core.buildapi", "poetry.core.masonry.api").replace("flit_core", "poetry-core")
SETUP = """\
from distutils.core import setup
setup(name="{0.name}", version="{0.version}", description="what it is", packages=["{0.package}"])
"""
PYPIRC = """\
[distutils]
index-servers = ours

[ours]
repository = {0}
username = root
password = {1}
"""

Upload = Callable[[Clients, Project, Path, str], None]  # from a source tree to the URL of an index


def by_flit(clients: Clients, project: Project, tree: Path, url: str) -> None:
    (tree / "pyproject.toml").write_text(FLIT.format(project))
    variables = {"FLIT_INDEX_URL": url, "FLIT_USERNAME": "root", "FLIT_PASSWORD": PASSWORD}
    clients.run(python_with("flit"), "-m", "flit", "publish", cwd=tree, **variables)


def by_hatch(clients: Clients, project: Project, tree: Path, url: str) -> None:
    paths = project.both(tree / "dist")
    options = ("--no-prompt", "--repo", url, "--user", "root", "--auth", PASSWORD)
    clients.run(python_with("hatch"), "-m", "hatch", "publish", *options, *paths, cwd=tree)


def by_pdm(clients: Clients, project: Project, tree: Path, url: str) -> None:
    project.both(tree / "dist")
    options = ("--no-build", "--repository", url, "--username", "root", "--password", PASSWORD)
    clients.run(python_with("pdm"), "-m", "pdm", "publish", *options, cwd=tree)


def by_poetry(clients: Clients, project: Project, tree: Path, url: str) -> None:
    (tree / "pyproject.toml").write_text(POETRY.format(project))
    variables = {
        "POETRY_REPOSITORIES_OURS_URL": url,
        "POETRY_HTTP_BASIC_OURS_USERNAME": "root",
        "POETRY_HTTP_BASIC_OURS_PASSWORD": PASSWORD,
    }
    poetry = (python_with("poetry"), "-m", "poetry", "--no-interaction")
    clients.run(*poetry, "publish", "--build", "--repository", "ours", cwd=tree, **variables)


def by_setuptools(clients: Clients, project: Project, tree: Path, url: str) -> None:
    (tree / "pyproject.toml").unlink()
    (tree / "setup.py").write_text(SETUP.format(project))
    (clients.home / ".pypirc").write_text(PYPIRC.format(url, PASSWORD))
    clients.run(python_with("setuptools"), "setup.py", "sdist", "upload", "-r", "ours", cwd=tree)


UPLOADS: dict[str, tuple[Upload, set[str]]] = {
    "flit": (by_flit, {".whl", ".gz"}),
    "hatch": (by_hatch, {".whl", ".gz"}),
    "pdm": (by_pdm, {".whl", ".gz"}),
    "poetry": (by_poetry, {".whl", ".gz"}),
    "setuptools": (by_setuptools, {".gz"}),
}


@pytest.mark.long
@pytest.mark.parametrize("client", sorted(UPLOADS))
def test_what_a_client_uploads_is_listed(
    client: str, node: Node, root: Client, clients: Clients, index: str, tmp_path: Path
) -> None:
    upload, suffixes = UPLOADS[client]
    project = Project(f"by{client}", "1.0")
    upload(clients, project, project.tree(tmp_path / "tree"), f"{node.url}/{index}/")
    page = root.get(f"{index}/+simple/{project.name}/", "application/vnd.pypi.simple.v1+json").json()
    assert {Path(file["filename"]).suffix for file in page["files"]} == suffixes
    assert all(file["core-metadata"] for file in page["files"] if file["filename"].endswith(".whl"))


@pytest.mark.long
@pytest.mark.parametrize("client", sorted(UPLOADS))
def test_a_client_fails_with_a_wrong_password(
    client: str, node: Node, clients: Clients, index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.PASSWORD", "guessed")
    project = Project(f"by{client}", "1.0")
    with pytest.raises(AssertionError, match=r"401|wrong password"):
        UPLOADS[client][0](clients, project, project.tree(tmp_path / "tree"), f"{node.url}/{index}/")
