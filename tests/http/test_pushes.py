"""Releases pushed from one index to another."""

import socket
import time
from urllib.parse import urlsplit

import pytest
import requests

from tests.http.accounts import fresh, make_index
from tests.http.client import TIMEOUT_S, Client, basic, sdist, status_of, wheel

JSON_PAGE = "application/vnd.pypi.simple.v1+json"


def push(client: Client, source: str, target: str, **body: object) -> requests.Response:
    wanted = {"name": "demo", "version": "1.0", "targetindex": target, **body}
    return client.ask("PUSH", source, json={key: value for key, value in wanted.items() if value is not None})


def rows(answer: requests.Response) -> list[list[object]]:
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "actionlog"
    found: list[list[object]] = answer.json()["result"]
    return found


def files(client: Client, index: str, project: str = "demo") -> dict[str, dict[str, object]]:
    page = client.get(f"{index}/+simple/{project}/", JSON_PAGE)
    return {file["filename"]: file for file in page.json()["files"]} if page.status_code == 200 else {}


@pytest.fixture
def source(owner: Client, index: str) -> str:
    """A volatile index with a release of two files."""
    for dist in (wheel(), sdist()):
        assert owner.upload(index, dist).status_code == 200
    return index


@pytest.fixture
def target(owner: Client) -> str:
    """Another index."""
    return make_index(owner)


