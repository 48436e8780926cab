"""Writes that reach a replica: carried out by the primary, once, and seen at once by who sent them."""

import socket
import threading
import time
import xmlrpc.client
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import pytest

from tests.corpora import Project
from tests.e2e.clients import Clients
from tests.e2e.installers import NEWEST, Installer
from tests.following import ledgerpi, new_replica, status, wait_for_state, wait_until
from tests.http.accounts import PASSWORD, fresh, make_user
from tests.http.client import Client, basic, wheel
from tests.links import Weather
from tests.processes import Node, new_node
from tests.replica.conftest import Trio, head_of, root_of

POSITION = "X-Ledgerpi-Position"
MIN_POSITION = "X-Ledgerpi-Min-Position"


@pytest.fixture
def clients(tmp_path: Path) -> Clients:
    home = tmp_path / "home"
    home.mkdir()
    return Clients(home)


def twine(clients: Clients, node: Node, index: str, paths: list[Path]) -> None:
    login = ("--username", "root", "--password", "secret")
    clients.run("twine", "upload", "--repository-url", f"{node.url}/{index}/", *login, *paths)


def uv_publish(clients: Clients, node: Node, index: str, paths: list[Path]) -> None:
    login = ("--username", "root", "--password", "secret")
    clients.run("uv", "publish", "--publish-url", f"{node.url}/{index}/", *login, *paths)


UPLOADERS: tuple[Callable[[Clients, Node, str, list[Path]], None], ...] = (twine, uv_publish)


@pytest.mark.parametrize("installer", [NEWEST[0], NEWEST[2]], ids=lambda installer: installer.name)
@pytest.mark.parametrize("publish", UPLOADERS, ids=lambda publish: publish.__name__)
def test_what_was_uploaded_here_is_installed_from_there_at_once(
    trio: Trio,
    clients: Clients,
    tmp_path: Path,
    publish: Callable[[Clients, Node, str, list[Path]], None],
    installer: Installer,
) -> None:
    name = fresh()
    publish(clients, trio.near, "root/dev", Project(name, "1.0").both(tmp_path / "dist"))
    prefix = f"+min/{head_of(trio.near)}/root/dev/+simple"
    page = root_of(trio.far).get(f"{prefix}/{name}/", "text/html")
    assert page.status_code == 200
    assert f"{name}-1.0-py3-none-any.whl" in page.text
    for number, node in enumerate((trio.near, trio.far)):
        got = installer.install(clients, f"{node.url}/{prefix}/", tmp_path / f"target{number}", name)
        assert got == {name: "1.0"}


def test_an_answer_says_where_the_write_is_and_reads_can_ask_for_it(trio: Trio) -> None:
    for number in range(10):
        node, other = ((trio.near, trio.far), (trio.far, trio.primary), (trio.primary, trio.near))[number % 3]
        name = f"root/{fresh()}"
        answer = root_of(node).put(name, {})
        assert answer.status_code == 200
        position = answer.headers[POSITION]
        assert root_of(node).get(name).status_code == 200
        assert root_of(other).get(name, **{MIN_POSITION: position}).status_code == 200
        assert root_of(other).get(f"+min/{position}/{name}").status_code == 200


def test_a_position_that_never_comes_is_503_and_another_epochs_is_409(trio: Trio) -> None:
    epoch, _, serial = head_of(trio.near).partition(":")
    later = root_of(trio.near).get("root/dev", **{MIN_POSITION: f"{epoch}:{int(serial) + 1_000_000}"})
    assert later.status_code == 503
    assert later.headers["Retry-After"]
    assert root_of(trio.near).get("root/dev", **{MIN_POSITION: f"9.9:{serial}"}).status_code == 409
    assert root_of(trio.near).get("root/dev", **{MIN_POSITION: "nonsense"}).status_code == 400


def test_the_prefix_stays_where_a_page_leads(trio: Trio) -> None:
    prefix = f"{trio.near.url}/+min/{head_of(trio.near)}"
    client = root_of(trio.near)
    assert client.upload("root/dev", wheel("led")).status_code == 200
    answer = client.session.get(f"{prefix}/root/dev/+simple/Led", headers={"Accept": "text/html"}, timeout=30)
    assert answer.url == f"{prefix}/root/dev/+simple/led/"


