"""How a replica is doing at having its files, for its status page: a small file that one process writes."""

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from attrs import asdict, frozen

SHOWN = 20  # reasons


@frozen
class FilesStanding:
    """Counts are of blobs that are fetched before anybody asks, as far as entry *serial*."""

    kept: tuple[str, ...]  # as --files says
    serial: int = 0
    wanted: int = 0
    here: int = 0
    missing: int = 0  # they will be tried again
    absent: int = 0  # deleted or removed meanwhile, and not to be had
    reasons: tuple[tuple[str, str], ...] = ()  # SHA-256 of what could not be had, and why; the newest ones


def reasons(failed: Mapping[bytes, str]) -> tuple[tuple[str, str], ...]:
    """Return the newest of *failed* as they are shown."""
    return tuple((digest.hex(), failed[digest]) for digest in islice(reversed(list(failed)), SHOWN))


def write(path: Path, standing: FilesStanding) -> None:
    """Replace what the file says."""
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(standing)))
    temporary.replace(path)


def read(path: Path) -> dict[str, object]:
    """Return what the file says, as the status page shows it."""
    try:
        found = json.loads(path.read_text())
        return {**found, "reasons": [{"sha256": digest, "reason": reason} for digest, reason in found["reasons"]]}
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return {}
