"""Which projects of an index have words in name or summary, for clients of PyPI's old search."""

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen
from packaging.version import InvalidVersion
from packaging.version import Version as Pep440

from changelog import contents
from changelog.errors import BlobDamaged
from changelog.names import ProjectName, Version
from changelog.tables import Store, serial_key
from changelog.views import guard, projects, upstream
from changelog.views.page import Status
from changelog.views.pages import Source
from server.commands import Caller
from server.metadata import versiondata
from server.parts import Parts
from server.sources import looked_up

MAX_HITS = 100
MAX_DOCUMENTS = 2_000  # whose summary one search reads
NAME, SUMMARY = "name", "summary"


@frozen
class Hit:
    """A project that was found."""

    project: ProjectName
    version: Version  # the newest
    summary: str


def find(  # noqa: PLR0913 - who asks where for what
    parts: Parts, store: Store, index: str, words: Mapping[str, Sequence[str]], *, is_any: bool, reader: Caller
) -> list[Hit]:
    """Return the projects of *index* and its bases whose fields have the *words*, in lower case, at most 100.

    A field has them if it contains all of its words; one such field is enough if *is_any*, else all have to. Names
    are those that this node knows in what *reader* may read, and no upstream is asked. Those whose name has the
    words come first.
    """
    order, asked = parts.sources.order(store, index, reader), looked_up(store, index)
    names = sorted({name for _, incarnation in order.sources for name in _names(store, incarnation)})
    named = [name for name in names if _has(name, words.get(NAME, ()))]
    if not words.get(SUMMARY) or (not is_any and words.get(NAME)):
        candidates = named
    elif words.get(NAME):
        found = set(named)
        candidates = named + [name for name in names if name not in found]
    else:
        candidates = names
    sure = set(named) if words.get(NAME) and (is_any or not words.get(SUMMARY)) else set()
    hits: list[Hit] = []
    for place, name in enumerate(candidates):
        if len(hits) == MAX_HITS or (place >= MAX_DOCUMENTS and name not in sure):
            break
        hit = _hit(parts, store, guard.visible(store, asked.by(reader, name), name), name)
        if hit is not None and (name in sure or _has(hit.summary, words.get(SUMMARY, ()))):
            hits.append(hit)
    return hits


def _names(store: Store, incarnation: int) -> Iterator[ProjectName]:
    for table in (projects.PROJECTS.current.name, upstream.PAGES.name):
        for key, _ in store.scan(table, serial_key(incarnation)):
            yield ProjectName(key[8:].decode())


def _has(text: str, words: Sequence[str]) -> bool:
    lower = text.lower()
    return all(word in lower for word in words)


def _hit(parts: Parts, store: Store, asked: Sequence[Source], project: ProjectName) -> Hit | None:
    """Return what the first of *asked* that has the project says of it."""
    for _, incarnation in asked:
        row = projects.find(store, incarnation, project)
        if row is not None and row.status is not Status.QUARANTINED:
            version, release = max(projects.releases(store, row.incarnation), key=lambda item: _order(item[0]))
            return Hit(project, version, _summary(parts, store, release.metadata))
        listed = parts.mirrors.mirrored.of(store, incarnation, project)
        if listed:
            return Hit(project, max((file.version for file in listed.values()), key=_order), "")
    return None


def _summary(parts: Parts, store: Store, metadata: bytes) -> str:
    try:
        raw = contents.read(store, parts.blobs, metadata) if metadata else b""
    except BlobDamaged:  # a replica has not fetched it yet
        return ""
    said = versiondata(raw).get(SUMMARY, "")
    return said if isinstance(said, str) else ""


def _order(version: Version) -> tuple[bool, Pep440 | str]:
    try:
        return (True, Pep440(version))
    except InvalidVersion:
        return (False, version)
