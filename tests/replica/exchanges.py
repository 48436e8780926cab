"""Whole answers of two nodes, compared: status, headers but the node's own, and bytes."""

import http.client
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from attrs import frozen

OWN_HEADERS = frozenset({"date", "x-devpi-uuid"})  # of a node and a moment, not of the history
OUTSIDE_URL = "https://index.example"  # so that absolute URLs do not tell where a node listens
TOO_MANY = 429
TIMEOUT_S = 30.0
HTML, JSON = "text/html", "application/json"
SIMPLE_JSON, SIMPLE_HTML = "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"
ACCEPTS = (
    HTML,
    JSON,
    "*/*",
    "",
    SIMPLE_JSON,
    SIMPLE_HTML,
    f"{SIMPLE_JSON}, {SIMPLE_HTML};q=0.2, {HTML};q=0.01",
    "image/png",
)


@frozen
class Exchange:
    """What is asked of a node."""

    path: str
    headers: tuple[tuple[str, str], ...]
    method: str = "GET"


@frozen
class Answer:
    """What a node says."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]  # in alphabetical order
    body: bytes

    def header(self, name: str) -> str:
        """Return the value of a header, "" if there is none."""
        return dict(self.headers).get(name, "")


class Asker:
    """Asks one node over one connection."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=TIMEOUT_S)

    def ask(self, exchange: Exchange) -> Answer:
        """Return the answer."""
        headers = {"X-Outside-Url": OUTSIDE_URL, **dict(exchange.headers)}
        self._connection.request(exchange.method, exchange.path, headers=headers)
        answer = self._connection.getresponse()
        kept = [(name.lower(), text) for name, text in answer.getheaders() if name.lower() not in OWN_HEADERS]
        return Answer(answer.status, answer.reason, tuple(sorted(kept)), answer.read())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def forms(path: str, more: Mapping[str, str]) -> list[Exchange]:
    """Return all forms in which *path* can be asked for, with *more* headers."""
    found = []
    for accept in ACCEPTS:
        for coding in ("identity", "gzip"):
            headers = {"Accept-Encoding": coding, **more, **({"Accept": accept} if accept else {})}
            found.append(Exchange(path, tuple(headers.items())))
    found.append(Exchange(path, (("Accept", JSON), ("User-Agent", "pip/26.0"))))
    found.append(Exchange(path, (("Accept", HTML),), "HEAD"))
    return found


def differences(nodes: Sequence[Asker], exchange: Exchange) -> tuple[Answer, list[str]]:
    """Return the first node's answer, and how those of the others differ from it."""
    first, *others = [node.ask(exchange) for node in nodes]
    found = []
    for number, answer in enumerate(others, 1):
        if answer.status == first.status == TOO_MANY:
            continue  # what is left of the pause after wrong passwords differs by a second
        if answer != first:
            headers = sorted(set(first.headers) ^ set(answer.headers))
            is_same = "the same bytes" if first.body == answer.body else f"{first.body[:300]!r}, {answer.body[:300]!r}"
            found.append(f"{exchange}: node {number}: {first.status}, {answer.status}; {headers}; {is_same}")
    return first, found
