"""Mirrors on a replica: it asks no upstream, but has its primary look, and waits for the entries of that."""

import asyncio
import tempfile
import time
from collections import OrderedDict
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote

import aiohttp
from attrs import evolve, frozen

from changelog.errors import LedgerpiError, Unavailable
from changelog.names import FileName, IndexName, ProjectName
from changelog.reader import Reader
from changelog.views import upstream
from replica.config import ReplicaConfig
from replica.fetching import FETCHING
from replica.follow import FOLLOWING
from replica.primary import Primary
from server.executors import in_thread
from server.handlers.freshness import STALE, UNAVAILABLE
from server.line import Line
from server.mirrors import LIST, MOMENT_S, Look, Mirrors, Told, reason_of
from server.news import News
from server.upstream import names
from server.upstream.pages import BRIEFLY_S
from server.upstream.read_page import read_list
from server.upstream.settings import Settings
from server.upstream.state import FAILED, MISSING, OK, page_key

ACCEPT = "application/vnd.pypi.simple.v1+json"
IN_MEMORY = 1 << 20  # bytes of a list; a larger one is a file while it is read
MAX_REMEMBERED = 20_000  # pages
SLOW = "the primary has not answered yet"


@frozen
class _Remembered:
    """What was told of a page."""

    at: float  # seconds since 1970
    seen: int  # since of the page then, 0 = none; with another one, this says nothing
    told: Told

    def of(self, settings: Settings) -> Told:
        """Return what it says as the mirror is set now."""
        is_ok = self.told.outcome == OK
        return evolve(self.told, until=self.at + settings.expiry_s) if is_ok else self.told


@frozen
class _Running:
    """A question under way."""

    task: "asyncio.Task[Told]"
    began: float  # of the monotonic clock


