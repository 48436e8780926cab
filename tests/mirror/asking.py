"""Files that tests of mirrors ask for, and answers that they read bit by bit."""

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.mirror.site import Site
from tests.upstream.files import UpstreamDist

LARGE = 3 << 20  # bytes
QUIET_S = 0.3
TIMEOUT_S = 20.0


def large(project: str, size: int = LARGE, filename: str = "") -> UpstreamDist:
    """Return an sdist of noise."""
    content = random.Random(project).randbytes(size)  # noqa: S311 - the same each time
    return UpstreamDist(filename or f"{project}-1.0.tar.gz", content)


class Partial:
    """A request whose answer is read bit by bit."""

    def __init__(self, site: Site, path: str, headers: str = "") -> None:
        parts = urlsplit(site.node.url)
        self._socket = socket.create_connection((parts.hostname, parts.port), TIMEOUT_S)
        self._socket.sendall(f"GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode())
        self._raw = b""

    @property
    def head(self) -> bytes:
        return self._raw.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self._raw.partition(b"\r\n\r\n")[2]

    @property
    def length(self) -> int:
        """What the head announces."""
        lines = [line.partition(b": ") for line in self.head.split(b"\r\n")]
        return next(int(text) for name, _, text in lines if name.lower() == b"content-length")

    def read_to(self, size: int) -> bytes:
        """Return the body when it has *size* bytes, or all of it if the connection ends before."""
        while len(self.body) < size and (piece := self._piece()):
            self._raw += piece
        return self.body

    def is_quiet(self, for_s: float = QUIET_S) -> bool:
        """Return whether nothing more comes."""
        self._socket.settimeout(for_s)
        try:
            return not self._piece()
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(TIMEOUT_S)

    def _piece(self) -> bytes:
        try:
            return self._socket.recv(1 << 16)
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        self._socket.close()


@contextmanager
def partial(site: Site, path: str, headers: str = "") -> Iterator[Partial]:
    asked = Partial(site, path, headers)
    try:
        yield asked
    finally:
        asked.close()


def listed(site: Site, dist: UpstreamDist, **options: object) -> tuple[str, str]:
    """Have upstream list a file; return a mirror and the file's path there."""
    site.up.put(dist)
    index = site.mirror(None, **options)
    return index, site.path(index, dist.owner, dist.filename)
