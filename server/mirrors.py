"""A worker's part in mirroring: it looks whether pages are fresh, and asks the process that asks upstreams."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from enum import Enum
from math import inf

from attrs import evolve, frozen

from changelog.errors import LedgerpiError, OutcomeUnknown, Unavailable
from changelog.names import FileName, IndexName, ProjectName
from changelog.tables import Store
from changelog.views import indexes, upstream
from changelog.views.indexes import MIRROR
from changelog.views.pages import Source
from server.config import Config
from server.line import Line
from server.upstream.mirrored import MirroredFiles
from server.upstream.names import list_path
from server.upstream.settings import Settings, SettingsCache
from server.upstream.state import FAILED, HEALTH, MISSING, OK, LocalState, page_key
from server.wire import Frame

LIST = ProjectName("")  # stands for the list of all projects where a page has its own
USES_EVERY_S = 10.0  # that the use of files is told
MOMENT_S = 1.0  # that an answer made while upstream is slow stays true


class State(Enum):
    """What is known of a mirror's page."""

    FRESH = "fresh"
    ASK = "ask"  # upstream has to be asked
    STALE = "stale"  # upstream was asked and gave no answer; there is an older page
    MISSING = "missing"  # upstream says that there is none
    FAILED = "failed"  # upstream gave no answer, and there is nothing older


@frozen
class Look:
    """What is known of one mirror's page, and until when (seconds since 1970) that stays so."""

    source: Source
    settings: Settings
    state: State
    until: float
    known: bool  # there is a page
    reason: str = ""


@frozen
class Told:
    """How it went when a page was last asked for, and until when (seconds since 1970) that is all there is to know."""

    outcome: str  # OK, MISSING or FAILED
    reason: str  # why not OK
    until: float


