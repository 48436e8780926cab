"""A wire of IP packets between two namespaces, which delays, loses and reorders them, or is cut without a word.

Packets pass through a thread of the test (TUN devices), since not every kernel has netem; TCP on both sides is the
kernel's own, with its timers and its way of starting slowly.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from attrs import define, frozen

from tests.namespaces import TUN, Namespace

ADDRESSES = ("192.0.2.1", "192.0.2.2")  # of the two ends: TEST-NET-1 (RFC 5737)
DEVICE = "wire"
_TUNSETIFF, _TUN_WITHOUT_HEADER = 0x400454CA, 0x1001  # ioctl; IFF_TUN | IFF_NO_PI
_PACKET = 1 << 16  # bytes
_LOOK_S = 0.05  # at most, between looks at whether it ended
_BACKLOG_S = 0.5  # of a narrow wire, before packets are dropped


@frozen
class Weather:
    """What the wire does to packets, in both directions; it may change meanwhile."""

    delay_s: float = 0.0  # one way
    bytes_per_s: float = 0.0  # each way, 0 = as fast as can be
    lost: float = 0.0  # share of packets
    late: float = 0.0  # share of packets that come behind later ones
    late_s: float = 0.02  # by so much
    silent: bool = False  # nothing passes, and nobody is told


FAIR = Weather()


@define
class _End:
    """One end: its device, and when the wire from it is free again."""

    descriptor: int
    free_at: float = 0.0


class Wire:
    """Connects two namespaces while the block runs; the first one has the first of ADDRESSES."""

    def __init__(self, near: Namespace, far: Namespace, chance: random.Random) -> None:
        self.weather = FAIR
        self.passed = 0  # packets
        self.dropped = 0
        self._chance = chance
        self._ends = tuple(_End(_device(space, address)) for space, address in zip((near, far), ADDRESSES, strict=True))
        self._under_way: list[tuple[float, int, int, bytes]] = []  # due, number, to which device, packet
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        for end in self._ends:
            os.close(end.descriptor)

    @contextmanager
    def bad(self, weather: Weather) -> Iterator[None]:
        """Have *weather* while the block runs."""
        self.weather = weather
        try:
            yield
        finally:
            self.weather = FAIR

    def _run(self) -> None:
        near, far = self._ends
        towards = {near.descriptor: (near, far), far.descriptor: (far, near)}
        poll = select.poll()
        for descriptor in towards:
            poll.register(descriptor, select.POLLIN)
        while not self._ended.is_set():
            due = self._under_way[0][0] - time.monotonic() if self._under_way else _LOOK_S
            for descriptor, _ in poll.poll(min(max(due, 0), _LOOK_S) * 1_000):
                self._take(*towards[descriptor])
            self._deliver()

    def _take(self, source: _End, sink: _End) -> None:
        """Take what a device has sent."""
        with suppress(OSError):  # there is no more, or the device is down
            while packet := os.read(source.descriptor, _PACKET):
                self._send(source, sink, packet)

    def _send(self, source: _End, sink: _End, packet: bytes) -> None:
        weather, now = self.weather, time.monotonic()
        due = max(now, source.free_at) if weather.bytes_per_s else now
        if weather.silent or due - now > _BACKLOG_S or self._chance.random() < weather.lost:
            self.dropped += 1
            return
        if weather.bytes_per_s:
            due += len(packet) / weather.bytes_per_s
            source.free_at = due
        if self._chance.random() < weather.late:
            due += weather.late_s
        self.passed += 1
        heapq.heappush(self._under_way, (due + weather.delay_s, self.passed, sink.descriptor, packet))

    def _deliver(self) -> None:
        """Give the devices what is due."""
        now = time.monotonic()
        while self._under_way and self._under_way[0][0] <= now:
            _, _, descriptor, packet = heapq.heappop(self._under_way)
            with suppress(OSError):  # a device that is down takes nothing
                os.write(descriptor, packet)


def _device(space: Namespace, address: str) -> int:
    """Make the device of one end and return its descriptor."""
    descriptor = space.inside(lambda: os.open(TUN, os.O_RDWR | os.O_NONBLOCK))
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), _TUN_WITHOUT_HEADER))
    space.ip("addr", "add", f"{address}/30", "dev", DEVICE)
    space.ip("link", "set", DEVICE, "up")
    return descriptor
