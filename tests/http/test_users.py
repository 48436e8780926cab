"""``/{user}``."""

import re

import pytest

from tests.http.accounts import PASSWORD, fresh, make_index
from tests.http.client import Client, basic
from tests.http.test_logins import authstatus, login

PROFILE = {"email": "ada@index.example", "title": "Dr", "description": "grüße", "custom_data": {"a": [1, None, 2.5]}}


def test_a_new_user_is_answered_201_with_the_record(nobody: Client) -> None:
    name = fresh()
    answer = nobody.put(name, {"password": "x", **PROFILE})
    assert answer.status_code == 201
    body = answer.json()
    assert body["type"] == "userconfig"
    shown = body["result"]
    assert {key: shown[key] for key in PROFILE} == PROFILE
    assert shown["username"] == name
    assert shown["indexes"] == {}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown["created"])
    assert shown["modified"] == shown["created"]


def test_a_user_is_shown_to_anybody_without_password_or_hash(nobody: Client, user: Client) -> None:
    answer = nobody.get(user.user)
    assert answer.status_code == 200
    assert answer.json()["result"].keys() == {"username", "indexes", "created", "modified"}
    assert "argon2" not in answer.text
    assert PASSWORD not in answer.text


def test_the_list_of_users_holds_all_with_their_indexes(nobody: Client, user: Client) -> None:
    index = make_index(user)
    shown = nobody.result("")[user.user]
    assert shown == nobody.result(user.user)
    assert shown["indexes"].keys() == {index.partition("/")[2]}


def test_a_user_that_is_not_there_is_404(nobody: Client) -> None:
    assert nobody.get(fresh()).status_code == 404


def test_a_user_that_is_there_is_409_and_stays(nobody: Client, user: Client) -> None:
    answer = nobody.put(user.user, {"password": "other"})
    assert answer.status_code == 409
    assert authstatus(user)[0] == "ok"


def test_a_user_without_a_password_is_400(nobody: Client) -> None:
    assert nobody.put(fresh(), {"title": "x"}).status_code == 400


@pytest.mark.parametrize("password", [None, 1, True, ["x"], {"x": 1}, "x" * 4_097])
def test_a_password_that_is_no_text_or_too_long_is_400(nobody: Client, password: object) -> None:
    assert nobody.put(fresh(), {"password": password}).status_code == 400


def test_an_empty_password_is_legal(nobody: Client) -> None:
    name = fresh()
    assert nobody.put(name, {"password": ""}).status_code == 201
    assert login(nobody, name, "")
    assert authstatus(nobody, Authorization=basic(name, "")) == ["ok", name, []]


def test_a_password_of_any_characters_is_legal(nobody: Client) -> None:
    name, password = fresh(), "pass\twörd\x00 \N{SNOWMAN}" + "x" * 4_000
    assert nobody.put(name, {"password": password}).status_code == 201
    assert login(nobody, name, password)


def test_unknown_keys_are_400(nobody: Client) -> None:
    answer = nobody.put(fresh(), {"password": "x", "colour": "red"})
    assert answer.status_code == 400
    assert "colour" in answer.json()["message"]


@pytest.mark.parametrize("name", ["a b", "a:b", "a%3Ab", "a%2Fb", "%0a", "x" * 65, "%22", "a%21", "a%7Fb"])
def test_a_bad_name_is_400(nobody: Client, name: str) -> None:
    assert nobody.put(name, {"password": "x"}).status_code == 400


@pytest.mark.parametrize("name", ["ada@index.example", "a.b_c-d", "grüße", "\N{SNOWMAN}"])
def test_a_name_may_have_points_hyphens_underscores_ats_and_letters_of_all_scripts(nobody: Client, name: str) -> None:
    name = f"{name}{fresh()}"
    assert nobody.put(name, {"password": "x"}).status_code == 201
    assert nobody.result(name)["username"] == name


@pytest.mark.parametrize("key", ["email", "title", "description"])
@pytest.mark.parametrize("value", [1, [], {}, True])
def test_texts_that_are_no_text_are_400(user: Client, key: str, value: object) -> None:
    assert user.patch(user.user, {key: value}).status_code == 400


def test_custom_data_is_any_json(user: Client) -> None:
    for value in ([1, 2], {"a": {"b": None}}, "text", 7, 1.5, True):
        assert user.patch(user.user, {"custom_data": value}).status_code == 200
        assert user.result(user.user)["custom_data"] == value


