"""The bars to reach, each as a ratio of two figures of the same run or as a figure itself."""

from collections.abc import Iterator

from attrs import frozen

from ops.bench.figures import Figures, Key

_OURS = "ledgerpi"


@frozen
class Bar:
    """``top / bottom`` compared with *limit*; without *bottom* the figure *top* itself."""

    says: str
    top: Key
    limit: float
    bottom: Key | None = None
    at_least: bool = False  # else: at most

    def value(self, figures: Figures) -> float | None:
        """Return the ratio of the medians, or None if the run did not measure both."""
        top = figures.median(self.top.row, self.top.peer, self.top.measure)
        if self.bottom is None or top is None:
            return top
        bottom = figures.median(self.bottom.row, self.bottom.peer, self.bottom.measure)
        return top / bottom if bottom else None

    def reached(self, value: float) -> bool:
        """Return whether *value* is good enough."""
        return value >= self.limit if self.at_least else value <= self.limit


def bars() -> Iterator[Bar]:
    """Yield every bar in the order of the rows."""
    yield from _pages_and_files()
    yield from _uploads()
    yield Bar("first answer after start, s", Key("start", _OURS, "seconds"), 1.0)
    yield Bar("memory of all processes (PSS), MB", Key("memory", _OURS, "pss_mb"), 200)
    yield Bar("disk over content", Key("disk", _OURS, "over_content"), 1.25)


def _pages_and_files() -> Iterator[Bar]:
    small = (
        "small-html",
        "small-json",
        "inherited-html",
        "inherited-json",
        "small-wheel",
        "metadata",
    )
    for row in small:
        yield from _cpu(row, less_than_devpi=25, over_nginx=4)
    for row in ("small-html-304", "small-json-304"):
        yield from _cpu(row, less_than_devpi=25, over_nginx=5)
    for form in ("html", "json"):
        own, inherited = (Key(f"{row}-{form}", _OURS, "cpu_us") for row in ("small", "inherited"))
        yield Bar(f"inherited-{form}: CPU over our own small page", inherited, 1.2, own)
    for form in ("html", "json"):
        yield from _cpu(f"files-3000-{form}", less_than_devpi=300, over_nginx=1)
        yield _over_nginx(f"files-3000-{form}-gzip", "cpu_us", 1.5)
    yield _over_nginx("large-file", "cpu_s_per_gb", 1.2)


def _uploads() -> Iterator[Bar]:
    faster = (("token-1", 2), ("token-8", 6), ("password-1", 25), ("password-8", 25))
    for name, times in faster:
        row = f"upload-{name}"
        devpi = Key(row, "devpi", "per_s")
        yield Bar(f"{row}: rate over devpi's", Key(row, _OURS, "per_s"), times, devpi, at_least=True)
    for name in ("token-1", "token-8"):
        yield Bar(f"upload-{name}: p99, ms", Key(f"upload-{name}", _OURS, "p99_ms"), 100)
    for measure in ("cpu_us", "p50_ms"):
        many, none = (Key(f"upload-into-{files}", _OURS, measure) for files in (5000, 0))
        yield Bar(f"upload-into-5000: {measure} over an empty project's", many, 1.5, none)


def _cpu(row: str, *, less_than_devpi: float, over_nginx: float) -> Iterator[Bar]:
    devpi, ours = Key(row, "devpi", "cpu_us"), Key(row, _OURS, "cpu_us")
    yield Bar(f"{row}: devpi's CPU over ours", devpi, less_than_devpi, ours, at_least=True)
    yield _over_nginx(row, "cpu_us", over_nginx)


def _over_nginx(row: str, measure: str, limit: float) -> Bar:
    says = f"{row}: our CPU over nginx's"
    return Bar(says, Key(row, _OURS, measure), limit, Key(row, "nginx", measure))
