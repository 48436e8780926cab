"""Thirty projects from a mirror, by itself and below a stage: cold, and again when the upstream is dead."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import requests

from tests.e2e.clients import Clients, Outcome, installed
from tests.e2e.environments import python_with
from tests.e2e.installers import NEWEST, PIP, Installer, old_pip
from tests.mirrors import MIRROR, STAGE, TIMEOUT_S, file_url, mirroring, simple
from tests.processes import Node
from tests.upstream.files import ROOT_PROJECT, UpstreamDist, chained_projects, chained_versions
from tests.upstream.server import Upstream, upstream

COUNT = 30
VERSIONS = chained_versions(COUNT)
INDEXES = (MIRROR, STAGE)
UV = ("uv", "pip", "install", "--no-cache")
SHA256 = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@pytest.fixture(scope="module")
def index() -> Iterator[Upstream]:
    """An upstream that never dies."""
    with upstream(*chained_projects(COUNT)) as running:
        yield running


@pytest.fixture(scope="module")
def mirror(index: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that may have fetched something for other tests."""
    with mirroring(tmp_path_factory.mktemp("mirror"), index.simple) as running:
        yield running


@pytest.fixture
def fresh_index() -> Iterator[Upstream]:
    """An upstream of this test's own."""
    with upstream(*chained_projects(COUNT)) as running:
        yield running


@pytest.fixture
def fresh(fresh_index: Upstream, tmp_path: Path) -> Iterator[Node]:
    """A node that has nothing yet."""
    with mirroring(tmp_path, fresh_index.simple) as running:
        yield running


def installer(name: str) -> Installer:
    """Return an installer that remembers nothing from one run to the next."""
    if name == "pip-21":
        return old_pip(python_with("pip"))
    if name == "uv":
        return Installer("uv", UV, "--default-index")
    return NEWEST[0]


def wanted_dists() -> list[UpstreamDist]:
    """Return the wheels that installers take."""
    return [dist for dist in chained_projects(COUNT) if VERSIONS[dist.owner] == dist.version]


def modules(target: Path) -> dict[str, bytes]:
    """Return the sources that were installed, by path."""
    return {str(path.relative_to(target)): path.read_bytes() for path in sorted(target.rglob("*.py"))}


@pytest.mark.parametrize(("name", "asked"), [("pip", MIRROR), ("uv", STAGE)])
def test_what_was_installed_once_is_installed_again_without_the_upstream(
    name: str, asked: str, fresh: Node, fresh_index: Upstream, clients: Clients, tmp_path: Path
) -> None:
    cold = tmp_path / "cold"
    assert installer(name).install(clients, simple(fresh, asked), cold, ROOT_PROJECT) == VERSIONS
    assert sorted(asked.name for asked in fresh_index.pages()) == sorted(VERSIONS)
    assert sorted(asked.name for asked in fresh_index.files()) == sorted(dist.filename for dist in wanted_dists())
    fresh_index.die()
    for again, index in product(("pip", "uv"), INDEXES):
        warm = tmp_path / again / index
        assert installer(again).install(clients, simple(fresh, index), warm, ROOT_PROJECT) == VERSIONS
        assert modules(warm) == modules(cold)


def test_an_upstream_that_speaks_html_only_does(
    fresh: Node, fresh_index: Upstream, clients: Clients, tmp_path: Path
) -> None:
    fresh_index.change(json=False, metadata=False)
    for name in ("pip", "uv", "pip-21"):
        assert installer(name).install(clients, simple(fresh, STAGE), tmp_path / name, ROOT_PROJECT) == VERSIONS
    assert len(fresh_index.pages()) == len(VERSIONS)
    fresh_index.die()
    assert installer("uv").install(clients, simple(fresh, STAGE), tmp_path / "warm", ROOT_PROJECT) == VERSIONS


def test_pip_resolves_without_a_single_wheel(mirror: Node, index: Upstream, clients: Clients) -> None:
    index.reset()
    dry = ("--dry-run", "--ignore-installed", "--index-url", simple(mirror, STAGE))
    said = clients.run(*PIP, *dry, ROOT_PROJECT)
    assert all(f"{name}-{version}" in said for name, version in VERSIONS.items())
    assert index.files() == []


