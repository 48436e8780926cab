"""A primary that lies is found out before anything is committed, and the replica goes on serving what it has."""

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve, frozen

from changelog import checkpoint
from changelog.codec import decode, encode
from changelog.copying import Batch
from changelog.packing import packb
from changelog.vouching import VOUCHED
from server.stream import ALIVE, BATCH, BEHIND, DIVERGED, STRANGE, Cursor, alive_frame, batch_frame
from server.wire import MAX_FRAME, framed
from tests.following import position, status, wait_for_state, wait_until, wait_until_equal
from tests.http.accounts import fresh
from tests.processes import Node
from tests.replica import words
from tests.replica.conftest import Pair
from tests.replica.lying import Liar, Refusal, batch_after, signed_head, signed_word, word_of
from tests.replica.words import STRANGER, Lie


def with_entries(batch: Batch, *entries: bytes) -> bytes:
    return batch_frame(evolve(batch, entries=entries))


def changed_entry(_: Node, batch: Batch) -> bytes:
    event, stamp = decode(batch.entries[0], batch.first)
    return with_entries(batch, encode(event, evolve(stamp, actor="mallory")), *batch.entries[1:])


def changed_order(_: Node, batch: Batch) -> bytes:
    return with_entries(batch, *reversed(batch.entries))


def dropped_first(_: Node, batch: Batch) -> bytes:
    return batch_frame(evolve(batch, first=batch.first + 1, entries=batch.entries[1:]))


def dropped_inner(_: Node, batch: Batch) -> bytes:
    return with_entries(batch, *batch.entries[:1], *batch.entries[2:])


def dropped_last(_: Node, batch: Batch) -> bytes:
    return with_entries(batch, *batch.entries[:-1])


def doubled(_: Node, batch: Batch) -> bytes:
    return with_entries(batch, *batch.entries, batch.entries[-1])


def sent_before(primary: Node, batch: Batch) -> bytes:
    return batch_frame(batch_after(primary, batch.first - 3))


def no_entries(_: Node, batch: Batch) -> bytes:
    return with_entries(batch)


def signed_by_a_stranger(_: Node, batch: Batch) -> bytes:
    said = checkpoint.parse(batch.note.rpartition("\n\n")[0] + "\n")
    return batch_frame(evolve(batch, note=checkpoint.sign(said, STRANGER)))


def rolled_back_head(primary: Node, batch: Batch) -> bytes:
    return batch_frame(evolve(batch, note=signed_head(primary, batch.first, bytes(32))))


def another_root(primary: Node, batch: Batch) -> bytes:
    return batch_frame(evolve(batch, note=signed_head(primary, batch.last, bytes(32))))


def another_origin(primary: Node, batch: Batch) -> bytes:
    said = checkpoint.parse(batch.note.rpartition("\n\n")[0] + "\n")
    return batch_frame(evolve(batch, note=signed_head(primary, said.size, said.root, "ledgerpi/other")))


def unnamed_record(_: Node, batch: Batch) -> bytes:
    return batch_frame(evolve(batch, records=(b"nobody names this",)))


def contents_that_unpack_to_gigabytes(_: Node, batch: Batch) -> bytes:
    return batch_frame(evolve(batch, contents=((bytes(32), b"x\x9c" + b"\xec\xc1\x01\x01" * 1_000),)))


def garbage(_: Node, __: Batch) -> bytes:
    return random.Random(1).randbytes(10_000)  # noqa: S311 - test data


def a_frame_of_gigabytes(_: Node, __: Batch) -> bytes:
    return (0xFFFFFFFF).to_bytes(4) + b"x"


def a_frame_just_too_long(_: Node, __: Batch) -> bytes:
    return MAX_FRAME.to_bytes(4) + b"x"


def an_unknown_frame(_: Node, batch: Batch) -> bytes:
    return framed("entries", *batch.entries)


def fields_of_other_types(_: Node, batch: Batch) -> bytes:
    return framed(BATCH, batch.first, batch.entries, (), (), b"x" * 1_000_000, ())


