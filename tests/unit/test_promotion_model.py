"""No write that voters acknowledged is missing from a later primary, whatever is late, lost, or believes too long."""

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from server.ballots import Answer
from server.commands import RemoveMember, SetDurability
from tests.conftest import FULL
from tests.unit.promotion_model import NAMES, Cluster, Node, newest_history

PLACES = st.integers(0, len(NAMES) - 1)
MANY = st.integers(0, 20)


class Promotion(RuleBasedStateMachine):
    """A cluster whose nodes write, copy, acknowledge, promise and take over in any order."""

    newest: Callable[[Answer], tuple[int, int]] = staticmethod(newest_history)

    def __init__(self) -> None:
        super().__init__()
        self.cluster = Cluster()

    def node(self, place: int) -> Node:
        nodes = self.cluster.nodes
        return nodes[place % len(nodes)]

    def primary(self, place: int) -> Node:
        found = [node for node in self.cluster.nodes if node.is_primary]
        return found[place % len(found)] if found else self.node(place)

    @initialize(count=st.integers(2, 4), replicas=st.sampled_from([1, 1, 2, 0]), joined=st.integers(1, 4))
    def begin(self, count: int, replicas: int, joined: int) -> None:
        self.cluster.begin(count)
        first, *others = self.cluster.nodes
        for node in others[:joined]:
            self.cluster.join(node, first)
            self.cluster.copy(node, first, 100)
        self.cluster.order(first, SetDurability(replicas))
        for _ in range(3):  # so that the change is settled, and all know it
            self.everyone_follows(0)

    def everyone_follows(self, place: int) -> None:
        primary = self.primary(place)
        for node in self.cluster.nodes:
            self.cluster.copy(node, primary, 100)
            self.cluster.tell(node)
        self.deliver_all(primary)

    def deliver_all(self, primary: Node) -> None:
        for told in self.cluster.messages:
            self.cluster.hear(primary, told)
        self.cluster.messages.clear()

    @rule(place=PLACES, more=st.sampled_from([0, 0, 0, 1]), count=st.sampled_from([1, 1, 4]))
    def write(self, place: int, more: int, count: int) -> None:
        for _ in range(count):
            self.cluster.write(self.primary(place), more)

    @rule(place=PLACES, source=PLACES, count=st.sampled_from([1, 2, 100]))
    def copy(self, place: int, source: int, count: int) -> None:
        self.cluster.copy(self.node(place), self.node(source), count)

    @rule(place=PLACES, source=PLACES)
    def follow(self, place: int, source: int) -> None:
        self.cluster.copy(self.node(place), self.primary(source), 100)
        self.cluster.tell(self.node(place))

    @rule(place=PLACES, source=PLACES, by=PLACES)
    def write_and_acknowledge(self, place: int, source: int, by: int) -> None:
        primary = self.primary(source)
        self.cluster.write(primary, 0)
        for number in (place, by):
            self.cluster.copy(self.node(number), primary, 100)
            self.cluster.tell(self.node(number))
        self.deliver_all(primary)

    @rule(place=PLACES)
    def settle_down(self, place: int) -> None:
        self.everyone_follows(place)

    @rule(place=PLACES)
    def tell(self, place: int) -> None:
        self.cluster.tell(self.node(place))

    @precondition(lambda self: self.cluster.messages)
    @rule(place=PLACES, which=MANY, again=st.booleans())
    def hear(self, place: int, which: int, again: bool) -> None:  # noqa: FBT001 - hypothesis draws it
        messages = self.cluster.messages
        told = messages[which % len(messages)]
        if not again:
            messages.remove(told)
        self.cluster.hear(self.primary(place), told)

    @precondition(lambda self: self.cluster.messages)
    @rule()
    def lose_messages(self) -> None:
        self.cluster.messages.clear()

    @rule(place=PLACES)
    def restart(self, place: int) -> None:
        self.cluster.restart(self.node(place))

    @rule(place=PLACES, other=PLACES)
    def learn(self, place: int, other: int) -> None:
        self.cluster.learn(self.node(place), self.node(other))

    @rule(place=PLACES, source=PLACES)
    def join(self, place: int, source: int) -> None:
        self.cluster.join(self.node(place), self.primary(source))

    @rule(place=PLACES, source=PLACES, replicas=st.integers(-1, 2))
    def change_members(self, place: int, source: int, replicas: int) -> None:
        remove = RemoveMember(self.node(place).name)
        self.cluster.order(self.primary(source), remove if replicas < 0 else SetDurability(replicas))

    @rule(place=PLACES, seen=st.lists(PLACES, max_size=3))
    def stand(self, place: int, seen: list[int]) -> None:
        self.cluster.stand(self.node(place), [self.node(other) for other in seen])

    @precondition(lambda self: self.cluster.candidacies)
    @rule(which=MANY, other=PLACES)
    def ask(self, which: int, other: int) -> None:
        candidacies = self.cluster.candidacies
        self.cluster.ask(candidacies[which % len(candidacies)], self.node(other))

    @precondition(lambda self: self.cluster.candidacies)
    @rule(which=MANY)
    def take_over(self, which: int) -> None:
        candidacies = self.cluster.candidacies
        self.cluster.take_over(candidacies.pop(which % len(candidacies)), self.newest)

    @rule(place=PLACES, others=st.lists(PLACES, min_size=1, max_size=3))
    def promote(self, place: int, others: list[int]) -> None:
        asked = [self.node(other) for other in others]
        count = len(self.cluster.candidacies)
        self.cluster.stand(self.node(place), asked)
        if len(self.cluster.candidacies) > count:
            candidacy = self.cluster.candidacies.pop()
            for other in asked:
                self.cluster.ask(candidacy, other)
            self.cluster.take_over(candidacy, self.newest)

    @invariant()
    def no_two_primaries_have_one_epoch(self) -> None:
        epochs = [epoch for epoch, _ in self.cluster.begun]
        assert len(epochs) == len(set(epochs))


EXAMPLES = settings(max_examples=2_000 if FULL else 60, stateful_step_count=60)


def test_no_acknowledged_write_is_missing_from_a_later_primary() -> None:
    run_state_machine_as_test(Promotion, settings=EXAMPLES)
