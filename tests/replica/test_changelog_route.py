"""``+changelog`` and ``+blob``, as they are asked for: who may, from where, and what the refusals say."""

import time
from pathlib import Path

import pytest
import requests

from changelog import checkpoint, vouching
from changelog.copying import Batch
from changelog.packing import packb
from changelog.tree import EMPTY_ROOT
from server import replica_token
from server.stream import CONTENT_TYPE, read_frame
from server.wire import Frames
from tests.following import ledgerpi, new_token, status
from tests.http.accounts import fresh
from tests.http.client import Client, wheel
from tests.processes import Node
from tests.replica.conftest import Pair
from tests.replica.lying import batch_after

WITHIN_S = 20.0


def asked(node: Node, token: Path | None, method: str = "GET", **query: str) -> requests.Response:
    """Ask for what follows nothing, unless *query* says otherwise."""
    headers = {} if token is None else {"Authorization": f"Bearer {token.read_text().strip()}"}
    whole = {"origin": status(node)["origin"], "size": "0", "root": EMPTY_ROOT.hex(), **query}
    url = f"{node.url}/+changelog"
    return requests.request(method, url, params=whole, headers=headers, stream=True, timeout=WITHIN_S)


@pytest.fixture
def token(pair: Pair, tmp_path: Path) -> Path:
    return new_token(pair.primary, tmp_path, fresh())


def frames(answer: requests.Response, until_alive: int = 1) -> list[Batch | bytes]:
    """Return what comes, up to the *until_alive*-th word."""
    found: list[Batch | bytes] = []
    reading = Frames()
    for data in answer.iter_content(None):
        found += [read_frame(frame) for frame in reading.feed(data)]
        if sum(isinstance(item, bytes) for item in found) >= until_alive:
            break
    return found


def test_all_entries_come_and_then_the_word_for_their_head(pair: Pair, token: Path) -> None:
    answer = asked(pair.primary, token)
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    assert answer.headers["Cache-Control"] == "no-store"
    *batches, word = frames(answer)
    assert isinstance(word, bytes)
    assert all(isinstance(batch, Batch) for batch in batches)
    assert batches[0] == batch_after(pair.primary, 0)
    assert vouching.claimed_size(word) == status(pair.primary)["serial"]
    answer.close()


def test_a_replica_sends_the_same_entries_and_words(pair: Pair, token: Path) -> None:
    size = str(status(pair.primary)["serial"] - 1)
    while status(pair.replica)["serial"] <= int(size):
        time.sleep(0.02)
    for node in (pair.primary, pair.replica):
        answer = asked(node, token)
        entries = [raw for item in frames(answer) if isinstance(item, Batch) for raw in item.entries]
        answer.close()
        assert packb(entries) == packb(list(batch_after(pair.primary, 0).entries))


def test_words_come_again_while_nothing_happens(pair: Pair, token: Path) -> None:
    began = time.monotonic()
    answer = asked(pair.primary, token)
    words = [item for item in frames(answer, until_alive=2) if isinstance(item, bytes)]
    answer.close()
    assert 4 < time.monotonic() - began < WITHIN_S
    assert words[0] != words[1]


def test_a_stream_ends_when_the_token_is_revoked(pair: Pair, token: Path) -> None:
    answer = asked(pair.primary, token)
    assert frames(answer)
    ledgerpi("replica-token", "--serverdir", str(pair.primary.serverdir), token.stem, "--revoke")
    began = time.monotonic()
    while answer.raw.read(1 << 16):
        assert time.monotonic() - began < WITHIN_S
    assert asked(pair.primary, token).status_code == 401


def test_a_stream_of_many_commits_ends_too_when_the_token_is_revoked(pair: Pair, token: Path) -> None:
    answer, root = asked(pair.primary, token), pair.client(pair.primary)
    reading = answer.iter_content(None)
    next(reading)
    ledgerpi("replica-token", "--serverdir", str(pair.primary.serverdir), token.stem, "--revoke")
    began = time.monotonic()
    while True:
        assert root.put(f"root/{fresh()}", {}).status_code == 200
        if next(reading, None) is None:
            break
        assert time.monotonic() - began < WITHIN_S


def test_nobody_else_may_ask(pair: Pair, tmp_path: Path) -> None:
    assert asked(pair.primary, None).status_code == 401
    stranger = tmp_path / "stranger"
    stranger.write_text(replica_token.ReplicaToken("x", "y", bytes(32), 0, bytes(32), bytes(32)).text)
    assert asked(pair.primary, stranger).status_code == 401
    assert pair.client(pair.primary).get(f"+changelog?origin=x&size=0&root={'0' * 64}").status_code == 401


def test_who_can_not_be_followed_says_why(pair: Pair, token: Path) -> None:
    size = status(pair.primary)["serial"]
    for reason, query in (
        ("behind", {"size": str(size + 1)}),
        ("diverged", {"size": str(size), "root": "00" * 32}),
        ("origin", {"origin": "ledgerpi/other"}),
    ):
        answer = asked(pair.primary, token, **query)
        assert answer.status_code == 409
        assert answer.json()["reason"] == reason
        signed = checkpoint.parse(answer.json()["checkpoint"].rpartition("\n\n")[0] + "\n")
        assert signed.size == size


@pytest.mark.parametrize("query", [{"size": "-1"}, {"size": "x"}, {"root": "x"}, {"size": "9" * 18}, {"origin": ""}])
def test_a_cursor_that_is_none_is_refused(pair: Pair, token: Path, query: dict[str, str]) -> None:
    assert asked(pair.primary, token, **query).status_code in (400, 409)


def test_head_is_answered_at_once(pair: Pair, token: Path) -> None:
    answer = asked(pair.primary, token, "HEAD")
    assert answer.status_code == 200
    assert answer.content == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_is_only_read(pair: Pair, token: Path, method: str) -> None:
    assert asked(pair.primary, token, method).status_code == 405


def test_files_come_by_their_digest_to_those_with_a_token(pair: Pair, token: Path) -> None:
    dist = wheel(fresh())
    root = pair.client(pair.primary)
    assert root.upload("root/other", dist).status_code == 200
    headers = {"Authorization": f"Bearer {token.read_text().strip()}"}
    bearer = Client(pair.primary.url)
    assert bearer.ask("GET", f"+blob/{dist.sha256}", headers=headers).content == dist.content
    part = bearer.ask("GET", f"+blob/{dist.sha256}", headers={**headers, "Range": "bytes=10-"})
    assert part.content == dist.content[10:]
    for path in ("00" * 32, "zz", dist.sha256[:-1], dist.sha256 + "00"):
        assert bearer.ask("GET", f"+blob/{path}", headers=headers).status_code == 404
    for client in (bearer, root):
        assert client.get(f"+blob/{dist.sha256}").status_code == 401
