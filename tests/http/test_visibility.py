"""A snapshot begun after an answer sees the write, on every worker."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.http.client import Client, wheel

SIMPLE = "application/vnd.pypi.simple.v1+json"
CONNECTIONS = 8  # with two workers, one of them gets none in 1 of 128 runs


@pytest.fixture
def others(url: str) -> Iterator[list[Client]]:
    """Clients, each with a connection of its own, that stays with the worker that took it."""
    clients = [Client(url) for _ in range(CONNECTIONS)]
    for client in clients:
        client.serial()
    yield clients
    for client in clients:
        client.close()


def listed(client: Client, index: str) -> set[str]:
    answer = client.get(f"{index}/+simple/demo/", SIMPLE)
    return {file["filename"] for file in answer.json()["files"]} if answer.status_code == 200 else set()


def test_a_file_is_on_the_page_of_every_worker_when_the_upload_is_answered(
    owner: Client, others: list[Client], index: str
) -> None:
    expected: set[str] = set()
    for number in range(5):
        dist = wheel("demo", f"1.{number}")
        expected.add(dist.filename)
        assert owner.upload(index, dist).status_code == 200
        for client in others:
            assert listed(client, index) == expected
            assert client.get(f"{index}/{dist.path}", "*/*").content == dist.content


def test_a_file_that_was_deleted_is_gone_on_every_worker(owner: Client, others: list[Client], index: str) -> None:
    owner.upload(index, wheel())
    for client in [*others, *others]:  # twice: the second answer may be a ready one
        assert client.get(f"{index}/{wheel().path}", "*/*").status_code == 200
        assert listed(client, index)
    owner.delete(f"{index}/{wheel().path}")
    for client in others:
        assert client.get(f"{index}/{wheel().path}", "*/*").status_code == 410
        assert client.get(f"{index}/{wheel().path}.metadata", "*/*").status_code == 410
        assert not listed(client, index)


def test_the_serial_of_an_answer_never_goes_back(owner: Client, others: list[Client], index: str) -> None:
    last = 0
    for number in range(5):
        owner.patch(index, {"title": f"{number}"})
        for client in others:
            serial = client.serial()
            assert serial >= last
            last = serial


def test_many_uploads_at_once_are_all_there(owner: Client, nobody: Client, url: str, index: str) -> None:
    def upload(number: int) -> int:
        client = Client(url, owner.user, owner.password)
        status = client.upload(index, wheel("demo", f"2.{number}")).status_code
        client.close()
        return status

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(upload, range(16))) == {200}
    assert len(listed(nobody, index)) == 16


def test_of_two_files_of_one_name_sent_at_once_one_wins(owner: Client, nobody: Client, url: str, fixed: str) -> None:
    def upload(note: str) -> int:
        client = Client(url, owner.user, owner.password)
        status = client.upload(fixed, wheel(note=note)).status_code
        client.close()
        return status

    with ThreadPoolExecutor(6) as threads:
        statuses = sorted(threads.map(upload, "abcdef"))
    assert statuses == [200] + [409] * 5
    assert len(listed(nobody, fixed)) == 1


def test_changes_of_one_index_at_once_are_all_there(owner: Client, url: str, index: str) -> None:
    def change(number: int) -> int:
        client = Client(url, owner.user, owner.password)
        status = client.patch(index, [f"mirror_whitelist+=p{number}"]).status_code
        client.close()
        return status

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(change, range(4))) == {200}
    assert sorted(owner.result(index)["mirror_whitelist"]) == ["p0", "p1", "p2", "p3"]


def test_a_page_read_at_the_moment_of_a_commit_does_not_stay(
    owner: Client, others: list[Client], url: str, index: str
) -> None:
    ended = Event()

    def read() -> None:
        client = Client(url)
        while not ended.is_set():
            listed(client, index)
        client.close()

    expected: set[str] = set()
    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(read) for _ in range(4)]
        try:
            for number in range(20):
                dist = wheel("demo", f"3.{number}")
                expected.add(dist.filename)
                owner.upload(index, dist)
                for client in others:
                    assert listed(client, index) == expected
        finally:
            ended.set()
        for reader in readers:
            reader.result()
