"""Rows of the log's tables that belong to no entry."""

from itertools import islice

from changelog import log
from changelog.tables import LmdbStore, serial_key
from changelog.verify.report import MAX_FINDINGS, Kind, Report

MAX_LEVEL = 63  # of a tree whose leaves are counted in 64 bits


def check(store: LmdbStore, size: int, report: Report) -> None:
    """Look for entries beyond *size* and for hashes that a tree of that size does not have."""
    for key, _ in islice(store.scan("entries", start=serial_key(size) + b"\0"), MAX_FINDINGS):
        report.add(Kind.ENTRY, f"key {key.hex()}", f"there is an entry beyond the head, {size}")
    known = 0
    for level in range(MAX_LEVEL + 1):
        start = log.node_key(level, size >> level)
        for key, _ in islice(store.scan("nodes", bytes((level,)), start), MAX_FINDINGS):
            known += 1
            report.add(Kind.TREE, f"key {key.hex()}", f"a tree of {size} entries has no such hash")
    expected = sum(size >> level for level in range(size.bit_length()))
    more = store.count("nodes") - expected - known
    if more > 0:
        report.add(Kind.TREE, "nodes", f"{more} hashes too many")