def nested_too_deep(_: Node, __: Batch) -> bytes:
    raw = b"\x91" * 100_000 + b"\xc0"
    return len(raw).to_bytes(4) + raw


def a_word_of_a_stranger(primary: Node, _: Batch) -> bytes:
    return alive_frame(VOUCHED.sign(word_of(primary), STRANGER))


def a_word_of_nobody(primary: Node, _: Batch) -> bytes:
    return alive_frame(signed_word(primary, member=77))


def a_word_for_another_root(primary: Node, batch: Batch) -> bytes:
    return alive_frame(signed_word(primary, size=batch.first - 1, root=bytes(32)))


def a_word_for_entries_that_did_not_come(primary: Node, _: Batch) -> bytes:
    return alive_frame(signed_word(primary))


def a_word_that_is_none(_: Node, __: Batch) -> bytes:
    return framed(ALIVE, packb("all is well"))


LIES: tuple[Lie, ...] = (
    changed_entry,
    changed_order,
    dropped_first,
    dropped_inner,
    dropped_last,
    doubled,
    sent_before,
    no_entries,
    signed_by_a_stranger,
    rolled_back_head,
    another_root,
    another_origin,
    unnamed_record,
    contents_that_unpack_to_gigabytes,
    garbage,
    a_frame_of_gigabytes,
    a_frame_just_too_long,
    an_unknown_frame,
    fields_of_other_types,
    nested_too_deep,
    a_word_of_a_stranger,
    a_word_of_nobody,
    a_word_for_another_root,
    a_word_for_entries_that_did_not_come,
    a_word_that_is_none,
    *words.FORGED,
)


@frozen
class Scene:
    """A replica that lacks some entries, and whom it asks for them."""

    pair: Pair
    before: tuple[int, str]  # position of the replica


@pytest.fixture
def scene(pair: Pair) -> Iterator[Scene]:
    """Let the replica lack the last entries; afterwards it gets them, from the honest primary."""
    primary, replica, link = pair.primary, pair.replica, pair.link
    wait_for_state(replica, "following")
    wait_until_equal(primary, replica)
    before = position(replica)
    link.lead_to("http://127.0.0.1:1")
    root = pair.client(primary)
    for _ in range(4):
        assert root.put(f"root/{fresh()}", {}).status_code == 200
    yield Scene(pair, before)
    link.lead_to(primary.url)
    wait_until_equal(primary, replica)
    wait_for_state(replica, "following")


def check_unmoved(scene: Scene, state: str) -> str:
    """Check that the replica has what it had, serves it, and says what is wrong; return its reason."""
    replica = scene.pair.replica
    said = wait_for_state(replica, state)
    assert (said["serial"], said["root"]) == scene.before
    reason = str(said["following-reason"])
    assert 0 < len(reason) <= 500
    assert said["primary"] == scene.pair.link.url
    assert scene.pair.client(replica).get("root/dev/+simple/", "text/html").status_code == 200
    wait_until(lambda: any(_is_told(line, state) for line in replica.log.splitlines()), lambda: replica.log[-2_000:])
    return reason


def _is_told(line: str, state: str) -> bool:
    return "following" in line and state in line


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_lie_is_called_forged(scene: Scene, lie: Lie) -> None:
    check_told(scene, lie, "forged")


@pytest.mark.parametrize("lie", words.SUPERSEDED, ids=lambda lie: lie.__name__)
def test_who_speaks_for_an_older_epoch_is_called_superseded(scene: Scene, lie: Lie) -> None:
    check_told(scene, lie, "superseded")


def check_told(scene: Scene, lie: Lie, state: str) -> None:
    """Tell a replica a lie, and check that it calls it *state* and takes nothing of it."""
    primary, link = scene.pair.primary, scene.pair.link

    def tell(at: Cursor) -> list[bytes]:
        return [lie(primary, batch_after(primary, at.at.size))]

    with Liar(tell) as liar:
        link.lead_to(liar.url)
        check_unmoved(scene, state)
        assert "process died" not in scene.pair.replica.log


