"""Times of single requests, one after the other over a kept connection, by blocking sockets: little of it is ours."""

import socket
import time
from collections.abc import Iterable

from attrs import define, frozen

from ops.bench.processes import HOST, BenchError

_TIMEOUT_S = 120.0
_PIECE = 1 << 18  # bytes
_END = b"\r\n\r\n"
_LAST = b"0" + _END  # chunk


@frozen
class Timed:
    """A response and when it came, in seconds after the request was sent."""

    status: int
    first_s: float  # the head and the first byte of the body
    whole_s: float
    size: int  # bytes of the body
    body: bytes = b""  # as sent, if it was to be kept


@define
class Clock:
    """A connection to a server, made anew where the server closes it."""

    port: int
    _socket: socket.socket | None = None

    def ask(self, request: bytes, *, keep: bool = False) -> Timed:
        """Send *request* and return how long its answer took; connecting counts, as it does for clients.

        The body is dropped unless it is to be kept.

        Raises:
            BenchError: the connection ended in the middle.
        """
        began = time.perf_counter()
        if self._socket is None:
            self._socket = socket.create_connection((HOST, self.port), timeout=_TIMEOUT_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        head, body = self._head()
        length = _length(head)
        if not body and length:
            body = self._receive()
        first = time.perf_counter()
        pieces: list[bytes] | None = [body] if keep else None
        size = self._rest(body, length, pieces)
        whole = time.perf_counter()
        if b"\r\nconnection: close\r\n" in head:
            self.close()
        return Timed(int(head.split(b" ", 2)[1]), first - began, whole - began, size, b"".join(pieces or ()))

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _head(self) -> tuple[bytes, bytes]:
        """Return the head in lower case, and what came of the body with it."""
        data = b""
        while _END not in data:
            data += self._receive()
        head, _, body = data.partition(_END)
        return head.lower() + b"\r\n", body

    def _rest(self, body: bytes, length: int | None, pieces: list[bytes] | None) -> int:
        """Receive the rest and return the size of all; without *length* the body is in chunks (RFC 9112)."""
        size, end = len(body), body[-len(_LAST) :]
        while (not end.endswith(_LAST)) if length is None else size < length:
            piece = self._receive()
            size, end = size + len(piece), (end + piece)[-len(_LAST) :]
            if pieces is not None:
                pieces.append(piece)
        return size

    def _receive(self) -> bytes:
        if self._socket is None:
            raise BenchError("not connected")
        data = self._socket.recv(_PIECE)
        if not data:
            raise BenchError(f"port {self.port} closed a connection too early")
        return data


def one_after_the_other(port: int, requests: Iterable[bytes]) -> list[Timed]:
    """Send *requests* over one connection and return what each took."""
    clock = Clock(port)
    try:
        return [clock.ask(request) for request in requests]
    finally:
        clock.close()


def _length(head: bytes) -> int | None:
    """Return the Content-Length, None for a body in chunks."""
    _, found, rest = head.partition(b"\r\ncontent-length:")
    if found:
        return int(rest.partition(b"\r\n")[0])
    return None if b"\r\ntransfer-encoding: chunked" in head else 0
