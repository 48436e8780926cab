"""The result as text for people and as JSON for comparison with other runs."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from ops.bench.bars import Bar
from ops.bench.figures import Figures

_ROW_WIDTH, _PEER_WIDTH, _WIDTH = 30, 9, 17


def text(figures: Figures, bars: Iterable[Bar]) -> str:
    """Return medians of the rounds by row and server, and every bar with its verdict."""
    return "\n".join([*_table(figures), "", *_verdicts(figures, bars)])


def write_json(figures: Figures, bars: Iterable[Bar], path: Path) -> None:
    """Write every round's figures, the notes and the bars to *path*."""
    rows: dict[str, dict[str, dict[str, list[float]]]] = {}
    for key, values in figures.rounds.items():
        rows.setdefault(key.row, {}).setdefault(key.peer, {})[key.measure] = values
    judged = [
        {"bar": bar.says, "limit": bar.limit, "at_least": bar.at_least, "value": value}
        | {"reached": None if value is None else bar.reached(value)}
        for bar in bars
        for value in (bar.value(figures),)
    ]
    path.write_text(json.dumps({"rows": rows, "notes": figures.notes, "bars": judged}, indent=1) + "\n")


def _table(figures: Figures) -> Iterator[str]:
    """Yield a line per row and server; a line of headings where the measures change."""
    shown: list[str] = []
    for row in figures.rows():
        measures = figures.measures(row)
        if measures != shown:
            shown = measures
            yield ""
            yield _line("row", "server", measures)
        for peer in figures.peers(row):
            values = [_number(figures.median(row, peer, measure)) for measure in measures]
            note = figures.notes.get(f"{row}/{peer}")
            yield _line(row, peer, values) + (f"  ({note})" if note else "")


def _verdicts(figures: Figures, bars: Iterable[Bar]) -> Iterator[str]:
    for bar in bars:
        value = bar.value(figures)
        verdict = "not measured" if value is None else "PASS" if bar.reached(value) else "short"
        limit = f"{'at least' if bar.at_least else 'at most'} {bar.limit:g}"
        yield f"{bar.says:<52}{_number(value):>10}  {limit:<14}{verdict}"


def _line(row: str, peer: str, cells: Iterable[str]) -> str:
    return f"{row:<{_ROW_WIDTH}}{peer:<{_PEER_WIDTH}}" + "".join(f"{cell:>{_WIDTH}}" for cell in cells)


def _number(value: float | None) -> str:
    """Return *value* with three digits that matter, all of those before the point."""
    if value is None:
        return "-"
    for digits, least in ((0, 100), (1, 10), (2, 1)):
        if abs(value) >= least:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}"
