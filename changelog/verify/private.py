"""Bytes in tables by their hash: private records and small contents."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

from changelog import contents
from changelog.errors import BlobDamaged
from changelog.tables import Store, Table, TimedTable
from changelog.verify.report import Kind, Report
from changelog.verify.source import Snapshots, slices
from changelog.verify.views import Copy
from changelog.views import indexes, tokens, users

MESSAGE = "the bytes have another hash than their name"

HOLDERS: tuple[tuple[TimedTable[Any] | Table[Any], tuple[str, ...]], ...] = (
    (users.USERS, ("profile", "password")),
    (indexes.INDEXES, ("texts",)),
    (tokens.TOKENS, ("description",)),
    (tokens.KEY, ("key",)),
)


def check_hashes(snapshots: Snapshots, report: Report) -> None:
    """Check that each record and each small content hashes to its name."""
    for table, (kind, is_sound) in TABLES.items():
        for rows in slices(snapshots, table):
            report.checked[table] += len(rows)
            for key, raw in rows:
                if not is_sound(key, raw):
                    report.add(kind, key.hex(), MESSAGE)


def check_held(copy: Copy, report: Report) -> None:
    """Check that the current rows have their records, and that there are no other records.

    One snapshot, because a row and its record change together; it lasts some microseconds for each
    user and index.
    """
    with copy.beside() as (stored, folded):
        held = set(_commitments(folded))
        for key, _ in stored.scan("records"):
            if key in held:
                held.discard(key)
            else:
                report.add(Kind.RECORD, key.hex(), "no current row holds this record")
    for commitment in sorted(held):
        report.add(Kind.RECORD, commitment.hex(), "the record is missing")


def _is_record(commitment: bytes, raw: bytes) -> bool:
    return sha256(raw).digest() == commitment


def _is_content(digest: bytes, value: bytes) -> bool:
    try:
        contents.unpacked(digest, value)
    except BlobDamaged:
        return False
    return True


TABLES: dict[str, tuple[Kind, Callable[[bytes, bytes], bool]]] = {
    "records": (Kind.RECORD, _is_record),
    "contents": (Kind.CONTENT, _is_content),
}


def _commitments(folded: Store) -> Iterator[bytes]:
    for table, names in HOLDERS:
        for _, row in table.scan(folded):
            yield from (getattr(row, name) for name in names if getattr(row, name))