class ReplicaMirrors(Mirrors):
    """The mirrors of a replica, as one worker sees them; what the primary said is remembered in memory."""

    def __init__(self, config: ReplicaConfig, primary: Primary, reader: Reader, news: News) -> None:
        """Ask *primary*, whose entries come to *reader*, as *news* tell."""
        super().__init__(config, Line(config.fetch_socket, FETCHING))  # which is told of the use of files
        self._primary = primary
        self._reader = reader
        self._news = news
        self._patience_s = config.request_timeout_s
        self._max_bytes = config.max_page_size
        self._remembering: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._etags: dict[Path, str] = {}  # of lists
        self._running: dict[tuple[int, ProjectName], _Running] = {}

    async def connect(self) -> None:
        """Do nothing: no process here asks upstreams."""

    def adopt(self, index: int, project: ProjectName, filename: FileName) -> None:
        """Do nothing: the primary writes down what a mirror has."""

    def close(self) -> None:
        """End the questions under way."""
        for running in self._running.values():
            running.task.cancel()
        super().close()

    def _remembered(self, settings: Settings, project: ProjectName, since: int) -> Told | None:
        found = self._remembering.get(page_key(settings.incarnation, settings.identity, project))
        return None if found is None or found.seen != since else found.of(settings)

    async def _asked(self, look: Look, project: ProjectName, *, force: bool) -> Told:
        """Have the primary asked once, however many want to know.

        Nobody waits for longer than ``--request-timeout`` where there is an older page, or where nobody is followed,
        so that no entries would come.
        """
        del force  # the primary carries that out itself
        following = self._primary.following.state
        if following != FOLLOWING and look.known:
            return Told(FAILED, f"the primary is {following}", time.time() + MOMENT_S)
        key = (look.settings.incarnation, project)
        running = self._running.get(key) or self._begin(look.settings, project)
        patience_s = max(0.0, running.began + self._patience_s - time.monotonic())
        is_patient = following == FOLLOWING and not look.known
        done, _ = await asyncio.wait({running.task}, timeout=None if is_patient else patience_s)
        return running.task.result() if done else Told(FAILED, SLOW, time.time() + MOMENT_S)

    def _begin(self, settings: Settings, project: ProjectName) -> _Running:
        key = (settings.incarnation, project)
        running = self._running[key] = _Running(
            asyncio.ensure_future(self._question(settings, project)), time.monotonic()
        )
        running.task.add_done_callback(lambda _: self._running.pop(key, None))
        return running

    async def _question(self, settings: Settings, project: ProjectName) -> Told:
        try:
            outcome, reason = await (self._list(settings) if project == LIST else self._page(settings, project))
        except LedgerpiError as error:
            outcome, reason = FAILED, str(error)
        kept_s = {OK: settings.expiry_s, MISSING: min(BRIEFLY_S, settings.expiry_s)}.get(outcome, MOMENT_S)
        told = Told(outcome, reason, time.time() + kept_s)
        self._remember(settings, project, told)
        return told

    def _remember(self, settings: Settings, project: ProjectName, told: Told) -> None:
        """Keep what was told, as long as the page is the one that is here now."""
        with self._reader.snapshot() as store:
            page = upstream.find(store, settings.incarnation, project)
        key = page_key(settings.incarnation, settings.identity, project)
        self._remembering[key] = _Remembered(time.time(), 0 if page is None else page.since, told)
        self._remembering.move_to_end(key)
        if len(self._remembering) > MAX_REMEMBERED:
            self._remembering.popitem(last=False)

    async def _page(self, settings: Settings, project: ProjectName) -> tuple[str, str]:
        """Ask for a page, and wait until the own log has what it is made of."""
        path = f"/{quote(settings.name)}/+simple/{quote(project)}/"
        async with self._primary.ask("HEAD", path, {"Accept": ACCEPT}) as answer:
            said = answer
        if said.status == HTTPStatus.NOT_FOUND:
            return MISSING, ""
        _check_found(settings.name, said)
        serial = said.headers.get("X-PyPI-Last-Serial", "")
        if serial.isascii() and serial.isdigit() and not await self._news.beyond(int(serial) - 1, self._patience_s):
            raise Unavailable(f"entry {serial} of the primary has not come yet")
        return OK, ""

    async def _list(self, settings: Settings) -> tuple[str, str]:
        """Ask for the list of all projects, which no log has, and keep it in the file where a primary has its own."""
        path = names.list_path(self._lists, settings)
        etag = self._etags.get(path, "") if path.exists() else ""
        headers = {"Accept": ACCEPT, "Accept-Encoding": "identity"} | ({"If-None-Match": etag} if etag else {})
        where = f"/{quote(settings.name)}/+simple/"
        async with self._primary.ask("GET", where, headers) as answer:
            _check_found(settings.name, answer)
            if answer.status == HTTPStatus.NOT_MODIFIED:
                return OK, ""
            with tempfile.SpooledTemporaryFile(IN_MEMORY) as body:
                async for piece in answer.content.iter_any():
                    body.write(piece)
                    if body.tell() > self._max_bytes:
                        raise Unavailable(f"the primary's list has over {self._max_bytes} bytes")
                body.seek(0)
                await in_thread(_write, cast("BinaryIO", body), answer.headers.get("Content-Type", ""), path)
        self._etags[path] = answer.headers.get("ETag", "")
        return OK, ""


def _write(body: BinaryIO, kind: str, path: Path) -> None:
    names.write(path, read_list(body, kind))


def _check_found(name: IndexName, answer: aiohttp.ClientResponse) -> None:
    """Raise Unavailable, with the reason that the primary tells, unless it has a page that is not stale."""
    if answer.status not in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED):
        raise Unavailable(reason_of(name, answer.reason or f"the primary answers {answer.status}"))
    trouble = _trouble(name, answer.headers)
    if trouble:
        raise Unavailable(trouble)


def _trouble(name: IndexName, headers: Mapping[str, str]) -> str:
    return (headers.get(STALE) or headers.get(UNAVAILABLE) or "").removeprefix(f"{name}; ")
