"""The bars of the replica rows; what a long way or a long log costs is told only."""

from collections.abc import Iterator

from ops.bench.bars import Bar
from ops.bench.figures import Key

_OURS = "ledgerpi"


def bars() -> Iterator[Bar]:
    """Yield every bar in the order of the rows."""
    for row, times in (("catch-up-files", 15), ("catch-up-metadata", 100)):
        devpi = Key(row, "devpi", "entries_per_s")
        yield Bar(f"{row}: entries/s over devpi's", Key(row, _OURS, "entries_per_s"), times, devpi, at_least=True)
    yield Bar("lag: new page on the replica, p50, ms", Key("lag", _OURS, "page_p50_ms"), 5)
    yield Bar("lag: new page on the replica, p99, ms", Key("lag", _OURS, "page_p99_ms"), 20)