def test_what_came_before_a_lie_is_kept_and_nothing_of_it(scene: Scene) -> None:
    primary, link = scene.pair.primary, scene.pair.link

    def tell(at: Cursor) -> list[bytes]:
        if at.at.size != scene.before[0]:
            return []
        good = batch_after(primary, at.at.size)
        return [batch_frame(good), batch_frame(evolve(good, first=good.last + 1))]

    with Liar(tell) as liar:
        link.lead_to(liar.url)
        wait_for_state(scene.pair.replica, "forged")
        assert position(scene.pair.replica) == position(primary)


def test_a_frame_that_is_cut_is_no_lie(scene: Scene) -> None:
    def tell(at: Cursor) -> Iterator[bytes]:
        yield batch_frame(batch_after(scene.pair.primary, at.at.size))[:-1]
        raise ConnectionAbortedError

    with Liar(tell) as liar:
        scene.pair.link.lead_to(liar.url)
        wait_until(lambda: liar.asked > 1, lambda: status(scene.pair.replica))
        assert "ended the stream" in check_unmoved(scene, "unreachable")


REFUSALS = {
    BEHIND: "behind",
    DIVERGED: "diverged",
    STRANGE: "refused",
    "something new": "refused",
}


@pytest.mark.parametrize(("reason", "state"), REFUSALS.items())
def test_a_refusal_is_told_as_what_it_is(scene: Scene, reason: str, state: str) -> None:
    refusal = Refusal(409, json.dumps({"message": f"that is {reason}", "reason": reason}).encode())
    with Liar(lambda _: refusal) as liar:
        scene.pair.link.lead_to(liar.url)
        assert check_unmoved(scene, state) == f"that is {reason}"


@pytest.mark.parametrize(
    ("refusal", "state"),
    [
        (Refusal(401, b'{"message": "your token is not good"}'), "refused"),
        (Refusal(404, b"<html>no such page</html>"), "unreachable"),
        (Refusal(302, b""), "unreachable"),
        (Refusal(500, b"\xff" * 200_000), "unreachable"),
        (Refusal(409, b"[" * 60_000), "refused"),
        (Refusal(409, b'{"message": ["x"], "reason": {}}'), "refused"),
        (Refusal(409, json.dumps({"message": "x" * 60_000, "reason": "behind"}).encode()), "behind"),
    ],
    ids=lambda it: str(it.status) if isinstance(it, Refusal) else it,
)
def test_odd_refusals_are_survived(scene: Scene, refusal: Refusal, state: str) -> None:
    with Liar(lambda _: refusal) as liar:
        scene.pair.link.lead_to(liar.url)
        check_unmoved(scene, state)


def test_a_node_that_has_fewer_entries_and_a_real_fork_are_told_apart(scene: Scene, tmp_path: Path) -> None:
    pair = scene.pair
    fork = forked(pair, tmp_path)
    pair.link.lead_to(pair.primary.url)
    wait_until_equal(pair.primary, pair.replica)
    root = pair.client(pair.primary)
    assert root.put(f"root/{fresh()}", {}).status_code == 200
    wait_until_equal(pair.primary, pair.replica)
    here = Scene(pair, position(pair.replica))
    fork.start()
    try:
        pair.link.lead_to(fork.url)
        assert f"fewer than {here.before[0]}" in check_unmoved(here, "behind")
        for _ in range(3):
            assert pair.client(fork).put(f"root/{fresh()}", {}).status_code == 200
        assert "are other ones here" in check_unmoved(here, "diverged")
    finally:
        fork.kill()


def forked(pair: Pair, folder: Path) -> Node:
    """Return a node that is the primary as it is now; both may go on from here."""
    pair.primary.stop()
    copied = folder / "fork"
    shutil.copytree(pair.primary.serverdir, copied, ignore=shutil.ignore_patterns("*.sock"))
    pair.primary.start()
    return Node(copied, workers=1, args=("--member-url", pair.link.url))
