"""Simple pages of the upstream index, as standards of any year have them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from html import escape
from typing import Any

from attrs import field, frozen

from tests.upstream.files import UpstreamDist

JSON = "application/vnd.pypi.simple.v1+json"
HTML_V1 = "application/vnd.pypi.simple.v1+html"
HTML = "text/html"
_FORMS = {
    JSON: JSON,
    "application/vnd.pypi.simple.latest+json": JSON,
    HTML_V1: HTML_V1,
    "application/vnd.pypi.simple.latest+html": HTML_V1,
    HTML: HTML,
    "text/*": HTML,
    "*/*": HTML,
}

ABSOLUTE, ROOTED, RELATIVE = "absolute", "rooted", "relative"  # http://..., /files/..., ../../files/...
SAME, OTHER_PORT, LOCALHOST = "same", "other port", "localhost"

Entry = dict[str, Any]  # a file's JSON object (PEP 691); HTML is made of it too


@frozen(eq=False)
class Shape:
    """What the index supports. All of it can be changed while it runs."""

    json: bool = True  # no JSON and no application/vnd.pypi.simple.v1+html: an old index
    html: bool = True
    api: str = "1.4"  # of JSON: below 1.1 no versions, sizes and times, below 1.4 no status
    sizes: bool = True  # without them a page of 1.1 or later breaks PEP 700
    upload_times: bool = True
    hashes: Sequence[str] = ("sha256",)  # of sha256 and md5; HTML takes the first
    metadata: bool = True  # PEP 658: announced and served
    metadata_hash: bool = True  # announced by its sha256, or only as being there
    urls: str = ABSOLUTE
    origin: str = SAME  # of files; anything but SAME makes their URLs absolute
    signed: bool = False  # URLs of files have a query that is another one on each page
    base_href: bool = False  # HTML has a base element, and URLs relative to it
    etags: bool = True
    last_modified: bool = False
    ranges: bool = True
    gzip: bool = True  # pages for clients that take it
    serial: int | None = None  # X-PyPI-Last-Serial of the list and of projects not named in *serials*
    serials: Mapping[str, int] = field(factory=dict)  # by normalized project name
    auth: tuple[str, str] | None = None  # user and password that /simple/ and files want, not those elsewhere
    cache_control: str = ""


@frozen(eq=False)
class UpstreamProject:
    """A project and its page."""

    name: str  # as its owner writes it
    dists: tuple[UpstreamDist, ...] = ()
    status: str = ""  # PEP 792
    reason: str = ""
    tracks: tuple[str, ...] = ()  # PEP 708
    alternates: tuple[str, ...] = ()  # the same

    @property
    def versions(self) -> list[str]:
        """The versions that have files, in the order of the text."""
        return sorted({dist.version for dist in self.dists} - {""})


def form_for(accept: str, shape: Shape) -> str:
    """Return the media type to answer with, "" if none is acceptable."""
    offered = {JSON: shape.json, HTML_V1: shape.json and shape.html, HTML: shape.html}
    if not shape.json:
        return HTML  # an old index does not look
    wanted = [_weighed(part) for part in (accept or "*/*").split(",")]
    for media, weight in sorted(wanted, key=lambda pair: -pair[1]):
        form = _FORMS.get(media, "")
        if media == "*/*" and not shape.html:
            form = JSON
        if weight > 0 and offered.get(form, False):
            return form
    return ""


def entry_of(dist: UpstreamDist, url: str, shape: Shape) -> Entry:
    """Return the JSON object of a file, with what *shape* has."""
    entry: Entry = {"filename": dist.filename, "url": dist.url or url, "yanked": dist.yanked}
    entry["hashes"] = {name: text for name, text in dist.claimed_hashes().items() if name in shape.hashes}
    if dist.requires_python:
        entry["requires-python"] = dist.requires_python
    if dist.metadata is not None and shape.metadata:
        entry["core-metadata"] = {"sha256": sha256(dist.metadata).hexdigest()} if shape.metadata_hash else True
    if shape.sizes:
        entry["size"] = len(dist.content) if dist.size is None else dist.size
    if shape.upload_times and dist.upload_time:
        entry["upload-time"] = dist.upload_time
    return {key: value for key, value in (entry | dict(dist.extra)).items() if value is not None}


def project_page(
    project: UpstreamProject, entries: Iterable[Entry], form: str, shape: Shape, serial: int | None, base: str
) -> bytes:
    """Return a project's page; *base* is the URL of a base element, if it shall have one."""
    if form == JSON:
        return _json_page(project, entries, shape, serial)
    return "\n".join(_html_page(project, entries, serial, base)).encode()


