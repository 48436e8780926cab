"""Rendered pages, kept while they are true: small ones in memory, large ones in files that the workers share."""

import asyncio
import gzip
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from attrs import define, field, frozen

LARGE = 64 << 10  # bytes; larger pages are files, shared by the workers and sent by sendfile
LEAST_COMPRESSED = 512  # bytes; smaller pages are not worth it
GZIP_LEVEL = 6
OVERHEAD = 1_024  # bytes that a page costs besides its bodies, also one of which only the validator was asked for
IDENTITY, GZIP = "", "gzip"

logger = structlog.get_logger()


@frozen
class Key:
    """Which page: of what, in which form."""

    index: str
    project: str  # "" = the project list
    form: str
    base: str = ""  # what links to files begin with, "" = they are relative
    sources: object = ()  # those that it is made of, where that depends on who reads


State = tuple[object, ...]  # all that a page is a function of
Body = bytes | Path
Render = Callable[[], tuple[State, bytes] | None]
IsSmall = Callable[[], bool]  # whether rendering takes less than to tell a thread of it


@define
class Page:
    """A page at one state of its sources, in the codings that were asked for."""

    state: State
    bodies: dict[str, Body] = field(factory=dict)

    def etag(self, coding: str) -> str:
        """Return the strong validator of this page in a coding."""
        return etag(self.state, coding)


def etag(state: State, coding: str) -> str:
    """Return a strong validator: a hash of all that the page is a function of, and of the coding."""
    return f'"{hashlib.sha256(repr((state, coding)).encode()).hexdigest()[:32]}"'


class PageCache:
    """The pages of one worker; large ones lie in *folder* under their validators."""

    def __init__(self, folder: Path, size: int) -> None:
        """Keep up to *size* bytes in memory."""
        self._folder = folder
        self._room = size
        self._pages: OrderedDict[Key, Page] = OrderedDict()
        self._running: dict[tuple[Key, str], asyncio.Future[Body | None]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="render")

    def page(self, key: Key, state: State) -> Page:
        """Return the page at *state*, which is all it is a function of; nothing is rendered."""
        page = self._pages.get(key)
        if page is not None and page.state == state:
            return page
        if page is not None:
            self.forget(key)
        page = self._pages[key] = Page(state)
        self._room -= OVERHEAD
        self._shrink(key)
        return page

    async def body(
        self, key: Key, page: Page, coding: str, render: Render, is_small: IsSmall = lambda: False
    ) -> Body | None:
        """Return the page in *coding*, rendered at most once however many ask; None if *render* finds nothing.

        Rendering and compressing run in a thread, off the loop, unless the page *is_small*. What was rendered may be
        newer than what was asked for; then ``page.state`` says so.
        """
        body = page.bodies.get(coding)
        if body is not None:
            if key in self._pages:
                self._pages.move_to_end(key)
            return body
        name = (key, page.etag(coding))
        running = self._running.get(name)
        if running is None:
            if self._pages.get(key) is page and is_small():
                return self._keep_made(key, page, coding, self._produce(page, coding, render))
            running = asyncio.ensure_future(self._make(key, page, coding, render))
            self._running[name] = running
            running.add_done_callback(lambda _: self._running.pop(name, None))
        return await asyncio.shield(running)

    async def _make(self, key: Key, page: Page, coding: str, render: Render) -> Body | None:
        loop = asyncio.get_running_loop()
        made = await loop.run_in_executor(self._thread, self._produce, page, coding, render)
        if made is None:
            return None
        state, body = made
        newest = self._pages.get(key)
        if newest is not page:  # forgotten meanwhile: only those who wait need the body
            if isinstance(body, bytes) or (newest is not None and newest.state == state):
                return body
            return await loop.run_in_executor(self._thread, _taken, body)
        return self._keep_made(key, page, coding, made)

    def _keep_made(self, key: Key, page: Page, coding: str, made: tuple[State, Body] | None) -> Body | None:
        if made is None:
            return None
        state, body = made
        if state != page.state:
            self._drop(page)
            page.state = state
        self._keep(page, coding, body)
        self._shrink(key)
        return body

    def _produce(self, page: Page, coding: str, render: Render) -> tuple[State, Body] | None:
        shared = self._file(page.state, coding)
        if shared.exists():  # another worker made it
            return page.state, shared
        state, raw = page.state, _read(page.bodies.get(IDENTITY))
        if raw is None:
            made = render()
            if made is None:
                return None
            state, raw = made
        if coding == GZIP:
            raw = gzip.compress(raw, GZIP_LEVEL, mtime=0)
        return state, self._share(self._file(state, coding), raw) if len(raw) > LARGE else raw

    def _file(self, state: State, coding: str) -> Path:
        return self._folder / etag(state, coding).strip('"')

    def _share(self, target: Path, body: bytes) -> Body:
        temporary = target.with_name(f"{target.name}.{os.getpid()}")
        try:
            temporary.write_bytes(body)
            temporary.replace(target)
        except OSError as error:  # a full disk: serve from memory
            temporary.unlink(missing_ok=True)
            logger.warning("page not shared", reason=str(error))
            return body
        return target

    def _shrink(self, newest: Key) -> None:
        while self._room < 0:
            oldest = next(iter(self._pages))
            if oldest == newest:
                return
            self.forget(oldest)

    def forget(self, key: Key) -> None:
        """Drop a page: there is nothing to show, or its file is gone."""
        page = self._pages.pop(key, None)
        if page is not None:
            self._drop(page)
            self._room += OVERHEAD

    def _keep(self, page: Page, coding: str, body: Body) -> None:
        before = page.bodies.get(coding, b"")
        self._room += _in_memory(before) - _in_memory(body)
        page.bodies[coding] = body

    def _drop(self, page: Page) -> None:
        for body in page.bodies.values():
            self._room += _in_memory(body)
            if isinstance(body, Path):
                body.unlink(missing_ok=True)  # who is sending it has it open; who is not renders again
        page.bodies.clear()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _read(body: Body | None) -> bytes | None:
    try:
        return body.read_bytes() if isinstance(body, Path) else body
    except FileNotFoundError:  # another worker dropped the file
        return None


def _taken(path: Path) -> Body | None:
    """Return the bytes of a file that nobody will ask for again, and remove it; it may be gone already."""
    body = _read(path)
    path.unlink(missing_ok=True)
    return path if body is None else body


def _in_memory(body: Body) -> int:
    return len(body) if isinstance(body, bytes) else 0
