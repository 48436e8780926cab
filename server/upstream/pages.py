"""Asking upstream for a project's page, once however many want it, and writing down what changed."""

import asyncio
import tempfile
import time
from io import BytesIO
from typing import BinaryIO

import structlog
from attrs import evolve, frozen

from changelog.errors import Conflict
from changelog.names import ProjectName
from changelog.views import fetched, upstream
from changelog.views.page import Status
from changelog.writer import Committed
from server.executors import in_thread
from server.upstream.asking import CALLER, Upstreams, check_found
from server.upstream.breaker import retry_delays
from server.upstream.client import Answer
from server.upstream.diff import BYTES_AT_ONCE, Difference, Known, compare
from server.upstream.ending import end
from server.upstream.failures import UpstreamFailed, UpstreamRefused
from server.upstream.page import InvalidPage, UpstreamPage
from server.upstream.read_page import read_page
from server.upstream.settings import Settings
from server.upstream.state import CHECKED, FAILED, MISSING, OK, Checked, page_key, put_urls
from server.upstream_commands import ChangeMirrorPage, ReportHash

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
IN_MEMORY = 1 << 20  # bytes of a page; a larger one is a file while it is read
ON_THE_LOOP = 64 << 10  # bytes of a page that is read and compared between other tasks
BRIEFLY_S = 60.0  # that a 404 is remembered, if pages are not fresh for less
AFTER_FAILURE_S = 5.0  # before upstream is asked again for the page
RETRIES = 2  # of a page that nobody has ever seen
ATTEMPTS = 3  # to write down what others change at the same time
MAX_PARTS = 500  # entries of one look at a page, which are one message to the writer
MAX_CLAIMS = 100  # alarms that one look at a page raises
SLOW = "upstream has not answered yet"

logger = structlog.get_logger()


@frozen
class _Running:
    """A look at a page under way."""

    task: "asyncio.Task[Checked]"
    began: float  # of the monotonic clock


@frozen
class _Before:
    """What was known when upstream was asked."""

    since: int  # of the mirror's page, 0 = none
    checked: Checked | None  # the last look, if it was at that page