def list_page(names: Mapping[str, str], form: str, api: str, serial: int | None) -> bytes:
    """Return the page of all projects; *names* as their owners write them, by normalized name."""
    if form == JSON:
        meta = {"api-version": api} | ({} if serial is None else {"_last-serial": serial})
        return json.dumps({"meta": meta, "projects": [{"name": name} for name in names.values()]}).encode()
    lines = ["<!DOCTYPE html>", "<html><head>", _VERSION, "<title>Simple index</title></head><body>"]
    lines += [f'<a href="/simple/{escape(path)}/">{escape(name)}</a>' for path, name in names.items()]
    return "\n".join([*lines, "</body></html>", *_serial_comment(serial)]).encode()


def anchor(entry: Entry) -> str:
    """Return the HTML of a file with all its attributes."""
    fragment = next((f"#{name}={text}" for name, text in entry["hashes"].items()), "")
    marks = {"href": entry["url"] + fragment, "data-requires-python": entry.get("requires-python")}
    if entry.get("yanked", False) is not False:
        marks["data-yanked"] = "" if entry["yanked"] is True else entry["yanked"]
    core = entry.get("core-metadata", False)
    if core:
        text = "true" if core is True else next(f"{name}={digest}" for name, digest in core.items())
        marks |= {"data-core-metadata": text, "data-dist-info-metadata": text}
    if "gpg-sig" in entry:
        marks["data-gpg-sig"] = "true" if entry["gpg-sig"] else "false"
    marks["data-provenance"] = entry.get("provenance")
    attributes = " ".join(f'{name}="{escape(str(text))}"' for name, text in marks.items() if text is not None)
    return f"<a {attributes}>{escape(entry['filename'])}</a><br />"


_VERSION = '<meta name="pypi:repository-version" content="1.4">'


def _json_page(project: UpstreamProject, entries: Iterable[Entry], shape: Shape, serial: int | None) -> bytes:
    api = tuple(map(int, shape.api.split(".")))
    drop = {"size", "upload-time"} if api < (1, 1) else set()
    meta: dict[str, Any] = {"api-version": shape.api}
    if serial is not None:
        meta["_last-serial"] = serial
    if api >= (1, 2):
        meta |= {name: list(urls) for name, urls in _relations(project) if urls}
    page: dict[str, Any] = {"meta": meta, "name": project.name}
    page["files"] = [{key: value for key, value in entry.items() if key not in drop} for entry in entries]
    if api >= (1, 1):
        page["versions"] = project.versions
    if api >= (1, 4) and project.status:
        page["project-status"] = {"status": project.status} | ({"reason": project.reason} if project.reason else {})
    return json.dumps(page).encode()


def _html_page(project: UpstreamProject, entries: Iterable[Entry], serial: int | None, base: str) -> Iterator[str]:
    yield from ("<!DOCTYPE html>", "<html><head>", _VERSION)
    if project.status:
        yield f'<meta name="pypi:project-status" content="{escape(project.status)}">'
    if project.reason:
        yield f'<meta name="pypi:project-status-reason" content="{escape(project.reason)}">'
    for name, urls in _relations(project):
        yield from (f'<meta name="pypi:{name}" content="{escape(url)}">' for url in urls)
    if base:
        yield f'<base href="{escape(base)}">'
    yield f"<title>Links for {escape(project.name)}</title></head><body><h1>Links for {escape(project.name)}</h1>"
    yield from map(anchor, entries)
    yield "</body></html>"
    yield from _serial_comment(serial)


def _relations(project: UpstreamProject) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("tracks", project.tracks), ("alternate-locations", project.alternates)


def _serial_comment(serial: int | None) -> list[str]:
    return [] if serial is None else [f"<!--SERIAL {serial}-->"]


def _weighed(part: str) -> tuple[str, float]:
    """Return media type and weight of one part of an Accept header."""
    media, *parameters = (piece.strip() for piece in part.split(";"))
    weights = [float(text) for name, _, text in (piece.partition("=") for piece in parameters) if name == "q"]
    return media.lower(), (weights or [1.0])[0]
