"""What only the newest pip does."""

import json
from pathlib import Path

import pytest

from tests.corpora import Project
from tests.e2e.clients import Clients
from tests.e2e.uploads import upload, upload_wheels
from tests.http.client import Client
from tests.recording import Recorder

PIP = ("python", "-m", "pip")


@pytest.fixture
def simple(root: Client, recorder: Recorder, index: str, tmp_path: Path) -> str:
    """The URL of an index with three releases, the last one an sdist only."""
    upload_wheels(root, index, tmp_path, Project("lib", "1.0"), Project("lib", "2.0"))
    source = Project("lib", "3.0")
    upload(root, index, source, source.sdist(tmp_path))
    upload_wheels(root, index, tmp_path, Project("app", "1.0", requires=("lib",)))
    return f"{recorder.url}/{index}/+simple/"


def test_index_versions_lists_all_releases(simple: str, clients: Clients) -> None:
    said = clients.run(*PIP, "index", "versions", "--index-url", simple, "--json", "lib")
    assert json.loads(said)["versions"] == ["3.0", "2.0", "1.0"]


def test_download_of_binaries_only_passes_over_an_sdist(simple: str, clients: Clients, tmp_path: Path) -> None:
    target = tmp_path / "downloads"
    clients.run(*PIP, "download", "--index-url", simple, "--only-binary", ":all:", "--dest", target, "lib")
    assert [path.name for path in target.iterdir()] == ["lib-2.0-py3-none-any.whl"]


def test_a_dry_run_downloads_no_wheel(simple: str, clients: Clients, recorder: Recorder) -> None:
    dry = (*PIP, "install", "--no-cache-dir", "--dry-run", "--only-binary", ":all:", "--ignore-installed")
    assert "Would install app-1.0 lib-2.0" in clients.run(*dry, "--index-url", simple, "app")
    assert recorder.files(".whl") == []


def test_the_short_url_serves_pip_too(root: Client, index: str, clients: Clients, tmp_path: Path) -> None:
    upload_wheels(root, index, tmp_path, Project("lib", "1.0"))
    clients.run(*PIP, "install", "--index-url", f"{root.url}/{index}/", "--target", tmp_path / "t", "lib")
    assert (tmp_path / "t" / "lib").is_dir()


def test_a_project_that_is_not_there_is_not_found(simple: str, clients: Clients, recorder: Recorder) -> None:
    outcome = clients.attempt(*PIP, "install", "--index-url", simple, "nothing-of-that-name")
    assert "No matching distribution found" in outcome.text
    assert [asked.status for asked in recorder.pages()] == [404]
