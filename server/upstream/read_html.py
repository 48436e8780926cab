"""The HTML form of simple pages (PEP 503, 592, 629, 658, 714, 740, 792), and listings that web servers make.

A link with its attributes says the same as an item of the JSON form, and is read as one.
"""

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from urllib.parse import unquote

from changelog import names
from changelog.errors import InvalidName
from changelog.names import ProjectName
from server.upstream import fields
from server.upstream.belonging import extension
from server.upstream.files import Files
from server.upstream.links import Base
from server.upstream.page import InvalidPage, UpstreamPage, shown
from server.upstream.read_version import check_version

MAX_TAG = 64 << 10  # characters of a tag or comment
_MAX_END_TAG = 256  # characters; how </script > may be cut

_Attributes = dict[str, str | None]

_SERIAL = re.compile(r"\s*SERIAL\s+([0-9]{1,19})\s*", re.ASCII)
_OTHER_SCHEME = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*:", re.ASCII | re.IGNORECASE)


class _Page(HTMLParser):
    """Reads a page bit by bit: what waits for its end is bounded, and so is the time for it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._has_tags = False
        self._has_links = False
        self._has_form = False
        self._is_simple = False  # it says so itself, or has what only simple pages have

    def take(self, text: str) -> None:
        """Read the next bit of the page."""
        try:
            self.feed(text)
        except (AssertionError, ValueError) as error:  # unknown declarations; references of thousands of digits
            raise InvalidPage(f"not HTML: {shown(str(error))}") from error
        if self.cdata_elem:
            self.rawdata = self.rawdata[-_MAX_END_TAG:]  # nobody reads scripts
        elif "<" not in self.rawdata:
            self.rawdata = ""  # nor text
        elif len(self.rawdata) > MAX_TAG:
            raise InvalidPage(f"not HTML: a tag of more than {MAX_TAG} characters: {shown(self.rawdata[:20])}")

    def end(self) -> None:
        """Refuse a page that ends in a tag, has none, or is a login or error page that was sent in place of one.

        HTMLParser.close() is not called: it searches what is left again and again.
        """
        if not self.cdata_elem and self.rawdata:
            raise InvalidPage(f"the page ends within a tag: {shown(self.rawdata[:20])}")
        if not self._has_tags:
            raise InvalidPage("not HTML: there is no tag")
        if not self._is_simple and (self._has_form or not self._has_links):
            raise InvalidPage("not a simple page: it lists nothing, and has a form or no link at all")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take links and what the head says."""
        self._has_tags = True
        if tag == "a":
            self._has_links = True
            self.on_link(dict(reversed(attrs)))  # of equal attributes the first one counts
        elif tag == "base":
            self.on_base((dict(reversed(attrs)).get("href") or "").strip())
        elif tag == "form":
            self._has_form = True
        elif tag == "meta":
            attributes = dict(reversed(attrs))
            self.on_meta((attributes.get("name") or "").lower(), (attributes.get("content") or "").strip())

    def on_link(self, attributes: _Attributes) -> None:
        """Take an ``<a>``."""

    def on_base(self, href: str) -> None:
        """Take a ``<base>``."""

    def on_meta(self, name: str, content: str) -> None:
        """Take a ``<meta>``."""
        if name == "pypi:repository-version":
            check_version(content)
            self._is_simple = True


class _ProjectPage(_Page):
    def __init__(self, url: str, project: ProjectName) -> None:
        super().__init__()
        self.files = Files(project, url)
        self.status = self.reason = ""
        self.serial: int | None = None
        self._url = url
        self._has_base = False

    def on_link(self, attributes: _Attributes) -> None:
        href = (attributes.get("href") or "").strip()
        if not href or _OTHER_SCHEME.match(href):
            return
        url, _, fragment = href.partition("#")
        filename = _last_segment(url)
        if extension(filename):
            self._is_simple = True
            self.files.add({"filename": filename, "url": url, "hashes": _hashes(fragment), **_said(attributes)})

    def on_base(self, href: str) -> None:
        if self._has_base or not href:
            return
        self._has_base = True  # the first one counts
        try:
            self.files.base = Base(Base(self._url).absolute(href))
        except InvalidName:
            return

    def on_meta(self, name: str, content: str) -> None:
        super().on_meta(name, content)
        if name == "pypi:project-status":
            self.status = content
        elif name == "pypi:project-status-reason":
            self.reason = content

    def handle_comment(self, data: str) -> None:
        if found := _SERIAL.fullmatch(data):
            self.serial = fields.serial(int(found[1]))


class _ProjectList(_Page):
    def __init__(self) -> None:
        super().__init__()
        self.projects: list[ProjectName] = []

    def on_link(self, attributes: _Attributes) -> None:
        href = (attributes.get("href") or "").strip()
        if _OTHER_SCHEME.match(href):
            return
        path = href.partition("#")[0].partition("?")[0]
        try:
            self.projects.append(names.project_name(_last_segment(path.removesuffix("/"))))
        except InvalidName:
            return
        self._is_simple = True


def read_project(texts: Iterable[str], url: str, project: ProjectName) -> UpstreamPage:
    """Return the page of *project*; its links are relative to *url* or its ``<base>``; raises InvalidPage."""
    page = _ProjectPage(url, project)
    for text in texts:
        page.take(text)
    page.end()
    return UpstreamPage(
        files=page.files.all(versions=None),
        status=fields.status(page.status),
        reason=fields.reason(page.reason),
        serial=page.serial,
        left_out=tuple(page.files.left_out),
    )


def read_list(texts: Iterable[str]) -> Iterator[ProjectName]:
    """Yield the projects that a list links to, as they come; raises InvalidPage."""
    page = _ProjectList()
    for text in texts:
        page.take(text)
        yield from page.projects
        page.projects.clear()
    page.end()


def _last_segment(url: str) -> str:
    """Return the last segment of a URL's path, decoded; what is no UTF-8 stays as it is."""
    segment = url.partition("?")[0].rpartition("/")[2]
    if "%" not in segment:
        return segment
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        return segment


def _hashes(fragment: str) -> dict[str, str]:
    """Return what a fragment says: ``sha256=...``, maybe ``&egg=...`` after it."""
    return {name: text for name, _, text in (part.partition("=") for part in fragment.split("&")) if text}


def _said(attributes: _Attributes) -> dict[str, object]:
    """Return the attributes of a link as members of a file in JSON (PEP 691)."""
    get = attributes.get
    yanked = "data-yanked" in attributes and (get("data-yanked") or True)
    return {
        "requires-python": get("data-requires-python"),
        "yanked": yanked,
        "core-metadata": _core_metadata(get("data-core-metadata")),
        "dist-info-metadata": _core_metadata(get("data-dist-info-metadata")),
        "provenance": get("data-provenance"),
    }


def _core_metadata(text: str | None) -> object:
    if text is None:
        return None
    name, equals, digest = text.strip().partition("=")
    return {name: digest} if equals else name.lower() == "true"
