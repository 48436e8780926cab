"""The bound on the age of a replica's copy: looked at once a second, so that no request pays for it."""

import asyncio
import time
from math import inf

import structlog

from changelog.errors import TooOld
from replica import word
from replica.config import REFUSE, SERVE, ReplicaConfig

LOOK_S = 1.0  # between two looks at the newest word

logger = structlog.get_logger()


class Staleness:
    """Knows when the copy becomes too old, unless a newer word comes; made inside a running loop."""

    def __init__(self, config: ReplicaConfig, max_age_s: float) -> None:
        """Look for words of *config*'s node; a copy older than *max_age_s* seconds is too old."""
        self.refuses = config.when_stale == REFUSE
        self._tells = config.when_stale != SERVE
        self._word_file = config.word_file
        self._max_age_s = max_age_s
        self._was_past = False
        self._deadline = 0.0  # of the monotonic clock
        self._loop = asyncio.get_running_loop()
        self._look()

    def is_past(self) -> bool:
        """Return whether the copy is too old."""
        return time.monotonic() > self._deadline

    def is_told(self) -> bool:
        """Return whether it is too old, and those who read are told so."""
        return self._tells and self.is_past()

    def headers(self) -> dict[str, str]:
        """Return what tells clients and caches that an answer is old (RFC 9111 section 5.1, RFC 7234 section 5.5)."""
        warning = {"Warning": '110 ledgerpi "Response is Stale"'}
        return warning if self._deadline == -inf else warning | {"Age": str(int(self._age_s()))}

    def check(self) -> None:
        """Raise TooOld if the copy is too old."""
        if self.is_past():
            old = "nobody has vouched for this copy yet" if self._deadline == -inf else f"{self._age_s():.0f} s old"
            raise TooOld(f"this replica's copy is too old: {old}, at most {self._max_age_s:g} s are allowed")

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _age_s(self) -> float:
        return self._max_age_s + time.monotonic() - self._deadline

    def _look(self) -> None:
        self._timer = self._loop.call_later(LOOK_S, self._look)
        newest = word.find(self._word_file)
        left_s = -inf if newest is None else self._max_age_s - newest.age_s(time.time())
        self._deadline = time.monotonic() + left_s
        if self.is_past() != self._was_past:
            self._was_past = not self._was_past
            if self._was_past:
                logger.warning("copy is too old", max_age_s=self._max_age_s)
            else:
                logger.info("copy is recent again", max_age_s=self._max_age_s)
