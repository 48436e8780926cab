"""What both forms of a project page share: relative file URLs and the version they may claim."""

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote

from changelog.names import IndexName
from changelog.views.page import PageFile, ProjectPage

API_VERSION = "1.4"  # PEP 792
API_VERSION_UNSIZED = "1.0"  # 1.1 and later promise the size of every file (PEP 700)

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._~/-]+")  # a search is faster than quote() of the whole


def api_version(page: ProjectPage) -> str:
    """Return the Simple API version (PEP 629) whose promises the page keeps."""
    return API_VERSION_UNSIZED if any(file.size is None for file in page.files) else API_VERSION


def linked_files(page: ProjectPage, base: str) -> Iterator[tuple[PageFile, str]]:
    """Yield each file with its URL: relative to ``/{user}/{index}/+simple/{project}/``, or behind *base*.

    The URL has no fragment and is percent-encoded: ASCII that needs no escape in HTML or JSON. The
    ``+`` of ``+f`` is literal, one in a file name is ``%2B``, which nobody can take for a space.
    """
    prefixes = {index: _prefix(page.index, index, base) for index in {file.index for file in page.files}}
    for file in page.files:
        yield file, prefixes[file.index] + percent_encoded(file.path.removeprefix("+"))


def percent_encoded(path: str) -> str:
    """Return *path* with all but unreserved characters and slashes percent-encoded (RFC 3986)."""
    return _NOT_PLAIN.sub(_quoted_match, path)


def _prefix(asked: IndexName, stored: IndexName, base: str) -> str:
    if base:
        return f"{base}/{quote(stored, safe='/@')}/+"
    return "../../+" if stored == asked else f"../../../../{quote(stored, safe='/@')}/+"


def _quoted_match(match: re.Match[str]) -> str:
    return _quoted(match[0])


@lru_cache(maxsize=64)  # nearly always the + of a local version
def _quoted(text: str) -> str:
    return quote(text, safe="")
