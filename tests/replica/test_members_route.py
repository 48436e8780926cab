"""``+join``, ``+ack`` and ``+promise``, asked by whoever should not."""

import random
from pathlib import Path

import pytest
import requests

from changelog.packing import packb
from tests.following import new_token, status
from tests.http.accounts import fresh
from tests.replica.conftest import Pair

ROUTES = pytest.mark.parametrize("path", ["+join", "+ack", "+promise"])
RANDOM = random.Random(1)  # noqa: S311 - the same bytes in each run
NO_STATEMENTS = [
    b"",
    b"\xc1",
    b"{}",
    packb([]),
    packb([b"", b""]),
    packb([packb([1, "a", "b", b"", b"", "", 0]), bytes(64)]),
    packb([packb([1 << 63, 1, 1, bytes(32), [], 1]), bytes(64)]),
    b"\xdd\xff\xff\xff\xff",
    b"\x91" * 3_000,
    *(RANDOM.randbytes(size) for size in (1, 64, 200, 4_000)),
]


@pytest.fixture(scope="module")
def token(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_token(pair.primary, tmp_path_factory.mktemp("token"), fresh())


def post(pair: Pair, path: str, body: bytes, token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.post(f"{pair.primary.url}/{path}", data=body, headers=headers, timeout=20)


@ROUTES
def test_what_is_no_statement_is_a_400_and_appends_nothing(pair: Pair, token: Path, path: str) -> None:
    before = status(pair.primary)["serial"]
    answers = [post(pair, path, body, token.read_text().strip()) for body in NO_STATEMENTS]
    assert [answer.status_code for answer in answers] == [400] * len(NO_STATEMENTS)
    assert all(answer.text for answer in answers)
    assert status(pair.primary)["serial"] == before


@ROUTES
def test_a_statement_has_a_length_that_is_bounded(pair: Pair, token: Path, path: str) -> None:
    assert post(pair, path, bytes(5 << 20), token.read_text().strip()).status_code == 413


@pytest.mark.parametrize("path", ["+join", "+ack"])
@pytest.mark.parametrize("secret", ["", "x", "lrt-" + "A" * 60])
def test_without_a_token_nothing_is_said(pair: Pair, path: str, secret: str) -> None:
    assert post(pair, path, b"", secret).status_code == 401
