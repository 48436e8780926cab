"""What a check found."""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from attrs import Factory, define, frozen

MAX_FINDINGS = 100  # kept of each kind; all are counted

Progress = Callable[[str, int, int], None]  # stage, done, total


class Kind(StrEnum):
    """What a finding is about."""

    STORAGE = "storage"  # LMDB can not read its own pages
    ENTRY = "entry"  # the bytes or the order of entries
    TREE = "tree"  # stored hashes of the tree
    HEAD = "head"  # the head and its signature
    VIEW = "view"  # rows that are not what the entries add up to
    RECORD = "record"  # private records
    CONTENT = "content"  # small derived contents
    BLOB = "blob"  # files that the log names
    ORPHAN = "orphan"  # files that nothing names; a crash leaves them, they harm nothing


LOG_KINDS = frozenset({Kind.STORAGE, Kind.ENTRY, Kind.TREE, Kind.HEAD})


@frozen
class Finding:
    """One thing that is not as it should be. It never shows what a private record holds."""

    kind: Kind
    subject: str  # serial, node, table and key, digest or path
    message: str


@define
class Report:
    """All findings of a check; beyond 100 of a kind only their number."""

    findings: list[Finding] = Factory(list)
    counts: Counter[Kind] = Factory(Counter)
    checked: Counter[str] = Factory(Counter)  # how many entries, rows, blobs ... were looked at
    notes: list[str] = Factory(list)  # what was left out, and why
    repaired: Counter[Kind] = Factory(Counter)

    def add(self, kind: Kind, subject: object, message: str) -> None:
        """Note a finding."""
        self.counts[kind] += 1
        if self.counts[kind] <= MAX_FINDINGS:
            self.findings.append(Finding(kind, str(subject), message))

    def forget(self, kind: Kind) -> int:
        """Drop the findings of *kind*, which were repaired, and return how many there were."""
        self.findings = [finding for finding in self.findings if finding.kind is not kind]
        return self.counts.pop(kind, 0)

    def found(self, *kinds: Kind) -> bool:
        """Return whether there is a finding of one of *kinds*."""
        return any(self.counts[kind] for kind in kinds)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong; orphans are not wrong."""
        return not any(number for kind, number in self.counts.items() if kind is not Kind.ORPHAN)
