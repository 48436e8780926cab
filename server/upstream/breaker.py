"""When to leave a failing upstream alone, and for how long; time and chance are passed in."""

import enum
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from attrs import define, field

FAILURES_TO_OPEN = 5  # in a row
FIRST_OPEN_S = 5.0
LONGEST_OPEN_S = 300.0
FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 5.0


class State(enum.Enum):
    """What a breaker does with requests."""

    CLOSED = "closed"  # all pass
    OPEN = "open"  # none pass
    HALF_OPEN = "half-open"  # one has passed and is awaited


@define
class Breaker:
    """Stops asking an upstream that fails, and lets one request through now and then to see whether it still does.

    *clock* tells seconds and never goes back; *random* returns 0 <= x < 1. Whoever was let through says
    ``succeeded()`` or ``failed()``; a probe of which nothing is heard is given up after the delay that preceded it.
    """

    clock: Callable[[], float]
    random: Callable[[], float]
    failures_to_open: int = FAILURES_TO_OPEN
    first_open_s: float = FIRST_OPEN_S
    longest_open_s: float = LONGEST_OPEN_S
    state: State = field(default=State.CLOSED, init=False)
    since: float = field(init=False)  # of the clock: when the state began
    failures: int = field(default=0, init=False)  # in a row
    reason: str = field(default="", init=False)  # of the last failure; stays after a success
    _open_s: float = field(default=0.0, init=False)  # before jitter; 0 while closed
    _next_probe: float = field(default=0.0, init=False)  # of the clock

    def __attrs_post_init__(self) -> None:
        """Begin closed, now."""
        self.since = self.clock()

    def lets_through(self) -> bool:
        """Tell whether a request may be made now; in an open breaker whose delay is over it is the probe."""
        if self.state is State.CLOSED:
            return True
        now = self.clock()
        if now < self._next_probe:
            return False
        self._enter(State.HALF_OPEN, now)
        self._next_probe = now + self._open_s
        return True

    def wait_s(self) -> float:
        """Return in how many seconds a request may be let through."""
        return 0.0 if self.state is State.CLOSED else max(0.0, self._next_probe - self.clock())

    def succeeded(self) -> None:
        """Close: the upstream works."""
        self.failures = 0
        self._open_s = 0.0
        if self.state is not State.CLOSED:
            self._enter(State.CLOSED, self.clock())

    def failed(self, reason: str, retry_after_s: float | None = None) -> None:
        """Count a failure; open after enough of them, and longer than before if it was the probe.

        It stays open for *retry_after_s* at least, up to the ceiling. A failure that comes while it is open, of a
        request let through before, changes nothing but the count.
        """
        self.failures += 1
        self.reason = reason
        if self.state is State.OPEN or (self.state is State.CLOSED and self.failures < self.failures_to_open):
            return
        now = self.clock()
        self._open_s = min(self._open_s * 2 or self.first_open_s, self.longest_open_s)
        asked_s = min(retry_after_s or 0.0, self.longest_open_s)
        self._next_probe = now + max(jittered(self._open_s, self.random), asked_s)
        self._enter(State.OPEN, now)

    def _enter(self, state: State, now: float) -> None:
        self.state = state
        self.since = now


def jittered(delay_s: float, random: Callable[[], float]) -> float:
    """Return a half to the whole of *delay_s*, so that many who failed together do not come back together."""
    return delay_s * (0.5 + random() / 2)


def retry_delays(
    attempts: int, random: Callable[[], float], first_s: float = FIRST_RETRY_S, longest_s: float = LONGEST_RETRY_S
) -> list[float]:
    """Return the seconds to wait before each of *attempts* further tries: doubling up to a ceiling, jittered."""
    return [jittered(min(first_s * 2.0**attempt, longest_s), random) for attempt in range(attempts)]


def retry_after_s(header: str, now: datetime) -> float | None:
    """Return the seconds that a Retry-After *header* (RFC 9110 section 10.2.3) asks to wait; None if it says nothing.

    It is a number of seconds or a date; *now* has a time zone.
    """
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - now).total_seconds())