class Mirrors:
    """The mirrors of a node, as one worker sees them."""

    def __init__(self, config: Config, line: Line | None = None) -> None:
        """Read what the node remembers of upstreams; ask by *line*, or else the process that asks them."""
        self.offline = config.offline_mode
        self.mirrored = MirroredFiles()
        self._lists = config.layout.lists
        self._settings = SettingsCache(config.mirror_cache_expiry_s)
        self._local = LocalState(config.layout.local, readonly=True)
        self._line = line or Line(config.layout.upstream_socket, "process that asks upstreams")
        self._uses: dict[bytes, int] = {}
        self._telling: asyncio.Task[None] | None = None
        self._adopting: set[asyncio.Task[None]] = set()

    def are_there(self, store: Store) -> bool:
        """Return whether there is a mirror whose upstream may be asked."""
        return not self.offline and any(row.type == MIRROR for _, row in indexes.INDEXES.scan(store))

    async def connect(self) -> None:
        """Connect to the process that asks upstreams, which starts it before the first question."""
        with suppress(OutcomeUnknown):  # the first question tries again
            await self._line.connect()

    def settings(self, store: Store, incarnation: int) -> Settings | None:
        """Return the settings of a mirror, None if the index is none."""
        return self._settings.of(store, incarnation)

    def look(self, store: Store, sources: Iterable[Source], project: ProjectName) -> list[Look]:
        """Return what is known of a project's page in those of *sources* that are mirrors."""
        looks = []
        for source in sources:
            settings = self._settings.of(store, source[1])
            if settings is not None:
                page = upstream.find(store, source[1], project)
                looks.append(self._look(source, settings, project, 0 if page is None else page.since))
        return looks

    def look_at_list(self, store: Store, sources: Iterable[Source]) -> list[Look]:
        """Return what is known of the lists of all projects of those of *sources* that are mirrors and have one."""
        found = (self._settings.of(store, source[1]) for source in sources)
        return [
            self._look((settings.name, settings.incarnation), settings, LIST, 0)
            for settings in found
            if settings is not None and settings.lists
        ]

    async def ask(self, looks: Sequence[Look], project: ProjectName, *, force: bool = False) -> list[Look]:
        """Have upstreams asked where *looks* say so, or all by *force*, and return what is known then."""
        if len(looks) == 1:  # nearly always; a task would have to be woken
            return [await self._settled(looks[0], project, force=force)]
        return list(await asyncio.gather(*(self._settled(look, project, force=force) for look in looks)))

    async def metadata(self, index: int, project: ProjectName, filename: FileName) -> bytes:
        """Return core metadata as upstream offers them; raises NotFound or Unavailable."""
        (raw,) = await self._line.ask("metadata", index, project, filename)
        return bytes(raw)

    def download(self, index: int, project: ProjectName, filename: FileName, *, damaged: bool) -> AsyncIterator[Frame]:
        """Have a file fetched; yield path, size (-1 = not known yet) and bytes so far.

        At the end also its SHA-256, and all of a small file that came at once: that has no path.

        A file that is there already is not fetched again unless it is *damaged*; its path is not told.

        Raises:
            Unavailable, NotFound, StorageFull: it can not be had; perhaps after some of it came.
        """
        return self._line.stream("file", index, project, filename, damaged)

    def used(self, digest: bytes, size: int) -> None:
        """Note that a fetched file is used; told in batches."""
        self._uses[digest] = size
        if self._telling is None or self._telling.done():
            self._telling = asyncio.ensure_future(self._tell())

    def adopt(self, index: int, project: ProjectName, filename: FileName) -> None:
        """Have it written down that the mirror has a file whose bytes are here for another reason."""
        if not self.offline:
            task = asyncio.ensure_future(self._adopt(index, project, filename))
            self._adopting.add(task)
            task.add_done_callback(self._adopting.discard)

    def health(self, store: Store) -> dict[IndexName, dict[str, object]]:
        """Return how the upstreams of this node's mirrors are doing, those that were asked."""
        with self._local.read() as local:
            rows = [(int.from_bytes(key), row) for key, row in HEALTH.scan(local)]
        found = ((self._settings.of(store, incarnation), row) for incarnation, row in rows)
        return {
            settings.name: {"state": row.outcome, "reason": row.reason, "since": row.at / 1e6, "failures": row.failures}
            for settings, row in found
            if settings is not None
        }

    def close(self) -> None:
        """Close the connection."""
        if self._telling is not None:
            self._telling.cancel()
        for task in self._adopting:
            task.cancel()
        self._line.close()
        self._local.close()

    async def _adopt(self, index: int, project: ProjectName, filename: FileName) -> None:
        with suppress(LedgerpiError):  # whoever asks for the file next tries again
            await self._line.ask("adopt", index, project, filename)

    async def _tell(self) -> None:
        await asyncio.sleep(USES_EVERY_S)
        uses, self._uses = self._uses, {}
        try:
            await self._line.ask("used", list(uses.items()))
        except LedgerpiError:
            self._uses = uses | self._uses  # with the next ones

    def _look(self, source: Source, settings: Settings, project: ProjectName, since: int) -> Look:
        if self.offline:
            return Look(source, settings, State.FRESH, inf, known=True)
        known = since > 0 or (project == LIST and list_path(self._lists, settings).exists())
        ask = Look(source, settings, State.ASK, 0.0, known=known)
        told = self._remembered(settings, project, since)
        return ask if told is None or told.until <= time.time() else _with(ask, told)

    async def _settled(self, look: Look, project: ProjectName, *, force: bool) -> Look:
        if look.state is not State.ASK and not force:
            return look
        try:
            told = await self._asked(look, project, force=force)
        except LedgerpiError as error:
            told = Told(FAILED, str(error), time.time() + MOMENT_S)
        return _with(look, told)

    def _remembered(self, settings: Settings, project: ProjectName, since: int) -> Told | None:
        """Return how the last look at a page went, None if nothing is remembered; *since* is the page's, 0 = none."""
        checked = self._local.checked(page_key(settings.incarnation, settings.identity, project))
        if checked is None:
            return None
        return Told(checked.outcome, checked.reason, checked.good_until(since, settings.expiry_s))

    async def _asked(self, look: Look, project: ProjectName, *, force: bool) -> Told:
        """Have upstream asked for a page, or for the list, and return how that went; raises LedgerpiError if not."""
        if project == LIST:
            outcome, reason = await self._line.ask("list", look.settings.incarnation, look.known)
        else:
            items = (look.settings.incarnation, project, look.known and not force, force)
            outcome, reason = await self._line.ask("page", *items)
        kept_s = look.settings.expiry_s if outcome == OK else MOMENT_S
        return Told(outcome, reason, time.time() + kept_s)


def _with(look: Look, told: Told) -> Look:
    """Return *look* with what was told of it."""
    if told.outcome == OK:
        return evolve(look, state=State.FRESH, until=told.until)
    if told.outcome == MISSING:
        return evolve(look, state=State.MISSING, until=told.until)
    state = State.STALE if look.known else State.FAILED
    return evolve(look, state=state, until=told.until, reason=told.reason)


def unavailable(name: IndexName, looks: Sequence[Look]) -> Unavailable:
    """Return the error that says which upstreams of *name* gave no answer, and why."""
    silent = (State.FAILED, State.STALE)
    failed = "; ".join(f"{look.source[0]}: {look.reason}" for look in looks if look.state in silent)
    return Unavailable(f"{name} can not be answered: {failed}")


def reason_of(name: IndexName, message: str) -> str:
    """Return why the mirror *name* alone can not be answered, of what :func:`unavailable` says."""
    return message.removeprefix(f"{name} can not be answered: {name}: ")
