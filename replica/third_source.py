"""Files of mirrors from their upstream: where no node has one any more, and the log says what it has to be."""

from attrs import frozen

from changelog import log
from changelog.codec import decode
from changelog.errors import Unavailable
from changelog.events.upstream import MirrorFileFetched
from changelog.reader import Reader
from changelog.views import digests
from replica.config import ReplicaConfig
from replica.receive import NotThere, Wanted, take
from server.upstream.asking import credentials_for
from server.upstream.client import UpstreamClient
from server.upstream.download import Download
from server.upstream.downloads import overlap
from server.upstream.failures import UpstreamFailed
from server.upstream.mirrored import MirroredFiles
from server.upstream.origins import Credentials
from server.upstream.settings import SettingsCache
from server.upstream.sink import Sink


@frozen
class _Place:
    """Where a file lies."""

    url: str
    credentials: Credentials | None
    shown: str  # of what mirror it is


class ThirdSource:
    """Asks upstreams for bytes whose digest is known; made inside a running loop."""

    def __init__(self, config: ReplicaConfig, reader: Reader) -> None:
        """Find out by *reader* where files are; nobody is asked with ``--offline-mode``."""
        self._config = config
        self._reader = reader
        self._settings = SettingsCache()
        self._mirrored = MirroredFiles()
        self._client: UpstreamClient | None = None

    async def receive(self, wanted: Wanted, download: Download, sink: Sink) -> None:
        """Append the bytes of *wanted* that *sink* has not to it; whoever asks checks the digest.

        Raises:
            NotThere: no upstream is known to have it.
            Unavailable: the upstream gives no usable answer.
        """
        place = None if self._config.offline_mode else self._place(wanted.digest)
        if place is None or not wanted.size:
            raise NotThere("no upstream is known to have it")
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={sink.size}-"} if sink.size else {})
        try:
            async with self._opened().get(place.url, headers, place.credentials, total_s=None) as answer:
                skip = overlap(answer, sink.size)
                download.total = wanted.size
                async for piece in answer.body(None):
                    take(piece[skip:], download, sink)
                    skip -= min(skip, len(piece))
        except UpstreamFailed as failed:
            raise Unavailable(f"the upstream of {place.shown}: {failed.reason}") from failed
        wanted.check_size(sink.size)

    def _place(self, digest: bytes) -> _Place | None:
        """Return where the file lies that an entry says was fetched."""
        with self._reader.snapshot() as store:
            row = digests.DIGESTS.get(store, digests.CACHED + digest)
            raw = None if row is None else log.entry(store, row.since)
            event = None if row is None or raw is None else decode(raw, row.since)[0]
            if not isinstance(event, MirrorFileFetched):
                return None
            settings = self._settings.of(store, event.index)
            file = self._mirrored.of(store, event.index, event.project).get(event.filename)
        if settings is None or file is None or not file.url:
            return None
        url = settings.file_url(event.project, file.url)
        return _Place(url, credentials_for(settings, url), settings.name)

    def _opened(self) -> UpstreamClient:
        """Return the client, which is made when it is needed first."""
        if self._client is None:
            self._client = UpstreamClient.of(self._config)
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