class Pages:
    """The pages of all mirrors of a node."""

    def __init__(self, upstreams: Upstreams) -> None:
        """Ask *upstreams*."""
        self._upstreams = upstreams
        self._running: dict[tuple[int, ProjectName], _Running] = {}

    async def refresh(self, index: int, project: ProjectName, *, known: bool, force: bool = False) -> tuple[str, str]:
        """Ask upstream for a page and return how that went and why; all who ask meanwhile get the same answer.

        Where a page is *known*, nobody waits for longer than ``--request-timeout`` after upstream was asked. By *force*
        it is asked now: an answer to a question from before may be older than what the caller knows of.
        """
        asked = time.monotonic()
        running = self._running.get((index, project))
        while force and running is not None and running.began < asked:
            await asyncio.wait({running.task})
            await asyncio.sleep(0)  # it is noted in the loop's next turn
            running = self._running.get((index, project))
        if running is None:
            settings = self._upstreams.settings(index)
            before = self._before(settings, project)
            if not force and (recent := _recent(before, settings)) is not None:  # it was asked since the worker looked
                return recent.outcome, recent.reason
            running = self._begin(settings, project, before, force=force)
        if known:
            patience = max(0.0, running.began + self._upstreams.config.request_timeout_s - time.monotonic())
            done, _ = await asyncio.wait({running.task}, timeout=patience)
            if not done:
                return FAILED, SLOW
        checked = await running.task  # nobody who waits here is cancelled before the process ends
        return checked.outcome, checked.reason

    def _begin(self, settings: Settings, project: ProjectName, before: _Before, *, force: bool) -> _Running:
        task = asyncio.ensure_future(self._look(settings, project, before, force=force))
        running = self._running[settings.incarnation, project] = _Running(task, time.monotonic())
        task.add_done_callback(lambda task: self._end(settings, project, task))
        return running

    def _end(self, settings: Settings, project: ProjectName, task: "asyncio.Task[Checked]") -> None:
        """Have a look noted in the loop's next turn: those who wait have it by then.

        Until it is noted it answers all questions, for some that were read before have their turn only now.
        """
        if task.cancelled() or task.exception() is not None:
            self._running.pop((settings.incarnation, project), None)
        else:
            asyncio.get_running_loop().call_soon(self._note, settings, project, task.result())

    def _note(self, settings: Settings, project: ProjectName, checked: Checked) -> None:
        self._running.pop((settings.incarnation, project), None)
        key = page_key(settings.incarnation, settings.identity, project)
        with self._upstreams.local.write() as store:
            CHECKED.put(store, key, checked)

    async def close(self) -> None:
        """End what runs; the next start asks again."""
        await end(running.task for running in self._running.values())

    async def _look(self, settings: Settings, project: ProjectName, before: _Before, *, force: bool) -> Checked:
        try:
            checked = await self._ask_patiently(settings, project, before, force=force)
        except (UpstreamFailed, InvalidPage) as failure:
            reason = settings.without_tokens(str(failure))
            logger.warning("page not refreshed", index=settings.name, project=project, reason=reason)
            if isinstance(failure, InvalidPage | UpstreamRefused):  # it answers, but not with pages
                self._upstreams.note(settings, FAILED, reason)
            wait = getattr(failure, "retry_after_s", None) or AFTER_FAILURE_S
            checked = _checked(before, FAILED, reason, wait)
        return checked

    def _before(self, settings: Settings, project: ProjectName) -> _Before:
        key = page_key(settings.incarnation, settings.identity, project)
        with self._upstreams.reader.snapshot() as store:
            page = upstream.find(store, settings.incarnation, project)
        since = 0 if page is None else page.since
        checked = self._upstreams.local.checked(key)
        return _Before(since, checked if checked is not None and checked.seen == since else None)

    async def _ask_patiently(
        self, settings: Settings, project: ProjectName, before: _Before, *, force: bool
    ) -> Checked:
        """Ask again after a failure where there is nothing else to show."""
        delays = [] if before.since else retry_delays(RETRIES, self._upstreams.breaker(settings).random)
        for delay in delays:
            try:
                return await self._ask(settings, project, before, force=force)
            except UpstreamRefused:
                raise
            except UpstreamFailed:
                await asyncio.sleep(delay)
        return await self._ask(settings, project, before, force=force)

    async def _ask(self, settings: Settings, project: ProjectName, before: _Before, *, force: bool) -> Checked:
        url = settings.page_url(project)
        validators = {} if force else _validators(before)
        headers = {"Accept": ACCEPT, "Accept-Encoding": "gzip", **validators}
        total_s = self._upstreams.config.upstream_timeout_s
        async with self._upstreams.get(settings, url, headers, total_s) as answer:
            if answer.status == 304 and validators:  # noqa: PLR2004 - Not Modified
                return _checked(before, OK, "", settings.expiry_s)
            if answer.status in (404, 410):
                return _missing(settings, before)
            check_found(answer)
            serial = _serial(answer)
            last = -1 if before.checked is None else before.checked.serial
            if 0 <= serial < last and not settings.ignore_serial:
                raise UpstreamRefused(f"upstream went back from serial {last} to {serial}")
            page = await self._read(answer, project)
        if not settings.core_metadata:
            page = evolve(page, files=tuple(evolve(file, core_metadata=None) for file in page.files))
        since, is_whole = await self._write_down(settings, project, page)
        told = answer.headers if is_whole else {}  # what was not believed has to be seen again, once it is accepted
        etag, modified = told.get("ETag", ""), told.get("Last-Modified", "")
        return Checked(_now(), 0, since, OK, "", etag[:1_000], modified[:100], serial)

    async def _read(self, answer: Answer, project: ProjectName) -> UpstreamPage:
        kind = answer.headers.get("Content-Type", "")
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as body:
            size = 0
            async for piece in answer.body(self._upstreams.config.max_page_size):
                size += len(piece)
                body.write(piece)
            body.seek(0)
            whole: BinaryIO = BytesIO(body.read()) if size <= IN_MEMORY else body  # type: ignore[assignment] # is one
            if size <= ON_THE_LOOP:
                return read_page(whole, kind, answer.url, project)
            return await in_thread(read_page, whole, kind, answer.url, project)

    async def _write_down(self, settings: Settings, project: ProjectName, page: UpstreamPage) -> tuple[int, bool]:
        """Write down what differs; return the serial that made the page what it is, and whether all was believed."""
        for reason in page.left_out:
            told = settings.without_tokens(reason)
            logger.info("link left out", index=settings.name, project=project, reason=told)
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._write_once(settings, project, page)
            except Conflict:
                continue
        return await self._write_once(settings, project, page)

    async def _write_once(self, settings: Settings, project: ProjectName, page: UpstreamPage) -> tuple[int, bool]:
        where = (settings.incarnation, project)
        with self._upstreams.reader.snapshot() as store:
            row = upstream.find(store, *where)
            known = Known(
                self._upstreams.mirrored.of(store, *where),
                fetched.of_project(store, *where),
                fetched.alarms_of(store, *where),
            )
        url = settings.page_url(project)
        small = len(page.files) <= 200  # noqa: PLR2004 - files that take about a millisecond
        found = compare(known, page.files, url) if small else await in_thread(compare, known, page.files, url)
        if len(found.parts) > MAX_PARTS:
            raise InvalidPage(f"the page differs in more than {MAX_PARTS * BYTES_AT_ONCE} bytes")
        await self._report(settings, project, found)
        if found.urls:
            with self._upstreams.local.write() as store:
                put_urls(store, page_key(settings.incarnation, settings.identity, project), found.urls)
        same = row is not None and (row.status, row.reason) == (page.status, page.reason)
        if row is not None and same and not found.parts:
            return row.since, not found.claims
        since = 0 if row is None else row.since
        command = ChangeMirrorPage(*where, since, Status(page.status), page.reason, found.base, found.parts)
        done = await self._upstreams.submit(CALLER, command)
        return (done.last if isinstance(done, Committed) else done.serial), not found.claims

    async def _report(self, settings: Settings, project: ProjectName, found: Difference) -> None:
        for claim in found.claims[:MAX_CLAIMS]:
            logger.error("digest changed", index=settings.name, project=project, filename=claim.filename)
            command = ReportHash(settings.incarnation, project, claim.filename, claim.known, claim.claimed)
            await self._upstreams.submit(CALLER, command)


