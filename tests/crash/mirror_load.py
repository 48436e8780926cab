"""Clients of a mirror whose upstream gets new releases all the time, and what they may be told."""

import random
import threading
from collections.abc import Iterator

from tests.crash.client import NO_ANSWER, SIMPLE_JSON, Answer, Client
from tests.crash.load import Crowd
from tests.crash.model import Outcome, digest_of
from tests.mirrors import MIRROR, STAGE, file_path
from tests.processes import Node
from tests.upstream.files import UpstreamDist, wheel
from tests.upstream.server import Upstream

PROJECTS = tuple(f"project-{number}" for number in range(12))
CLIENTS = 6
SIZES = (300, 30_000, 400_000)  # bytes: in memory, in memory, sent by sendfile
NO_UPSTREAM = frozenset({502, 503})  # no answer now: nothing is said about what is there
INDEXES = (MIRROR, STAGE)


class MirrorModel:
    """All that the upstream ever had; and the pages that a client was shown, which are there for ever."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._dists: dict[str, UpstreamDist] = {}  # by file name
        self.shown: dict[str, set[str]] = {}  # file names by project
        self.unexpected: list[str] = []  # answers that no client may get
        self.done = 0  # operations that succeeded
        self.unknown = 0
        for project in PROJECTS:
            self.release(project, random.Random(project))  # noqa: S311 - it chooses bytes

    def release(self, project: str, chance: random.Random) -> None:
        """Put a new release on the upstream."""
        note = chance.randbytes(chance.choice(SIZES)).hex()
        with self._lock:
            dist = wheel(project, f"1.{len(self._dists)}", note=note)
            self._dists[dist.filename] = dist
            self._upstream.put(dist)

    def dist(self, chance: random.Random) -> UpstreamDist | None:
        """Return a file that was on a page, None as long as there was no page."""
        with self._lock:
            names = sorted(name for names in self.shown.values() for name in names)
        return self._dists[chance.choice(names)] if names else None

    def dists(self) -> Iterator[UpstreamDist]:
        """Yield all files that were on a page."""
        return (self._dists[name] for names in self.shown.values() for name in sorted(names))

    def known(self, project: str) -> set[str]:
        """Return the files that a page of the project has to have from now on."""
        with self._lock:
            return set(self.shown.get(project, ()))

    def show(self, project: str, page: Answer, known: set[str]) -> None:
        """Take a page: it has what was *known* when it was asked for, and nothing that the upstream never had."""
        files = {file["filename"]: file["hashes"]["sha256"] for file in page.json()["files"]}
        with self._lock:
            wrong = [name for name, digest in files.items() if self._dists[name].sha256 != digest]
            lost = known - files.keys()
            if wrong or lost:
                self.unexpected.append(f"page of {project}: other digests of {wrong}, lost: {lost}")
            self.shown.setdefault(project, set()).update(files)

    def count(self, what: str, answer: Answer, wanted: int, body: bytes | None = None) -> Outcome:
        """Take any answer; *body* is what it has to be if it has the status *wanted*."""
        if answer.status == wanted:
            if body is not None and answer.body != body:
                self.unexpected.append(f"{what}: other bytes, with SHA-256 {digest_of(answer.body)}")
            with self._lock:
                self.done += 1
            return Outcome.OK
        if answer.status not in NO_UPSTREAM:
            self.unexpected.append(f"{what}: {answer.status} {answer.body[:300]!r}")
        return Outcome.UNKNOWN

    def act(self, client: Client, chance: random.Random) -> Outcome:
        """Get a page, a file or core metadata, ask for a refresh, or wait no longer for a new release."""
        project, dist = chance.choice(PROJECTS), self.dist(chance)
        try:
            match chance.choices("pfmrn", (30, 40, 10, 10, 10))[0]:
                case "f" if dist is not None:
                    return get_file(client, self, dist)
                case "m" if dist is not None:
                    path = f"{file_path(dist)}.metadata"
                    return self.count(path, client.get(path), 200, dist.metadata)
                case "r":
                    path = f"/{MIRROR}/+simple/{project}/refresh"
                    return self.count(path, client.ask("POST", path), 302)
                case "n":
                    self.release(project, chance)
                    return Outcome.OK
            return get_page(client, self, project, chance.choice(INDEXES))
        except NO_ANSWER:
            self.unknown += 1
            return Outcome.UNKNOWN


class MirrorLoad(Crowd):
    """Six clients of a mirror."""

    def __init__(self, node: Node, model: MirrorModel, chance: random.Random) -> None:
        super().__init__(node, model.act, lambda: model.done, chance, CLIENTS)


def get_page(client: Client, model: MirrorModel, project: str, index: str = MIRROR) -> Outcome:
    """Get a page."""
    path, known = f"/{index}/+simple/{project}/", model.known(project)
    answer = client.ask("GET", path, headers={"Accept": SIMPLE_JSON})
    outcome = model.count(path, answer, 200)
    if outcome is Outcome.OK:
        model.show(project, answer, known)
    return outcome


def get_file(client: Client, model: MirrorModel, dist: UpstreamDist) -> Outcome:
    """Get a file."""
    path = file_path(dist)
    return model.count(path, client.get(path), 200, dist.content)