def test_a_change_replaces_what_is_given_and_leaves_the_rest(user: Client) -> None:
    user.patch(user.user, PROFILE)
    answer = user.patch(user.user, {"title": "Prof"})
    assert answer.status_code == 200
    assert answer.json()["type"] == "userconfig"
    assert answer.json()["message"] == "user updated"
    shown = user.result(user.user)
    assert {key: shown[key] for key in PROFILE} == {**PROFILE, "title": "Prof"}


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_value_drops_the_key(user: Client, empty: object) -> None:
    user.patch(user.user, PROFILE)
    user.patch(user.user, {"title": empty})
    assert "title" not in user.result(user.user)


def test_the_whole_record_can_be_sent_back(user: Client) -> None:
    make_index(user)
    user.patch(user.user, PROFILE)
    shown = user.result(user.user)
    before = user.serial()
    answer = user.patch(user.user, {**shown, "indexes": {}, "created": "x", "modified": 1, "username": "other"})
    assert answer.status_code == 200
    assert user.result(user.user) == shown
    assert user.serial() == before


def test_a_change_of_somebody_who_is_not_there_is_404(root: Client) -> None:
    assert root.patch(fresh(), {"title": "x"}).status_code == 404


def test_a_change_by_another_user_is_403(user: Client, stranger: Client) -> None:
    assert stranger.patch(user.user, {"title": "x"}).status_code == 403
    assert stranger.patch(user.user, {"password": "x"}).status_code == 403


def test_a_change_by_nobody_is_401(nobody: Client, user: Client) -> None:
    answer = nobody.patch(user.user, {"title": "x"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="pypi"'


def test_root_may_change_and_delete_everybody(root: Client, user: Client) -> None:
    assert root.patch(user.user, {"title": "x"}).status_code == 200
    assert root.delete(user.user).status_code == 200


def test_a_new_password_answers_with_a_token_that_is_good(nobody: Client, user: Client) -> None:
    answer = user.patch(user.user, {"password": "new"})
    assert answer.status_code == 200
    body = answer.json()
    assert body["type"] == "userpassword"
    assert body["result"]["expiration"] == 36_000
    token = body["result"]["password"]
    assert authstatus(nobody, Authorization=basic(user.user, token)) == ["ok", user.user, []]


def test_a_new_password_ends_the_old_one_and_all_tokens_on_every_worker(nobody: Client, user: Client, url: str) -> None:
    token = login(nobody, user.user, PASSWORD)
    for secret in (PASSWORD, token):  # let workers remember them
        for _ in range(4):
            authstatus(nobody, Authorization=basic(user.user, secret))
    user.patch(user.user, {"password": "new"})
    for secret in (PASSWORD, token):
        for _ in range(6):
            client = Client(url)
            assert authstatus(client, Authorization=basic(user.user, secret))[0] == "noauth"
            client.close()


def test_a_password_and_texts_can_change_at_once(nobody: Client, user: Client) -> None:
    answer = user.patch(user.user, {"password": "new", "title": "x"})
    assert answer.json()["type"] == "userpassword"
    assert nobody.result(user.user)["title"] == "x"


def test_root_can_not_be_deleted(root: Client) -> None:
    assert root.delete("root").status_code == 403


def test_a_user_with_volatile_indexes_is_deleted_with_them(user: Client, nobody: Client) -> None:
    index = make_index(user)
    assert user.delete(user.user).status_code == 200
    assert nobody.get(user.user).status_code == 404
    assert nobody.get(index).status_code == 404
    assert nobody.get(f"{index}/+simple/", "text/html").status_code == 404


def test_a_user_with_an_index_that_is_not_volatile_can_not_be_deleted(user: Client) -> None:
    index = make_index(user, volatile=False)
    answer = user.delete(user.user)
    assert answer.status_code == 403
    assert index in answer.json()["message"]


def test_deleting_is_404_for_who_is_not_there_and_403_for_others(user: Client, stranger: Client, root: Client) -> None:
    assert root.delete(fresh()).status_code == 404
    assert stranger.delete(user.user).status_code == 403


def test_a_deleted_user_has_no_rights_left(nobody: Client, user: Client) -> None:
    token = login(nobody, user.user, PASSWORD)
    user.delete(user.user)
    for secret in (PASSWORD, token):
        assert authstatus(nobody, Authorization=basic(user.user, secret))[0] == "noauth"


def test_a_user_made_again_under_the_name_inherits_nothing(nobody: Client, user: Client) -> None:
    user.patch(user.user, PROFILE)
    make_index(user)
    token = login(nobody, user.user, PASSWORD)
    user.delete(user.user)
    assert nobody.put(user.user, {"password": PASSWORD}).status_code == 201
    assert nobody.result(user.user).keys() == {"username", "indexes", "created", "modified"}
    assert nobody.result(user.user)["indexes"] == {}
    assert authstatus(nobody, Authorization=basic(user.user, token))[0] == "noauth"
