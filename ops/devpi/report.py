"""What became of a dump: counts, and every thing that was changed or left out, with the reason."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ops.printable import printable

CHANGED = "changed"  # is there, but not as it was
LEFT_OUT = "left out"
NOTED = "noted"  # is there as it was; somebody may want to know
SHOWN = 20  # findings of one kind and reason that are printed; the report's file has all
MAX_TEXT = 300  # characters of what a finding says


class Report:
    """Findings go to a file at once, so that a dump with a million of them takes no memory."""

    def __init__(self, scratch: Path) -> None:
        """Keep findings in the new file *scratch*."""
        self.counts: Counter[str] = Counter()
        self._scratch = scratch
        self._file = scratch.open("w", encoding="utf-8")
        self._findings: Counter[str] = Counter()

    def changed(self, what: str, reason: str) -> None:
        """Note that *what* is not as it was."""
        self._add(CHANGED, what, reason)

    def left_out(self, what: str, reason: str) -> None:
        """Note that *what* did not come over."""
        self._add(LEFT_OUT, what, reason)

    def noted(self, what: str, reason: str) -> None:
        """Note what is to be known of *what*."""
        self._add(NOTED, what, reason)

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out."""
        return not self._findings[LEFT_OUT]

    def write(self, path: Path) -> None:
        """Write counts and findings as JSON."""
        with path.open("w", encoding="utf-8") as file:
            file.write('{"counts": ' + json.dumps(dict(sorted(self.counts.items()))) + ', "findings": [')
            for number, finding in enumerate(self._read()):
                file.write((",\n" if number else "\n") + json.dumps(finding))
            file.write("\n]}\n")

    def show(self) -> None:
        """Print counts, and the first findings of each sort."""
        for name, number in sorted(self.counts.items()):
            click.echo(f"{name}: {number}")
        seen: Counter[tuple[str, str]] = Counter()
        for finding in self._read():
            sort = (finding["outcome"], finding["reason"])
            seen[sort] += 1
            if seen[sort] <= SHOWN and len(seen) <= SHOWN:
                click.echo(printable(f"{finding['outcome']}: {finding['what']}: {finding['reason']}"))
        if hidden := sum(self._findings.values()) - sum(min(n, SHOWN) for n in list(seen.values())[:SHOWN]):
            click.echo(f"and {hidden} more, which --report FILE lists")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _add(self, outcome: str, what: str, reason: str) -> None:
        self._findings[outcome] += 1
        finding = {"outcome": outcome, "what": what[:MAX_TEXT], "reason": reason[:MAX_TEXT]}
        self._file.write(json.dumps(finding) + "\n")

    def _read(self) -> Iterator[dict[str, Any]]:
        self._file.flush()
        with self._scratch.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)
