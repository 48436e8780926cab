"""What all who ask upstreams share: the node's parts, one breaker for each upstream, and one way to ask."""

import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import structlog
from attrs import field, frozen

from changelog.blobs import Blobs
from changelog.errors import LedgerpiError, NotFound
from changelog.reader import Reader
from server.commands import UPSTREAM, Caller
from server.config import Config
from server.spool import Spool
from server.submit import Submit
from server.upstream.breaker import Breaker, retry_after_s
from server.upstream.client import Answer, UpstreamClient
from server.upstream.failures import UpstreamFailed, UpstreamRefused
from server.upstream.mirrored import MirroredFiles
from server.upstream.origins import Credentials, origin_of
from server.upstream.settings import Settings, SettingsCache
from server.upstream.state import FAILED, HEALTH, OK, Health, LocalState

CALLER = Caller(UPSTREAM, 0)
FAILURE_STATUS = 500  # and above; and 429: the upstream, not what was asked for, is at fault
TOO_MANY = 429
SOUND_S = 60.0  # an upstream that is well is noted as such again after so long

logger = structlog.get_logger()


@frozen
class Upstreams:
    """Everything that asking upstreams needs."""

    config: Config
    reader: Reader
    submit: Submit
    blobs: Blobs
    spool: Spool
    local: LocalState
    client: UpstreamClient
    file_client: UpstreamClient  # its own connections: long downloads keep no page waiting
    mirrored: MirroredFiles = field(factory=MirroredFiles)
    _settings: SettingsCache = field(factory=SettingsCache)
    _breakers: dict[bytes, Breaker] = field(factory=dict)
    _noted: dict[int, tuple[str, float]] = field(factory=dict)

    def settings(self, incarnation: int) -> Settings:
        """Return the settings of a mirror.

        Raises:
            NotFound: there is none with that incarnation any more.
        """
        with self.reader.snapshot() as store:
            found = self._settings.of(store, incarnation)
        if found is None:
            raise NotFound("the mirror was deleted, or has no mirror_url")
        return found

    def breaker(self, settings: Settings) -> Breaker:
        """Return the breaker of an upstream."""
        found = self._breakers.get(settings.identity)
        if found is None:
            found = self._breakers[settings.identity] = Breaker(time.monotonic, random.random)
        return found

    @asynccontextmanager
    async def get(
        self, settings: Settings, url: str, headers: Mapping[str, str], total_s: float | None
    ) -> AsyncIterator[Answer]:
        """Ask the upstream of a mirror for *url*, with its credentials where *url* is of the same origin.

        Without *total_s* it is a file, which may take as long as it comes.

        Raises:
            UpstreamFailed: no usable answer, also of the body while the context lasts; or the breaker is open.
        """
        breaker = self.breaker(settings)
        if not breaker.lets_through():
            raise UpstreamFailed(f"not asked for {breaker.wait_s():.0f} s more: {breaker.reason}", breaker.wait_s())
        try:
            client = self.file_client if total_s is None else self.client
            async with client.get(url, headers, credentials_for(settings, url), total_s=total_s) as answer:
                _check_status(answer)
                yield answer
        except UpstreamRefused as refused:
            breaker.succeeded()  # it is what was asked for that can not be had
            raise UpstreamRefused(self._public(settings, refused)) from refused
        except UpstreamFailed as failed:
            reason = self._public(settings, failed)
            breaker.failed(reason, failed.retry_after_s)
            self.note(settings, FAILED, reason)
            raise UpstreamFailed(reason, failed.retry_after_s) from failed
        except LedgerpiError:
            breaker.succeeded()  # what came is of no use here, but it came
            raise
        breaker.succeeded()
        self.note(settings, OK, "")

    def _public(self, settings: Settings, failure: UpstreamFailed) -> str:
        """Return the reason as anybody may read it: where the upstream is stays between the owner and the log."""
        host = urlsplit(settings.url).hostname or ""
        logged = settings.without_tokens(failure.reason)
        told = logged.replace(host, "upstream") if host else logged
        if told != logged:
            logger.info("upstream failed", index=settings.name, reason=logged)
        return told

    def note(self, settings: Settings, outcome: str, reason: str) -> None:
        """Write down how the upstream is doing, for the status page."""
        before = self._noted.get(settings.incarnation, ("", 0.0))
        if outcome == OK and before[0] == OK and time.monotonic() < before[1] + SOUND_S:
            return
        self._noted[settings.incarnation] = (outcome, time.monotonic())
        if outcome != before[0]:
            log = logger.info if outcome == OK else logger.warning
            log("upstream changed", index=settings.name, state=outcome, reason=reason)
        row = Health(time.time_ns() // 1_000, outcome, reason, self.breaker(settings).failures)
        with self.local.write() as store:
            HEALTH.put(store, settings.incarnation.to_bytes(8), row)


def check_found(answer: Answer) -> None:
    """Raise UpstreamFailed unless the answer is what was asked for; UpstreamRefused if the upstream just says no."""
    if answer.status != 200:  # noqa: PLR2004 - OK
        is_no = 400 <= answer.status < FAILURE_STATUS  # noqa: PLR2004 - not the upstream is at fault
        raise (UpstreamRefused if is_no else UpstreamFailed)(f"upstream answers {answer.status}")


def _check_status(answer: Answer) -> None:
    """Raise UpstreamFailed if the upstream itself is at fault."""
    if answer.status >= FAILURE_STATUS or answer.status == TOO_MANY:
        wait = retry_after_s(answer.headers.get("Retry-After", ""), datetime.now(UTC))
        raise UpstreamFailed(f"upstream answers {answer.status}", wait)


def credentials_for(settings: Settings, url: str) -> Credentials | None:
    """Return the credentials of a mirror's upstream where *url* is of the same origin, else None."""
    credentials = settings.credentials
    return credentials if credentials is not None and origin_of(url) == credentials.origin else None
