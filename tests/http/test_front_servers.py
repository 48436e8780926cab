"""Where clients reach the node: what front servers say, and who of them is believed."""

from collections.abc import Iterator

import pytest

from tests.http.client import Client, wheel
from tests.processes import Node, new_node

HTML, JSON = "text/html", "application/vnd.pypi.simple.v1+json"
OUTSIDE = "https://index.example/prefix"
FORMS = pytest.mark.parametrize("accept", [HTML, JSON])


@pytest.fixture
def stocked(owner: Client, index: str) -> str:
    """An index with a file."""
    owner.upload(index, wheel())
    return index


def link(client: Client, index: str, accept: str, path: str = "", **headers: str) -> str:
    """Return the URL of the only file on a page."""
    answer = client.get(path or f"{index}/+simple/demo/", accept, **headers)
    assert answer.status_code == 200, answer.text
    if accept == HTML:
        return answer.text.partition('href="')[2].partition("#")[0]
    return str(answer.json()["files"][0]["url"])


def test_generated_urls_are_those_of_the_front_server(nobody: Client, stocked: str) -> None:
    api = nobody.get(f"{stocked}/+api", X_Outside_Url=f"{OUTSIDE}/").json()["result"]
    assert api["login"] == f"{OUTSIDE}/+login"
    assert api["simpleindex"] == f"{OUTSIDE}/{stocked}/+simple/"
    (shown,) = nobody.get(f"{stocked}/demo/1.0", X_Outside_Url=OUTSIDE).json()["result"]["+links"]
    assert shown["href"] == f"{OUTSIDE}/{stocked}/{wheel().path}"


def test_a_prefix_may_be_in_the_path_or_not(nobody: Client, stocked: str) -> None:
    for path in ("", "prefix/"):
        answer = nobody.get(f"{path}{stocked}?no_projects=", X_Outside_Url=OUTSIDE)
        assert answer.json()["type"] == "indexconfig"
        assert nobody.get(f"{path}{stocked}/{wheel().path}", "*/*", X_Outside_Url=OUTSIDE).content == wheel().content
        assert link(nobody, stocked, JSON, f"{path}{stocked}/+simple/demo/", X_Outside_Url=OUTSIDE).startswith(
            "../../+f/"
        )
    assert nobody.get("prefix", X_Outside_Url=OUTSIDE).json()["type"] == "list:userconfig"
    assert nobody.get(f"prefix//{stocked}", X_Outside_Url=OUTSIDE).status_code == 400
    assert nobody.get(f"prefix/{stocked}").status_code == 404


def test_scheme_and_host_are_those_that_the_client_asked_for(nobody: Client) -> None:
    headers = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "index.example:8443"}
    assert nobody.get("+api", **headers).json()["result"]["login"] == "https://index.example:8443/+login"


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Outside_Url": "index.example"},
        {"X_Outside_Url": 'https://index.example/"><script>'},
        {"X_Outside_Url": "https://"},
        {"X_Forwarded_Proto": "gopher"},
        {"X_Forwarded_Host": "a b"},
        {"X_Forwarded_Host": "index.example/path"},
    ],
)
def test_what_can_not_be_meant_is_400(nobody: Client, headers: dict[str, str]) -> None:
    assert nobody.get("+api", **headers).status_code == 400


@pytest.mark.parametrize("query", ["", "?/+f/", "?x=/%2Bf/", "?/+simple/"])
def test_a_host_that_one_client_says_is_in_no_others_answer(nobody: Client, stocked: str, query: str) -> None:
    nobody.ask("POST", f"{stocked}/{wheel().path}", json={"testenvs": {}})
    path = f"{stocked}/demo/1.0/+toxresults/{wheel().filename}{query}"
    for _ in range(3):
        assert "another.example" in nobody.get(path, Host="another.example").text
    assert "another.example" not in nobody.get(path).text


@FORMS
def test_links_are_absolute_for_who_wants_that_and_for_nobody_else(nobody: Client, stocked: str, accept: str) -> None:
    relative = f"../../{wheel().path}"
    for _ in range(2):  # the second answers are kept ones
        assert link(nobody, stocked, accept) == relative
        assert link(nobody, stocked, accept, X_Devpi_Absolute_Urls="1") == f"{nobody.url}/{stocked}/{wheel().path}"
        headers = {"X_Devpi_Absolute_Urls": "1", "X_Outside_Url": OUTSIDE}
        assert link(nobody, stocked, accept, **headers) == f"{OUTSIDE}/{stocked}/{wheel().path}"


def test_absolute_pages_have_validators_of_their_own_and_are_not_shared(nobody: Client, stocked: str) -> None:
    path = f"{stocked}/+simple/demo/"
    plain = nobody.get(path, JSON)
    first = nobody.get(path, JSON, X_Devpi_Absolute_Urls="1")
    other = nobody.get(path, JSON, X_Devpi_Absolute_Urls="1", X_Outside_Url=OUTSIDE)
    assert len({answer.headers["ETag"] for answer in (plain, first, other)}) == 3
    assert "public" in plain.headers["Cache-Control"]
    assert "private" in first.headers["Cache-Control"]
    again = nobody.get(path, JSON, X_Devpi_Absolute_Urls="1", If_None_Match=first.headers["ETag"])
    assert again.status_code == 304


