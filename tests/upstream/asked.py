"""What an upstream index was asked."""

import math
import time
from base64 import b64decode
from collections.abc import Iterable
from fnmatch import fnmatchcase

from attrs import define

LIST, PAGE, FILE, METADATA = "list", "page", "file", "metadata"
OTHER = "other"  # any path that the index has not
ALL = "*"


@define(eq=False)
class Asked:
    """One request, written down as it arrives and complete as the answer ends."""

    method: str
    path: str  # decoded, without query
    query: str
    headers: dict[str, str]  # names in lower case
    kind: str  # list, page, file, metadata or other
    name: str  # a page's project (as asked for), a file's name (without .metadata)
    began: float  # s, monotonic
    status: int = 0  # 0: the connection was closed, or will be, without an answer
    ended: float = math.inf  # s, monotonic; inf: not yet
    sent: int = 0  # bytes of the body that were handed to the connection

    @property
    def credentials(self) -> tuple[str, str] | None:
        """User and password that were sent (RFC 7617), None if none were."""
        scheme, _, encoded = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        user, _, password = b64decode(encoded).decode().partition(":")
        return user, password

    @property
    def is_open(self) -> bool:
        """Whether it is being answered."""
        return math.isinf(self.ended)

    def end(self) -> None:
        """Write down that no more of the answer follows than is being sent now."""
        if self.is_open:
            self.ended = time.monotonic()

    def fits(self, where: str) -> bool:
        """Return whether it is of the kind *where*, or its path matches *where* as shells match names."""
        return where == self.kind or fnmatchcase(self.path, where)


def most_at_once(asked: Iterable[Asked]) -> int:
    """Return how many of the requests were there at the same time, at most."""
    changes = sorted(change for one in asked for change in ((one.began, 1), (one.ended, -1)))
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most