def _validators(before: _Before) -> dict[str, str]:
    checked = before.checked
    if checked is None or not before.since:
        return {}
    found = {"If-None-Match": checked.etag, "If-Modified-Since": "" if checked.etag else checked.modified}
    return {name: value for name, value in found.items() if value}


def _missing(settings: Settings, before: _Before) -> Checked:
    """Return what a 404 means: a project that was there stays, one that never was is missing for a while."""
    briefly = min(BRIEFLY_S, settings.expiry_s)
    if before.since:
        return _checked(before, FAILED, "upstream no longer has the project", briefly)
    return _checked(before, MISSING, "", briefly)


def _recent(before: _Before, settings: Settings) -> Checked | None:
    """Return the last look if that is fresh."""
    if before.checked is None or before.checked.good_until(before.since, settings.expiry_s) <= time.time():
        return None
    return before.checked


def _checked(before: _Before, outcome: str, reason: str, wait_s: float) -> Checked:
    """Return a look that changed nothing; validators stay."""
    now = _now()
    last = before.checked or Checked(0, 0, before.since, "", "", "", "", -1)
    until = now + int(wait_s * 1e6)
    return Checked(now, until, before.since, outcome, reason, last.etag, last.modified, last.serial)


def _serial(answer: Answer) -> int:
    text = answer.headers.get("X-PyPI-Last-Serial", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1  # noqa: PLR2004 - below 2**63


def _now() -> int:
    return time.time_ns() // 1_000
