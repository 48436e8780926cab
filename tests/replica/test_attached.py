"""Documentation and test results on a replica: taken by way of it, shown by it, fetched where it has them not."""

import pytest

from tests.http.client import Client, wheel
from tests.http.test_documentation import send, zipped
from tests.mirror.site import fresh
from tests.replica.conftest import Pair
from tests.replica.copied import blob, wait_until_here

RESULT = b'{"testenvs": {}}'
LARGE = "<p>" + "what it does, at length; " * 40_000


@pytest.fixture
def client(pair: Pair) -> Client:
    return pair.client(pair.replica)


def test_documentation_that_a_replica_took_is_read_on_both(pair: Pair, client: Client) -> None:
    name = fresh("documented")
    content = zipped({"index.html": name, "large.html": LARGE})
    assert send(client, "root/dev", content, project=name).status_code == 200
    for node in (pair.primary, pair.replica):
        assert pair.client(node).get(f"root/dev/{name}/latest/+doc/", "*/*").text == name
        assert pair.client(node).get(f"root/dev/{name}/1.0/+doc/large.html", "*/*").text == LARGE


def test_documentation_that_is_not_here_is_fetched(pair: Pair, client: Client) -> None:
    name = fresh("documented")
    content = zipped({"index.html": name})
    send(pair.client(pair.primary), "root/dev", content, project=name)
    wait_until_here(pair.replica, content)  # as all that is uploaded, before anybody asks
    blob(pair.replica, content).unlink()
    assert client.get(f"root/dev/{name}/1.0/+doc/", "*/*").text == name


def test_a_result_that_a_replica_took_is_read_on_both(pair: Pair, client: Client) -> None:
    dist = wheel(fresh("tested"))
    client.upload("root/dev", dist)
    path = client.ask("POST", f"root/dev/{dist.path}", data=RESULT).json()["result"]
    for node in (pair.primary, pair.replica):
        assert pair.client(node).get(path, "*/*").content == RESULT
    wait_until_here(pair.replica, RESULT)
