"""Read multipart/form-data piece by piece: bytes in, parts out (RFC 7578, RFC 2046 section 5.1).

Strict on purpose: two readers must not see two forms in the same bytes. Lines end in CRLF, only line
ends stand before the first boundary or after the last, no header is folded or repeated. The layouts
of the upload clients, and why no library reads them, are in docs/design/forms.md.
"""

import re
from collections.abc import Callable, Iterator
from enum import Enum
from functools import lru_cache
from typing import Final, Literal
from urllib.parse import unquote

from attrs import frozen

from changelog.errors import InvalidForm, TooLarge

_TCHARS = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'[ \t]*;[ \t]*({_TCHARS})=(?:"([^"\\]*)"|({_TCHARS}))')
_MEDIA_TYPE = re.compile(rf"{_TCHARS}/{_TCHARS}")
_HEADER = re.compile(rf"({_TCHARS}):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")  # RFC 2046 5.1.1
_EXTENDED = re.compile(r"utf-8'[^']*'(.*)", re.IGNORECASE)  # RFC 8187
_DISPOSITION_PARAMETERS = frozenset({"name", "name*", "filename", "filename*"})
_PLAIN_ENCODINGS = frozenset({"7bit", "8bit", "binary"})
_PLAIN_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_EPILOGUE_BYTES = 4
_SHOWN = 100  # characters of a refused value that a message repeats


class _Mark(Enum):
    END = "end of part"


END: Final = _Mark.END


@frozen
class Part:
    """The head of one part; *filename* is None where a text field begins."""

    name: str
    filename: str | None


Event = Part | bytes | Literal[_Mark.END]


