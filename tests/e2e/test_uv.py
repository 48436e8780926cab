"""What only uv does: compiled requirements and locks."""

from pathlib import Path

import pytest

from tests.corpora import Project
from tests.e2e.clients import Clients, installed
from tests.e2e.uploads import upload_wheels
from tests.http.client import Client
from tests.recording import Recorder

EXPECTED = {"app": "1.0", "lib": "2.0"}


@pytest.fixture
def simple(root: Client, recorder: Recorder, index: str, tmp_path: Path) -> str:
    """The URL of an index with a project and its dependency."""
    projects = (Project("lib", "1.0"), Project("lib", "2.0"), Project("app", "1.0", requires=("lib>=1",)))
    upload_wheels(root, index, tmp_path, *projects)
    return f"{recorder.url}/{index}/+simple/"


@pytest.fixture
def compiled(simple: str, clients: Clients, tmp_path: Path) -> Path:
    """Requirements with hashes."""
    wanted, found = tmp_path / "requirements.in", tmp_path / "requirements.txt"
    wanted.write_text("app\n")
    clients.run("uv", "pip", "compile", "--generate-hashes", "--default-index", simple, "-o", found, wanted)
    return found


def test_compiling_with_hashes_downloads_nothing_but_metadata(compiled: Path, recorder: Recorder) -> None:
    assert compiled.read_text().count("--hash=sha256:") == len(EXPECTED)
    assert recorder.files(".whl") == []


def test_a_second_install_is_told_that_pages_are_unchanged_and_downloads_nothing(
    simple: str, clients: Clients, recorder: Recorder, tmp_path: Path
) -> None:
    install = ("uv", "pip", "install", "--default-index", simple, "--target")
    clients.run(*install, tmp_path / "one", "app")
    recorder.asked.clear()
    clients.run(*install, tmp_path / "two", "app")
    assert {asked.status for asked in recorder.asked} == {304}
    assert recorder.pages() == recorder.asked


def test_uv_installs_what_was_compiled(compiled: Path, simple: str, clients: Clients, tmp_path: Path) -> None:
    target = tmp_path / "target"
    install = ("uv", "pip", "install", "--require-hashes", "--default-index", simple)
    clients.run(*install, "--target", target, "-r", compiled)
    assert installed(target) == EXPECTED


def test_pip_installs_what_was_compiled(compiled: Path, simple: str, clients: Clients, tmp_path: Path) -> None:
    target = tmp_path / "target"
    install = ("python", "-m", "pip", "install", "--require-hashes", "--index-url", simple)
    clients.run(*install, "--target", target, "-r", compiled)
    assert installed(target) == EXPECTED


@pytest.fixture
def locked(simple: str, clients: Clients, tmp_path: Path) -> Path:
    """A project with a lock."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["app"]\n'
    )
    clients.run("uv", "lock", "--default-index", simple, cwd=folder)
    return folder


def test_a_lock_names_the_file_its_size_its_hash_and_its_upload_time(locked: Path) -> None:
    text = (locked / "uv.lock").read_text()
    (wheel,) = (line for line in text.splitlines() if "app-1.0-py3-none-any.whl" in line)
    for field in ("/+f/", "sha256:", "size = ", "upload-time = "):
        assert field in wheel


def test_a_lock_is_installed_without_asking_for_pages(
    locked: Path, simple: str, clients: Clients, recorder: Recorder
) -> None:
    recorder.asked.clear()
    clients.run("uv", "sync", "--frozen", "--no-cache", "--default-index", simple, cwd=locked)
    (packages,) = (locked / ".venv").glob("lib/python*/site-packages")
    assert EXPECTED.items() <= installed(packages).items()
    assert recorder.pages() == []
