"""A node that speaks ``+changelog`` and says what a test wants, over what an honest primary has on its disk."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from attrs import frozen

from changelog import checkpoint, copying, log
from changelog.copying import Batch
from changelog.reader import Reader
from changelog.tables import LmdbStore
from changelog.vouching import VOUCHED, Vouched
from server import keys
from server.layout import Layout
from server.stream import Cursor, cursor
from server.writer_process import now
from tests.processes import Node


@frozen
class Refusal:
    """An answer that is no stream."""

    status: int
    body: bytes


Telling = Callable[[Cursor], Iterable[bytes] | Refusal]


class Liar(ThreadingHTTPServer):
    """Answers every request for the changelog with what *tell* returns for its cursor, and then is silent."""

    daemon_threads = True

    def __init__(self, tell: Telling) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tell = tell
        self.asked = 0
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Liar

    def do_GET(self) -> None:
        self.close_connection = True
        where = urlsplit(self.path)
        if where.path != "/+changelog":
            self.send_error(404)
            return
        self.server.asked += 1
        told = self.server.tell(cursor(dict(parse_qsl(where.query))))
        self.send_response(told.status if isinstance(told, Refusal) else 200)
        self.end_headers()
        try:
            if isinstance(told, Refusal):
                self.wfile.write(told.body)
                return
            for piece in told:
                self.wfile.write(piece)
            self.server.ended.wait(30)
        except OSError:
            pass  # the replica left

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base has it
        pass


@contextmanager
def store_of(node: Node) -> Iterator[LmdbStore]:
    """Yield what a node has on its disk."""
    reader = Reader(Layout(node.serverdir).changelog)
    try:
        with reader.snapshot() as store:
            yield store
    finally:
        reader.close()


def batch_after(node: Node, size: int) -> Batch:
    """Return what a node would send behind entry *size*."""
    with store_of(node) as store:
        batch = copying.read_batch(store, size)
    assert batch is not None
    return batch


def word_of(node: Node, **changes: object) -> Vouched:
    """Return a primary's word for its head, with changes."""
    with store_of(node) as store:
        head = log.head(store)
    fields = {"member": 1, "epoch": head.epoch, "size": head.size, "root": head.root, "at": now(), **changes}
    return Vouched(**fields)  # type: ignore[arg-type] # of any type that a liar says


def signed_word(node: Node, **changes: object) -> bytes:
    """Return such a word, signed by the primary's own key."""
    return VOUCHED.sign(word_of(node, **changes), keys.load(Layout(node.serverdir).keys, keys.NODE_KEY))


def signed_head(node: Node, size: int, root: bytes, origin: str = "") -> str:
    """Return a checkpoint, signed by the log's own key."""
    with store_of(node) as store:
        signed = checkpoint.parse(log.head(store).checkpoint.rpartition("\n\n")[0] + "\n")
    said = checkpoint.Checkpoint(origin or signed.origin, size, root)
    return checkpoint.sign(said, keys.load(Layout(node.serverdir).keys, keys.LOG_KEY))
