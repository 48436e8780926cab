"""The first copy: it goes on where it ended, and its exit code says why a history can not be copied."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog import copying
from changelog.copying import Copier, Known
from changelog.env import Env
from changelog.fold import VIEW_TABLES
from changelog.vouching import VOUCHED
from replica.create import create_replica
from server import replica_token
from server.layout import Layout
from server.stream import STRANGE, Cursor, alive_frame, batch_frame
from tests.following import Replica, check_copy, ledgerpi, new_replica, new_token, status, wait_until, wait_until_equal
from tests.http.accounts import fresh
from tests.http.client import Client
from tests.links import Link, Weather
from tests.processes import Node, new_node
from tests.replica.lying import Liar, Refusal, batch_after, signed_word, store_of, word_of

MAP_SIZE = 1 << 30


@frozen
class Histories:
    """A primary, and a node that went on from an older copy of its folder."""

    primary: Node
    fork: Node
    token: Path  # of the common beginning


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Histories]:
    folder = tmp_path_factory.mktemp("histories")
    primary = new_node(folder, workers=1)
    token = new_token(primary, folder)
    fork = Node(folder / "fork", workers=1)
    shutil.copytree(primary.serverdir, fork.serverdir, ignore=shutil.ignore_patterns("*.sock"))
    try:
        for node, count in ((primary, 5), (fork, 8)):
            root = Client(node.start().url, "root", "secret")
            for _ in range(count):
                assert root.put(f"root/{fresh()}", {"title": node.serverdir.name}).status_code == 200
        yield Histories(primary, fork, token)
    finally:
        primary.kill()
        fork.kill()


def refused(url: str, token: Path, folder: Path, code: int) -> str:
    """Run a first copy that ends with *code* and return what it says."""
    return ledgerpi(*Replica(folder / "replica", [url], token).command[1:], code=code).stderr


def begun(histories: Histories, folder: Path) -> None:
    """Make a replica that has the primary's entries, and was interrupted before it knew that they are all."""
    layout = Layout(folder / "replica")
    create_replica(layout, replica_token.read(histories.token.read_text()), MAP_SIZE)
    env = Env(layout.changelog, VIEW_TABLES, readonly=False, map_size=MAP_SIZE)
    token = replica_token.read(histories.token.read_text())
    Copier(env, token.origin, token.log_key, (Known(token.size, token.root),)).copy(
        evolve(batch_after(histories.primary, 0), word=b"")
    )
    env.close()


def test_what_its_log_did_not_sign_ends_it_with_4(histories: Histories, tmp_path: Path) -> None:
    def tell(_: Cursor) -> list[bytes]:
        batch = batch_after(histories.primary, 0)
        return [batch_frame(evolve(batch, entries=batch.entries[:-1]))]

    with Liar(tell) as liar:
        assert "the history can not be copied" in refused(liar.url, histories.token, tmp_path, 4)


def test_another_beginning_than_the_token_knows_ends_it_with_4(histories: Histories, tmp_path: Path) -> None:
    token = replica_token.read(new_token(histories.primary, tmp_path).read_text())
    path = tmp_path / "token"
    path.write_text(evolve(token, root=bytes(32)).text)
    assert "are not those that are known" in refused(histories.primary.url, path, tmp_path, 4)


def test_a_word_before_the_first_entry_ends_it_with_4(histories: Histories, tmp_path: Path) -> None:
    with Liar(lambda _: [alive_frame(signed_word(histories.primary))]) as liar:
        assert "who is unknown here" in refused(liar.url, histories.token, tmp_path, 4)


def test_a_strangers_word_behind_the_last_entry_ends_it_with_4(histories: Histories, tmp_path: Path) -> None:
    word = VOUCHED.sign(word_of(histories.primary), Ed25519PrivateKey.generate())
    frames = [batch_frame(batch_after(histories.primary, 0)), alive_frame(word)]
    with Liar(lambda _: frames) as liar:
        assert "does not hold" in refused(liar.url, histories.token, tmp_path, 4)


def test_garbage_ends_it_with_4(histories: Histories, tmp_path: Path) -> None:
    with Liar(lambda _: [b"\xff" * 1_000]) as liar:
        assert "a message of" in refused(liar.url, histories.token, tmp_path, 4)


def test_another_log_ends_it_with_6(histories: Histories, tmp_path: Path) -> None:
    token = replica_token.read(new_token(histories.primary, tmp_path).read_text())
    path = tmp_path / "token"
    path.write_text(evolve(token, origin="ledgerpi/elsewhere").text)
    assert "this node has the log ledgerpi/" in refused(histories.primary.url, path, tmp_path, 6)


