"""What devpi-client does with files at a primary and at its replica: upload, test, install, push, remove, refresh."""

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpora import Project
from tests.e2e.clients import Clients, installed
from tests.e2e.devpi import SIMPLE, Devpi, both
from tests.e2e.stand_ins import TOX, stand_in
from tests.http.accounts import PASSWORD, make_index
from tests.processes import Node
from tests.upstream.files import wheel
from tests.upstream.server import Upstream, upstream


def documented(folder: Path, version: str = "1.0") -> Path:
    """Write the documentation of demo as a zip file and return its path."""
    path = folder / f"demo-{version}.doc.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("index.html", f"<p>{version}")
    return path


def documentation(devpi: Devpi, index: str, version: str = "1.0") -> str:
    """Return the first page of it, or an empty text."""
    answer = devpi.user.get(f"{index}/demo/{version}/+doc/", "*/*")
    return answer.text if answer.status_code == 200 else ""


def test_files_are_uploaded_by_name_and_from_a_folder(devpi: Devpi, tmp_path: Path) -> None:
    index, dist = devpi.index(), tmp_path / "dist"
    first = Project("demo", "1.0").both(dist)
    said = devpi.run("upload", "--dry-run", *first)
    assert all(f"skipped: file_upload of {path.name} to {devpi.url}/{index}/" in said for path in first)
    assert devpi.files(index) == set()
    said = devpi.run("upload", *first)
    assert all(f"file_upload of {path.name} to {devpi.url}/{index}/" in said for path in first)
    assert devpi.files(index) == both("1.0")
    for version in ("2.0", "3.0"):
        Project("demo", version).both(dist / "deeper")
    devpi.run("upload", "--from-dir", "--only-latest", dist)
    assert {name.split("-")[1].removesuffix(".tar.gz") for name in devpi.files(index)} == {"1.0", "3.0"}
    devpi.run("upload", "--from-dir", dist)
    assert devpi.files(index) == both("1.0") | both("2.0") | both("3.0")
    assert "does not exist" in devpi.refused("upload", tmp_path / "none.whl")


def test_a_refused_upload_says_why(devpi: Devpi, tmp_path: Path) -> None:
    index = devpi.index(volatile=False)
    devpi.uploaded(index, tmp_path, "1.0")
    changed = Project("demo", "1.0", note="another").wheel(tmp_path)
    said = devpi.refused("upload", changed)
    assert f"409 FAIL file_upload of {changed.name}" in said
    assert f"File already exists: {changed.name} in non-volatile index {index}" in said
    stranger = devpi.another(tmp_path / "home")
    stranger.run("use", f"{devpi.url}/{index}")
    assert "401 FAIL" in stranger.refused("upload", Project("demo", "2.0").wheel(tmp_path))
    assert devpi.files(index) == both("1.0")


@pytest.mark.parametrize("vcs", ["--no-vcs", "git"])
def test_a_folder_is_built_and_uploaded(devpi: Devpi, tmp_path: Path, vcs: str) -> None:
    index, tree = devpi.index(), Project("demo", "1.0").tree(tmp_path / "tree")
    options = ("--no-vcs",) if vcs == "--no-vcs" else ()
    if vcs == "git":
        devpi.clients.run("git", "init", "-q", cwd=tree)
        devpi.clients.run("git", "add", ".", cwd=tree)
    devpi.run("upload", *options, "--wheel", "--no-isolation", cwd=tree)
    assert devpi.files(index) == {"demo-1.0-py3-none-any.whl"}


