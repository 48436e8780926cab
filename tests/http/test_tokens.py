"""API tokens over HTTP: who makes them, what they are good for, and what becomes of wrong ones."""

import time
from collections.abc import Callable
from typing import Any

import pypitoken
import pytest
import requests

from tests.http.accounts import PASSWORD, fresh, make_index
from tests.http.client import Client, basic, sdist, wheel

Act = Callable[[Client, str], requests.Response]

ACTS: dict[str, Act] = {
    "upload": lambda client, index: client.upload(index, sdist()),
    "upload submit": lambda client, index: client.submit(index, "demo", "2.0"),
    "test result": lambda client, index: client.ask("POST", f"{index}/{wheel().path}", json={"testenvs": {}}),
    "delete file": lambda client, index: client.delete(f"{index}/{wheel().path}"),
    "delete version": lambda client, index: client.delete(f"{index}/demo/1.0"),
    "delete project": lambda client, index: client.delete(f"{index}/demo"),
    "delete yank": lambda client, index: client.patch(f"{index}/{wheel().path}", {"yanked": True}),
    "delete yank version": lambda client, index: client.patch(f"{index}/demo/1.0", {"yanked": True}),
    "delete status": lambda client, index: client.patch(f"{index}/demo", {"status": "archived"}),
    "admin modify": lambda client, index: client.patch(index, {"title": "x"}),
    "admin delete": lambda client, index: client.delete(index),
    "admin create": lambda client, _: client.put(f"{client.user}/{fresh()}", {}),
}
ACCOUNT: dict[str, Act] = {
    "modify the user": lambda client, _: client.patch(client.user, {"title": "x"}),
    "set the password": lambda client, _: client.patch(client.user, {"password": PASSWORD}),
    "delete the user": lambda client, _: client.delete(client.user),
    "make a token": lambda client, _: client.ask("POST", f"{client.user}/+tokens", json={}),
    "make a macaroon": lambda client, _: client.ask("POST", f"{client.user}/+token-create", json={}),
    "list tokens": lambda client, _: client.get(f"{client.user}/+tokens"),
    "revoke a token": lambda client, _: client.delete(f"{client.user}/+tokens/x"),
}
VERBS = ("read", "upload", "test", "delete", "admin")
WAYS = {"secret": "+tokens", "macaroon": "+token-create"}


def made(client: Client, way: str = "secret", **limits: object) -> dict[str, Any]:
    """Make a token of the client's user and return what the answer says of it."""
    if way == "macaroon" and "verbs" in limits:
        limits["allowed"] = limits.pop("verbs")
    answer = client.ask("POST", f"{client.user}/{WAYS[way]}", json=limits)
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] == "token-info"
    assert answer.headers["Cache-Control"] == "no-store"
    result: dict[str, Any] = answer.json()["result"]
    return result


def by(client: Client, token: str, user: str | None = None) -> Client:
    """Return a client that comes with a token."""
    other = Client(client.url, client.user, token)
    other.session.auth = (client.user if user is None else user, token)
    return other


def whoami(client: Client) -> list[object]:
    status: list[object] = client.get("+api").json()["result"]["authstatus"]
    return status


def narrowed(token: str, **limits: object) -> str:
    """Return a macaroon as devpi's client narrows it."""
    text: str = pypitoken.Token.load(token).restrict(**limits).dump()
    return text


@pytest.fixture
def filled(owner: Client, index: str) -> str:
    """A volatile index with one file of demo 1.0."""
    assert owner.upload(index, wheel()).status_code == 200
    return index


@pytest.fixture(scope="module")
def elsewhere(owner: Client) -> list[Client]:
    """Clients with tokens for another index and for another project."""
    limits: tuple[dict[str, object], ...] = ({"indexes": [make_index(owner)]}, {"projects": ["other"]})
    return [by(owner, made(owner, way, **limit)["token"]) for way in WAYS for limit in limits]


