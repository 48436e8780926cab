"""The comparison of two servers names what only one of them has."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from ops.devpi.comparing import Site, differences

Answers = dict[str, Any]  # by path
INDEX, PROJECT = "/ada/dev", "demo"
SHA256 = "ab" * 32
FILE = {
    "filename": "demo-1.0.tar.gz",
    "url": "../../+f/aba/babababababab/demo-1.0.tar.gz",
    "hashes": {"sha256": SHA256},
}
LINK = {"rel": "releasefile", "href": f"http://index.example{INDEX}/+f/aba/babababababab/demo-1.0.tar.gz"}


def answers() -> Answers:
    """Return what a server with one file says, as far as it is asked."""
    return {
        "/": {"result": {"ada": {"indexes": {"dev": {"type": "stage"}}}}},
        INDEX: {"result": {"projects": [PROJECT]}},
        f"{INDEX}/+simple/{PROJECT}/": {"files": [FILE]},
        f"{INDEX}/{PROJECT}?ignore_bases": {"result": {"1.0": {"name": PROJECT, "+links": [LINK]}}},
    }


def without(path: str, *keys: Any) -> Answers:  # noqa: ANN401 - of dicts or lists
    """Return those answers without one part."""
    made = json.loads(json.dumps(answers()))
    part = made[path]
    for key in keys[:-1]:
        part = part[key]
    del part[keys[-1]]
    return made  # type: ignore[no-any-return] # as answers()


@contextmanager
def saying(told: Answers) -> Iterator[Site]:
    """Run a server that answers so, and with some bytes at the file's path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_file = "/+f/" in self.path
            self.send_response(200 if is_file or self.path in told else 404)
            self.end_headers()
            self.wfile.write(b"bytes" if is_file else json.dumps(told.get(self.path)).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Site(f"http://127.0.0.1:{server.server_port}", {})
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("less", "kind", "where"),
    [
        (without("/", "result", "ada"), "user", "ada"),
        (without("/", "result", "ada", "indexes", "dev"), "index", "ada/dev"),
        (without(INDEX, "result", "projects", 0), "project", "ada/dev demo"),
        (without(f"{INDEX}/+simple/{PROJECT}/", "files", 0), "page-file", "ada/dev/+simple/demo/ demo-1.0.tar.gz"),
        (without(f"{INDEX}/{PROJECT}?ignore_bases", "result", "1.0"), "version", "ada/dev demo 1.0"),
        (
            without(f"{INDEX}/{PROJECT}?ignore_bases", "result", "1.0", "+links", 0),
            "link",
            "ada/dev demo 1.0 demo-1.0.tar.gz",
        ),
    ],
)
def test_what_one_server_lacks_is_a_difference(less: Answers, kind: str, where: str) -> None:
    with saying(answers()) as full, saying(less) as lacking:
        for left, right in ((full, lacking), (lacking, full)):
            (found,) = differences(left, right)
            assert (found.kind, found.where, found.left, found.right) == (kind, where, left is full, right is full)
            assert not found.is_expected


def test_equal_servers_have_no_differences() -> None:
    with saying(answers()) as one, saying(answers()) as other:
        assert list(differences(one, other)) == []
