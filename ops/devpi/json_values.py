"""A JSON file of any size, value by value: no more than one value of a known place is in memory.

The standard library's parser in C reads each value from a window of the text. ijson, which reads large pages of
upstreams, hands over every name and number as an event; its values are made in Python and took five times as long.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from changelog.errors import InvalidForm

WINDOW = 1 << 20  # characters that are read at once
MAX_VALUE = 64 << 20  # characters of one value
_SPACE = re.compile(r"[ \t\n\r]*")
_SURROGATES = re.compile("[\ud800-\udfff]")
_SPECIAL = "\\ud"  # begins the escape of a surrogate, which may be alone
_BEHIND = frozenset(" \t\n\r,:]}")  # what ends a value; a number without it may have lost its other part
_DECODER = json.JSONDecoder()


class Text:
    """The text of a file, from where it was read to on."""

    def __init__(self, path: Path) -> None:
        """Open *path*.

        Raises:
            InvalidForm: it can not be read.
        """
        self._name = path.name
        try:
            self._file = path.open(encoding="utf-8", newline="")
        except OSError as error:
            raise InvalidForm(f"{path} can not be read: {error.strerror}") from error
        self._window, self._at, self._is_whole = "", 0, False

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def members(self) -> Iterator[str]:
        """Yield the names of the object that begins here; the caller reads the value of each.

        Nothing is yielded for what is no object, as the empty arrays that old versions of devpi-server wrote for such.
        """
        if self._peek() != "{":
            self.value()
            return
        for name in self._parts("}"):
            if not isinstance(name, str):
                raise self._wrong("a name was expected")
            self._take(":")
            yield name

    def items(self) -> Iterator[tuple[Any, str]]:
        """Yield value and text of each item of the array that begins here; nothing for what is none."""
        if self._peek() != "[":
            self.value()
            return
        yield from self._raw_parts("]")

    def value(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the value that begins here."""
        return self.raw_value()[0]

    def raw_value(self) -> tuple[Any, str]:
        """Return the value that begins here, and its text.

        Raises:
            InvalidForm: it is no JSON, nested too deep, or too large.
        """
        self._peek()
        while True:
            try:
                found, end = _DECODER.raw_decode(self._window, self._at)
            except json.JSONDecodeError as error:
                if not self._more():
                    raise self._wrong(error.msg) from error
            except (RecursionError, ValueError) as error:  # ValueError: a number of thousands of digits
                raise self._wrong(str(error)) from error
            else:
                if self._window[end : end + 1] in _BEHIND or self._is_whole:
                    break
                self._more()  # a number may go on behind the window
        text = self._window[self._at : end]
        self._at = end
        if _SPECIAL in text.lower():
            found = _without_surrogates(found)
            text = json.dumps(found)
        return found, text

    def finish(self) -> None:
        """Raise InvalidForm if anything follows."""
        if self._peek():
            raise self._wrong("there is more behind the end")

    def _parts(self, end: str) -> Iterator[Any]:
        for part, _ in self._raw_parts(end):
            yield part

    def _raw_parts(self, end: str) -> Iterator[tuple[Any, str]]:
        self._at += 1
        if self._peek() == end:
            self._at += 1
            return
        while True:
            yield self.raw_value()
            mark = self._peek()
            if mark not in (",", end) or not mark:
                raise self._wrong(f"a comma or {end} was expected")
            self._at += 1
            if mark == end:
                return

    def _take(self, mark: str) -> None:
        if self._peek() != mark:
            raise self._wrong(f"{mark} was expected")
        self._at += 1

    def _peek(self) -> str:
        """Return the next character that is no space, "" at the end."""
        while True:
            self._at = _SPACE.match(self._window, self._at).end()  # type: ignore[union-attr] # matches everything
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Have more of the text in the window, and return whether there was more."""
        left = len(self._window) - self._at
        if left > MAX_VALUE:
            raise self._wrong(f"a value of more than {MAX_VALUE} characters")
        try:
            piece = self._file.read(max(WINDOW, left))
        except UnicodeDecodeError as error:
            raise self._wrong(f"not UTF-8: {error.reason}") from error
        except OSError as error:
            raise self._wrong(f"it can not be read: {error.strerror}") from error
        self._window, self._at, self._is_whole = self._window[self._at :] + piece, 0, not piece
        return bool(piece)

    def _wrong(self, why: str) -> InvalidForm:
        return InvalidForm(f"{self._name} can not be read as JSON: {why[:200]}")


def _without_surrogates(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return *value* with U+FFFD for surrogates, which are alone where JSON's parser leaves them."""
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value
