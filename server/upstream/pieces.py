"""The bytes of an upstream's answer, piece by piece."""

from collections.abc import Iterator
from typing import BinaryIO

from server.upstream.page import InvalidPage

PIECE = 64 << 10  # bytes
MAX_BODY = 256 << 20  # bytes; the largest pages that are known have a tenth
_BOM = b"\xef\xbb\xbf"


def pieces(body: BinaryIO) -> Iterator[bytes]:
    """Yield what *body* has in full pieces but for the last, without the mark that UTF-8 may begin with.

    Raises:
        InvalidPage: there is more than MAX_BODY.
    """
    total, piece = 0, _piece(body).removeprefix(_BOM)
    while piece:
        total += len(piece)
        if total > MAX_BODY:
            raise InvalidPage(f"the page has more than {MAX_BODY} bytes")
        yield piece
        piece = _piece(body)


def _piece(body: BinaryIO) -> bytes:
    """Return PIECE bytes, fewer only at the end; one read may give less than was asked for."""
    found = body.read(PIECE)
    while found and len(found) < PIECE and (more := body.read(PIECE - len(found))):
        found += more
    return found
