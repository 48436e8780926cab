"""A voter without a node: it joins, and acknowledges what a test says, by the primary's own routes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from attrs import define, evolve, field
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog.views import voting
from server import keys, positions
from server.acks import ACKS, Ack
from server.introduction import INTRODUCTIONS, Introduction
from server.member_token import MemberToken, sign
from tests.following import ledgerpi, status, wait_until
from tests.processes import Node
from tests.replica.lying import store_of

TIMEOUT_S = 30.0
PAUSE_S = 0.05  # between two acknowledgements


@define
class Voter:
    """A member that has keys, and no log."""

    primary: Node
    name: str
    url: str = "http://127.0.0.1:1"  # where it says that it is: nobody is there
    number: int = 0
    node_key: Ed25519PrivateKey = field(factory=Ed25519PrivateKey.generate)
    cosigner: Ed25519PrivateKey = field(factory=Ed25519PrivateKey.generate)
    token: str = ""

    def join(self) -> requests.Response:
        """Become a member by the token."""
        origin, own, cosigner = status(self.primary)["origin"], keys.public(self.node_key), keys.public(self.cosigner)
        said = Introduction(0, self.name, origin, own, cosigner, self.url, int(time.time()))
        answer = self.post("join", data=INTRODUCTIONS.sign(said, self.node_key))
        if answer.ok:
            self.number = answer.json()["number"]
        return answer

    def ack(self, **changes: object) -> requests.Response:
        """Acknowledge the primary's head, with changes."""
        return self.post("ack", data=ACKS.sign(evolve(self.of_head(), **changes), self.cosigner))  # type: ignore[arg-type]

    def of_head(self) -> Ack:
        """Return what a voter says that has everything."""
        found = status(self.primary)
        epoch = positions.parse(f"{found['epoch']}:{found['serial']}").epoch
        return Ack(self.number, epoch, found["serial"], bytes.fromhex(found["root"]), (), time.time_ns() // 1_000)

    def member_token(self, origin: str) -> str:
        """Return what it shows as a member."""
        return sign(MemberToken(self.number, origin, int(time.time())), self.node_key)

    def post(self, what: str, **body: object) -> requests.Response:
        """Send to a route of members."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        return requests.post(f"{self.primary.url}/+{what}", headers=headers, timeout=TIMEOUT_S, **body)  # type: ignore[arg-type]


def enrolled(primary: Node, name: str) -> Voter:
    """Return a voter that was enrolled, and did not join yet."""
    said = ledgerpi("replica-token", "--serverdir", str(primary.serverdir), "--voter", name).stdout
    return Voter(primary, name, token=said.strip())


@contextmanager
def acknowledging(voter: Voter) -> Iterator[None]:
    """Have *voter* acknowledge all that comes; in the end no change of members is unsettled."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(PAUSE_S):
            voter.ack()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
        wait_until(lambda: not unsettled(voter.primary), lambda: voter)
    finally:
        ended.set()
        thread.join()


def unsettled(node: Node) -> int:
    """Return the serial of a change of members that is not settled, 0 if there is none."""
    with store_of(node) as store:
        return voting.find(store).since
