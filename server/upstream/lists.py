"""The list of all projects of an upstream: asked for only when a client wants it, kept in a file of this node."""

import asyncio
import tempfile
import time
from pathlib import Path

import structlog

from changelog.names import ProjectName
from server.executors import in_thread
from server.upstream import names
from server.upstream.asking import Upstreams, check_found
from server.upstream.ending import end
from server.upstream.failures import UpstreamFailed
from server.upstream.page import InvalidPage
from server.upstream.pages import ACCEPT, AFTER_FAILURE_S, SLOW
from server.upstream.read_page import read_list
from server.upstream.settings import Settings
from server.upstream.state import CHECKED, FAILED, OK, Checked, page_key

IN_MEMORY = 1 << 20  # bytes
WHOLE = ProjectName("")  # stands for the list where a page has its project

logger = structlog.get_logger()


class Lists:
    """The lists of a node's mirrors."""

    def __init__(self, upstreams: Upstreams) -> None:
        """Ask *upstreams*."""
        self._upstreams = upstreams
        self._running: dict[int, asyncio.Task[tuple[str, str]]] = {}

    async def refresh(self, index: int, *, known: bool) -> tuple[str, str]:
        """Ask for the list and return how that went and why; as ``Pages.refresh``."""
        task = self._running.get(index)
        if task is None:
            task = self._running[index] = asyncio.ensure_future(self._look(self._upstreams.settings(index)))
            task.add_done_callback(lambda _: self._running.pop(index, None))
        patience = self._upstreams.config.request_timeout_s if known else None
        done, _ = await asyncio.wait({task}, timeout=patience)
        return task.result() if done else (FAILED, SLOW)

    async def close(self) -> None:
        """End what runs."""
        await end(self._running.values())

    async def _look(self, settings: Settings) -> tuple[str, str]:
        key = page_key(settings.incarnation, settings.identity, WHOLE)
        path = names.list_path(self._upstreams.config.layout.lists, settings)
        before = self._upstreams.local.checked(key) if path.exists() else None
        try:
            etag = await self._ask(settings, path, before)
        except (UpstreamFailed, InvalidPage) as failure:
            logger.warning("list not refreshed", index=settings.name, reason=str(failure))
            checked = _checked(FAILED, str(failure), "" if before is None else before.etag, AFTER_FAILURE_S)
        else:
            checked = _checked(OK, "", etag, 0)
        with self._upstreams.local.write() as store:
            CHECKED.put(store, key, checked)
        return checked.outcome, checked.reason

    async def _ask(self, settings: Settings, path: Path, before: Checked | None) -> str:
        headers = {"Accept": ACCEPT, "Accept-Encoding": "gzip"}
        if before is not None and before.etag:
            headers["If-None-Match"] = before.etag
        total_s = self._upstreams.config.upstream_timeout_s
        async with self._upstreams.get(settings, settings.url, headers, total_s) as answer:
            if answer.status == 304 and before is not None:  # noqa: PLR2004 - Not Modified
                return before.etag
            check_found(answer)
            with tempfile.SpooledTemporaryFile(IN_MEMORY) as body:
                async for piece in answer.body(self._upstreams.config.max_page_size):
                    body.write(piece)
                body.seek(0)
                await in_thread(_write, body, answer.headers.get("Content-Type", ""), path)
        return answer.headers.get("ETag", "")[:1_000]


def _write(body: "tempfile.SpooledTemporaryFile[bytes]", kind: str, path: Path) -> None:
    names.write(path, read_list(body, kind))  # type: ignore[arg-type] # is a binary file


def _checked(outcome: str, reason: str, etag: str, wait_s: float) -> Checked:
    now = time.time_ns() // 1_000
    return Checked(now, now + int(wait_s * 1e6), 0, outcome, reason, etag, "", -1)
