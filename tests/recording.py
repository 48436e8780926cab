"""A small HTTP server between clients and a node: it writes down what was asked, and can meddle."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from attrs import define, field, frozen

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}  # not passed on
TIMEOUT_S = 60.0
CHUNK = 1 << 16  # bytes


@frozen
class Asked:
    """One request and the status of its answer."""

    method: str
    path: str  # decoded, without query
    headers: dict[str, str]  # names in lower case
    status: int
    content_type: str

    @property
    def filename(self) -> str:
        """The last segment of the path."""
        return self.path.rpartition("/")[2]


@define
class Recorder:
    """What passes, and what is done to it."""

    upstream: str  # URL of the node
    url: str = ""
    asked: list[Asked] = field(factory=list)
    accept: str = ""  # replaces every Accept header of simple pages, if set
    cuts: list[int] = field(factory=list)  # a file's answer ends after so many bytes, one number an answer

    def files(self, suffix: str = ".whl") -> list[str]:
        """Return the names of the files asked for that end in *suffix*."""
        return [asked.filename for asked in self.asked if asked.method == "GET" and asked.filename.endswith(suffix)]

    def posts(self) -> list[Asked]:
        """Return the uploads."""
        return [asked for asked in self.asked if asked.method == "POST"]

    def pages(self) -> list[Asked]:
        """Return the requests for simple pages."""
        return [asked for asked in self.asked if "/+simple/" in asked.path]


@contextmanager
def recording(upstream: str) -> Iterator[Recorder]:
    """Record what passes to the node at *upstream*; clients ask the recorder's ``url``."""
    recorder = Recorder(upstream)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(recorder))
    server.daemon_threads = True
    recorder.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="recorder")
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Passes a request on, with the client's Host header: the node makes URLs of it."""

    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT_S
    recorder: Recorder

    def _pass_on(self) -> None:
        parts = urlsplit(self.recorder.upstream)
        node = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=TIMEOUT_S)
        try:
            node.request(self.command, self.path, self._body(), self._request_headers())
            answer = node.getresponse()
            self._write_down(answer)
            self._answer(answer)
        finally:
            node.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on  # noqa: N815 - the base's names

    def _body(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunks()
        length = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(length) if length else None

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _request_headers(self) -> dict[str, str]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        if self.recorder.accept and "/+simple/" in unquote(self.path):
            headers["Accept"] = self.recorder.accept
        return headers

    def _write_down(self, answer: http.client.HTTPResponse) -> None:
        self.recorder.asked.append(
            Asked(
                self.command,
                unquote(self.path.partition("?")[0]),
                {name.lower(): value for name, value in self.headers.items()},
                answer.status,
                answer.headers.get("Content-Type", ""),
            )
        )

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        length = answer.headers.get("Content-Length", "0")
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        left = self.recorder.cuts.pop(0) if self.recorder.cuts and _is_file(self.path) else int(length)
        while left > 0 and (piece := answer.read(min(CHUNK, left))):
            self.wfile.write(piece)
            left -= len(piece)
        if not answer.isclosed() and answer.length:  # cut: the client sees the connection end
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing; what passed is written down."""


def _handler(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    """Return the handler of one recorder: the server makes one for each connection and hands it nothing."""
    return type("Handler", (_Handler,), {"recorder": recorder})


def _is_file(path: str) -> bool:
    return "/+f/" in unquote(path) and not path.endswith(".metadata")
