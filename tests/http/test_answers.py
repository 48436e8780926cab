"""What every answer has: envelope, headers, errors in the form that the client reads, reason phrases."""

import html
import json

import pytest

from tests.http.client import Client, Dist, wheel

DEVPI_HEADERS = (
    "X-Devpi-Api-Version",
    "X-Devpi-Server-Version",
    "X-Devpi-Uuid",
    "X-Devpi-Primary-Uuid",
    "X-Devpi-Master-Uuid",
    "X-Devpi-Serial",
)
PATHS = ("+api", "", "root", "root/dev", "root/dev/+simple/", "root/dev/+simple", "no-such-user", "root/dev/+nonsense")


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_headers_of_devpi(nobody: Client, path: str) -> None:
    headers = nobody.get(path, "*/*").headers
    assert not [name for name in DEVPI_HEADERS if not headers.get(name)]


@pytest.mark.parametrize("method", ["DELETE", "POST", "PUT", "PATCH", "OPTIONS"])
def test_refusals_have_the_headers_of_devpi(nobody: Client, method: str) -> None:
    headers = nobody.ask(method, "root/dev").headers
    assert not [name for name in DEVPI_HEADERS if not headers.get(name)]


def test_a_ready_answer_has_the_headers_of_devpi(owner: Client, nobody: Client, index: str) -> None:
    owner.upload(index, wheel())
    for _ in range(6):
        headers = nobody.get(f"{index}/+simple/demo/", "text/html").headers
        assert not [name for name in DEVPI_HEADERS if not headers.get(name)]
        assert int(headers["X-Devpi-Serial"]) == nobody.serial()


def test_the_api_version_is_the_one_that_devpi_clients_speak(nobody: Client) -> None:
    assert nobody.get("+api").headers["X-Devpi-Api-Version"] == "2"


def test_the_serial_after_a_write_is_that_of_the_write(owner: Client, index: str) -> None:
    before = owner.serial()
    answer = owner.patch(index, {"title": "another"})
    assert int(answer.headers["X-Devpi-Serial"]) == before + 1


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("+api", "apiconfig"),
        ("+status", "status"),
        ("", "list:userconfig"),
        ("root", "userconfig"),
        ("root/dev", "indexconfig"),
    ],
)
def test_json_answers_have_type_and_result_and_no_status(nobody: Client, path: str, kind: str) -> None:
    body = nobody.get(path).json()
    assert body["type"] == kind
    assert "result" in body
    assert "status" not in body


def test_json_answers_are_indented_and_end_in_a_newline(nobody: Client) -> None:
    text = nobody.get("root").text
    assert text == json.dumps(json.loads(text), indent=2) + "\n"


def test_json_answers_have_exactly_the_content_type_that_devpi_clients_compare_with(nobody: Client) -> None:
    assert nobody.get("no-such-user").headers["Content-Type"] == "application/json"
    assert nobody.get("root").headers["Content-Type"] == "application/json"


def test_an_error_is_json_with_a_message_for_who_accepts_json(nobody: Client) -> None:
    answer = nobody.get("no-such-user", "text/html, application/json;q=0.5")
    assert answer.status_code == 404
    assert answer.json()["message"] == "no such user: no-such-user"


@pytest.mark.parametrize("accept", ["text/html", "*/*", ""])
def test_an_error_is_a_page_for_all_others(nobody: Client, accept: str) -> None:
    answer = nobody.get("no-such-user", accept)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "no such user: no-such-user" in html.unescape(answer.text)


def test_an_error_page_escapes_what_it_repeats(nobody: Client) -> None:
    answer = nobody.get("%3Cscript%3E", "text/html")
    assert answer.status_code == 400
    assert "<script>" not in answer.text


def test_an_error_is_not_to_be_cached(nobody: Client) -> None:
    assert nobody.get("no-such-user").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("", {"GET", "HEAD"}),
        ("+api", {"GET", "HEAD"}),
        ("+login", {"POST"}),
        ("+status", {"GET", "HEAD"}),
        ("root", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
        ("root/dev/+simple/", {"GET", "HEAD"}),
        ("root/dev/+simple/demo/", {"GET", "HEAD"}),
        ("root/dev/+f/012/0123456789abc/demo-1.0.tar.gz", {"GET", "HEAD", "DELETE", "PATCH"}),
        ("root/dev/demo", {"GET", "HEAD", "DELETE", "PATCH"}),
        ("root/dev/demo/1.0", {"GET", "HEAD", "DELETE", "PATCH"}),
    ],
)
def test_another_method_is_answered_405_with_those_that_are_allowed(
    nobody: Client, path: str, allowed: set[str]
) -> None:
    answer = nobody.ask("OPTIONS", path)
    assert answer.status_code == 405
    assert allowed <= set(answer.headers["Allow"].split(", "))
    assert "OPTIONS" not in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["", "+api", "+status", "root", "root/dev"])
def test_head_has_the_headers_of_get_and_no_body(nobody: Client, path: str) -> None:
    found, asked = nobody.head(path), nobody.get(path)
    assert found.status_code == asked.status_code == 200
    assert found.content == b""
    assert found.headers["Content-Type"] == asked.headers["Content-Type"]
    assert found.headers["Content-Length"] == asked.headers["Content-Length"]


@pytest.mark.parametrize("path", ["root", "root/dev", "root/dev/+simple", "+api", "+status"])
def test_a_slash_at_the_end_makes_no_difference_to_json(nobody: Client, path: str) -> None:
    accept = "application/vnd.pypi.simple.v1+json, application/json" if "simple" in path else "application/json"
    assert nobody.get(f"{path}/", accept).status_code == 200


@pytest.mark.parametrize("path", ["+nothing", "root/+nothing", "root/dev/+f", "root/dev/+simple/demo/1.0", "a/b/c/d/e"])
def test_a_path_that_nothing_answers_is_404(nobody: Client, path: str) -> None:
    assert nobody.get(path).status_code == 404


REFUSED_UPLOADS = (
    Dist("dömö-1.0.tar.gz", b"no archive", wheel().fields),
    Dist("demo-1.0-py3-none-any.whl", b"no archive", {**wheel().fields, "sha256_digest": ""}),
    Dist("demo-" + "9" * 240 + ".tar.gz", b"no archive", wheel().fields),
)


@pytest.mark.parametrize("dist", REFUSED_UPLOADS)
@pytest.mark.parametrize("accept", ["application/json", "*/*"])
def test_a_refused_upload_says_why_in_its_reason_phrase_and_body(
    owner: Client, index: str, dist: Dist, accept: str
) -> None:
    files = {"content": (dist.filename, dist.content)}
    answer = owner.ask("POST", f"{index}/", data=dist.fields, files=files, headers={"Accept": accept})
    assert answer.status_code == 400
    reason = answer.reason or ""
    assert reason.isascii()
    assert reason.isprintable()
    assert 10 < len(reason) <= 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text[:20] == reason[:20]


def test_a_url_of_a_front_server_stands_in_the_json(nobody: Client) -> None:
    result = nobody.get("root/dev/+api", X_Outside_Url="https://index.example/packages/").json()["result"]
    assert result["simpleindex"] == "https://index.example/packages/root/dev/+simple/"
    assert result["login"] == "https://index.example/packages/+login"
