"""Concurrent uploaders and deleters, whose operations a model records."""

import random
import time
from collections.abc import Callable

from tests.crash.client import NO_ANSWER, Client
from tests.crash.model import History, Model, Outcome
from tests.crash.threads import Working
from tests.processes import Node

CLIENTS = 8
PAUSE_S = 0.02  # after a fault


class Crowd(Working):
    """Clients at work while the block runs; who gets no answer goes on with the node's present URL.

    *act* is one operation, *done* tells how many succeeded so far.
    """

    def __init__(
        self,
        node: Node,
        act: Callable[[Client, random.Random], Outcome],
        done: Callable[[], int],
        chance: random.Random,
        clients: int = CLIENTS,
    ) -> None:
        self._node = node
        self._act = act
        self._done = done
        super().__init__(chance, clients)

    def wait_for(self, operations: int, within_s: float) -> None:
        """Return after *operations* more succeeded.

        Raises:
            AssertionError: they did not in time.
        """
        wanted, deadline = self._done() + operations, time.monotonic() + within_s
        while self._done() < wanted:
            assert time.monotonic() < deadline, f"the node does not work again: {self._node.log[-3_000:]}"
            time.sleep(PAUSE_S)

    def work(self, chance: random.Random) -> None:
        url, client = "", Client("http://127.0.0.1:1")
        while not self.end.is_set():
            if url != self._node.url:
                client.close()
                url, client = self._node.url, Client(self._node.url)
            if self._act(client, chance) is Outcome.UNKNOWN:
                time.sleep(PAUSE_S)
        client.close()


class Load(Crowd):
    """Eight clients that upload, replace, send again and delete."""

    def __init__(self, node: Node, model: Model, chance: random.Random, clients: int = CLIENTS) -> None:
        act = lambda client, its_own: operate(client, model, its_own)  # noqa: E731 - a function would say no more
        super().__init__(node, act, lambda: model.done, chance, clients)


def operate(client: Client, model: Model, chance: random.Random) -> Outcome:
    """Upload, replace, send again or delete one file."""
    history = model.take(chance)
    now = history.now
    if now is not None and chance.random() < 0.5:
        return _delete(client, model, history, now)
    again = now is not None and chance.random() < 0.3
    return upload(client, model, history, history.seeds[now] if again and now else chance.getrandbits(32))


def upload(client: Client, model: Model, history: History, seed: int) -> Outcome:
    """Upload the content that *seed* stands for."""
    file = history.content(seed)
    try:
        outcome = model.outcome(f"upload of {file.filename}", client.upload(file))
    except NO_ANSWER:
        outcome = Outcome.UNKNOWN
    model.give_back(history, file.sha256, outcome)
    return outcome


def _delete(client: Client, model: Model, history: History, digest: str) -> Outcome:
    try:
        outcome = model.outcome(f"deletion of {history.filename}", client.delete(history.paths[digest]))
    except NO_ANSWER:
        outcome = Outcome.UNKNOWN
    model.give_back(history, None, outcome)
    return outcome
