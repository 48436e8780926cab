"""``RECORD`` of a wheel (PEP 376, PEP 427): a CSV file that names every member."""

import csv
import io
from collections.abc import Set as AbstractSet

from changelog.errors import InvalidArchive

_SIGNATURES = ("RECORD.jws", "RECORD.p7s")  # PEP 427; gone since PEP 815
_COLUMNS = 3  # path, hash, size


def check_record(raw: bytes, files: AbstractSet[str], dist_info: str) -> None:
    """Check that RECORD (*raw*) of *dist_info* lists exactly *files*.

    RECORD itself and its signatures need not be listed. Hashes are not held against the members:
    the whole file's digest is in the changelog, and pip and PyPI do not compare them either.

    Raises:
        InvalidArchive: RECORD can not be read, a file is missing on one side, or a path has two
            rows that differ.
    """
    listed = _paths(raw, len(files) + len(_SIGNATURES))
    own = f"{dist_info}/RECORD"
    exempt = {own, *(f"{dist_info}/{name}" for name in _SIGNATURES)}
    if unlisted := files - listed - exempt:
        raise InvalidArchive(f"RECORD does not list {min(unlisted)!r}{_more(len(unlisted))}")
    if absent := listed - files - exempt:
        raise InvalidArchive(f"RECORD lists {min(absent)!r}{_more(len(absent))}, not in the wheel")


def _paths(raw: bytes, at_most: int) -> set[str]:
    """Return the first column of *raw*, of at most *at_most* different rows."""
    rows: set[tuple[str, ...]] = set()
    try:
        for row in csv.reader(io.StringIO(raw.decode("utf-8"), newline=""), strict=True):
            if row and len(row) != _COLUMNS:
                raise InvalidArchive(f"a row of RECORD has {len(row)} columns, not 3: {row[0]!r}")
            if row:
                rows.add(tuple(row))
            if len(rows) > at_most:
                raise InvalidArchive("RECORD lists more files than there are in the wheel")
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidArchive(f"RECORD can not be read: {error}") from error
    paths = {row[0] for row in rows}
    if len(paths) != len(rows):
        raise InvalidArchive("RECORD has two different rows for one path")
    return paths


def _more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""
