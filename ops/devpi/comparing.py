"""Two servers with devpi's URLs side by side: every object that one has and the other has not, or has otherwise."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import Request, urlopen

from attrs import frozen

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
TIMEOUT_S = 60.0
CHUNK = 1 << 20

EXPECTED = {  # kind of difference: why it is no fault; docs/operating/moving-from-devpi.md lists them
    "user-times": "the times of users are those of their entries, which an import writes now",
    "name-spelling": "the metadata's name is normalized (PEP 503)",
    "metadata-version": "ledgerpi says the version of the metadata that it serves",
    "option-default": "one server shows an option that has its default, the other does not",
    "option-order": "the lists are the same in another order",
    "requires-python-space": "the same specifiers with other spaces",
    "mirror-url": "only the owner of a mirror is told where its files come from",
    "log-who": "what no user did has no name",
    "md5": "ledgerpi tells MD5 digests besides",
}


@frozen
class Difference:
    """What differs at one place."""

    where: str
    kind: str
    left: object
    right: object

    @property
    def is_expected(self) -> bool:
        """Whether the difference is one of those that have to be."""
        return self.kind in EXPECTED


class Site:
    """A server."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        """Ask *url* with *headers*."""
        self.url = url.rstrip("/") + "/"
        self._headers = dict(headers)

    def json(self, path: str, accept: str = "application/json") -> Any:  # noqa: ANN401 - any JSON
        """Return what the server has at *path*, None if it has nothing."""
        try:
            with self._open(path, accept) as answer:
                return json.load(answer)
        except HTTPError as error:
            if error.code in (404, 410):
                return None
            raise

    def digest(self, path: str) -> str:
        """Return the SHA-256 of the bytes at *path*, or the status that was answered instead."""
        found = hashlib.sha256()
        try:
            with self._open(path, "*/*") as answer:
                while piece := answer.read(CHUNK):
                    found.update(piece)
        except HTTPError as error:
            return f"status {error.code}"
        return found.hexdigest()

    def _open(self, path: str, accept: str) -> Any:  # noqa: ANN401 - urllib's answer
        request = Request(urljoin(self.url, path), headers={**self._headers, "Accept": accept})  # noqa: S310 - http
        return urlopen(request, timeout=TIMEOUT_S)  # noqa: S310 - the operator's URLs


def differences(left: Site, right: Site) -> Iterator[Difference]:
    """Yield what differs."""
    ours, theirs = left.json("")["result"], right.json("")["result"]
    yield from _one_sided("", "user", set(ours), set(theirs))
    for name in sorted(ours.keys() & theirs.keys()):
        yield from _users(name, ours[name], theirs[name])
        mine, other = ours[name].get("indexes", {}), theirs[name].get("indexes", {})
        yield from _one_sided(f"{name}/", "index", set(mine), set(other))
        for index in sorted(mine.keys() & other.keys()):
            where = f"{name}/{index}"
            yield from _options(where, mine[index], other[index])
            yield from _projects(left, right, where, mine[index].get("type", ""))


def _one_sided(where: str, kind: str, left: set[str], right: set[str]) -> Iterator[Difference]:
    """Yield what only one side has; *where* comes before its name."""
    for name in sorted(left ^ right):
        yield Difference(where + name, kind, name in left, name in right)


def _users(name: str, left: dict[str, Any], right: dict[str, Any]) -> Iterator[Difference]:
    for key in sorted((left.keys() | right.keys()) - {"indexes"}):
        if (left.get(key) or "") != (right.get(key) or ""):
            kind = "user-times" if key in ("created", "modified") else "user-text"
            yield Difference(f"{name} {key}", kind, left.get(key), right.get(key))


def _options(where: str, left: dict[str, Any], right: dict[str, Any]) -> Iterator[Difference]:
    for key in sorted((left.keys() | right.keys()) - {"projects"}):
        mine, other = left.get(key), right.get(key)
        if mine == other or (not mine and not other):
            continue
        kind = "option"
        if key == "mirror_url" and not (mine and other):
            kind = "mirror-url"
        elif isinstance(mine, list) and isinstance(other, list) and sorted(mine) == sorted(other):
            kind = "option-order"
        elif key not in left or key not in right:
            kind = "option-default" if (mine if key in left else other) in DEFAULTS.get(key, ()) else "option"
        yield Difference(f"{where} {key}", kind, mine, other)


def _projects(left: Site, right: Site, index: str, kind: str) -> Iterator[Difference]:
    if kind == "mirror":
        return  # what a mirror lists is upstream's word at the time
    lists = [set((site.json(index) or {}).get("result", {}).get("projects", ())) for site in (left, right)]
    yield from _one_sided(f"{index} ", "project", *lists)
    for project in sorted(lists[0] & lists[1]):
        yield from _pages(left, right, index, project)
        yield from _versions(left, right, index, project)


def _pages(left: Site, right: Site, index: str, project: str) -> Iterator[Difference]:
    pages = [site.json(f"{index}/+simple/{quote(project)}/", SIMPLE_JSON) or {} for site in (left, right)]
    ours, theirs = ({file["filename"]: file for file in page.get("files", ())} for page in pages)
    yield from _one_sided(f"{index}/+simple/{project}/ ", "page-file", set(ours), set(theirs))
    for name in sorted(ours.keys() & theirs.keys()):
        where = f"{index}/+simple/{project}/ {name}"
        mine, other = ours[name], theirs[name]
        for key in ("requires-python", "yanked"):
            if (mine.get(key) or "") != (other.get(key) or ""):
                same = str(mine.get(key)).replace(" ", "") == str(other.get(key)).replace(" ", "")
                kind = "requires-python-space" if same else f"page-{key}"
                yield Difference(f"{where} {key}", kind, mine.get(key), other.get(key))
        if mine["hashes"].get("sha256") != other["hashes"].get("sha256"):
            yield Difference(f"{where} sha256", "page-sha256", mine["hashes"], other["hashes"])
        if _path(mine["url"], index) != _path(other["url"], index):
            yield Difference(f"{where} url", "page-url", mine["url"], other["url"])


def _versions(left: Site, right: Site, index: str, project: str) -> Iterator[Difference]:
    path = f"{index}/{quote(project)}?ignore_bases"
    ours, theirs = ((site.json(path) or {}).get("result", {}) for site in (left, right))
    yield from _one_sided(f"{index} {project} ", "version", set(ours), set(theirs))
    for version in sorted(ours.keys() & theirs.keys()):
        where = f"{index} {project} {version}"
        yield from _metadata(where, ours[version], theirs[version])
        yield from _links(left, right, where, (ours[version], theirs[version]))


def _metadata(where: str, left: dict[str, Any], right: dict[str, Any]) -> Iterator[Difference]:
    for key in sorted(key for key in left.keys() | right.keys() if not key.startswith("+")):
        mine, other = _said(left.get(key)), _said(right.get(key))
        if mine == other:
            continue
        kind = {"name": "name-spelling", "metadata_version": "metadata-version"}.get(key, f"metadata-{key}")
        yield Difference(f"{where} {key}", kind, mine, other)


def _links(left: Site, right: Site, where: str, sides: tuple[dict[str, Any], dict[str, Any]]) -> Iterator[Difference]:
    ours, theirs = ({_name(link["href"]): link for link in side.get("+links", ())} for side in sides)
    yield from _one_sided(f"{where} ", "link", set(ours), set(theirs))
    for name in sorted(ours.keys() & theirs.keys()):
        mine, other = ours[name], theirs[name]
        yield from _link(f"{where} {name}", mine, other)
        digests = [site.digest(_relative(site, link["href"])) for site, link in ((left, mine), (right, other))]
        if digests[0] != digests[1]:
            yield Difference(f"{where} {name}", "bytes", *digests)


def _link(where: str, left: dict[str, Any], right: dict[str, Any]) -> Iterator[Difference]:
    for key in ("rel", "hash_spec"):
        if left.get(key) != right.get(key):
            yield Difference(f"{where} {key}", f"link-{key}", left.get(key), right.get(key))
    targets = [_name(link.get("for_href", "")) for link in (left, right)]
    if targets[0] != targets[1]:
        yield Difference(f"{where} for_href", "link-for_href", *targets)
    if urlsplit(left["href"]).path.rpartition("/+f/")[2] != urlsplit(right["href"]).path.rpartition("/+f/")[2]:
        yield Difference(f"{where} href", "link-href", left["href"], right["href"])
    hashes = [link.get("hashes", {}) for link in (left, right)]
    for key in sorted(hashes[0].keys() | hashes[1].keys()):
        if hashes[0].get(key) != hashes[1].get(key):
            one_sided = key == "md5" and not (key in hashes[0] and key in hashes[1])
            kind = "md5" if one_sided else "link-hashes"
            yield Difference(f"{where} {key}", kind, hashes[0].get(key), hashes[1].get(key))
    yield from _logs(where, left.get("log", []), right.get("log", []))


def _logs(where: str, left: list[dict[str, Any]], right: list[dict[str, Any]]) -> Iterator[Difference]:
    if len(left) != len(right):
        yield Difference(f"{where} log", "log", left, right)
        return
    for mine, other in zip(left, right, strict=True):
        for key in sorted(mine.keys() | other.keys()):
            if (mine.get(key) or None) != (other.get(key) or None):
                kind = "log-who" if key == "who" and not (mine.get(key) and other.get(key)) else f"log-{key}"
                yield Difference(f"{where} log {key}", kind, mine.get(key), other.get(key))


def _said(value: object) -> object:
    """Return a value of the metadata without what says nothing."""
    if isinstance(value, str):
        value = value.strip()
        return None if value in ("", "UNKNOWN") else value
    if isinstance(value, list):
        return [item for item in (_said(item) for item in value) if item] or None
    return value


def _name(href: str) -> str:
    return urlsplit(href).path.rpartition("/")[2]


def _path(url: str, index: str) -> str:
    """Return the path of a file below its index."""
    return urlsplit(urljoin(f"/{index}/+simple/project/", url)).path.rpartition("/+f/")[2].partition("#")[0]


def _relative(site: Site, href: str) -> str:
    """Return *href* as a path of *site*, whatever the server calls itself."""
    return urljoin(site.url, urlsplit(href).path.removeprefix("/"))


DEFAULTS: dict[str, tuple[object, ...]] = {
    "acl_read": ([":ANONYMOUS:"],),
    "acl_toxresult_upload": ([":ANONYMOUS:"],),
    "mirror_whitelist_inheritance": ("intersection", "union"),
    "mirror_cache_expiry": (1800,),
}
