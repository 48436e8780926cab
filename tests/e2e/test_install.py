"""Every installer, by JSON and by HTML: what it finds, what it downloads and what it leaves."""

from pathlib import Path

import pytest

from tests.corpora import Project
from tests.e2e.clients import Clients
from tests.e2e.environments import python_with
from tests.e2e.installers import NEWEST, Installer, old_pip
from tests.e2e.uploads import upload, upload_wheels
from tests.http.accounts import make_index
from tests.http.client import Client
from tests.recording import Recorder

NAMES = [installer.name for installer in NEWEST]
BROKEN = {"yanked": "it is broken"}


@pytest.fixture(scope="module")
def stocked(root: Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An index with projects for all tests of this file; ``lib`` is in its base only."""
    folder = tmp_path_factory.mktemp("dist")
    base = make_index(root, volatile=False)
    upload_wheels(root, base, folder, Project("lib", "1.0"), Project("lib", "2.0"))
    name = make_index(root, volatile=False, bases=[base])
    upload_wheels(
        root,
        name,
        folder,
        Project("app", "1.0", requires=("lib<2",)),
        Project("app", "2.0", requires=("lib>=9",)),
        Project("yanked", "1.0"),
        Project("yanked", "2.0"),
        Project("young", "1.0"),
        Project("young", "2.0", requires_python=">=4"),
        Project("two-words", "1.0"),
    )
    sourced = Project("sourced", "1.0")
    upload(root, name, sourced, sourced.sdist(folder))
    assert root.patch(f"{name}/yanked/2.0", BROKEN).ok
    return name


@pytest.fixture(params=[*NAMES, "pip-21"])
def installer(request: pytest.FixtureRequest) -> Installer:
    """Each installer in turn."""
    if request.param == "pip-21":
        return old_pip(python_with("pip"))
    return NEWEST[NAMES.index(request.param)]


@pytest.fixture
def simple(recorder: Recorder, installer: Installer, stocked: str) -> str:
    """The URL that installers are given; what they ask is recorded."""
    recorder.accept = installer.accept
    return f"{recorder.url}/{stocked}/+simple/"


def test_a_dependency_comes_from_the_base(installer: Installer, simple: str, clients: Clients, tmp_path: Path) -> None:
    assert installer.install(clients, simple, tmp_path / "t", "app==1.0") == {"app": "1.0", "lib": "1.0"}


def test_pages_come_in_the_form_that_is_asked_for(
    installer: Installer, simple: str, clients: Clients, recorder: Recorder, tmp_path: Path
) -> None:
    installer.install(clients, simple, tmp_path / "t", "lib")
    assert {asked.content_type.partition(";")[0] for asked in recorder.pages()} == {installer.reads}


def test_a_release_whose_needs_can_not_be_met_is_passed_over(
    installer: Installer, simple: str, clients: Clients, tmp_path: Path
) -> None:
    assert installer.install(clients, simple, tmp_path / "t", "app") == {"app": "1.0", "lib": "1.0"}


def test_resolving_downloads_wheels_only_where_metadata_is_not_understood(
    installer: Installer, simple: str, clients: Clients, recorder: Recorder, tmp_path: Path
) -> None:
    installer.install(clients, simple, tmp_path / "t", "app")
    passed_over = "app-2.0-py3-none-any.whl"
    assert (passed_over in recorder.files(".whl")) is not installer.uses_metadata
    assert (f"{passed_over}.metadata" in recorder.files(".metadata")) is installer.uses_metadata


def test_a_yanked_release_is_skipped(installer: Installer, simple: str, clients: Clients, tmp_path: Path) -> None:
    assert installer.install(clients, simple, tmp_path / "t", "yanked") == {"yanked": "1.0"}


def test_a_yanked_release_is_had_by_its_exact_version_and_the_reason_is_told(
    installer: Installer, simple: str, clients: Clients, tmp_path: Path
) -> None:
    outcome = installer.attempt(clients, simple, tmp_path / "t", "yanked==2.0")
    assert outcome.code == 0, outcome.text
    assert "it is broken" in outcome.text


def test_a_release_for_another_python_is_skipped(
    installer: Installer, simple: str, clients: Clients, tmp_path: Path
) -> None:
    assert installer.install(clients, simple, tmp_path / "t", "young") == {"young": "1.0"}


def test_a_name_in_another_spelling_is_found(
    installer: Installer, simple: str, clients: Clients, tmp_path: Path
) -> None:
    assert installer.install(clients, simple, tmp_path / "t", "Two_Words") == {"two-words": "1.0"}


def test_an_sdist_is_built(installer: Installer, simple: str, clients: Clients, tmp_path: Path) -> None:
    assert installer.install(clients, simple, tmp_path / "t", "sourced") == {"sourced": "1.0"}


def test_a_file_with_the_wanted_hash_is_installed(
    installer: Installer, simple: str, clients: Clients, root: Client, stocked: str, tmp_path: Path
) -> None:
    requirements = wanted(root, stocked, tmp_path)
    target = tmp_path / "t"
    assert installer.install(clients, simple, target, "--require-hashes", "-r", requirements) == {"young": "1.0"}


def test_a_file_with_another_hash_is_refused(
    installer: Installer, simple: str, clients: Clients, root: Client, stocked: str, tmp_path: Path
) -> None:
    requirements = wanted(root, stocked, tmp_path, lie=True)
    outcome = installer.attempt(clients, simple, tmp_path / "t", "--require-hashes", "-r", requirements)
    assert outcome.code != 0
    assert "hash" in outcome.text.lower()


def wanted(root: Client, index: str, folder: Path, *, lie: bool = False) -> str:
    """Return the path of a requirements file with the hash of a wheel as the index has it, or with none's."""
    (link,) = root.result(f"{index}/young")["1.0"]["+links"]
    digest = "0" * 64 if lie else link["hashes"]["sha256"]
    path = folder / "requirements.txt"
    path.write_text(f"young==1.0 --hash=sha256:{digest}\n")
    return str(path)
