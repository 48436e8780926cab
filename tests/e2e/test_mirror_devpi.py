"""devpi-client 7 and mirrors: it makes them, lists what they have, refreshes and installs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import Clients, installed
from tests.e2e.conftest import PASSWORD
from tests.mirrors import MIRROR, STAGE, mirroring, page
from tests.processes import Node
from tests.upstream.files import ROOT_PROJECT, chained_projects, chained_versions, wheel
from tests.upstream.server import Upstream, upstream

COUNT = 30
VERSIONS = chained_versions(COUNT)


@pytest.fixture(scope="module")
def index() -> Iterator[Upstream]:
    with upstream(*chained_projects(COUNT)) as running:
        yield running


@pytest.fixture(scope="module")
def mirror(index: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with mirroring(tmp_path_factory.mktemp("devpi"), index.simple) as running:
        yield running


@pytest.fixture
def devpi(mirror: Node, clients: Clients) -> Clients:
    """A client that is root."""
    clients.run("devpi", "use", mirror.url)
    clients.run("devpi", "login", "root", f"--password={PASSWORD}")
    return clients


def make_mirror(devpi: Clients, mirror: Node, index: Upstream, name: str) -> str:
    """Make a mirror of *index* with the client, use it, and return its full name."""
    devpi.run("devpi", "index", "-c", name, "type=mirror", f"mirror_url={index.simple}", "volatile=False")
    devpi.run("devpi", "use", f"{mirror.url}/root/{name}")
    return f"root/{name}"


@pytest.mark.parametrize("name", [MIRROR, STAGE])
def test_use_shows_a_mirror_and_what_inherits_it(name: str, mirror: Node, devpi: Clients) -> None:
    assert f"{mirror.url}/{name}" in devpi.run("devpi", "use", f"{mirror.url}/{name}")


def test_a_mirror_that_was_made_is_asked_like_any(mirror: Node, index: Upstream, devpi: Clients) -> None:
    made = make_mirror(devpi, mirror, index, "made")
    assert index.simple in devpi.run("devpi", "index", made)
    assert {file["filename"] for file in page(mirror, ROOT_PROJECT, made)} == {"root_project-1.0-py3-none-any.whl"}


def test_a_stage_above_a_mirror_that_was_made_has_its_projects(mirror: Node, index: Upstream, devpi: Clients) -> None:
    made = make_mirror(devpi, mirror, index, "below")
    devpi.run("devpi", "index", "-c", "above", f"bases={made}")
    assert len(page(mirror, ROOT_PROJECT, "root/above")) == 1


@pytest.mark.parametrize("name", [MIRROR, STAGE])
def test_list_names_the_newest_file_of_a_project(name: str, mirror: Node, devpi: Clients) -> None:
    devpi.run("devpi", "use", f"{mirror.url}/{name}")
    said = devpi.run("devpi", "list", ROOT_PROJECT)
    assert f"{mirror.url}/{MIRROR}/+f/" in said
    assert "root_project-1.0-py3-none-any.whl" in said


def test_list_of_all_versions_names_each(mirror: Node, devpi: Clients) -> None:
    devpi.run("devpi", "use", f"{mirror.url}/{MIRROR}")
    said = devpi.run("devpi", "list", "--all", "birch-01")
    assert all(f"birch_01-{version}-py3-none-any.whl" in said for version in ("1.0", "1.1", "2.0"))


def test_list_without_a_project_names_those_that_are_known(mirror: Node, devpi: Clients) -> None:
    page(mirror, ROOT_PROJECT)
    devpi.run("devpi", "use", f"{mirror.url}/{MIRROR}")
    assert ROOT_PROJECT in devpi.run("devpi", "list")


def test_refresh_has_a_new_release_at_once(mirror: Node, index: Upstream, devpi: Clients) -> None:
    made = make_mirror(devpi, mirror, index, "refreshed")
    index.put(wheel("growing", "1.0"))
    assert len(page(mirror, "growing", made)) == 1
    index.put(wheel("growing", "2.0"))
    assert len(page(mirror, "growing", made)) == 1
    devpi.run("devpi", "refresh", "growing")
    assert len(page(mirror, "growing", made)) == 2


@pytest.mark.parametrize("name", [MIRROR, STAGE])
def test_install_installs_all_that_is_needed(name: str, mirror: Node, devpi: Clients, tmp_path: Path) -> None:
    target = tmp_path / "venv"
    devpi.run("python", "-m", "venv", target)
    devpi.run("devpi", "use", f"{mirror.url}/{name}")
    devpi.run("devpi", "install", "--venv", target, ROOT_PROJECT)
    (packages,) = target.glob("lib/python*/site-packages")
    assert VERSIONS.items() <= installed(packages).items()
