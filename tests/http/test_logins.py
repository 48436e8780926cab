"""``+api``, ``+login`` and ``+status``; credentials and what becomes of wrong ones."""

import pytest

from tests.http.accounts import PASSWORD
from tests.http.client import Client, basic


def authstatus(client: Client, **headers: str) -> list[object]:
    status: list[object] = client.get("+api", **headers).json()["result"]["authstatus"]
    return status


def login(client: Client, user: str, password: str) -> str:
    answer = client.ask("POST", "+login", json={"user": user, "password": password})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["result"]["password"])


def test_api_names_the_login_url_and_that_values_may_be_lists_of_operations(nobody: Client, url: str) -> None:
    result = nobody.result("+api")
    assert result["login"] == f"{url}/+login"
    assert "server-keyvalue-parsing" in result["features"]


def test_api_of_an_index_names_its_urls(nobody: Client, url: str) -> None:
    result = nobody.result("root/dev/+api")
    assert result["index"] == f"{url}/root/dev"
    assert result["simpleindex"] == f"{url}/root/dev/+simple/"
    assert result["pypisubmit"] == f"{url}/root/dev/"


def test_api_without_an_index_names_none(nobody: Client) -> None:
    assert not {"index", "simpleindex", "pypisubmit"} & nobody.result("+api").keys()
    assert not {"index", "simpleindex", "pypisubmit"} & nobody.result("root/+api").keys()


def test_api_of_an_index_that_is_not_there_is_404(nobody: Client) -> None:
    assert nobody.get("root/no-such-index/+api").status_code == 404


def test_api_says_who_asks(user: Client) -> None:
    assert authstatus(user) == ["ok", user.user, []]


def test_api_says_that_nobody_asks(nobody: Client) -> None:
    assert authstatus(nobody) == ["noauth", "", []]


@pytest.mark.parametrize(
    "value", [basic("root", "wrong"), basic("no-such-user", "x"), "Basic ???", "Basic", "Bearer x"]
)
def test_bad_credentials_are_no_error_of_api(nobody: Client, value: str) -> None:
    assert authstatus(nobody, Authorization=value) == ["noauth", "", []]


def test_the_header_of_devpi_clients_is_a_password_too(nobody: Client, user: Client) -> None:
    value = basic(user.user, PASSWORD).removeprefix("Basic ")
    assert authstatus(nobody, X_Devpi_Auth=value) == ["ok", user.user, []]


def test_the_header_of_devpi_clients_wins(nobody: Client, user: Client, owner: Client) -> None:
    value = basic(user.user, PASSWORD).removeprefix("Basic ")
    assert authstatus(nobody, X_Devpi_Auth=value, Authorization=basic(owner.user, PASSWORD))[1] == user.user


def test_a_password_may_have_colons(nobody: Client, user: Client) -> None:
    user.patch(user.user, {"password": "a:b:c"})
    assert authstatus(nobody, Authorization=basic(user.user, "a:b:c"))[0] == "ok"


def test_a_login_answers_with_a_token_and_its_life_in_seconds(nobody: Client, user: Client) -> None:
    answer = nobody.ask("POST", "+login", json={"user": user.user, "password": PASSWORD})
    body = answer.json()
    assert body["type"] == "proxyauth"
    assert body["message"] == "login successful"
    assert body["result"]["expiration"] == 36_000
    assert body["result"]["password"] != PASSWORD


def test_a_token_is_good_where_the_password_is(nobody: Client, user: Client) -> None:
    token = login(nobody, user.user, PASSWORD)
    assert authstatus(nobody, Authorization=basic(user.user, token)) == ["ok", user.user, []]
    answer = nobody.ask("PATCH", user.user, json={"title": "x"}, headers={"Authorization": basic(user.user, token)})
    assert answer.status_code == 200


def test_a_token_is_not_good_for_another_user(nobody: Client, user: Client, owner: Client) -> None:
    token = login(nobody, user.user, PASSWORD)
    assert authstatus(nobody, Authorization=basic(owner.user, token))[0] == "noauth"


def test_a_changed_token_is_not_good(nobody: Client, user: Client) -> None:
    token = login(nobody, user.user, PASSWORD)
    for place in (10, len(token) // 2, len(token) - 2):
        other = "A" if token[place] != "A" else "B"
        changed = token[:place] + other + token[place + 1 :]
        assert authstatus(nobody, Authorization=basic(user.user, changed))[0] == "noauth"


@pytest.mark.parametrize(
    "body", ["{}", '{"user": "root"}', '{"password": "x"}', '{"user": 1, "password": 2}', "[]", "x", ""]
)
def test_a_login_without_user_or_password_is_400(nobody: Client, body: str) -> None:
    assert nobody.ask("POST", "+login", data=body.encode()).status_code == 400


@pytest.mark.parametrize("name", ["no-such-user", "no such name", "", "x" * 5_000])
def test_a_login_of_nobody_is_401(nobody: Client, name: str) -> None:
    assert nobody.ask("POST", "+login", json={"user": name, "password": "x"}).status_code == 401


@pytest.mark.parametrize("password", ["wrong", "", "x" * 10_000])
def test_a_login_with_a_wrong_password_is_401(nobody: Client, owner: Client, password: str) -> None:
    answer = nobody.ask("POST", "+login", json={"user": owner.user, "password": password})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_a_login_changes_nothing_in_the_log(nobody: Client, user: Client) -> None:
    before = nobody.serial()
    login(nobody, user.user, PASSWORD)
    assert nobody.serial() == before


@pytest.mark.parametrize("value", [basic("root", "wrong"), "Basic ???", "Basic " + "A" * 9_000])
def test_a_write_with_bad_credentials_is_401_and_asks_for_others(nobody: Client, value: str) -> None:
    answer = nobody.ask("PATCH", "root", json={}, headers={"Authorization": value})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="pypi"'


def test_reading_needs_no_good_credentials(nobody: Client) -> None:
    answer = nobody.get("root/dev/+simple/", "text/html", Authorization=basic("root", "wrong"))
    assert answer.status_code == 200


def test_status_says_where_the_history_ends(nobody: Client) -> None:
    result = nobody.result("+status")
    assert result["serial"] == nobody.serial()
    assert len(result["root"]) == 64
    assert result["role"] in ("MASTER", "REPLICA")
    assert result["uuid"] == nobody.get("+status").headers["X-Devpi-Uuid"]


def test_status_tells_nobody_where_files_lie(nobody: Client) -> None:
    assert "serverdir" not in nobody.result("+status")