@pytest.fixture
def compiled(mirror: Node, index: Upstream, clients: Clients, tmp_path: Path) -> Path:
    """Requirements with hashes."""
    wanted, found = tmp_path / "requirements.in", tmp_path / "requirements.txt"
    wanted.write_text(f"{ROOT_PROJECT}\n")
    index.reset()
    compile_ = ("uv", "pip", "compile", "--no-cache", "--generate-hashes", "--default-index", simple(mirror, STAGE))
    clients.run(*compile_, "-o", found, wanted)
    return found


def test_uv_compiles_hashes_without_a_single_wheel(compiled: Path, index: Upstream) -> None:
    text = compiled.read_text()
    assert dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE)) == VERSIONS
    assert sorted(SHA256.findall(text)) == sorted(dist.sha256 for dist in wanted_dists())
    assert index.files() == []


@pytest.mark.parametrize("name", ["pip", "uv"])
def test_what_was_compiled_is_installed_by_its_hashes(
    name: str, compiled: Path, mirror: Node, clients: Clients, tmp_path: Path
) -> None:
    words = ("--require-hashes", "-r", str(compiled))
    assert installer(name).install(clients, simple(mirror, STAGE), tmp_path / "target", *words) == VERSIONS


def test_urls_of_files_are_good_on_a_node_that_never_saw_their_pages(
    fresh: Node, fresh_index: Upstream, clients: Clients, tmp_path: Path
) -> None:
    """As requirements and locks name them that were made elsewhere."""
    taken = wanted_dists()
    for name, some in (("pip", taken[::2]), ("uv", taken[1::2])):
        locked, target = tmp_path / f"{name}.txt", tmp_path / name
        lines = [f"{dist.owner} @ {file_url(fresh, dist)}#sha256={dist.sha256}\n" for dist in some]
        locked.write_text("".join(lines))
        words = ("--no-deps", "-r", str(locked))
        there = installer(name).install(clients, simple(fresh, MIRROR), target, *words)
        assert there == {dist.owner: dist.version for dist in some}
    assert len(fresh_index.files()) == len(VERSIONS)


def test_a_file_is_told_of_before_it_is_fetched(fresh: Node, fresh_index: Upstream) -> None:
    """As uv does, to learn whether it can read a part of it."""
    dist = wanted_dists()[0]
    head = requests.head(file_url(fresh, dist), timeout=TIMEOUT_S)
    assert (head.status_code, head.headers["Accept-Ranges"]) == (200, "bytes")
    assert int(head.headers["Content-Length"]) == len(dist.content)
    assert head.headers["ETag"] == f'"{dist.sha256}"'
    assert fresh_index.files() == []


def test_a_lock_is_installed_from_a_node_that_never_saw_its_pages(
    mirror: Node, fresh: Node, fresh_index: Upstream, clients: Clients, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["{ROOT_PROJECT}"]\n'
    )
    clients.run("uv", "lock", "--no-cache", "--default-index", simple(mirror, MIRROR), cwd=folder)
    lock = folder / "uv.lock"
    lock.write_text(lock.read_text().replace(mirror.url, fresh.url))
    clients.run("uv", "sync", "--frozen", "--no-cache", "--default-index", simple(fresh, MIRROR), cwd=folder)
    (packages,) = (folder / ".venv").glob("lib/python*/site-packages")
    assert VERSIONS.items() <= installed(packages).items()
    assert len(fresh_index.files()) == len(VERSIONS)


def test_the_reason_of_a_yank_comes_through(mirror: Node, clients: Clients, tmp_path: Path) -> None:
    yanked = next(dist for dist in chained_projects(COUNT) if dist.yanked)
    outcome = attempt(clients, mirror, tmp_path / "target", f"{yanked.owner}=={yanked.version}")
    assert outcome.code == 0, outcome.text
    assert str(yanked.yanked) in outcome.text


def test_a_release_for_another_python_is_not_installed(mirror: Node, clients: Clients, tmp_path: Path) -> None:
    newer = next(dist for dist in chained_projects(COUNT) if dist.requires_python == ">=4")
    outcome = attempt(clients, mirror, tmp_path / "target", f"{newer.owner}=={newer.version}")
    assert outcome.code != 0
    assert "Requires-Python" in outcome.text


def attempt(clients: Clients, mirror: Node, target: Path, wanted: str) -> Outcome:
    return installer("pip").attempt(clients, simple(mirror, STAGE), target, wanted)
