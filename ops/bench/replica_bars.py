"""The bars of the replica rows; what a long way or a long log costs is told only."""

from collections.abc import Iterator

from ops.bench.bars import Bar
from ops.bench.figures import Key

_OURS = "ledgerpi"


def bars() -> Iterator[Bar]:
    """Yield every bar in the order of the rows."""
    yield _times_devpi("catch-up-files", 15, "catch-up-files")
    yield _times_devpi("catch-up-metadata", 100, "catch-up-files")
    yield _times_devpi("catch-up-metadata", 100, "catch-up-metadata")
    yield Bar("lag: new page on the replica, p50, ms", Key("lag", _OURS, "page_p50_ms"), 5)
    yield Bar("lag: new page on the replica, p99, ms", Key("lag", _OURS, "page_p99_ms"), 20)


def _times_devpi(row: str, times: float, devpis: str) -> Bar:
    """Return the bar of our rate in *row* over devpi's in *devpis*."""
    says = f"{row}: entries/s over devpi's {devpis.removeprefix('catch-up-')}"
    return Bar(says, Key(row, _OURS, "entries_per_s"), times, Key(devpis, "devpi", "entries_per_s"), at_least=True)
