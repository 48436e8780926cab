"""``--restrict-modify`` on a running node."""

from collections.abc import Iterator

import pytest

from tests.http.client import Client, wheel
from tests.processes import Node, new_node


@pytest.fixture(scope="module")
def restricted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with the users alice, who owns an index, and boss, who administers."""
    node = new_node(tmp_path_factory.mktemp("restricted"), workers=1).start()
    for user in ("alice", "boss"):
        assert Client(node.url).put(user, {"password": user}).status_code == 201
    alice = Client(node.url, "alice", "alice")
    assert alice.put("alice/dev", {"volatile": True}).status_code == 200
    assert alice.put("alice/closed", {"acl_upload": ["boss"], "volatile": True}).status_code == 200
    node.stop()
    node.args = ("--restrict-modify", "boss")
    yield node.start()
    node.kill()


def test_nobody_else_makes_and_changes_users_and_indexes(restricted: Node) -> None:
    assert Client(restricted.url).put("carol", {"password": "x"}).status_code == 401
    for user, password in (("alice", "alice"), ("root", "secret")):
        client = Client(restricted.url, user, password)
        assert client.put("carol", {"password": "x"}).status_code == 403
        assert client.patch("alice", {"title": "x"}).status_code == 403
        assert client.patch("alice/dev", {"title": "x"}).status_code == 403
        assert client.put("alice/new", {}).status_code == 403
        assert client.delete("alice/dev").status_code == 403
        assert client.delete("alice").status_code == 403


def test_who_is_listed_does(restricted: Node) -> None:
    boss = Client(restricted.url, "boss", "boss")
    assert boss.put("dave", {"password": "x"}).status_code == 201
    assert boss.patch("dave", {"title": "x"}).status_code == 200
    assert boss.put("dave/dev", {"volatile": True}).status_code == 200
    assert boss.patch("dave/dev", {"title": "y"}).status_code == 200
    assert boss.delete("dave/dev").status_code in {200, 201}
    assert boss.delete("dave").status_code == 200


def test_users_go_on_to_upload_and_to_set_their_password(restricted: Node) -> None:
    alice = Client(restricted.url, "alice", "alice")
    assert alice.upload("alice/dev", wheel("kept")).status_code == 200
    assert alice.delete("alice/dev/kept").status_code == 200  # by acl_upload
    assert Client(restricted.url, "boss", "boss").upload("alice/closed", wheel("kept")).status_code == 200
    assert alice.delete("alice/closed/kept").status_code == 403  # not by being the owner
    assert alice.patch("alice", {"password": "new", "title": "x"}).status_code == 403
    assert alice.patch("alice", {"password": "alice"}).status_code == 200