@pytest.fixture(scope="module")
def ended(owner: Client) -> list[str]:
    """Tokens of each kind that expired though they were good, that are not good yet, and that were revoked."""
    soon, found = int(time.time()) + 2, []
    for way in WAYS:
        expiring, early = made(owner, way, expires=soon), made(owner, way, not_before=soon + 1_000)
        assert whoami(by(owner, expiring["token"]))[0] == "ok"
        revoked = made(owner, way)
        assert whoami(by(owner, revoked["token"]))[0] == "ok"
        answer = owner.delete(f"{owner.user}/+tokens/{revoked['id']}")
        assert answer.json() == {"message": f"token {revoked['id']} deleted"}
        found += [token["token"] for token in (expiring, early, revoked)]
    time.sleep(max(0.0, soon - time.time()))
    return found


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Each kind of token."""
    return str(request.param)


@pytest.mark.parametrize("what", ACTS)
def test_a_token_may_what_its_verb_says_there(owner: Client, filled: str, what: str, way: str) -> None:
    admin = what == "admin create"
    limits = {} if admin else {"indexes": [filled]}
    client = by(owner, made(owner, way, verbs=_devpi(way, what.split(maxsplit=1)[0]), **limits)["token"])
    assert ACTS[what](client, filled).ok


@pytest.mark.parametrize("what", ACTS)
def test_a_token_for_something_else_may_not(owner: Client, filled: str, elsewhere: list[Client], what: str) -> None:
    others = [verb for verb in VERBS if verb != what.split(maxsplit=1)[0]]
    clients = [by(owner, made(owner, way, verbs=others)["token"]) for way in WAYS]
    before = owner.serial()
    for client in (*clients, *elsewhere):
        answer = ACTS[what](client, filled)
        assert answer.status_code == 403, answer.text
        assert client.password not in answer.text + str(answer.headers)
    assert owner.serial() == before


@pytest.mark.parametrize("what", [what for what in ACTS if not what.startswith("admin")])
def test_a_token_for_the_project_may(owner: Client, filled: str, what: str, way: str) -> None:
    assert ACTS[what](by(owner, made(owner, way, projects=["Demo"])["token"]), filled).ok


@pytest.mark.parametrize("what", ACTS)
def test_a_token_that_is_not_good_is_no_credential(owner: Client, filled: str, ended: list[str], what: str) -> None:
    before = owner.serial()
    for token in ended:
        answer = ACTS[what](by(owner, token), filled)
        assert answer.status_code == 401
        assert token not in answer.text + str(answer.headers)
    assert owner.serial() == before


@pytest.mark.parametrize("what", ACCOUNT)
def test_no_token_changes_an_account(owner: Client, what: str, way: str) -> None:
    token = made(owner, way)
    before = owner.serial()
    answer = ACCOUNT[what](by(owner, token["token"]), "")
    assert answer.status_code == 403
    assert token["id"] in answer.text
    assert owner.serial() == before


def test_only_a_token_for_admin_sees_where_a_mirrors_files_come_from(owner: Client) -> None:
    index = make_index(owner, type="mirror", mirror_url="http://127.0.0.1:9/hidden/")
    clients = [by(owner, made(owner, verbs=[verb])["token"]) for verb in VERBS]
    assert [client for client in clients if "hidden" in client.get(f"{index}?no_projects").text] == clients[-1:]


def test_roots_token_is_good_where_root_may(root: Client, filled: str) -> None:
    client = by(root, made(root, verbs=["delete"], indexes=[filled])["token"])
    assert client.delete(f"{filled}/demo").ok
    assert client.delete(filled).status_code == 403


def test_a_token_gives_no_right_that_its_user_has_not(stranger: Client, filled: str) -> None:
    assert by(stranger, made(stranger)["token"]).upload(filled, sdist()).status_code == 403


@pytest.mark.parametrize("name", ["", "__token__", None])
def test_a_token_says_whose_it_is(owner: Client, name: str | None, way: str) -> None:
    assert whoami(by(owner, made(owner, way)["token"], name)) == ["ok", owner.user, []]


def test_a_token_is_taken_wherever_a_password_is(owner: Client, nobody: Client, way: str) -> None:
    token = made(owner, way)["token"]
    plain = basic("__token__", token)
    assert whoami(_with(nobody, Authorization=plain)) == ["ok", owner.user, []]
    assert whoami(_with(nobody, **{"X-Devpi-Auth": plain.removeprefix("Basic ")})) == ["ok", owner.user, []]
    assert whoami(_with(nobody, Authorization=f"Bearer {token}")) == ["ok", owner.user, []]


def test_a_token_is_nobody_elses(owner: Client, stranger: Client, way: str) -> None:
    assert whoami(by(owner, made(owner, way)["token"], stranger.user)) == ["noauth", "", []]


@pytest.mark.parametrize("user_name", ["__token__", None])
def test_the_login_of_a_token_is_the_token(owner: Client, nobody: Client, way: str, user_name: str | None) -> None:
    token = made(owner, way, expires=int(time.time()) + 1_000)
    body = {"user": user_name or owner.user, "password": token["token"]}
    result = nobody.ask("POST", "+login", json=body).json()["result"]
    assert result["password"] == token["token"]
    assert 0 < result["expiration"] <= 1_000


def test_a_wrong_token_gets_no_login(nobody: Client, owner: Client) -> None:
    wrong = made(owner)["token"][:-1]
    answer = nobody.ask("POST", "+login", json={"user": owner.user, "password": wrong})
    assert answer.status_code == 401
    assert wrong not in answer.text


def test_a_token_outlives_a_password_and_dies_with_its_user(nobody: Client, way: str) -> None:
    name = fresh()
    assert nobody.put(name, {"password": PASSWORD}).ok
    user = Client(nobody.url, name, PASSWORD)
    client = by(user, made(user, way)["token"])
    assert user.patch(name, {"password": "another one"}).ok
    assert whoami(client) == ["ok", name, []]
    assert Client(nobody.url, name, "another one").delete(name).ok
    assert whoami(client) == ["noauth", "", []]
    assert nobody.put(name, {"password": PASSWORD}).ok
    assert whoami(client) == ["noauth", "", []]


def test_a_narrowed_macaroon_is_good_for_its_project_alone(owner: Client, index: str) -> None:
    now = int(time.time())
    token = made(owner, "macaroon", allowed=["upload"])["token"]
    client = by(owner, narrowed(token, project_names=["demo"], not_before=now - 1, not_after=now + 60))
    assert client.upload(index, wheel()).ok
    assert client.upload(index, wheel("other")).status_code == 403
    assert client.delete(f"{index}/demo").status_code == 403


def test_a_narrowed_macaroon_ends_by_itself_and_with_the_first(owner: Client, index: str) -> None:
    now = int(time.time())
    first = made(owner, "macaroon")
    ended = by(owner, narrowed(first["token"], not_before=now - 60, not_after=now - 1))
    assert ended.upload(index, wheel()).status_code == 401
    derived = by(owner, narrowed(first["token"], project_names=["demo"]))
    assert derived.upload(index, wheel()).ok
    assert owner.delete(f"{owner.user}/+tokens/{first['id']}").ok
    assert derived.upload(index, sdist()).status_code == 401


@pytest.mark.parametrize("limits", [{"project_ids": ["x"]}, {"user_id": "x"}])
def test_a_restriction_that_is_not_known_here_forbids_all(owner: Client, index: str, limits: dict[str, object]) -> None:
    client = by(owner, narrowed(made(owner, "macaroon")["token"], **limits))
    assert client.upload(index, wheel()).status_code == 401


def test_tokens_are_listed_without_their_secrets(owner: Client, way: str) -> None:
    token = made(owner, way, indexes=["a/b"], projects=["Demo_X"], verbs=["upload"], description="für CI")
    again = token["token"]
    listed = owner.get(f"{owner.user}/+tokens")
    assert listed.headers["Cache-Control"] == "no-store"
    assert again not in listed.text
    shown = listed.json()["result"]["tokens"][token["id"]]
    assert {key: shown[key] for key in ("verbs", "indexes", "projects", "description", "last_used")} == {
        "verbs": ["upload"],
        "indexes": ["a/b"],
        "projects": ["demo-x"],
        "description": "für CI",
        "last_used": None,
    }
    assert shown["restrictions"][:1] == ["allowed=upload"]
    assert owner.result(f"{owner.user}/+tokens/{token['id']}") == {"id": token["id"], **shown}


def test_without_an_expiry_a_token_is_good_for_a_year(owner: Client, way: str) -> None:
    expires = next(text for text in made(owner, way)["restrictions"] if text.startswith("expires="))
    assert 365 * 86_400 < int(expires.removeprefix("expires=")) - time.time() < 367 * 86_400
    assert "expires=never" in made(owner, way, expires="never")["restrictions"]


def test_an_empty_body_is_no_limit(owner: Client) -> None:
    assert owner.ask("POST", f"{owner.user}/+token-create").ok


def test_others_see_and_revoke_no_tokens(owner: Client, stranger: Client, nobody: Client, root: Client) -> None:
    token = made(owner)["id"]
    for path in (f"{owner.user}/+tokens", f"{owner.user}/+tokens/{token}"):
        assert nobody.get(path).status_code == 401
        assert stranger.get(path).status_code == 403
        assert root.get(path).ok
    assert stranger.delete(f"{owner.user}/+tokens/{token}").status_code == 403
    assert stranger.delete(f"{stranger.user}/+tokens/{token}").status_code == 404
    assert stranger.ask("POST", f"{owner.user}/+tokens", json={}).status_code == 403
    assert nobody.ask("POST", f"{owner.user}/+tokens", json={}).status_code == 401
    assert root.delete(f"{owner.user}/+tokens/{token}").ok


def test_tokens_of_nobody_are_404(root: Client) -> None:
    assert root.get("no-such-user/+tokens").status_code == 404
    assert root.ask("POST", "no-such-user/+tokens", json={}).status_code == 404


@pytest.mark.parametrize("token", ["x", "x" * 600, "%F0%9F%98%80", "%00", "..%2f.."])
def test_a_token_that_is_not_there_is_404(owner: Client, token: str) -> None:
    assert owner.get(f"{owner.user}/+tokens/{token}").status_code in (400, 404)
    assert owner.delete(f"{owner.user}/+tokens/{token}").status_code in (400, 404)


BAD: tuple[tuple[dict[str, object], str], ...] = (
    ({"verb": ["upload"]}, "verb"),
    ({"verbs": []}, "verbs"),
    ({"verbs": "upload"}, "verbs"),
    ({"verbs": ["fly"]}, "fly"),
    ({"verbs": ["del_entry"]}, "del_project"),
    ({"verbs": ["user_modify"]}, "user_modify"),
    ({"verbs": ["upload"] * 101}, "verbs"),
    ({"indexes": ["dev"]}, "dev"),
    ({"indexes": ["a/b", 1]}, "indexes"),
    ({"indexes": {"a/b": 1}}, "indexes"),
    ({"projects": ["../x"]}, "../x"),
    ({"projects": [""]}, "project"),
    ({"expires": "soon"}, "expires"),
    ({"expires": 5}, "past"),
    ({"expires": True}, "expires"),
    ({"expires": 1e12}, "expires"),
    ({"expires": 1 << 62}, "expires"),
    ({"not_before": -1}, "not_before"),
    ({"not_before": "never"}, "not_before"),
    ({"description": "a\nb"}, "description"),
    ({"description": "x" * 201}, "description"),
    ({"description": ["x"]}, "description"),
)


@pytest.mark.parametrize(("body", "named"), BAD)
def test_what_can_not_be_meant_is_refused_by_name(owner: Client, body: dict[str, object], named: str) -> None:
    before = owner.serial()
    answer = owner.ask("POST", f"{owner.user}/+tokens", json=body)
    assert answer.status_code == 400
    assert named in answer.text
    assert owner.serial() == before


HOSTILE = (
    "lpt-",
    "lpt-" + "A" * 61,
    "lpt-" + "é" * 61,
    "lpt-" + "A" * 5_000,
    "devpi-",
    "devpi-AgEA",
    "devpi-" + "A" * 4_000,
    "devpi-\u0000\ufffd",
)


@pytest.mark.parametrize("name", ["", "__token__", "root", "a:b"])
def test_a_hostile_token_is_wrong_and_not_repeated(nobody: Client, name: str) -> None:
    for secret in HOSTILE:
        answer = _with(nobody, Authorization=basic(name, secret)).delete("root/dev")
        assert answer.status_code == 401
        assert secret not in answer.text or len(secret) < 7


def test_the_last_use_is_shown_soon(owner: Client) -> None:
    token = made(owner)
    began = time.time()
    assert whoami(by(owner, token["token"]))[0] == "ok"
    deadline = time.monotonic() + 40
    while (used := owner.result(f"{owner.user}/+tokens/{token['id']}")["last_used"]) is None:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert used >= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began))


def _devpi(way: str, verb: str) -> list[str]:
    """Return a verb as devpi's clients write it, where they do."""
    names = {
        "delete": ["del_entry", "del_project", "del_verdata"],
        "admin": ["index_create", "index_delete", "index_modify"],
    }
    return names.get(verb, [verb]) if way == "macaroon" else [verb]


def _with(nobody: Client, **headers: str) -> Client:
    client = Client(nobody.url)
    client.session.headers.update(headers)
    return client