def test_a_refusal_of_the_primary_is_answered_as_it_is(trio: Trio) -> None:
    name = f"root/{fresh()}"
    assert root_of(trio.near).put(name, {"volatile": False}).status_code == 200
    assert root_of(trio.near).upload(name, wheel()).status_code == 200
    other = wheel(note="other")
    here, there = (root_of(node).upload(name, other) for node in (trio.primary, trio.near))
    assert (there.status_code, there.reason, there.text) == (here.status_code, here.reason, here.text)
    assert there.status_code == 409
    nobody = Client(trio.near.url)
    assert nobody.delete(name).status_code == Client(trio.primary.url).delete(name).status_code


def test_passwords_and_logins_are_good_on_all_nodes_until_they_change(trio: Trio) -> None:
    user = make_user(Client(trio.near.url))
    login = Client(trio.near.url).ask("POST", "+login", json={"user": user.user, "password": PASSWORD})
    assert login.status_code == 200
    token, position = login.json()["result"]["password"], head_of(trio.near)
    assert known(trio, user.user, token, position) == [user.user] * 3
    assert known(trio, user.user, PASSWORD, position) == [user.user] * 3
    changed = user.patch(user.user, {"password": "another one"})
    assert changed.status_code == 200
    position = changed.headers[POSITION]
    for old in (token, PASSWORD):
        assert known(trio, user.user, old, position) == [None] * 3
    assert known(trio, user.user, "another one", position) == [user.user] * 3
    assert known(trio, user.user, changed.json()["result"]["password"], position) == [user.user] * 3


def known(trio: Trio, user: str, secret: str, position: str) -> list[str | None]:
    """Return who each node says the owner of *secret* is."""
    headers = {"Authorization": basic(user, secret), MIN_POSITION: position}
    answers = [Client(node.url).ask("GET", "+api", headers=headers) for node in trio.nodes]
    said = [answer.json()["result"]["authstatus"] for answer in answers]
    return [name if state == "ok" else None for state, name, _ in said]


def test_a_write_whose_entry_comes_late_is_answered_when_it_came(trio: Trio) -> None:
    name = f"root/{fresh()}"
    with ThreadPoolExecutor(1) as threads:
        with trio.link.bad(Weather(streams_held=True)):
            answer = threads.submit(root_of(trio.near).put, name, {})
            wait_until(lambda: root_of(trio.primary).get(name).status_code == 200, lambda: status(trio.primary))
            time.sleep(0.5)
            assert not answer.done()
            assert root_of(trio.near).get(name).status_code == 404
        assert answer.result().status_code == 200
        assert root_of(trio.near).get(name).status_code == 200


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "POST"])
def test_a_write_without_an_answer_is_sent_once_and_says_so(trio: Trio, method: str) -> None:
    with Deaf() as deaf:
        trio.link.lead_to(deaf.url)
        answer = root_of(trio.near).ask(method, f"root/{fresh()}", json={})
        assert answer.status_code == 502
        assert "the primary can not be asked" in answer.text
        assert deaf.heads.count(method) == 1
    trio.link.lead_to(trio.primary.url)
    wait_for_state(trio.near, "following")


@pytest.mark.long
def test_a_write_is_given_up_when_the_primary_falls_silent(trio: Trio) -> None:
    name = f"root/{fresh()}"
    assert root_of(trio.near).ask("PUT", name, json={}).status_code == 200  # leaves a connection to use
    trio.primary.pause()
    try:
        answer = root_of(trio.near).ask("PATCH", name, json={"title": "x"})
    finally:
        trio.primary.resume()
    assert answer.status_code == 502
    assert "the primary can not be asked" in answer.text
    wait_for_state(trio.near, "following")