def test_a_fork_at_the_cursor_ends_it_with_3(histories: Histories, tmp_path: Path) -> None:
    begun(histories, tmp_path)
    assert "are other ones here" in refused(histories.fork.url, histories.token, tmp_path, 3)


def test_a_token_of_another_node_ends_it_with_1(histories: Histories, tmp_path: Path) -> None:
    stranger = new_token(new_node(tmp_path), tmp_path)
    assert "not good here" in refused(histories.primary.url, stranger, tmp_path, 1)


def test_a_revoked_token_ends_it_with_1(histories: Histories, tmp_path: Path) -> None:
    token = new_token(histories.primary, tmp_path, "gone")
    ledgerpi("replica-token", "--serverdir", str(histories.primary.serverdir), "gone", "--revoke")
    assert "no longer" in refused(histories.primary.url, token, tmp_path, 1)


def test_what_is_no_token_is_a_wrong_command_line(histories: Histories, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("secret")
    said = refused(histories.primary.url, path, tmp_path, 2)
    assert "not the token of a replica" in said
    assert "secret" not in said
    assert not (tmp_path / "replica").exists()


def test_the_folder_of_a_primary_is_no_replicas(histories: Histories, tmp_path: Path) -> None:
    primary = new_node(tmp_path)
    command = Replica(primary.serverdir, [histories.primary.url], new_token(primary, tmp_path)).command[1:]
    assert "holds a primary" in ledgerpi(*command, code=2).stderr


def test_an_interrupted_copy_goes_on_where_it_ended(histories: Histories, tmp_path: Path) -> None:
    begun(histories, tmp_path)
    replica = Replica(tmp_path / "replica", [histories.primary.url], histories.token, workers=1).start()
    try:
        wait_until_equal(histories.primary, replica)
        check_copy(histories.primary, replica)
    finally:
        replica.kill()


def test_a_primary_that_is_down_is_waited_for(histories: Histories, tmp_path: Path) -> None:
    with Link(histories.primary.url) as link:
        link.weather = Weather(closed=True)
        replica = new_replica(histories.primary, tmp_path, via=link.url, workers=1)
        with (tmp_path / "said").open("wb") as said:
            process = subprocess.Popen(replica.command, stdout=subprocess.PIPE, stderr=said)
        try:
            wait_until(lambda: b"waiting: " in (tmp_path / "said").read_bytes(), (tmp_path / "said").read_bytes)
            link.weather = Weather()
            assert process.stdout is not None
            assert b"ledgerpi serves" in process.stdout.readline()
        finally:
            process.terminate()
            process.communicate(timeout=30)


def test_of_two_primaries_the_second_is_followed_when_the_first_is_down(histories: Histories, tmp_path: Path) -> None:
    replica = new_replica(histories.primary, tmp_path, workers=1)
    replica.primaries = ("http://127.0.0.1:1", histories.primary.url)
    replica.start()
    try:
        wait_until(
            lambda: status(replica)["following"] == "following" and status(replica)["primary"] == histories.primary.url,
            lambda: status(replica),
        )
    finally:
        replica.kill()


def test_a_revoked_replica_gets_nothing_more_until_it_has_another_token(histories: Histories, tmp_path: Path) -> None:
    primary, serverdir = histories.primary, str(histories.primary.serverdir)
    replica = new_replica(primary, tmp_path, name="twice", workers=1).start()
    try:
        wait_until_equal(primary, replica)
        ledgerpi("replica-token", "--serverdir", serverdir, "twice", "--revoke")
        began = time.monotonic()
        wait_until(lambda: status(replica)["following"] == "refused", lambda: status(replica))
        assert time.monotonic() - began < 10  # a heartbeat, and then some
        before = status(replica)["serial"]
        assert Client(primary.url, "root", "secret").put(f"root/{fresh()}", {}).status_code == 200
        assert status(replica)["serial"] == before
        replica.stop()
        replica.token.write_text(ledgerpi("replica-token", "--serverdir", serverdir, "twice").stdout)
        wait_until_equal(primary, replica.start())
    finally:
        replica.kill()


def test_what_ends_amid_a_copy_is_read_from_the_disk_no_further(histories: Histories, tmp_path: Path) -> None:
    begun(histories, tmp_path)
    reader = Replica(tmp_path / "replica", ["x"], histories.token)
    with store_of(reader) as store, store_of(histories.primary) as original:
        whole = copying.read_batch(original, 0)
        assert whole is not None
        assert copying.read_batch(store, 0) == evolve(whole, word=b"")


def test_a_refusal_of_an_unknown_kind_ends_it_with_6(histories: Histories, tmp_path: Path) -> None:
    body = json.dumps({"message": "no", "reason": STRANGE}).encode()
    with Liar(lambda _: Refusal(409, body)) as liar:
        refused(liar.url, histories.token, tmp_path, 6)
