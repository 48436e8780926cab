from datetime import UTC, datetime

import pytest
from attrs import define, field

from server.upstream.breaker import Breaker, State, jittered, retry_after_s, retry_delays

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)


@define
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@define
class Chance:
    """Draws what makes no jitter, unless told otherwise."""

    drawn: float = 1.0

    def __call__(self) -> float:
        return self.drawn


@define
class Upstream:
    clock: Clock = field(factory=Clock)
    chance: Chance = field(factory=Chance)

    def breaker(self) -> Breaker:
        return Breaker(self.clock, self.chance, failures_to_open=3, first_open_s=10.0, longest_open_s=35.0)

    def opened(self) -> Breaker:
        breaker = self.breaker()
        for _ in range(3):
            breaker.failed("broken")
        return breaker


def test_a_new_breaker_is_closed() -> None:
    breaker = Upstream().breaker()
    assert (breaker.state, breaker.since, breaker.failures, breaker.reason) == (State.CLOSED, 100.0, 0, "")
    assert breaker.lets_through()
    assert breaker.wait_s() == 0


def test_it_opens_after_failures_in_a_row() -> None:
    up = Upstream()
    breaker = up.breaker()
    breaker.failed("one")
    breaker.failed("two")
    assert breaker.lets_through()
    up.clock.now = 105.0
    breaker.failed("three")
    assert not breaker.lets_through()
    assert (breaker.state, breaker.since, breaker.failures, breaker.reason) == (State.OPEN, 105.0, 3, "three")
    assert breaker.wait_s() == 10


def test_a_success_between_begins_the_count_anew() -> None:
    breaker = Upstream().breaker()
    for _ in range(5):
        breaker.failed("now and then")
        breaker.failed("now and then")
        breaker.succeeded()
    assert breaker.state is State.CLOSED
    assert breaker.reason == "now and then"


def test_after_the_delay_one_probe_is_let_through() -> None:
    up = Upstream()
    breaker = up.opened()
    up.clock.now = 109.9
    assert not breaker.lets_through()
    up.clock.now = 110.0
    assert breaker.lets_through()
    assert not breaker.lets_through()
    assert (breaker.state, breaker.since) == (State.HALF_OPEN, 110.0)


def test_a_probe_that_succeeds_closes() -> None:
    up = Upstream()
    breaker = up.opened()
    up.clock.now = 110.0
    breaker.lets_through()
    up.clock.now = 111.0
    breaker.succeeded()
    assert (breaker.state, breaker.since, breaker.failures) == (State.CLOSED, 111.0, 0)
    assert breaker.lets_through()


def test_each_probe_that_fails_doubles_the_delay_up_to_the_ceiling() -> None:
    up = Upstream()
    breaker = up.opened()
    waits = []
    for _ in range(4):
        up.clock.now += breaker.wait_s()
        assert breaker.lets_through()
        breaker.failed("still broken")
        waits.append(breaker.wait_s())
    assert waits == [20.0, 35.0, 35.0, 35.0]
    assert breaker.failures == 7


def test_after_closing_the_delay_begins_small_again() -> None:
    up = Upstream()
    breaker = up.opened()
    up.clock.now += 10
    breaker.lets_through()
    breaker.failed("still broken")
    breaker.succeeded()
    for _ in range(3):
        breaker.failed("broken again")
    assert breaker.wait_s() == 10


def test_a_probe_of_which_nothing_is_heard_is_followed_by_another() -> None:
    up = Upstream()
    breaker = up.opened()
    up.clock.now = 110.0
    assert breaker.lets_through()
    up.clock.now = 119.0
    assert not breaker.lets_through()
    up.clock.now = 120.0
    assert breaker.lets_through()


def test_late_failures_of_earlier_requests_do_not_prolong_the_delay() -> None:
    up = Upstream()
    breaker = up.opened()
    up.clock.now = 105.0
    breaker.failed("late")
    assert breaker.wait_s() == 5
    assert (breaker.since, breaker.failures) == (100.0, 4)


def test_a_late_success_of_an_earlier_request_closes() -> None:
    breaker = Upstream().opened()
    breaker.succeeded()
    assert breaker.lets_through()


def test_the_upstreams_own_wish_prolongs_the_delay_up_to_the_ceiling() -> None:
    up = Upstream()
    for asked, waited in ((5.0, 10.0), (20.0, 20.0), (9999.0, 35.0)):
        breaker = up.breaker()
        for _ in range(3):
            breaker.failed("too many requests", asked)
        assert breaker.wait_s() == waited


def test_the_delay_is_jittered() -> None:
    up = Upstream(chance=Chance(0.0))
    assert up.opened().wait_s() == 5
    assert jittered(8.0, Chance(0.5)) == 6


def test_retries_wait_longer_each_time() -> None:
    assert retry_delays(7, Chance(1.0)) == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    assert retry_delays(2, Chance(0.0)) == pytest.approx([0.1, 0.2])
    assert retry_delays(0, Chance()) == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("9" * 5000, 999999999.0),
        ("Sat, 01 Aug 2026 12:00:30 GMT", 30.0),
        ("Sat, 01 Aug 2026 12:00:30 -0000", 30.0),
        ("Sat, 01 Aug 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("soon", None),
        ("Sat, 99 Aug 2026 12:00:30 GMT", None),
        ("\N{SUPERSCRIPT TWO}", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds
