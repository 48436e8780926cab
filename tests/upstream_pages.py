"""Simple pages as bodies, and readers that make large ones while they are read."""

import io
import json
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from changelog.names import ProjectName
from server.upstream.page import UpstreamFile, UpstreamPage
from server.upstream.read_page import read_page

DEMO = ProjectName("demo-project")
URL = "https://index.example/simple/demo-project/"
JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html; charset=utf-8"
WHEEL = "demo_project-1.0-py3-none-any.whl"
SHA256 = "ab" * 32


def item(filename: object = WHEEL, **more: object) -> dict[str, object]:
    """Return an item of ``files``; a key's ``_`` stands for ``-``."""
    said = {"filename": filename, "url": f"https://files.example/{filename}", "hashes": {"sha256": SHA256}}
    return {**said, **{key.replace("_", "-"): value for key, value in more.items()}}


def page(*files: object, **more: object) -> dict[str, object]:
    """Return a page of the demo project; a key's ``_`` stands for ``-``."""
    said = {"meta": {"api-version": "1.4", "_last-serial": 7}, "name": "Demo.Project", "files": list(files)}
    return {**said, **{key.replace("_", "-"): value for key, value in more.items()}}


def read_json(said: object, *, url: str = URL) -> UpstreamPage:
    return read_bytes(json.dumps(said).encode(), JSON, url=url)


def read_html(text: str, *, url: str = URL) -> UpstreamPage:
    return read_bytes(text.encode(), HTML, url=url)


def read_bytes(body: bytes, content_type: str, *, url: str = URL) -> UpstreamPage:
    return read_page(io.BytesIO(body), content_type, url, DEMO)


def only(found: UpstreamPage) -> UpstreamFile:
    """Return the one file of a page of which nothing was left out."""
    assert not found.left_out
    (file,) = found.files
    return file


class Lazy(io.RawIOBase):
    """Reads what *parts* yield, a few of them at a time."""

    def __init__(self, parts: Iterable[str]) -> None:
        self._parts: Iterator[str] = iter(parts)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size:
            more = "".join(part for part, _ in zip(self._parts, range(500), strict=False))
            if not more:
                break
            self._rest += more.encode()
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


def lazily(parts: Iterable[str]) -> BinaryIO:
    return cast("BinaryIO", Lazy(parts))
