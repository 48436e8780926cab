"""An installation is many requests with one password, of which each worker asks the writer once."""

from asyncio import gather
from pathlib import Path
from typing import Any

import pytest

from changelog.errors import TooOld, Unauthenticated
from changelog.reader import Reader
from server import passwords
from server.auth import Auth
from server.passwords import PasswordChecks
from server.submit import Submit
from tests import nodes
from tests.http.client import basic

HEADERS = {"Authorization": basic("root", "secret")}
REQUESTS = 50


class Counting(Submit):
    """Stands for the writer."""

    def __init__(self) -> None:
        super().__init__(Path("nobody-listens"))
        self.asked: list[tuple[Any, ...]] = []

    async def ask(self, kind: str, *items: Any) -> tuple[Any, ...]:  # noqa: ANN401 - as its base
        """Take every password of root, which has the serial of the fourth entry."""
        self.asked.append((kind, *items))
        return (len(nodes.FIRST_EVENTS),)


async def test_fifty_requests_with_a_password_ask_the_writer_once(tmp_path: Path) -> None:
    with nodes.node(tmp_path):
        pass
    reader, writer = Reader(tmp_path / "changelog", nodes.SMALL_MAP), Counting()
    auth = Auth(reader, writer, 60.0)
    for _ in range(REQUESTS):
        assert (await auth.caller(HEADERS, "127.0.0.1")).user == "root"
    assert writer.asked == [("check", "root", "secret", "127.0.0.1")]
    reader.close()


async def test_the_writer_hashes_once_for_all_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []

    def matches(_: bytes | None, password: str) -> bool:
        hashed.append(password)
        return True

    monkeypatch.setattr(passwords, "matches", matches)
    checks = PasswordChecks(10, 60.0)
    asked = [checks.check("bob", "127.0.0.1", "secret", b"a hash") for _ in range(REQUESTS)]
    assert all(await gather(*asked))
    assert await checks.check("bob", "127.0.0.1", "secret", b"a hash")
    assert hashed == ["secret"]
    checks.close()


async def test_where_the_copy_is_too_old_no_password_is_believed(tmp_path: Path) -> None:
    with nodes.node(tmp_path):
        pass
    reader, old = Reader(tmp_path / "changelog", nodes.SMALL_MAP), False

    def check_age() -> None:
        if old:
            raise TooOld("too old")

    auth = Auth(reader, Counting(), 60.0, check_age)
    await auth.caller(HEADERS, "127.0.0.1")
    old = True
    with pytest.raises(TooOld):
        await auth.caller(HEADERS, "127.0.0.1")
    assert (await auth.caller({}, "127.0.0.1")).user == ""
    with pytest.raises(Unauthenticated):
        await auth.caller({"Authorization": "Basic !"}, "127.0.0.1")
    reader.close()
