"""A TCP link on loopback that is as bad as a test wants it to be: it cuts, delays, throttles, or falls silent."""

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from attrs import define, frozen

PIECE = 1 << 14
TICK_S = 0.02
STREAM = b"GET /+changelog"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST, as a middlebox does


@frozen
class Weather:
    """What the link does to connections; it may change while they last."""

    cut_within: int = 0  # bytes: each direction of a new connection is cut at a random one of them, 0 = never
    delay_s: float = 0.0  # before each piece goes on
    bytes_per_s: float = 0.0  # 0 = as fast as can be
    held: bool = False  # nothing goes on, and nothing is closed
    streams_held: bool = False  # the same for changelog streams alone
    closed: bool = False  # new connections are refused at once


FAIR = Weather()


@define(eq=False)
class _Connection:
    client: socket.socket
    server: socket.socket
    is_cut: bool = False
    ended: int = 0  # directions that were closed
    is_stream: bool = False

    def cut(self) -> None:
        """Close both ends at once."""
        self.is_cut = True
        for end in (self.client, self.server):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads it
            end.close()


class Link:
    """Forwards connections made to :attr:`url` to the node at *target*, another one when that is set."""

    def __init__(self, target: str, chance: random.Random | None = None) -> None:
        self.target = target
        self.weather = FAIR
        self._chance = chance or random.Random(1)  # noqa: S311 - it chooses where to cut
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._connections: set[_Connection] = set()
        self._ended = False

    @property
    def url(self) -> str:
        """Where the link begins."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    def cut(self) -> None:
        """End all connections."""
        for connection in self._connections.copy():
            connection.cut()

    def lead_to(self, target: str) -> None:
        """Lead to another node from now on."""
        self.target = target
        self.cut()

    @contextmanager
    def bad(self, weather: Weather) -> Iterator[None]:
        """Have *weather* while the block runs."""
        self.weather = weather
        try:
            yield
        finally:
            self.weather = FAIR

    def _accept(self) -> None:
        while not self._ended:
            try:
                client = self._listening.accept()[0]
            except OSError:
                return
            self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        where = urlsplit(self.target)
        try:
            if self.weather.closed:
                raise ConnectionRefusedError
            server = socket.create_connection((where.hostname, where.port), 5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        connection = _Connection(client, server)
        self._connections.add(connection)
        for source, sink in ((client, server), (server, client)):
            with suppress(OSError):  # it was cut meanwhile
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            within = self.weather.cut_within
            left = self._chance.randrange(1, within + 1) if within else -1
            threading.Thread(target=self._pump, args=(connection, source, sink, left), daemon=True).start()

    def _pump(self, connection: _Connection, source: socket.socket, sink: socket.socket, left: int) -> None:
        """Forward one direction until it ends; its end is passed on, and *left* bytes, if not negative, are all."""
        with suppress(OSError):
            while piece := source.recv(PIECE):
                connection.is_stream = connection.is_stream or piece.startswith(STREAM)
                self._wait(connection, len(piece))
                if 0 <= left <= len(piece):
                    sink.sendall(piece[:left])
                    connection.cut()
                    break
                left -= len(piece) if left > 0 else 0
                sink.sendall(piece)
            else:
                sink.shutdown(socket.SHUT_WR)
                connection.ended += 1
                if connection.ended == 1:
                    return
        connection.cut()
        self._connections.discard(connection)

    def _wait(self, connection: _Connection, size: int) -> None:
        weather = self.weather
        time.sleep(weather.delay_s)
        if weather.bytes_per_s:
            time.sleep(size / weather.bytes_per_s)
        while self._is_held(connection) and not connection.is_cut:
            time.sleep(TICK_S)

    def _is_held(self, connection: _Connection) -> bool:
        return self.weather.held or (self.weather.streams_held and connection.is_stream)