def test_results_of_tests_are_sent_and_listed(devpi: Devpi, tmp_path: Path) -> None:
    index = devpi.index()
    devpi.uploaded(index, tmp_path / "dist", "1.0")
    (tmp_path / "tox.ini").write_text("[tox]\n")
    path = stand_in(devpi.clients, "tox", TOX.format(code=1))
    command = ("test", "--fallback-ini", str(tmp_path / "tox.ini"), "demo")
    outcome = devpi.attempt(*command, PATH=path)
    assert outcome.code != 0
    assert f"posting tox result data to {devpi.url}/{index}/+f/" in outcome.text
    kinds = [link["rel"] for link in devpi.user.result(f"{index}/demo/1.0")["+links"]]
    assert sorted(kinds) == ["releasefile", "releasefile", "toxresult"]
    assert "tests failed" in devpi.run("list", "--toxresults", "demo")
    assert "one failed" in devpi.run("list", "--failures", "demo")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with pip."""
    folder = tmp_path_factory.mktemp("environment")
    Clients(folder).run(sys.executable, "-m", "venv", folder / "venv")
    return folder / "venv"


def test_what_is_needed_is_installed_from_the_index_and_its_bases(
    devpi: Devpi, environment: Path, tmp_path: Path
) -> None:
    base = devpi.index()
    devpi.run("upload", Project("needed", "1.5").wheel(tmp_path))
    private = devpi.index(bases=[base], acl_read=[devpi.user.user])  # installed with the login's token
    devpi.run("upload", Project("demo", "1.0", ("needed",)).wheel(tmp_path))
    devpi.run("install", "--index", private, "--venv", environment, "demo")
    (packages,) = environment.glob("lib/python*/site-packages")
    there = installed(packages)
    assert (there.get("demo"), there.get("needed")) == ("1.0", "1.5")
    assert "needed" in devpi.run("install", "-l", "--venv", environment)
    devpi.clients.run(environment / "bin" / "pip", "uninstall", "-y", "demo", "needed")


def test_a_release_is_pushed_with_its_documentation_or_without(devpi: Devpi, tmp_path: Path) -> None:
    index = devpi.index()
    devpi.uploaded(index, tmp_path / "dist", "1.0")
    devpi.run("upload", documented(tmp_path))
    whole, files, docs = (make_index(devpi.user, volatile=False) for _ in range(3))
    said = devpi.run("push", "demo==1.0", whole)
    assert f"200 register demo 1.0 -> {whole}" in said
    assert said.count(f"200 store_releasefile {whole}/+f/") == 2
    assert f"200 store_doczip demo 1.0 -> {whole}" in said
    assert (devpi.files(whole), documentation(devpi, whole)) == (both("1.0"), "<p>1.0")
    if devpi.knows("push", "--no-docs"):
        assert "doczip" not in devpi.run("push", "--no-docs", "demo==1.0", files)
        assert (devpi.files(files), documentation(devpi, files)) == (both("1.0"), "")
        assert "releasefile" not in devpi.run("push", "--only-docs", "demo==1.0", docs)
        assert (devpi.files(docs), documentation(devpi, docs)) == (set(), "<p>1.0")
    said = devpi.refused("push", "--index", index, "demo==1.0", whole)
    assert f"already exists in non-volatile index {whole}" in said
    assert f"there are no files for demo 9.9 on {index}" in devpi.refused("push", "demo==9.9", whole)
    assert "404" in devpi.refused("push", "demo==1.0", f"{devpi.user.user}/none")


def test_a_release_is_pushed_to_another_server(devpi: Devpi, node: Node, tmp_path: Path) -> None:
    index, target = devpi.index(), make_index(devpi.user)
    devpi.uploaded(index, tmp_path / "dist", "1.0")
    rc = tmp_path / "pypirc"
    where = f"repository = {node.url}/{target}/\nusername = {devpi.user.user}\npassword = {PASSWORD}\n"
    rc.write_text(f"[distutils]\nindex-servers = company\n[company]\n{where}")
    options = ("--register-project",) if devpi.knows("push", "--register-project") else ()
    said = devpi.run("push", "--pypirc", rc, *options, "demo==1.0", "pypi:company")
    assert ("200 register demo 1.0" in said) == bool(options)
    assert said.count(f"200 upload {index}/+f/") == 2
    assert PASSWORD not in said
    assert devpi.files(target) == both("1.0")


def test_who_may_not_upload_to_the_target_stays_logged_in(devpi: Devpi, tmp_path: Path) -> None:
    index = devpi.index()
    devpi.uploaded(index, tmp_path, "1.0")
    assert "401" in devpi.refused("push", "demo==1.0", "root/dev")
    assert f"logged in as {devpi.user.user}" in devpi.run("use")


def test_versions_files_and_projects_are_removed(devpi: Devpi, tmp_path: Path) -> None:
    index = devpi.index()
    devpi.uploaded(index, tmp_path, "1.0", "2.0", "3.0")
    assert "not deleting anything" in devpi.attempt("remove", "demo==1.0", typed="no\n").text
    assert "deleting release 1.0 of demo" in devpi.run("remove", "demo==1.0", typed="yes\n")
    assert devpi.files(index) == both("2.0") | both("3.0")
    (url,) = (word for word in devpi.run("list", "demo==2.0").split() if word.endswith(".tar.gz"))
    devpi.run("remove", "-y", url)
    assert devpi.files(index) == both("3.0") | {"demo-2.0-py3-none-any.whl"}
    assert "410 Gone" in devpi.refused("remove", "-y", url)
    assert "No releases or distributions found" in devpi.attempt("remove", "-y", "demo==9.9").text
    devpi.run("remove", "-y", "demo")
    assert devpi.files(index) == set()
    assert devpi.user.get(f"{index}/+simple/demo/", SIMPLE).status_code == 404
    assert "404" in devpi.refused("remove", "-y", "demo")


def test_only_force_removes_from_an_index_that_is_not_volatile(devpi: Devpi, tmp_path: Path) -> None:
    index = devpi.index(volatile=False)
    devpi.uploaded(index, tmp_path, "1.0", "2.0")
    assert f"403 Forbidden: the index {index} is not volatile" in devpi.refused("remove", "-y", "demo==1.0")
    devpi.run("remove", "-y", "--force", "demo==1.0")
    assert devpi.files(index) == both("2.0")
    (url,) = (word for word in devpi.run("list", "demo==2.0").split() if word.endswith(".tar.gz"))
    assert "403" in devpi.refused("remove", "-y", url)
    devpi.run("remove", "-y", "--force", url)
    assert devpi.files(index) == {"demo-2.0-py3-none-any.whl"}


def test_nothing_is_removed_from_a_base(devpi: Devpi, tmp_path: Path) -> None:
    base = devpi.index()
    devpi.uploaded(base, tmp_path, "1.0")
    above = devpi.index(bases=[base])
    assert devpi.run("list", "--ignore-bases", "demo") == ""
    assert "No releases or distributions found matching 'demo'" in devpi.attempt("remove", "-y", "demo").text
    assert devpi.files(above) == both("1.0")


@pytest.fixture(scope="module")
def outer() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


def test_refresh_has_a_new_release_of_a_mirror_at_once(devpi: Devpi, outer: Upstream) -> None:
    outer.put(wheel("growing", "1.0"))
    name = f"{devpi.user.user}/mirror"
    devpi.run("index", "-c", "mirror", "type=mirror", f"mirror_url={outer.simple}")
    devpi.run("use", name)
    before = devpi.files(name, "growing")
    version = f"{len(outer.asked) + 2}.0"
    outer.put(wheel("growing", version))
    assert devpi.files(name, "growing") == before
    assert "Refreshed growing" in devpi.run("refresh", "growing")
    assert f"growing-{version}-py3-none-any.whl" in devpi.files(name, "growing")
