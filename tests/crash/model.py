"""What a client knows of every file it sent: what was answered is true, what was not may be true, half is never."""

import hashlib
import random
import threading
from collections.abc import Iterator
from enum import Enum, auto

from attrs import Factory, define

from tests.crash.client import Answer, Wheel, wheel

PROJECTS = ("alpha", "beta", "gamma")
SIZES = (300, 20_000, 90_000, 400_000)  # bytes: in memory, a spool batch, sent by sendfile, checked in a thread
LARGE_TEXT = b"A long description.\n" * 2_000  # core metadata this long are a blob of their own
UNKNOWN_STATUS = frozenset({503})  # the outcome is unknown, as if no answer had come
BROKEN_STATUS = UNKNOWN_STATUS | {500}  # the same while the disk itself fails
REFUSED_STATUS = frozenset({507})  # nothing happened


class Outcome(Enum):
    """What a client knows after an operation."""

    OK = auto()
    REFUSED = auto()
    UNKNOWN = auto()


@define
class History:
    """One file name. Nobody touches it while an operation runs, or after one without an answer until the next check."""

    project: str
    version: str
    possible: set[str | None] = Factory(lambda: {None})  # digests that may be there now, None = no file
    paths: dict[str, str] = Factory(dict)  # by digest: every content that was ever sent
    were_there: set[str] = Factory(set)  # digests that certainly were there once
    seeds: dict[str, int] = Factory(dict)  # by digest: what makes the same bytes again
    busy: bool = False
    changed: bool = True  # since the last check

    @property
    def filename(self) -> str:
        """The name of the distribution file."""
        return f"{self.project}-{self.version}-py3-none-any.whl"

    @property
    def now(self) -> str | None:
        """The digest that is there; call it only when that is certain."""
        (digest,) = self.possible
        return digest

    def content(self, seed: int) -> Wheel:
        """Return the file that *seed* stands for, and remember it."""
        chance = random.Random(seed)  # noqa: S311 - test data
        payload = chance.randbytes(chance.choice(SIZES))
        text = LARGE_TEXT if chance.random() < 0.1 else b"What it says.\n"
        file = wheel(self.project, self.version, payload, text)
        self.paths[file.sha256] = file.path
        self.seeds[file.sha256] = seed
        return file

    def settle(self, digest: str | None) -> None:
        """Note that *digest* is there now."""
        self.possible = {digest}
        if digest is not None:
            self.were_there.add(digest)


class Model:
    """All histories of one index."""

    def __init__(self, unknown_status: frozenset[int] = UNKNOWN_STATUS) -> None:
        self._unknown_status = unknown_status
        self.histories: list[History] = []
        self.unexpected: list[str] = []  # answers that no client may get
        self.done = 0  # operations that succeeded
        self.unknown = 0
        self.refused = 0
        self._lock = threading.Lock()

    def take(self, chance: random.Random) -> History:
        """Return a file name for one operation, mostly a new one; no one else gets it until it is given back."""
        with self._lock:
            known = chance.sample(self.histories, min(3, len(self.histories)))
            free = [history for history in known if not history.busy and len(history.possible) == 1]
            if not free or chance.random() < 0.5:
                number = len(self.histories)
                history = History(PROJECTS[number % len(PROJECTS)], f"1.{number}")
                self.histories.append(history)
            else:
                history = free[0]
            history.busy = history.changed = True
            return history

    def give_back(self, history: History, target: str | None, outcome: Outcome) -> None:
        """Note what became of the operation that would have made *target* true."""
        with self._lock:
            if outcome is Outcome.OK:
                history.settle(target)
                self.done += 1
            elif outcome is Outcome.UNKNOWN:
                history.possible.add(target)
                self.unknown += 1
            else:
                self.refused += 1
            history.busy = False

    def outcome(self, what: str, answer: Answer) -> Outcome:
        """Return what *answer* tells."""
        if answer.status == 200:
            return Outcome.OK
        if answer.status in self._unknown_status:
            return Outcome.UNKNOWN
        if answer.status not in REFUSED_STATUS:
            self.unexpected.append(f"{what}: {answer.status} {answer.body[:300]!r}")
            return Outcome.UNKNOWN
        return Outcome.REFUSED

    def sample(self, chance: random.Random, count: int) -> Iterator[History]:
        """Yield what changed since the last check and *count* others."""
        others = [history for history in self.histories if not history.changed]
        yield from [history for history in self.histories if history.changed]
        yield from chance.sample(others, min(count, len(others)))


def digest_of(content: bytes) -> str:
    """Return SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()
