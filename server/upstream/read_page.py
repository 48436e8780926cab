"""Reads simple pages of any index: the form is told by the content type, or by the first byte."""

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from changelog.names import ProjectName
from server.upstream import read_html, read_json
from server.upstream.page import InvalidPage, UpstreamPage, shown
from server.upstream.pieces import pieces

_JSON = "application/vnd.pypi.simple.v1+json"
_HTML = "application/vnd.pypi.simple.v1+html"
_TYPES = {_JSON: _JSON, "application/json": _JSON, _HTML: _HTML, "text/html": _HTML}
_UNTYPED = {"", "application/octet-stream", "binary/octet-stream"}
_STARTS = {b"{": _JSON, b"<": _HTML}

_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([^\s;\"']*)", re.ASCII | re.IGNORECASE)
_CHARSET_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
# Not every codec of Python is a charset, and some take long.
_CHARSETS = {"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252", "utf-16", "utf-16-le", "utf-16-be"}


def read_page(body: BinaryIO, content_type: str, url: str, project: ProjectName) -> UpstreamPage:
    """Return the page of *project* in *body*; *url* is where it came from, after redirects.

    Blocks while it reads and parses.

    Raises:
        InvalidPage: it is not what its type says, not of that project, or over a bound.
    """
    form, found = _form(body, content_type)
    if form == _JSON:
        return read_json.read_project(found, url, project)
    return read_html.read_project(_texts(found, content_type), url, project)


def read_list(body: BinaryIO, content_type: str) -> Iterator[ProjectName]:
    """Return the names of a project list, read from *body* as they are asked for; one may come twice.

    Raises:
        InvalidPage: it is not what its type says; also from the iterator, which may have given names before.
    """
    form, found = _form(body, content_type)
    if form == _JSON:
        return read_json.read_list(found)
    return read_html.read_list(_texts(found, content_type))


def _form(body: BinaryIO, content_type: str) -> tuple[str, Iterator[bytes]]:
    """Return which form *body* has, and its pieces."""
    found = pieces(body)
    name = content_type.partition(";")[0].strip().lower()
    if name in _TYPES:
        return _TYPES[name], found
    if name not in _UNTYPED:
        raise InvalidPage(f"not the type of a simple page: {shown(content_type)}")
    first = next(found, b"")
    form = _STARTS.get(first.lstrip()[:1])
    if form is None:
        raise InvalidPage(f"not a simple page: it begins with {first[:20]!r}")
    return form, chain([first], found)


def _texts(found: Iterable[bytes], content_type: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(_charset(content_type))(errors="replace")
    try:
        for piece in chain(found, [b""]):
            yield decoder.decode(piece, final=not piece)
    except UnicodeError as error:  # UTF-16 without its mark
        raise InvalidPage(f"not a text of its charset: {error}") from error


def _charset(content_type: str) -> str:
    said = _CHARSET.search(content_type)
    if said is None:
        return "utf-8"
    try:
        charset = codecs.lookup(said[1]).name if _CHARSET_NAME.fullmatch(said[1]) else ""
    except LookupError:
        charset = ""
    if charset not in _CHARSETS:
        raise InvalidPage(f"not a charset of a simple page: {shown(content_type)}")
    return charset
