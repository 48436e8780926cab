"""Clusters whose members take over from each other, as operators run them."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from attrs import define, field, frozen

from tests.following import Replica, check_copy, ledgerpi, status, wait_until
from tests.http.client import Client, Dist
from tests.processes import Node, new_node

PORTS = range(20_000, 32_000)  # which no system hands out for connections
SETTLED_S = 60.0  # until all follow one primary: a busy machine is no failure
DURABILITY = "X-Ledgerpi-Durability"
ONE, LOCAL = "replicas=1", "local"
LOGIN = ("--login-attempts", "1000000")


@frozen
class Promotion:
    """What ``ledgerpi promote`` said, and how long it took."""

    said: str
    took_s: float


@define
class Cluster:
    """Members by name; the first one was made as the primary."""

    folder: Path
    args: Sequence[str] = ()
    nodes: dict[str, Node] = field(factory=dict)

    @property
    def primary(self) -> Node:
        """The running node that says it is the primary of the newest epoch."""
        told = [(said.get("serial", 0), name) for name, said in self.told().items() if said.get("role") == "MASTER"]
        return self.nodes[max(told)[1]]

    @property
    def replicas(self) -> list[Node]:
        """All others, running or not."""
        primary = self.primary
        return [node for node in self.nodes.values() if node is not primary]

    def add(self, name: str) -> Node:
        """Enrol and start a replica that may become the primary."""
        token = self.token(self.primary, name)
        self.nodes[name] = Replica(self.folder / name, [self.primary.url], token, workers=1, args=self._placed())
        return self.nodes[name].start()

    def token(self, primary: Node, name: str) -> Path:
        """Enrol a replica and return the file with its token."""
        path = self.folder / f"{name}.token"
        said = ledgerpi("replica-token", "--serverdir", str(primary.serverdir), "--may-promote", name).stdout
        path.write_text(said)
        return path

    def told(self) -> dict[str, dict[str, Any]]:
        """Return what the nodes that answer say of themselves."""
        return {name: said for name, node in self.nodes.items() if (said := answered(node))}

    def is_one(self, *names: str) -> bool:
        """Return whether all nodes, or those with *names*, are here, and have acknowledged one primary's head."""
        told = [said for name, said in self.told().items() if not names or name in names]
        primaries = [said for said in told if said["role"] == "MASTER"]
        if len(told) < len(names or self.nodes) or len(primaries) != 1 or len({said["root"] for said in told}) != 1:
            return False
        (primary,) = primaries
        head = f"{primary['epoch']}:{primary['serial']}"
        acknowledged = {row["name"] for row in primary["members"] if row.get("position") == head}
        return {said["uuid"] for said in told} - {primary["uuid"]} <= acknowledged

    def wait_until_one(self, *names: str) -> None:
        """Return when it is so."""
        wait_until(lambda: self.is_one(*names), lambda: (self.told(), self.logs()), SETTLED_S)

    def logs(self) -> dict[str, str]:
        """Return the ends of what the nodes log."""
        return {name: node.log[-1_500:] for name, node in self.nodes.items()}

    def check(self) -> None:
        """Stop all nodes, and check that they have one history, with all files."""
        primary, replicas = self.primary, self.replicas
        for node in (*replicas, primary):
            node.stop()
        check_copy(primary, *replicas, files=True)
        for node in self.nodes.values():
            ledgerpi("verify", "--serverdir", str(node.serverdir))
            assert "Traceback" not in node.log, node.log[-3_000:]

    def _placed(self) -> tuple[str, ...]:
        return (*self.args, *placed(free_port()))


def placed(port: int) -> tuple[str, ...]:
    """Return the options of a node that stays at a port, and tells so."""
    return ("--port", str(port), "--member-url", f"http://127.0.0.1:{port}")


def free_port() -> int:
    """Return a port that nobody listens at, another one each time."""
    for port in _PORTS:
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if trial.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no port is free")


_PORTS = iter(range(PORTS.start + time.time_ns() // 1_000_000 % (len(PORTS) // 2), PORTS.stop))


@contextmanager
def cluster(
    folder: Path,
    names: Sequence[str],
    replicas: int,
    *args: str,
    stages: Sequence[str] = ("root/dev",),
    mirror_url: str = "",
) -> Iterator[Cluster]:
    """Run a primary ``first`` and replicas with *names*; *replicas* voters have what is acknowledged."""
    made = Cluster(folder, (*LOGIN, *args))
    try:
        given = (*made.args, *placed(free_port()))
        first = new_node(folder, stages=stages, workers=1, args=given, mirror_url=mirror_url)
        made.nodes["first"] = first.start()
        for name in names:
            made.add(name)
        made.wait_until_one()
        if replicas:
            ledgerpi("cluster", "durability", "--serverdir", str(made.primary.serverdir), str(replicas))
            made.wait_until_one()
        yield made
    finally:
        for node in made.nodes.values():
            node.kill()


def answered(node: Node) -> dict[str, Any]:
    """Return ``+status``, nothing of a node that does not answer now."""
    if not node.url or not node.runs:
        return {}
    try:
        return status(node)
    except (requests.RequestException, AssertionError):
        return {}


def promote(node: Node, *options: str, code: int = 0) -> Promotion:
    """Run ``ledgerpi promote``, which ends with *code*."""
    began = time.monotonic()
    done = ledgerpi("promote", "--serverdir", str(node.serverdir), *options, code=code)
    return Promotion(done.stdout + done.stderr, time.monotonic() - began)


def upload(node: Node, dist: Dist, durability: str = "") -> int:
    """Upload a file as root and return the status, 0 without an answer."""
    client = Client(node.url, "root", "secret")
    client.session.headers.update({DURABILITY: durability} if durability else {})
    try:
        return client.upload("root/dev", dist).status_code
    except requests.RequestException:
        return 0
    finally:
        client.close()


def wait_until_taken(node: Node, dist: Dist, durability: str = ONE) -> None:
    """Upload until it is taken."""
    wait_until(lambda: upload(node, dist, durability) == 200, lambda: (answered(node), node.log[-3_000:]), SETTLED_S)
