"""Test results: sent to a file, listed beside it, gone with it."""

import hashlib
import json
import re
from typing import Any

import pytest
import requests

from tests.http.accounts import make_index
from tests.http.client import Client, Dist, sdist, wheel

RESULT = b'{"testenvs": {"py": {"test": []}},\n "toxversion": "4"}'


@pytest.fixture
def tested(owner: Client, index: str) -> str:
    """An index with two files of demo 1.0."""
    for dist in (wheel(), sdist()):
        assert owner.upload(index, dist).status_code == 200
    return index


def post(client: Client, index: str, content: bytes = RESULT, dist: Dist | None = None) -> requests.Response:
    return client.ask("POST", f"{index}/{(dist or wheel()).path}", data=content)


def path_of_result(client: Client, index: str, content: bytes = RESULT) -> str:
    answer = post(client, index, content)
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "toxresultpath"
    path: str = answer.json()["result"]
    return path


def results(client: Client, index: str) -> list[dict[str, Any]]:
    return [link for link in client.result(f"{index}/demo/1.0")["+links"] if link["rel"] == "toxresult"]


def test_anybody_may_send_a_result_which_comes_back_as_it_was(nobody: Client, tested: str) -> None:
    path = path_of_result(nobody, tested)
    assert re.fullmatch(re.escape(f"{tested}/{wheel().path}.toxresult-") + r"\d{14}-0", path)
    answer = nobody.get(path, "*/*")
    assert (answer.content, answer.headers["Content-Type"]) == (RESULT, "application/json")


def test_results_are_numbered(nobody: Client, tested: str) -> None:
    assert [path_of_result(nobody, tested)[-2:] for _ in range(3)] == ["-0", "-1", "-2"]


def test_a_result_is_linked_with_its_file_and_its_history(owner: Client, tested: str) -> None:
    path = path_of_result(owner, tested)
    (link,) = results(owner, tested)
    assert link["href"] == f"{owner.url}/{path}"
    assert link["for_href"] == f"{owner.url}/{tested}/{wheel().path}"
    assert link["hashes"] == {"sha256": hashlib.sha256(RESULT).hexdigest()}
    (action,) = link["log"]
    assert (action["what"], action["who"], action["dst"], len(action["when"])) == ("upload", owner.user, tested, 6)


def test_results_of_a_file_are_listed_and_read_below_the_version(nobody: Client, tested: str) -> None:
    path_of_result(nobody, tested)
    folder = f"{tested}/demo/1.0/+toxresults/{wheel().filename}"
    assert nobody.result(folder) == results(nobody, tested)
    (link,) = nobody.result(folder)
    answer = nobody.get(f"{folder}/{link['href'].rpartition('/')[2]}")
    assert answer.content == RESULT
    assert nobody.result(f"{tested}/demo/1.0/+toxresults/{sdist().filename}") == []


@pytest.mark.parametrize("path", ["absent.whl", f"{wheel().filename}/absent", f"{sdist().filename}/RESULT"])
def test_results_that_are_not_there_are_not_found(nobody: Client, tested: str, path: str) -> None:
    name = path_of_result(nobody, tested).rpartition("/")[2]
    assert nobody.get(f"{tested}/demo/1.0/+toxresults/{path.replace('RESULT', name)}").status_code == 404


def test_what_is_known_of_a_result_is_shown_as_json(nobody: Client, tested: str) -> None:
    answer = nobody.get(path_of_result(nobody, tested)).json()
    assert (answer["type"], answer["result"]["project"]) == ("releasefilemeta", "demo")


@pytest.mark.parametrize(
    "content", [b"", b"no json", b"[]", b'"text"', b"{", b'{"a": 1} x', b'{"a": NaN}', b'{"a": "\xff"}', b"[" * 100_000]
)
def test_what_is_no_json_object_is_refused(nobody: Client, tested: str, content: bytes) -> None:
    before = nobody.serial()
    answer = post(nobody, tested, content)
    assert (answer.status_code, "no JSON" in answer.reason, nobody.serial()) == (400, True, before)


def test_deep_json_is_no_trouble(nobody: Client, tested: str) -> None:
    path_of_result(nobody, tested, b'{"a": ' + b"[" * 500_000 + b"]" * 500_000 + b"}")


def test_a_result_has_a_bound(nobody: Client, tested: str) -> None:
    assert post(nobody, tested, json.dumps({"a": "x" * (17 << 20)}).encode()).status_code == 413


def test_a_result_of_a_file_that_is_not_there_is_not_found(nobody: Client, index: str) -> None:
    assert post(nobody, index).status_code == 404


def test_a_result_of_a_result_is_not_found(nobody: Client, tested: str) -> None:
    answer = nobody.ask("POST", path_of_result(nobody, tested), data=RESULT)
    assert answer.status_code == 404


@pytest.mark.parametrize("acl", [["somebody"], [":AUTHENTICATED:"]])
def test_who_is_not_listed_is_told_how_to_test_without_sending(nobody: Client, owner: Client, acl: list[str]) -> None:
    index = make_index(owner, acl_toxresult_upload=acl)
    owner.upload(index, wheel())
    answer = post(nobody, index)
    assert (answer.status_code, "--no-upload" in answer.reason, "--no-upload" in answer.text) == (403, True, True)


def test_who_is_listed_may_send(stranger: Client, owner: Client) -> None:
    index = make_index(owner, acl_toxresult_upload=[stranger.user])
    owner.upload(index, wheel())
    assert [post(client, index).status_code for client in (stranger, owner)] == [200, 403]


@pytest.mark.parametrize("how", ["replace", "delete"])
def test_results_go_with_their_file(owner: Client, nobody: Client, tested: str, how: str) -> None:
    path = path_of_result(nobody, tested)
    if how == "replace":
        owner.upload(tested, wheel(note="other bytes"))
    else:
        owner.delete(f"{tested}/{wheel().path}")
    assert results(nobody, tested) == []
    assert nobody.get(path, "*/*").status_code == 410


def test_a_result_is_not_deleted_alone(owner: Client, tested: str) -> None:
    assert owner.delete(path_of_result(owner, tested)).status_code == 403


def test_a_result_leaves_the_simple_page_as_it_is(nobody: Client, tested: str) -> None:
    before = nobody.get(f"{tested}/+simple/demo/", "*/*").headers["ETag"]
    path_of_result(nobody, tested)
    assert nobody.get(f"{tested}/+simple/demo/", "*/*").headers["ETag"] == before


def test_a_quarantined_project_takes_and_shows_none(owner: Client, tested: str) -> None:
    path = path_of_result(owner, tested)
    owner.patch(f"{tested}/demo", {"status": "quarantined"})
    listed = owner.get(f"{tested}/demo/1.0/+toxresults/{wheel().filename}")
    assert [post(owner, tested).status_code, owner.get(path).status_code, listed.status_code] == [403, 403, 403]
