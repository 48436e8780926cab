"""What was measured: one figure per row, server and round, and their medians."""

from collections.abc import Iterable
from statistics import median

from attrs import Factory, define, frozen


@frozen
class Key:
    """What a figure is of: a row, a server and a measure with its unit in the name."""

    row: str
    peer: str
    measure: str


@define
class Figures:
    """All figures of a run, in the order of the rounds."""

    rounds: dict[Key, list[float]] = Factory(dict)
    notes: dict[str, str] = Factory(dict)  # row/server -> what a reader of the figure must know

    def add(self, row: str, peer: str, **measures: float) -> None:
        """Add what a round measured; the names carry the units."""
        for measure, value in measures.items():
            self.rounds.setdefault(Key(row, peer, measure), []).append(value)

    def note(self, row: str, peer: str, text: str) -> None:
        """Say once what a reader of *peer*'s figures of *row* must know."""
        self.notes[f"{row}/{peer}"] = text

    def median(self, row: str, peer: str, measure: str) -> float | None:
        """Return the median of the rounds, or None if it was not measured."""
        found = self.rounds.get(Key(row, peer, measure))
        return median(found) if found else None

    def rows(self) -> list[str]:
        """Return the rows in the order of their first figure."""
        return _once(key.row for key in self.rounds)

    def peers(self, row: str) -> list[str]:
        """Return the servers that *row* was measured for."""
        return _once(key.peer for key in self.rounds if key.row == row)

    def measures(self, row: str) -> list[str]:
        """Return the measures of *row*."""
        return _once(key.measure for key in self.rounds if key.row == row)


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
