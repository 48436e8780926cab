"""Each rule of promotion has a short history that loses an acknowledged write without it, and none with it."""

from collections.abc import Callable

import pytest

from changelog import promise
from changelog.views import voting
from changelog.views.voting import Setting, Voting
from server.acks import Ack, Acks
from server.ballots import Answer
from server.commands import SetDurability
from tests.unit.promotion_model import Cluster, Node, Told, newest_history

LOST = "lacks entry"
Newest = Callable[[Answer], tuple[int, int]]


def settled(count: int, joined: int, replicas: int = 1) -> Cluster:
    """Return a cluster of which *joined* nodes are members and all know it."""
    made = Cluster()
    made.begin(count)
    first = made.nodes[0]
    for node in made.nodes[1:joined]:
        made.join(node, first)
    for change in (SetDurability(replicas), None):
        if change is not None:
            made.order(first, change)
        for _ in range(3):
            replicate(made, first, *made.nodes[1:joined])
    assert voting.find(first.store).settings == (Setting(tuple(range(1, joined + 1)), replicas),)
    return made


def replicate(made: Cluster, primary: Node, *nodes: Node) -> None:
    for node in nodes:
        made.copy(node, primary, 100)
        made.tell(node)
    deliver(made, primary)


def deliver(made: Cluster, primary: Node) -> None:
    for told in made.messages:
        made.hear(primary, told)
    made.messages.clear()


def acknowledged(made: Cluster, primary: Node, *nodes: Node) -> bool:
    """Write, have *nodes* copy it, and return whether the client was told that it is durable."""
    before = len(made.acknowledged)
    made.write(primary, 0)
    replicate(made, primary, *nodes)
    return len(made.acknowledged) > before


def promoted(made: Cluster, node: Node, *others: Node, newest: Newest = newest_history) -> bool:
    """Promote *node* with the answers of *others* and return whether it became the primary."""
    made.stand(node, list(others))
    candidacy = made.candidacies.pop()
    for other in others:
        made.ask(candidacy, other)
    made.take_over(candidacy, newest)
    return node.is_primary


def test_a_promotion_with_enough_answers_has_what_was_acknowledged() -> None:
    made = settled(3, 3)
    a, b, c = made.nodes
    assert acknowledged(made, a, b)
    assert promoted(made, c, b)
    assert c.entries[: b.size] == b.entries


def fewer_answers() -> None:
    made = settled(3, 3)
    a, b, c = made.nodes
    assert acknowledged(made, a, b)
    assert not promoted(made, c)


def test_fewer_answers_would_lose_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    fewer_answers()
    monkeypatch.setattr(Setting, "answers", property(lambda setting: len(setting.voters) - setting.replicas - 1))
    with pytest.raises(AssertionError, match=LOST):
        fewer_answers()


def old_primary_with_a_long_tail(newest: Newest) -> bool:
    made = settled(3, 3)
    a, b, c = made.nodes
    for _ in range(9):
        made.write(a, 0)
    assert promoted(made, c, b)
    assert acknowledged(made, c, b)
    return promoted(made, a, b, newest=newest)


def test_the_largest_history_alone_would_lose_a_write() -> None:
    assert not old_primary_with_a_long_tail(newest_history)
    with pytest.raises(AssertionError, match=LOST):
        old_primary_with_a_long_tail(lambda answer: (answer.size, answer.epoch))


def forgotten_promise(*, forget: bool) -> bool:
    made = settled(3, 3)
    a, b, c = made.nodes
    made.stand(c, [b])
    (candidacy,) = made.candidacies
    made.ask(candidacy, b)
    if forget:
        promise.keep(b.store, 0)
    told = acknowledged(made, a, b)
    made.take_over(candidacy, newest_history)
    return told


def test_a_promise_that_is_forgotten_would_lose_a_write() -> None:
    assert not forgotten_promise(forget=False)
    with pytest.raises(AssertionError, match=LOST):
        forgotten_promise(forget=True)


def unsettled_voter() -> bool:
    made = settled(4, 3)
    a, b, c, d = made.nodes
    made.join(d, a)
    told = acknowledged(made, a, d)
    assert promoted(made, c, b)
    return told


def test_a_new_voter_that_counted_at_once_would_lose_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not unsettled_voter()
    monkeypatch.setattr(Voting, "settings", property(lambda now: (Setting(now.voters, now.replicas),)))
    with pytest.raises(AssertionError, match=LOST):
        unsettled_voter()


def old_entry_on_a_voter() -> bool:
    """B's epoch follows without an entry that A has alone; then A takes over again and C gets that entry."""
    made = settled(3, 3)
    a, b, c = made.nodes
    made.write(a, 0)
    stray = a.size
    assert promoted(made, b, c)
    assert promoted(made, a, c)
    made.copy(c, a, stray - c.size)
    assert c.size == stray
    ack = Ack(c.number, c.epoch, c.size, c.roots[-1], (), made.next())  # which C would not send: it promised more
    made.hear(a, Told(ack, c.cosigner))
    held = a.held >= stray
    assert promoted(made, b, c)
    assert b.entries[: stray - 1] == a.entries[: stray - 1]
    assert not held or b.entries[stray - 1] == a.entries[stray - 1], "signed and lost"
    return held


def test_an_acknowledgement_of_an_older_epoch_that_counted_would_sign_what_can_be_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not old_entry_on_a_voter()
    monkeypatch.setattr(Acks, "_counting", lambda acks: acks.newest)
    with pytest.raises(AssertionError, match="signed and lost"):
        old_entry_on_a_voter()