class Deaf:
    """Takes requests, and closes the connection without an answer."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.heads: list[str] = []  # methods
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                self.heads.append(connection.recv(1 << 16).partition(b" ")[0].decode())


def test_without_its_primary_a_replica_serves_what_it_has(trio: Trio) -> None:
    user, held = make_user(Client(trio.near.url)), wheel(fresh())
    assert root_of(trio.near).upload("root/dev", held).status_code == 200
    login = Client(trio.near.url).ask("POST", "+login", json={"user": user.user, "password": PASSWORD})
    token = login.json()["result"]["password"]
    trio.primary.kill()
    try:
        wait_for_state(trio.near, "unreachable")
        nobody = Client(trio.near.url)
        assert nobody.get(f"root/dev/{held.path}", "*/*").content == held.content
        assert nobody.get(f"root/dev/{held.path}.metadata", "*/*").status_code == 200
        assert nobody.get("root/dev/+simple/", "text/html").status_code == 200
        for secret in (token, PASSWORD):
            headers = {"Authorization": basic(user.user, secret)}
            assert nobody.ask("GET", "+api", headers=headers).json()["result"]["authstatus"][0] == "ok"
        for answer in (user.patch(user.user, {"title": "x"}), root_of(trio.near).upload("root/dev", wheel(fresh()))):
            assert answer.status_code == 502
            assert "the primary can not be asked" in answer.text
        trio.near.stop()  # and what it has outlives it
        trio.near.start()
        assert Client(trio.near.url).get(f"root/dev/{held.path}", "*/*").content == held.content
        assert status(trio.near)["following"] == "unreachable"
    finally:
        trio.primary.start()
        trio.link.lead_to(trio.primary.url)
        trio.far.stop()
        trio.far.primaries = (trio.primary.url,)
        trio.far.start()
    wait_for_state(trio.near, "following")


def test_commands_of_the_command_line_are_for_the_primary(trio: Trio) -> None:
    where = ("--serverdir", str(trio.near.serverdir))
    assert "holds a replica" in ledgerpi("replica-token", *where, "other", code=1).stderr
    assert "holds a replica" in ledgerpi("yank", *where, "root/dev", "led", "1.0", code=1).stderr
    assert "was made as a replica" in ledgerpi("serve", *where, "--port", "0", code=2).stderr


def test_a_release_is_pushed_through_a_replica(trio: Trio) -> None:
    far, near = root_of(trio.far), root_of(trio.near)
    source, target = f"root/{fresh()}", f"root/{fresh()}"
    for index in (source, target):
        assert far.put(index, {}).status_code == 200
    far.upload(source, wheel())
    answer = far.ask("PUSH", source, json={"name": "demo", "version": "1.0", "targetindex": target})
    assert answer.status_code == 200, answer.text
    assert [row[1] for row in answer.json()["result"]] == ["register", "store_releasefile"]
    assert far.get(f"{target}/{wheel().path}", "*/*").content == wheel().content
    position = answer.headers[POSITION]
    assert near.get(f"+min/{position}/{target}/{wheel().path}", "*/*").content == wheel().content
    refused = near.ask("PUSH", source, json={"name": "demo", "version": "9", "targetindex": target})
    assert refused.status_code == 400
    assert "no files for demo 9" in refused.json()["message"]


def test_a_search_at_a_replica_finds_what_is_there(trio: Trio) -> None:
    far, name = root_of(trio.far), fresh()
    far.upload("root/dev", wheel(name))
    body = xmlrpc.client.dumps(({"name": name},), "search").encode()
    answer = far.ask("POST", "root/dev", data=body, headers={"Content-Type": "text/xml"})
    found: Any = xmlrpc.client.loads(answer.content)[0][0]
    assert [hit["name"] for hit in found] == [name]


@pytest.mark.long
def test_a_primary_believes_its_replicas_where_a_client_is(tmp_path: Path) -> None:
    args = ("--trusted-proxy", "192.0.2.1", "--login-attempts", "2")
    primary = new_node(tmp_path, args=args).start()
    replica = new_replica(primary, tmp_path, ("--trusted-proxy", "127.0.0.1")).start()
    client = Client(replica.url)
    try:
        wrong = basic("root", "guess")
        for number in range(4):  # counted by address and user, and these are four
            told = {"Authorization": wrong, "X-Forwarded-For": f"198.51.100.{number}"}
            assert client.ask("PATCH", "root", json={}, headers=told).status_code == 401
        told = {"Authorization": wrong, "X-Forwarded-For": "198.51.100.9"}
        statuses = [client.ask("PATCH", "root", json={}, headers=told).status_code for _ in range(3)]
        assert statuses == [401, 401, 429]
    finally:
        client.close()
        replica.kill()
        primary.kill()
