"""Who may do what, and what the others are told."""

from collections.abc import Callable

import pytest
import requests

from tests.http.accounts import fresh, make_index
from tests.http.client import Client, wheel

Act = Callable[[Client, str], requests.Response]

CHANGES: dict[str, Act] = {
    "change the index": lambda client, index: client.patch(index, {"title": "x"}),
    "delete the index": lambda client, index: client.delete(index),
    "create an index": lambda client, index: client.put(f"{index}{fresh()}", {}),
}
UPLOADS: dict[str, Act] = {
    "upload": lambda client, index: client.upload(index, wheel("another")),
    "submit": lambda client, index: client.submit(index, "submitted", "1.0"),
}
DELETIONS: dict[str, Act] = {
    "delete a file": lambda client, index: client.delete(f"{index}/{wheel().path}"),
    "delete a version": lambda client, index: client.delete(f"{index}/demo/1.0"),
    "delete a project": lambda client, index: client.delete(f"{index}/demo"),
    "yank a file": lambda client, index: client.patch(f"{index}/{wheel().path}", {"yanked": True}),
    "yank a version": lambda client, index: client.patch(f"{index}/demo/1.0", {"yanked": True}),
    "set a status": lambda client, index: client.patch(f"{index}/demo", {"status": "archived"}),
}
ALL = {**CHANGES, **UPLOADS, **DELETIONS}


@pytest.fixture
def filled(owner: Client, index: str) -> str:
    """A volatile index with one file of demo 1.0."""
    assert owner.upload(index, wheel()).status_code == 200
    return index


@pytest.mark.parametrize("what", ALL)
def test_the_owner_may(owner: Client, filled: str, what: str) -> None:
    assert ALL[what](owner, filled).ok


@pytest.mark.parametrize("what", ALL)
def test_another_user_may_not(stranger: Client, filled: str, what: str) -> None:
    before = stranger.serial()
    answer = ALL[what](stranger, filled)
    assert answer.status_code == 403
    assert "WWW-Authenticate" not in answer.headers
    assert stranger.serial() == before


@pytest.mark.parametrize("what", ALL)
def test_nobody_is_asked_for_credentials(nobody: Client, filled: str, what: str) -> None:
    before = nobody.serial()
    answer = ALL[what](nobody, filled)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="pypi"'
    assert nobody.serial() == before


@pytest.mark.parametrize("what", [*CHANGES, *DELETIONS])
def test_root_may_manage(root: Client, filled: str, what: str) -> None:
    assert ALL[what](root, filled).ok


@pytest.mark.parametrize("what", UPLOADS)
def test_root_may_not_upload_unless_listed(root: Client, owner: Client, filled: str, what: str) -> None:
    assert UPLOADS[what](root, filled).status_code == 403
    owner.patch(filled, ["acl_upload+=root"])
    assert UPLOADS[what](root, filled).status_code == 200


@pytest.mark.parametrize("what", [*UPLOADS, *DELETIONS])
def test_a_listed_user_may_upload_and_delete(owner: Client, stranger: Client, filled: str, what: str) -> None:
    owner.patch(filled, [f"acl_upload+={stranger.user}"])
    assert ALL[what](stranger, filled).ok


@pytest.mark.parametrize("what", CHANGES)
def test_a_listed_user_may_not_manage(owner: Client, stranger: Client, filled: str, what: str) -> None:
    owner.patch(filled, [f"acl_upload+={stranger.user}"])
    assert CHANGES[what](stranger, filled).status_code == 403


@pytest.mark.parametrize("what", UPLOADS)
def test_an_owner_who_is_not_listed_may_not_upload(owner: Client, filled: str, what: str) -> None:
    owner.patch(filled, {"acl_upload": ["root"]})
    assert UPLOADS[what](owner, filled).status_code == 403


@pytest.mark.parametrize("what", UPLOADS)
def test_everybody_may_upload_where_anonymous_is_listed(
    owner: Client, nobody: Client, stranger: Client, filled: str, what: str
) -> None:
    owner.patch(filled, {"acl_upload": [":ANONYMOUS:"]})
    assert UPLOADS[what](nobody, filled).status_code == 200
    assert UPLOADS[what](stranger, filled).status_code == 200


@pytest.mark.parametrize("what", UPLOADS)
def test_every_user_may_upload_where_authenticated_is_listed(
    owner: Client, nobody: Client, stranger: Client, filled: str, what: str
) -> None:
    owner.patch(filled, {"acl_upload": [":AUTHENTICATED:"]})
    assert UPLOADS[what](nobody, filled).status_code == 401
    assert UPLOADS[what](stranger, filled).status_code == 200


def test_a_right_that_was_taken_away_is_gone_at_once(owner: Client, stranger: Client, filled: str) -> None:
    owner.patch(filled, [f"acl_upload+={stranger.user}"])
    assert stranger.upload(filled, wheel("another")).status_code == 200
    owner.patch(filled, [f"acl_upload-={stranger.user}"])
    for number in range(6):
        assert stranger.upload(filled, wheel("another", f"2.{number}")).status_code == 403


def test_everybody_may_create_a_user_but_no_index_of_another(stranger: Client, owner: Client) -> None:
    assert stranger.put(f"{owner.user}/{fresh()}", {}).status_code == 403


def test_root_may_create_indexes_for_others(root: Client, owner: Client, nobody: Client) -> None:
    name = f"{owner.user}/{fresh()}"
    assert root.put(name, {}).status_code == 200
    assert nobody.result(name)["acl_upload"] == [owner.user]


def test_a_name_that_begins_as_another_gives_no_right(owner: Client, nobody: Client) -> None:
    longer = Client(nobody.url, f"{owner.user}x", "x")
    assert nobody.put(longer.user, {"password": "x"}).status_code == 201
    index = make_index(owner)
    assert longer.patch(index, {"title": "x"}).status_code == 403
    assert longer.upload(index, wheel()).status_code == 403
    longer.close()
