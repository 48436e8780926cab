"""API tokens where there are several nodes: made through one, good on all, revoked on all."""

import pytest

from tests.following import wait_until, wait_until_equal
from tests.http.accounts import fresh, make_user
from tests.http.client import Client, wheel
from tests.processes import Node
from tests.replica.conftest import Pair


def status(node: Node, token: str) -> object:
    client = Client(node.url, "__token__", token)
    try:
        return client.result("+api")["authstatus"][0]
    finally:
        client.close()


@pytest.mark.parametrize("way", ["+tokens", "+token-create"])
def test_a_token_made_through_a_replica_is_good_everywhere_until_it_is_revoked(pair: Pair, way: str) -> None:
    near = make_user(pair.client(pair.replica))
    index = f"{near.user}/{fresh()}"
    assert near.put(index, {}).ok
    made = near.ask("POST", f"{near.user}/{way}", json={"indexes": [index], "projects": ["demo"]}).json()["result"]
    assert [status(node, made["token"]) for node in (pair.replica, pair.primary)] == ["ok", "ok"]
    client = Client(pair.replica.url, "__token__", made["token"])
    assert client.upload(index, wheel()).status_code == 200
    assert client.upload(index, wheel("other")).status_code == 403
    far = Client(pair.primary.url, near.user, near.password)
    assert far.delete(f"{near.user}/+tokens/{made['id']}").ok
    wait_until_equal(pair.primary, pair.replica)
    assert [status(node, made["token"]) for node in (pair.replica, pair.primary)] == ["noauth", "noauth"]
    assert client.upload(index, wheel("demo", "2.0")).status_code == 401
    assert made["token"] not in pair.primary.log + pair.replica.log


def test_each_node_knows_of_the_uses_that_it_saw(pair: Pair) -> None:
    near = make_user(pair.client(pair.replica))
    far = Client(pair.primary.url, near.user, near.password)
    made = near.ask("POST", f"{near.user}/+tokens", json={}).json()["result"]
    assert status(pair.replica, made["token"]) == "ok"
    path = f"{near.user}/+tokens/{made['id']}"
    wait_until(lambda: near.result(path)["last_used"] is not None, lambda: near.result(path))
    assert far.result(path)["last_used"] is None
