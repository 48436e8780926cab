"""Fetching the core metadata that upstream offers beside a file (PEP 658), once however many want them."""

import asyncio
import hashlib
from urllib.parse import urlsplit, urlunsplit

import structlog

from changelog import contents
from changelog.errors import LedgerpiError, NotFound
from changelog.names import FileName, ProjectName
from server.executors import in_thread
from server.incoming import publish_metadata
from server.upstream.asking import CALLER, Upstreams, check_found
from server.upstream.downloads import GONE, Downloads, Wanted
from server.upstream.ending import end
from server.upstream.failures import UpstreamRefused
from server.upstream_commands import RecordMetadata

MAX_DOCUMENT = 8 << 20  # bytes

logger = structlog.get_logger()


class Documents:
    """The documents of a node."""

    def __init__(self, upstreams: Upstreams, downloads: Downloads) -> None:
        """Ask *upstreams*; *downloads* knows the files."""
        self._upstreams = upstreams
        self._downloads = downloads
        self._running: dict[tuple[int, ProjectName, FileName], asyncio.Task[bytes]] = {}
        self._keeping: set[asyncio.Task[None]] = set()

    async def get(self, index: int, project: ProjectName, filename: FileName) -> bytes:
        """Return the core metadata of a file, checked.

        Raises:
            NotFound: upstream has none.
            UpstreamFailed: it can not be had now.
        """
        key = (index, project, filename)
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.ensure_future(self._fetch(self._downloads.wanted(*key)))
            task.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End what runs."""
        await end([*self._running.values(), *self._keeping])

    async def _fetch(self, wanted: Wanted) -> bytes:
        offered = wanted.file.core_metadata
        if offered is None or not wanted.settings.core_metadata:
            raise NotFound(f"upstream has no core metadata of {wanted.file.filename}")
        parts = urlsplit((await self._downloads.where(wanted))[0])
        url = urlunsplit(parts._replace(path=f"{parts.path}.metadata"))
        total_s = self._upstreams.config.upstream_timeout_s
        async with self._upstreams.get(wanted.settings, url, {"Accept-Encoding": "gzip"}, total_s) as answer:
            if answer.status in GONE:
                raise NotFound(f"upstream has no core metadata of {wanted.file.filename}")
            check_found(answer)
            raw = b"".join([piece async for piece in answer.body(MAX_DOCUMENT)])
        digest = hashlib.sha256(raw).digest()
        if offered and digest != offered:
            what = f"core metadata of {wanted.file.filename}"
            raise UpstreamRefused(f"{what} have SHA-256 {digest.hex()}, not {offered.hex()}")
        task = asyncio.ensure_future(self._keep(wanted, raw, digest))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)
        return raw

    async def _keep(self, wanted: Wanted, raw: bytes, digest: bytes) -> None:
        """Write the document down; whoever asked for it has it already."""
        try:
            if not contents.is_small(raw):
                await in_thread(publish_metadata, raw, self._upstreams.blobs, self._upstreams.spool)
            small = ((digest, raw),) if contents.is_small(raw) else ()
            await self._upstreams.submit(CALLER, RecordMetadata(*wanted.key, digest), (), small)
        except LedgerpiError as error:
            logger.warning("core metadata not kept", filename=wanted.file.filename, reason=str(error))
