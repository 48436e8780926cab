"""The links of a page as absolute URLs that can be asked for."""

import re
from urllib.parse import urljoin, urlsplit

from changelog.errors import InvalidName
from server.upstream.page import shown

MAX_URL = 2_000  # characters
_MAX_KNOWN = 100  # origins and folders to remember: a page has few, an attack has many
_SCHEMES = ("https://", "http://")
_CHARACTERS = re.compile(r"[^\x00-\x20\x7f-\xa0\\\ud800-\udfff]*")
# No dot segments, no scheme, no query: joined as plain text.
_BELOW = re.compile(r"(?:[A-Za-z0-9_+%~][^/:;?]*/)*[A-Za-z0-9_+%~][^/:;?]*")


class Base:
    """What the relative links of a page are relative to."""

    def __init__(self, url: str) -> None:
        """Join to *url*."""
        self.url = url
        self._folders: dict[str, str] = {}  # what "", "../", "../../" ... lead to
        self._origins: set[str] = set()  # scheme and authority that were found good

    def absolute(self, said: object) -> str:
        """Return *said* as an absolute http or https URL of at most MAX_URL characters, without fragment.

        Raises:
            InvalidName: it is none, or has control characters, spaces or backslashes.
        """
        if not isinstance(said, str) or len(said) > MAX_URL or not said:
            raise InvalidName(f"not a URL: {_named(said)}")
        text = said.partition("#")[0] if "#" in said else said
        if not _is_plain(text) and not _CHARACTERS.fullmatch(text):
            raise InvalidName(f"not a URL (its characters): {_named(said)}")
        if not text.startswith(_SCHEMES):
            text = self._joined(text)
        origin = text[: text.find("/", 8) + 1]  # empty where no path follows
        if origin not in self._origins:
            _check(text)
            if origin and len(self._origins) < _MAX_KNOWN:
                self._origins.add(origin)
        return text

    def _joined(self, text: str) -> str:
        folder, below = _split(text)
        if _BELOW.fullmatch(below) and not folder.replace("../", ""):
            joined = self._folder(folder) + below
        else:
            joined = _join(self.url, text)
        if len(joined) > MAX_URL:
            raise InvalidName(f"a URL of more than {MAX_URL} characters: {_named(joined)}")
        return joined

    def _folder(self, path: str) -> str:
        found = self._folders.get(path)
        if found is None:
            found = _join(self.url, path or "./")
            if len(self._folders) < _MAX_KNOWN:
                self._folders[path] = found
        return found


def _named(url: object) -> str:
    """Return *url* as a message shows it, without credentials and the query, which may have others."""
    if not isinstance(url, str):
        return shown(url)
    _, at, place = url[:MAX_URL].partition("?")[0].rpartition("@")
    return shown("***" + at + place if at else place)


def _is_plain(text: str) -> bool:
    """Tell at a third of the time whether *text* surely has good characters only."""
    return text.isprintable() and " " not in text and "\\" not in text


def _check(text: str) -> None:
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError as error:
        raise InvalidName(f"not a URL: {_named(text)}") from error
    if not good:
        raise InvalidName(f"not an http URL: {_named(text)}")


def _split(text: str) -> tuple[str, str]:
    """Return the leading ``../`` steps of a relative link, and what is below them."""
    steps = text.rfind("../")
    return (text[: steps + 3], text[steps + 3 :]) if steps >= 0 else ("", text)


def _join(base: str, text: str) -> str:
    try:
        scheme, colon, rest = urljoin(base, text).partition(":")
    except ValueError as error:
        raise InvalidName(f"not a URL: {_named(text)}") from error
    return scheme.lower() + colon + rest