@FORMS
def test_a_host_can_not_break_out_of_a_page(nobody: Client, stocked: str, accept: str) -> None:
    headers = {"X_Devpi_Absolute_Urls": "1", "Host": 'a"><script>\\'}
    answer = nobody.get(f"{stocked}/+simple/demo/", accept, **headers)
    assert "<script>" not in answer.text
    if answer.status_code == 200 and accept == JSON:
        assert answer.json()["files"]


def test_links_of_inherited_files_are_absolute_too(owner: Client, stocked: str) -> None:
    heir = f"{owner.user}/heir"
    owner.put(heir, {"bases": [stocked]})
    assert link(owner, heir, JSON, X_Devpi_Absolute_Urls="1") == f"{owner.url}/{stocked}/{wheel().path}"


@pytest.fixture(scope="module")
def wary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that trusts no address of this machine, and whose links are absolute."""
    args = ("--trusted-proxy", "192.0.2.1", "--absolute-urls", "--outside-url", "https://told.example/at")
    node = new_node(
        tmp_path_factory.mktemp("wary"), stages=("root/dev",), args=(*args, "--login-attempts", "2")
    ).start()
    yield node
    node.stop()


def test_who_is_not_trusted_is_not_believed(wary: Node) -> None:
    client = Client(wary.url, "root", "secret")
    for headers in ({}, {"X_Outside_Url": OUTSIDE}, {"X_Outside_Url": "no URL"}, {"X_Forwarded_Proto": "gopher"}):
        assert client.get("+api", **headers).json()["result"]["login"] == "https://told.example/at/+login"
    forged = {"X_Ledgerpi_Follower": "Bearer lrt-forged", "X_Outside_Url": OUTSIDE}
    assert client.get("+api", **forged).json()["result"]["login"] == "https://told.example/at/+login"
    assert client.get("at/root/dev").json()["type"] == "indexconfig"
    client.upload("root/dev", wheel())
    assert link(client, "root/dev", JSON, X_Outside_Url=OUTSIDE) == f"https://told.example/at/root/dev/{wheel().path}"
    client.close()


def test_an_address_that_is_made_up_gives_no_more_attempts(wary: Node) -> None:
    client = Client(wary.url)
    statuses = [
        client.ask(
            "POST",
            "+login",
            json={"user": "root", "password": "guess"},
            headers={"X-Forwarded-For": f"192.0.2.{number}"},
        ).status_code
        for number in range(4)
    ]
    assert statuses[-1] == 429
    client.close()


def checked(client: Client, uri: str, **headers: str) -> int:
    return client.get("+authcheck", X_Original_Uri=uri, **headers).status_code


@pytest.mark.parametrize("uri", ["/+api", "/root/+api", "/root/dev/+api", "/+login", "/+api?x=1", "/root/dev/+api/"])
def test_what_a_login_needs_may_always_pass(nobody: Client, uri: str) -> None:
    assert checked(nobody, uri) == 200


@pytest.mark.parametrize("uri", ["/", "/root/dev", "/root/dev/+simple/demo/", f"/root/dev/{wheel().path}", "/no/such"])
def test_all_else_may_pass_for_who_is_logged_in(root: Client, nobody: Client, uri: str) -> None:
    assert checked(root, uri) == 200
    answer = nobody.get("+authcheck", X_Original_Uri=uri)
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers
    assert checked(nobody, uri, User_Agent="devpi-client/7.3.0 (py 3.11; linux)") == 403
    assert checked(Client(nobody.url, "root", "wrong"), uri) == 401


@pytest.mark.parametrize("uri", ["/+nothing", "/a/b/c/d/e", "/a//b", "/root/dev/+f/abc", "/%ff"])
def test_what_nothing_answers_is_403(root: Client, nobody: Client, uri: str) -> None:
    assert checked(root, uri) == checked(nobody, uri) == 403


def test_the_prefix_of_the_front_server_is_no_part_of_a_path(nobody: Client, root: Client) -> None:
    assert checked(nobody, "/prefix/+api", X_Outside_Url=OUTSIDE) == 200
    assert checked(root, "/prefix/root/dev", X_Outside_Url=OUTSIDE) == 200


@pytest.mark.parametrize("position", ["/+min/1.1:1", "/%2Bmin/1.1%3A1", "/prefix/+min/1.1:1"])
def test_a_least_position_is_no_part_of_a_path(nobody: Client, root: Client, position: str) -> None:
    assert checked(nobody, f"{position}/+api", X_Outside_Url=OUTSIDE) == 200
    assert checked(nobody, f"{position}/root/dev/+simple/", X_Outside_Url=OUTSIDE) == 401
    assert checked(root, f"{position}/root/dev/+simple/", X_Outside_Url=OUTSIDE) == 200
    assert checked(root, f"{position}/+nothing", X_Outside_Url=OUTSIDE) == 403


def test_a_check_without_a_path_is_of_itself(root: Client, nobody: Client) -> None:
    assert (root.get("+authcheck").status_code, nobody.get("+authcheck").status_code) == (200, 401)
