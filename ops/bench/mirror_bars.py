"""The bars of the mirror rows."""

from collections.abc import Iterator

from ops.bench.bars import Bar
from ops.bench.figures import Key

_OURS = "ledgerpi"


def bars() -> Iterator[Bar]:
    """Yield every bar in the order of the rows."""
    for row in ("cold-page", "cold-file"):
        yield _times_devpi(row, "p50_ms", 5)
        yield _times(row, "proxpi", "p50_ms", 1)
    for what in ("pages", "files"):
        for measure in ("cpu_us", "per_s"):
            yield from _as_stage(what, measure)
    yield _times_devpi("files-3000-cold", "p50_ms", 5)
    yield Bar("large-cold: first byte after upstream's own, ms", Key("large-cold", _OURS, "after_direct_ms"), 5)
    yield _times_devpi("growth", "database_kb", 100)


def _times_devpi(row: str, measure: str, limit: float) -> Bar:
    return _times(row, "devpi", measure, limit)


def _times(row: str, peer: str, measure: str, limit: float) -> Bar:
    says = f"{row}: {peer}'s {measure} over ours"
    return Bar(says, Key(row, peer, measure), limit, Key(row, _OURS, measure), at_least=True)


def _as_stage(what: str, measure: str) -> Iterator[Bar]:
    mirror, stage = (Key(f"{kind}-{what}", _OURS, measure) for kind in ("warm", "stage"))
    if measure == "cpu_us":
        yield Bar(f"warm-{what}: CPU over that of a stage", mirror, 1.1, stage)
    else:
        yield Bar(f"warm-{what}: rate of a stage over it", stage, 1.1, mirror)
