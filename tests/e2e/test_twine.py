"""twine uploads."""

import os
import time
from hashlib import sha256
from pathlib import Path

import pytest
import requests
from twine.commands.upload import skip_upload
from twine.package import PackageFile

from server.passwords import hashed
from tests.corpora import Project
from tests.e2e.clients import Clients
from tests.e2e.conftest import PASSWORD
from tests.http.client import Client
from tests.processes import Node

SIMPLE = "application/vnd.pypi.simple.v1+json"


def command(url: str, *words: str | Path, password: str = PASSWORD) -> tuple[str | Path, ...]:
    return ("twine", "upload", "--repository-url", url, "-u", "root", "-p", password, *words)


def listed(root: Client, index: str, project: str) -> dict[str, str]:
    """Return the files of a project with their digests."""
    page = root.get(f"{index}/+simple/{project}/", SIMPLE)
    return {file["filename"]: file["hashes"]["sha256"] for file in page.json()["files"]} if page.ok else {}


def test_a_wheel_and_an_sdist_are_listed_with_their_digests(
    node: Node, root: Client, clients: Clients, index: str, tmp_path: Path
) -> None:
    paths = Project("twined", "1.0").both(tmp_path / "dist")
    clients.run(*command(f"{node.url}/{index}/", *paths))
    assert listed(root, index, "twined") == {path.name: sha256(path.read_bytes()).hexdigest() for path in paths}


def test_the_url_without_a_slash_at_the_end_does_too(
    node: Node, root: Client, clients: Clients, index: str, tmp_path: Path
) -> None:
    wheel = Project("twined", "1.0").wheel(tmp_path)
    clients.run(*command(f"{node.url}/{index}", wheel))
    assert list(listed(root, index, "twined")) == [wheel.name]


def test_a_login_token_is_as_good_as_the_password(
    node: Node, root: Client, clients: Clients, index: str, tmp_path: Path
) -> None:
    wheel = Project("twined", "1.0").wheel(tmp_path)
    login = requests.post(f"{node.url}/+login", json={"user": "root", "password": PASSWORD}, timeout=30)
    clients.run(*command(f"{node.url}/{index}/", wheel, password=login.json()["result"]["password"]))
    assert list(listed(root, index, "twined")) == [wheel.name]


def test_a_wrong_password_is_said_to_be_wrong(node: Node, clients: Clients, index: str, tmp_path: Path) -> None:
    wheel = Project("twined", "1.0").wheel(tmp_path)
    outcome = clients.attempt(*command(f"{node.url}/{index}/", wheel, password="guessed"))
    assert outcome.code != 0
    assert "401" in outcome.text
    assert "wrong password" in outcome.text


def test_a_missing_index_is_named(node: Node, clients: Clients, tmp_path: Path) -> None:
    wheel = Project("twined", "1.0").wheel(tmp_path)
    outcome = clients.attempt(*command(f"{node.url}/root/nothing/", wheel))
    assert outcome.code != 0
    assert "404" in outcome.text
    assert "no such index: root/nothing" in outcome.text


def test_the_same_file_again_changes_nothing_and_succeeds(
    node: Node, root: Client, clients: Clients, index: str, tmp_path: Path
) -> None:
    wheel = Project("twined", "1.0").wheel(tmp_path)
    clients.run(*command(f"{node.url}/{index}/", wheel))
    before = root.serial()
    clients.run(*command(f"{node.url}/{index}/", wheel))
    assert root.serial() == before


def test_other_bytes_under_a_taken_name_are_refused_with_the_reason(
    node: Node, clients: Clients, index: str, tmp_path: Path
) -> None:
    wheel = Project("twined", "1.0").wheel(tmp_path)
    clients.run(*command(f"{node.url}/{index}/", wheel))
    Project("twined", "1.0", note="other").wheel(tmp_path)
    outcome = clients.attempt(*command(f"{node.url}/{index}/", wheel))
    assert outcome.code != 0
    assert "409" in outcome.text
    assert f"File already exists: {wheel.name}" in outcome.text


def test_the_refusal_is_one_that_skip_existing_skips(node: Node, clients: Clients, index: str, tmp_path: Path) -> None:
    # The command line of twine takes --skip-existing for two public indexes only; other programs that build on
    # twine ask this function.
    wheel = Project("twined", "1.0").wheel(tmp_path)
    clients.run(*command(f"{node.url}/{index}/", wheel))
    Project("twined", "1.0", note="other").wheel(tmp_path)
    package = PackageFile.from_filename(str(wheel), None)
    form = package.metadata_dictionary() | {":action": "file_upload", "protocol_version": "1"}
    with wheel.open("rb") as file:
        answer = requests.post(
            f"{node.url}/{index}/", form, files={"content": (wheel.name, file)}, auth=("root", PASSWORD), timeout=30
        )
    assert skip_upload(answer, True, package)  # noqa: FBT003 - twine's signature


@pytest.mark.parametrize("kind", ["password", "token"])
def test_ten_uploads_cost_one_argon2_at_most(
    kind: str, node: Node, clients: Clients, index: str, tmp_path: Path
) -> None:
    user = Client(node.url)
    assert user.put(f"carl-{kind}", {"password": "horse"}).status_code == 201
    assert Client(node.url, "root", PASSWORD).patch(index, [f"acl_upload+=carl-{kind}"]).ok
    secret = "horse"
    if kind == "token":
        answer = user.ask("POST", "+login", json={"user": f"carl-{kind}", "password": "horse"})
        secret = answer.json()["result"]["password"]
    wheels = [Project("twined", f"{number}.0").wheel(tmp_path) for number in range(10)]
    begun = time.process_time()
    hashed(secret)
    one_argon2_s = time.process_time() - begun
    before = cpu_seconds(node.pids()["writer"])
    clients.run(
        "twine", "upload", "--repository-url", f"{node.url}/{index}/", "-u", f"carl-{kind}", "-p", secret, *wheels
    )
    used_s = cpu_seconds(node.pids()["writer"]) - before
    assert used_s < 5 * one_argon2_s  # ten would be at least 10


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