class FormParser:
    """The framing of one form: a Part, its bytes in any number of pieces, END, and so on.

    Holds no more than one part's header block or one delimiter. How the form is cut into chunks
    changes where the pieces are cut and nothing else.
    """

    def __init__(self, boundary: bytes, header_bytes: int) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._header_bytes = header_bytes
        self._data = b"\r\n"  # a delimiter begins with a line end; before the first it is not sent
        self._at = 0
        self._step: Callable[[], Event | None] = self._start
        self._complete = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield what *chunk* completes; the iterator must be used up before the next call.

        Raises:
            InvalidForm: the bytes are no form, or a part's headers say what is not accepted.
            TooLarge: the headers of a part are over the bound.
        """
        self._data = self._data[self._at :] + chunk
        self._at = 0
        while (event := self._step()) is not None:
            yield event

    def finish(self) -> None:
        """Raise InvalidForm unless the closing boundary was read."""
        if not self._complete:
            raise InvalidForm("the form ended early")

    def _start(self) -> Event | None:
        if len(self._data) < len(self._delimiter) + 2:
            return None
        if not self._data.startswith(self._delimiter):
            if not self._data.startswith(self._delimiter, 2):  # setuptools sends a line end first
                raise InvalidForm(f"the form does not begin with its boundary: {self._seen()}")
            self._at = 2
        self._step = self._after_delimiter
        return self._after_delimiter()

    def _after_delimiter(self) -> Event | None:
        after = self._at + len(self._delimiter)
        tail = self._data[after : after + 2]
        if len(tail) < len(b"\r\n"):
            return None
        if tail == b"\r\n":
            self._at = after  # the line end stays: a part without headers has the blank line at once
            self._step = self._headers
        elif tail == b"--":
            self._at = after + 2
            self._complete = True
            self._step = self._epilogue
        else:
            raise InvalidForm(f"a boundary goes on: {self._seen()}")
        return self._step()

    def _headers(self) -> Part | None:
        blank = self._data.find(b"\r\n\r\n", self._at)
        least_end = blank if blank >= 0 else len(self._data) - 3  # the blank line may be cut
        if least_end - self._at - 2 > self._header_bytes:
            raise TooLarge(f"the headers of a part are over {self._header_bytes} bytes")
        if blank < 0:
            return None
        block = self._data[self._at + 2 : blank]
        self._at = blank + 4
        self._step = self._body
        return part_of(block)

    def _body(self) -> bytes | Literal[_Mark.END] | None:
        start, end = self._at, self._data.find(self._delimiter, self._at)
        if end == start:
            self._step = self._after_delimiter
            return END
        if end < 0:
            end = self._first_unsure(start)
        self._at = end
        return self._data[start:end] or None

    def _first_unsure(self, start: int) -> int:
        """Return where a delimiter may begin that has not come whole; only its first byte is a CR."""
        tail = max(start, len(self._data) - len(self._delimiter) + 1)
        at = self._data.rfind(b"\r", tail)
        return at if at >= 0 and self._delimiter.startswith(self._data[at:]) else len(self._data)

    def _epilogue(self) -> None:
        rest = self._data[self._at :]
        if len(rest) > _EPILOGUE_BYTES or rest.strip(b"\r\n"):
            raise InvalidForm(f"the form goes on after its last boundary: {self._seen()}")

    def _seen(self) -> str:
        return _shown(self._data[self._at : self._at + _SHOWN].decode("latin-1"))


def boundary_of(content_type: str) -> bytes:
    """Return the boundary of a ``multipart/form-data`` Content-Type.

    Raises:
        InvalidForm: another media type, or no single boundary of 1 to 70 characters (RFC 2046).
    """
    media_type, parameters = _media_type(content_type)
    if media_type != "multipart/form-data":
        raise InvalidForm(f"not multipart/form-data: {_shown(content_type)}")
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise InvalidForm(f"no usable boundary: {_shown(content_type)}")
    return boundary.encode("ascii")


@lru_cache(maxsize=512)  # clients send the same few dozen header blocks for ever
def part_of(block: bytes) -> Part:
    """Return the part that the header lines *block*, joined by CRLF, open.

    Raises:
        InvalidForm: no form-data disposition with a name; a repeated, folded or broken header; a
            nested multipart; an encoding other than 7bit, 8bit, binary; text that is not UTF-8.
    """
    headers = _header_lines(block)
    part = _disposition(headers.get("content-disposition", ""))
    encoding = headers.get("content-transfer-encoding", "binary")
    if encoding.lower() not in _PLAIN_ENCODINGS:
        raise InvalidForm(f"Content-Transfer-Encoding is not accepted: {_shown(encoding)}")
    if "content-type" in headers:
        _check_type(headers["content-type"], part)
    return part


def _header_lines(block: bytes) -> dict[str, str]:
    try:
        lines = block.decode().split("\r\n")
    except UnicodeDecodeError as error:
        raise InvalidForm(f"a part's header is not UTF-8: {_shown(repr(block))}") from error
    headers: dict[str, str] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None or match[1].lower() in headers:
            raise InvalidForm(f"a part's header is broken or repeated: {_shown(line)}")
        headers[match[1].lower()] = match[2].rstrip(" \t")
    return headers


def _disposition(text: str) -> Part:
    kind, semicolon, rest = text.partition(";")
    parameters = _parameters(semicolon + rest, text)
    name = _value(parameters, "name", text)
    known = parameters.keys() <= _DISPOSITION_PARAMETERS
    if kind.strip().lower() != "form-data" or not name or not known:
        raise InvalidForm(f"not the Content-Disposition of a named form field: {_shown(text)}")
    return Part(name, _value(parameters, "filename", text))


def _value(parameters: dict[str, str], key: str, text: str) -> str | None:
    """Return the parameter *key*, or its extended form ``key*`` (old urllib3), or None."""
    plain, extended = parameters.get(key), parameters.get(f"{key}*")
    if extended is None:
        return plain
    decoded = _percent_decoded(extended, text)
    if plain not in {None, decoded}:
        raise InvalidForm(f"two values of {key}: {_shown(text)}")
    return decoded


def _percent_decoded(extended: str, text: str) -> str:
    match = _EXTENDED.fullmatch(extended)
    if match is None:
        raise InvalidForm(f"not an extended value in UTF-8: {_shown(text)}")
    try:
        return unquote(match[1], errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidForm(f"not an extended value in UTF-8: {_shown(text)}") from error


def _check_type(text: str, part: Part) -> None:
    media_type, parameters = _media_type(text)
    if media_type.startswith("multipart/"):
        raise InvalidForm(f"a multipart inside the form: {_shown(text)}")
    charset = parameters.get("charset", "utf-8")
    if part.filename is None and charset.lower() not in _PLAIN_CHARSETS:
        raise InvalidForm(f"a field that is not UTF-8: {_shown(text)}")


def _media_type(text: str) -> tuple[str, dict[str, str]]:
    media_type, semicolon, rest = text.partition(";")
    media_type = media_type.strip().lower()
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise InvalidForm(f"not a Content-Type: {_shown(text)}")
    return media_type, _parameters(semicolon + rest, text)


def _parameters(rest: str, text: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    at = 0
    while at < len(rest.rstrip(" \t")):
        match = _PARAMETER.match(rest, at)
        if match is None or match[1].lower() in parameters:
            raise InvalidForm(f"broken or repeated parameters: {_shown(text)}")
        parameters[match[1].lower()] = match[3] if match[2] is None else match[2]
        at = match.end()
    return parameters


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
