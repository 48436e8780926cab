"""Concurrent uploaders at random nodes of a cluster, who write down what was acknowledged and how durable it is."""

import random
import threading
import time

import requests
from attrs import define, field, frozen

from server import positions
from tests.crash.threads import Working
from tests.http.client import Client, Dist, wheel
from tests.replica.promoting import DURABILITY, LOCAL, ONE, Cluster

UPLOADERS = 4
PATIENCE_S = 12.0  # for an answer; without one it is not known what became of it
PAUSE_S = 0.1  # between two uploads: the nodes are to be killed amid writes, not to be measured
EXPECTED = frozenset({200, 409, 502, 503})  # 409: it was lost with the primary that had it


@frozen
class Acknowledged:
    """An upload that was answered with 200."""

    dist: Dist
    durability: str
    position: str  # of the answer

    @property
    def epoch(self) -> int:
        """The epoch whose primary acknowledged it."""
        return positions.parse(self.position).epoch


@define
class Record:
    """What all uploaders know."""

    acknowledged: list[Acknowledged] = field(factory=list)
    unknown: int = 0  # uploads of which it is not known
    unexpected: list[str] = field(factory=list)  # answers that no client may get
    lock: threading.Lock = field(factory=threading.Lock)

    def count(self, durability: str) -> int:
        """Return how many writes were acknowledged with *durability*."""
        return sum(write.durability == durability for write in self.acknowledged)

    def take(self, dist: Dist, durability: str, answer: requests.Response | None) -> None:
        """Note an answer, None = there was none."""
        with self.lock:
            if answer is not None and answer.status_code == 200:
                self.acknowledged.append(Acknowledged(dist, durability, answer.headers["X-Ledgerpi-Position"]))
                return
            self.unknown += 1
            if answer is not None and answer.status_code not in EXPECTED:
                self.unexpected.append(f"{dist.filename}: {answer.status_code} {answer.text[:300]}")


class Uploaders(Working):
    """At work while the block runs; each file has a name of its own."""

    def __init__(self, cluster: Cluster, record: Record, chance: random.Random) -> None:
        """Upload to any node of *cluster* that runs."""
        self._cluster = cluster
        self._record = record
        super().__init__(chance, UPLOADERS)

    def wait_for(self, durability: str, since: int, within_s: float) -> None:
        """Return when more than *since* writes were acknowledged with *durability*."""
        deadline = time.monotonic() + within_s
        while self._record.count(durability) <= since:
            assert time.monotonic() < deadline, (self._cluster.told(), self._cluster.logs())
            time.sleep(PAUSE_S)

    def work(self, chance: random.Random) -> None:
        while not self.end.is_set():
            running = [node for node in self._cluster.nodes.values() if node.runs and node.url]
            durability = chance.choice((ONE, LOCAL))
            dist = wheel(f"p{chance.getrandbits(40):x}", note="x" * chance.choice((1, 20_000)))
            client = Client(chance.choice(running).url, "root", "secret")
            client.session.headers[DURABILITY] = durability
            answer = self._sent(client, dist)
            client.close()
            self._record.take(dist, durability, answer)
            time.sleep(PAUSE_S)

    @staticmethod
    def _sent(client: Client, dist: Dist) -> requests.Response | None:
        files = {"content": (dist.filename, dist.content, "application/octet-stream")}
        try:
            return client.ask("POST", "root/dev/", data=dict(dist.fields), files=files, timeout=PATIENCE_S)
        except requests.RequestException:
            return None
