"""Bounds of a node: wrong passwords, sizes, the life of a login. These tests run a node of their own."""

import time
from collections.abc import Iterator

import pytest
from attrs import evolve

from tests.http.accounts import PASSWORD, make_index, make_user
from tests.http.client import Client, basic, raw, sdist, wheel
from tests.http.conftest import check
from tests.http.test_logins import authstatus, login
from tests.processes import Node, new_node

ATTEMPTS = 3
MAX_BODY = 65_536
LOGIN_S = 6
OPTIONS = {
    "--login-attempts": ATTEMPTS,
    "--max-request-body-size": MAX_BODY,
    "--login-expiry": LOGIN_S,
    "--upload-checks": "lenient",
    "--outside-url": "https://index.example/packages",
}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with narrow bounds."""
    folder = tmp_path_factory.mktemp("strict")
    running = new_node(folder, args=[str(word) for option in OPTIONS.items() for word in option]).start()
    try:
        yield running
        check(running)
    finally:
        running.stop()


@pytest.fixture
def anybody(strict: Node) -> Iterator[Client]:
    """A client of that node without credentials."""
    client = Client(strict.url)
    yield client
    client.close()


@pytest.fixture
def somebody(anybody: Client) -> Iterator[Client]:
    """A user of that node and of this test."""
    client = make_user(anybody)
    yield client
    client.close()


def try_wrong(client: Client, user: str, times: int) -> list[int]:
    return [
        client.ask("POST", "+login", json={"user": user, "password": f"wrong {number}"}).status_code
        for number in range(times)
    ]


def test_wrong_passwords_are_401_and_after_some_429(anybody: Client, somebody: Client) -> None:
    assert try_wrong(anybody, somebody.user, ATTEMPTS + 2) == [401] * ATTEMPTS + [429] * 2


def test_a_429_says_when_to_come_again(anybody: Client, somebody: Client) -> None:
    try_wrong(anybody, somebody.user, ATTEMPTS)
    answer = anybody.ask("POST", "+login", json={"user": somebody.user, "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 61


def test_wrong_passwords_of_requests_count_as_those_of_logins(anybody: Client, somebody: Client) -> None:
    statuses = [
        anybody.ask("PATCH", "root", json={}, headers={"Authorization": basic(somebody.user, f"x{number}")}).status_code
        for number in range(ATTEMPTS + 1)
    ]
    assert statuses == [401] * ATTEMPTS + [429]


def test_wrong_passwords_for_one_user_leave_others_alone(anybody: Client, somebody: Client) -> None:
    other = make_user(anybody)
    try_wrong(anybody, somebody.user, ATTEMPTS + 1)
    assert login(anybody, other.user, PASSWORD)
    other.close()


def test_wrong_passwords_for_nobody_are_slowed_too(anybody: Client) -> None:
    assert try_wrong(anybody, "no-such-user", ATTEMPTS + 1)[-1] == 429


def test_who_is_known_already_is_not_slowed(anybody: Client, somebody: Client) -> None:
    token = login(anybody, somebody.user, PASSWORD)
    try_wrong(anybody, somebody.user, ATTEMPTS + 1)
    assert authstatus(somebody)[0] == "ok"  # by a password that was checked before
    assert authstatus(anybody, Authorization=basic(somebody.user, token))[0] == "ok"


def test_too_many_wrong_passwords_are_no_error_of_api(anybody: Client, somebody: Client) -> None:
    try_wrong(anybody, somebody.user, ATTEMPTS + 1)
    assert authstatus(anybody, Authorization=basic(somebody.user, "wrong"))[0] == "noauth"


def test_a_password_can_be_changed_while_others_guess(anybody: Client, somebody: Client) -> None:
    assert authstatus(somebody)[0] == "ok"
    try_wrong(anybody, somebody.user, ATTEMPTS + 1)
    answer = somebody.patch(somebody.user, {"password": "new"})
    assert answer.status_code == 200
    token = answer.json()["result"]["password"]
    assert authstatus(anybody, Authorization=basic(somebody.user, token))[0] == "ok"


def test_a_login_ends_when_its_time_is_over(anybody: Client, somebody: Client) -> None:
    answer = anybody.ask("POST", "+login", json={"user": somebody.user, "password": PASSWORD}).json()["result"]
    assert answer["expiration"] == LOGIN_S
    value = basic(somebody.user, answer["password"])
    assert authstatus(anybody, Authorization=value)[0] == "ok"
    time.sleep(LOGIN_S + 1)
    assert authstatus(anybody, Authorization=value)[0] == "noauth"


def test_a_file_of_the_largest_size_is_taken(somebody: Client) -> None:
    index = make_index(somebody)
    none = {"sha256_digest": None, "md5_digest": None, "blake2_256_digest": None}
    largest = evolve(sdist(), content=b"x" * MAX_BODY)
    assert somebody.upload(index, largest, **none).status_code == 200


def test_a_larger_file_is_413_and_changes_nothing(somebody: Client) -> None:
    index = make_index(somebody)
    none = {"sha256_digest": None, "md5_digest": None, "blake2_256_digest": None}
    before = somebody.serial()
    answer = somebody.upload(index, evolve(sdist(), content=b"x" * (MAX_BODY + 1)), **none)
    assert answer.status_code == 413
    assert str(MAX_BODY) in answer.reason
    assert somebody.serial() == before


def test_a_form_that_announces_too_much_is_413_before_it_is_sent(somebody: Client, strict: Node) -> None:
    index = make_index(somebody)
    head = f"POST /{index}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n"
    head += f"Authorization: {basic(somebody.user, PASSWORD)}\r\nContent-Length: 999999999999\r\n"
    answer = raw(strict.url, f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode(), whole=False)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_json_body_of_over_2_mib_is_413(somebody: Client) -> None:
    before = somebody.serial()
    assert somebody.patch(somebody.user, {"title": "x" * (2 << 20)}).status_code == 413
    assert somebody.serial() == before


def test_texts_of_over_1_mib_are_400(somebody: Client) -> None:
    assert somebody.patch(somebody.user, {"title": "x" * (1 << 20)}).status_code == 400


def test_where_the_index_says_nothing_the_node_says_how_uploads_are_checked(somebody: Client) -> None:
    index, strict_index = make_index(somebody), make_index(somebody, upload_checks="strict")
    none = {"sha256_digest": None, "md5_digest": None, "blake2_256_digest": None}
    odd = evolve(wheel(), filename="demo-1.0.egg")
    assert somebody.upload(index, odd, **none).status_code == 200
    assert somebody.upload(strict_index, odd, **none).status_code == 400


def test_the_url_that_clients_know_stands_in_the_json(anybody: Client) -> None:
    assert anybody.result("root/dev/+api")["index"] == "https://index.example/packages/root/dev"


def test_a_redirect_keeps_the_prefix_of_a_front_server(anybody: Client) -> None:
    location = anybody.get("root/dev/+simple", "text/html").headers["Location"]
    assert location.startswith("../")


def test_headers_over_16_kib_are_400(strict: Node) -> None:
    answer = raw(strict.url, b"GET /+api HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n")
    assert answer.split()[1] in (b"400", b"431")
