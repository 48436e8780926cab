"""The way from a replica to its primary: a wire between network namespaces, or a proxy where there can be none."""

import random
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests import links
from tests.following import Replica, new_replica, new_token
from tests.links import Link
from tests.namespaces import Namespace, namespaces, why_not
from tests.processes import Node, new_node
from tests.wires import ADDRESSES, DEVICE, Weather, Wire

STAGES = ("root/dev", "root/other")
PORT = 3141  # of nodes in namespaces of their own


class Road(ABC):
    """Two running nodes, and what is between them."""

    primary: Node
    replica: Replica

    @property
    def dropped(self) -> int:
        """Packets that were lost so far."""
        return 0

    @abstractmethod
    def bad(self, weather: Weather) -> AbstractContextManager[None]:
        """Have *weather* while the block runs."""

    @abstractmethod
    def down(self, chance: random.Random) -> AbstractContextManager[None]:
        """Cut the road somewhere while the block runs; neither side is told."""

    @abstractmethod
    def nowhere(self) -> AbstractContextManager[None]:
        """Have the primary out of reach while the block runs, and tell the replica at once."""


class InNamespace(Node):
    """A node in a namespace of its own, which the test reaches by a proxy on loopback."""

    def put_into(self, space: Namespace, stack: ExitStack) -> Self:
        """Take the namespace; the proxy ends with *stack*."""
        self._space = space
        door = Link(f"http://127.0.0.1:{PORT}")
        space.inside(lambda: stack.enter_context(door))  # so that its threads connect from there
        self._door = door.url
        return self

    @property
    def command(self) -> list[str]:
        """As its base, inside."""
        return self._space.command([*super().command, "--host", "0.0.0.0", "--port", str(PORT)])  # noqa: S104

    def start(self) -> Self:
        """As its base; the URL is the proxy's."""
        super().start()
        self.url = self._door
        return self


class PrimaryInNamespace(InNamespace, Node):
    """A primary."""


class ReplicaInNamespace(InNamespace, Replica):
    """A replica."""


class PacketRoad(Road):
    """A wire of packets; the nodes have kernels' own TCP between them."""

    def __init__(self, near: Namespace, far: Namespace, folder: Path, stack: ExitStack) -> None:
        self._spaces = (near, far)
        self.wire = stack.enter_context(Wire(near, far, random.Random(1)))  # noqa: S311 - it chooses packets
        made = new_node(folder, stages=STAGES)
        self.primary = PrimaryInNamespace(made.serverdir).put_into(near, stack).start()
        stack.callback(self.primary.kill)
        url, token = f"http://{ADDRESSES[0]}:{PORT}", new_token(self.primary, folder)
        self.replica = ReplicaInNamespace(folder / token.stem, [url], token).put_into(far, stack)
        stack.callback(self.replica.kill)
        self.replica.start()

    @property
    def dropped(self) -> int:
        """As its base."""
        return self.wire.dropped

    def bad(self, weather: Weather) -> AbstractContextManager[None]:
        """As its base."""
        return self.wire.bad(weather)

    @contextmanager
    def down(self, chance: random.Random) -> Iterator[None]:
        """As its base: the wire, or the device at one of its ends."""
        where = chance.randrange(3)
        if where == len(self._spaces):
            with self.wire.bad(Weather(silent=True)):
                yield
            return
        self._spaces[where].ip("link", "set", DEVICE, "down")
        try:
            yield
        finally:
            self._spaces[where].ip("link", "set", DEVICE, "up")

    @contextmanager
    def nowhere(self) -> Iterator[None]:
        """As its base: the replica's kernel says that there is no route."""
        route = ("unreachable", f"{ADDRESSES[0]}/32")
        self._spaces[1].ip("route", "add", *route)
        try:
            yield
        finally:
            self._spaces[1].ip("route", "del", *route)


class ProxyRoad(Road):
    """A proxy on loopback; it has no packets that could be lost."""

    def __init__(self, why: str, folder: Path, stack: ExitStack) -> None:
        self._why = why
        self.primary = new_node(folder, stages=STAGES).start()
        stack.callback(self.primary.kill)
        self.link = stack.enter_context(Link(self.primary.url))
        self.replica = new_replica(self.primary, folder, via=self.link.url)
        stack.callback(self.replica.kill)
        self.replica.start()

    def bad(self, weather: Weather) -> AbstractContextManager[None]:
        """As its base."""
        if weather.lost or weather.late:
            pytest.skip(f"a proxy loses no packets, and there are no network namespaces: {self._why}")
        return self.link.bad(links.Weather(delay_s=weather.delay_s, bytes_per_s=weather.bytes_per_s))

    def down(self, chance: random.Random) -> AbstractContextManager[None]:
        """As its base."""
        del chance
        return self.link.bad(links.Weather(held=True))

    @contextmanager
    def nowhere(self) -> Iterator[None]:
        """As its base."""
        with self.link.bad(links.Weather(closed=True)):
            self.link.cut()
            yield
            self.link.lead_to(self.primary.url)  # where it is now


@contextmanager
def road(folder: Path) -> Iterator[Road]:
    """Make two nodes in *folder* with a road between them; all of it ends with the block."""
    why = why_not() or ("" if shutil.which("nsenter") else "there is no nsenter")
    with ExitStack() as stack:
        if why:
            yield ProxyRoad(why, folder, stack)
        else:
            near, far = stack.enter_context(namespaces("primary", "replica"))
            yield PacketRoad(near, far, folder, stack)