@pytest.mark.parametrize("method", ["POST", "PUSH"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_push_tells_what_became_of_each_part(
    owner: Client, source: str, target: str, method: str, slash: str
) -> None:
    body = {"name": "demo", "version": "1.0", "targetindex": target}
    assert rows(owner.ask(method, source + slash, json=body)) == [
        [200, "register", "demo", "1.0", "->", target],
        *([200, "store_releasefile", f"{target}/{dist.path}"] for dist in (wheel(), sdist())),
    ]


def test_pushed_files_are_what_they_were(owner: Client, source: str, target: str) -> None:
    push(owner, source, target)
    assert files(owner, target) == files(owner, source)  # upload-time too
    for dist in (wheel(), sdist()):
        assert owner.get(f"{target}/{dist.path}", "*/*").content == dist.content
    assert owner.get(f"{target}/{wheel().path}.metadata", "*/*").status_code == 200
    assert owner.result(f"{target}/demo/1.0")["summary"] == "what it is"


def test_a_push_is_one_command(owner: Client, source: str, target: str) -> None:
    before = owner.serial()
    push(owner, source, target)
    assert owner.serial() == before + 4  # two files, each with its history


def test_yanked_files_stay_yanked(owner: Client, source: str, target: str) -> None:
    owner.patch(f"{source}/{wheel().path}", {"yanked": "broken"})
    push(owner, source, target)
    assert files(owner, target)[wheel().filename]["yanked"] == "broken"
    assert files(owner, target)[sdist().filename]["yanked"] is False


def test_the_metadata_that_the_source_shows_are_pushed(owner: Client, source: str, target: str) -> None:
    owner.submit(source, "demo", "1.0", summary="registered later")
    push(owner, source, target)
    assert owner.result(f"{target}/demo/1.0")["summary"] == "registered later"


def test_only_the_version_that_was_named_is_pushed(owner: Client, source: str, target: str) -> None:
    owner.upload(source, wheel(version="2.0"))
    push(owner, source, target)
    assert list(owner.result(f"{target}/demo")) == ["1.0"]


def test_the_name_need_not_be_normalized(owner: Client, index: str, target: str) -> None:
    owner.upload(index, wheel("two-words"))
    pushed = rows(push(owner, index, target, name="Two_Words"))
    assert pushed[0] == [200, "register", "Two_Words", "1.0", "->", target]
    assert files(owner, target, "two-words")


def test_a_push_again_changes_nothing_on_a_volatile_index(owner: Client, source: str, target: str) -> None:
    first = rows(push(owner, source, target))
    before = owner.serial()
    assert rows(push(owner, source, target)) == first
    assert owner.serial() == before


def test_other_bytes_are_replaced_on_a_volatile_index(owner: Client, source: str, target: str) -> None:
    owner.upload(target, wheel(note="other"))
    push(owner, source, target)
    assert files(owner, target)[wheel().filename]["hashes"] == {"sha256": wheel().sha256}
    (link,) = (link for link in owner.result(f"{target}/demo/1.0")["+links"] if link["href"].endswith(".whl"))
    assert (link["log"][0]["what"], link["log"][0]["count"]) == ("overwrite", 1)


def test_a_file_that_is_there_is_409_where_the_index_is_not_volatile(owner: Client, source: str, fixed: str) -> None:
    owner.upload(fixed, wheel())
    before = owner.serial()
    answer = push(owner, source, fixed)
    assert answer.status_code == 409
    assert answer.json()["message"] == f"{wheel().filename} already exists in non-volatile index {fixed}"
    assert owner.serial() == before
    assert sdist().filename not in files(owner, fixed)


def test_a_new_version_is_taken_by_an_index_that_is_not_volatile(owner: Client, source: str, fixed: str) -> None:
    owner.upload(fixed, wheel(version="0.9"))
    assert push(owner, source, fixed).status_code == 200


def test_a_push_may_be_within_one_index(owner: Client, source: str) -> None:
    before = owner.serial()
    assert push(owner, source, source).status_code == 200
    assert owner.serial() == before


def test_bases_are_not_searched(owner: Client, source: str, target: str) -> None:
    heir = make_index(owner, bases=[source])
    answer = push(owner, heir, target)
    assert answer.status_code == 400
    assert answer.json()["message"] == f"there are no files for demo 1.0 on {heir}"


@pytest.mark.parametrize(
    "body",
    [
        {"name": None},
        {"version": None},
        {"name": "other"},
        {"name": "not a name"},
        {"name": 7},
        {"version": "2.0"},
        {"version": ["1.0"]},
        {"version": "1 0"},
        {"targetindex": "no-slash"},
        {"targetindex": "a/b/c"},
        {"targetindex": None},
        {"targetindex": 1},
        {"no_docs": True, "only_docs": True},
        {"no_docs": "yes"},
        {"colour": "red"},
        {"register_project": True},
        {"posturl": "https://index.example/"},
    ],
)
def test_what_can_not_be_meant_is_400(owner: Client, source: str, target: str, body: dict[str, object]) -> None:
    before = owner.serial()
    answer = push(owner, source, target, **body)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert owner.serial() == before


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b'"text"', b"\xff"])
def test_a_body_that_is_no_object_is_400(owner: Client, source: str, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert owner.ask("PUSH", source, data=body, headers=headers).status_code == 400


def test_a_release_without_files_is_404(owner: Client, index: str, target: str) -> None:
    owner.submit(index, "demo", "1.0")
    answer = push(owner, index, target)
    assert answer.status_code == 404
    assert answer.json()["message"] == "no release/files found for demo 1.0"


def test_only_docs_of_a_release_without_is_404(owner: Client, source: str, target: str) -> None:
    assert push(owner, source, target, only_docs=True).status_code == 404
    assert push(owner, source, target, no_docs=True).status_code == 200


def test_indexes_that_are_not_there_are_404(owner: Client, source: str, target: str) -> None:
    assert push(owner, f"{owner.user}/{fresh()}", target).status_code == 404
    assert push(owner, source, f"{owner.user}/{fresh()}").status_code == 404


def test_a_mirror_takes_nothing(owner: Client, source: str) -> None:
    mirror = make_index(owner, type="mirror", mirror_url="http://127.0.0.1:9/simple/")
    assert push(owner, source, mirror).status_code == 404


def test_who_may_not_upload_to_the_target_is_401(
    owner: Client, stranger: Client, nobody: Client, source: str, target: str
) -> None:
    before = owner.serial()
    for client in (stranger, nobody):
        answer = push(client, source, target)
        assert answer.status_code == 401
        assert target in answer.json()["message"]
    assert push(Client(owner.url, owner.user, "wrong"), source, target).status_code == 401
    assert owner.serial() == before


def test_who_may_upload_to_the_target_needs_no_rights_on_the_source(
    owner: Client, stranger: Client, source: str
) -> None:
    own = make_index(stranger)
    assert push(stranger, source, own).status_code == 200
    assert push(owner, source, own).status_code == 401


def test_the_uploader_stays_who_it_was(owner: Client, stranger: Client, source: str) -> None:
    own = make_index(stranger)
    push(stranger, source, own)
    (link, _) = owner.result(f"{own}/demo/1.0")["+links"]
    assert link["log"][0]["who"] == owner.user


@pytest.mark.parametrize("status", ["archived", "quarantined"])
def test_a_closed_project_takes_nothing(owner: Client, source: str, target: str, status: str) -> None:
    owner.upload(target, wheel(version="0.9"))
    owner.patch(f"{target}/demo", {"status": status})
    assert push(owner, source, target).status_code == 403


def test_nothing_leaves_a_quarantined_project(owner: Client, source: str, target: str) -> None:
    owner.patch(f"{source}/demo", {"status": "quarantined"})
    assert push(owner, source, target).status_code == 403


def test_push_on_a_kept_connection_is_read_behind_bodies(owner: Client, source: str, target: str) -> None:
    for _ in range(3):  # requests keeps the connection
        assert owner.upload(source, wheel("kept")).status_code == 200
        assert push(owner, source, target).status_code == 200
        assert owner.get(source).status_code == 200


def test_a_body_that_looks_like_a_push_stays_as_it_is(owner: Client, index: str) -> None:
    begin, rest = b'["title=', b'PUSH it"]'
    auth = basic(owner.user, owner.password)
    head = f"PATCH /{index} HTTP/1.1\r\nHost: node\r\nAuthorization: {auth}\r\nConnection: close\r\n"
    place = urlsplit(owner.url)
    with socket.create_connection((place.hostname, place.port), TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(f"{head}Content-Length: {len(begin + rest)}\r\n\r\n".encode() + begin)
        time.sleep(0.2)  # so that the rest is a piece of its own
        connection.sendall(rest)
        assert status_of(connection.recv(1 << 16)) == 200
    assert owner.result(index)["title"] == "PUSH it"


def test_features_name_what_push_can(nobody: Client) -> None:
    features = nobody.result("+api")["features"]
    assert {"push-no-docs", "push-only-docs", "push-register-project", "server-keyvalue-parsing"} == set(features)
