"""How ``ledgerpi log`` prints entries: a table for people, JSON lines and CSV for programs."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from changelog.views.cluster import shown_epoch
from ops.log_entries import Line
from ops.printable import printable

COMMITMENTS = frozenset({"profile", "password", "texts", "description", "key"})  # fields that name a private record
SHORT = 12  # hex digits
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is a formula to spreadsheets
HEADER = ("serial", "epoch", "time", "actor", "more", "kind", "index", "project", "fields")


def jsonl(lines: Iterable[Line]) -> Iterator[str]:
    """Yield one JSON object for each entry, in ASCII."""
    for line in lines:
        stamp = line.stamp
        epoch = shown_epoch(stamp.epoch)
        values = (stamp.serial, epoch, line.time, stamp.actor, stamp.more, line.kind, line.index)
        yield json.dumps(dict(zip(HEADER, (*values, line.project, _fields(line)), strict=True)))


def csv_rows(lines: Iterable[Line]) -> Iterator[str]:
    """Yield a header and a row for each entry (RFC 4180); no cell is a formula."""
    yield _csv(HEADER)
    for line in lines:
        stamp = line.stamp
        epoch, fields = shown_epoch(stamp.epoch), json.dumps(_fields(line))
        where = (line.index or "", line.project or "")
        yield _csv((stamp.serial, epoch, line.time, stamp.actor, stamp.more, line.kind, *where, fields))


def table(lines: Iterable[Line]) -> Iterator[str]:
    """Yield lines in columns; digests are cut to 12 digits, control characters are escaped."""
    yield f"{'serial':>8}  {'time':<27}  {'actor':<12}  {'kind':<17}  where and what"
    for line in lines:
        rest = {key: value for key, value in _fields(line, SHORT).items() if key not in ("index", "project")}
        where = " ".join(part for part in (line.index, line.project) if part)
        what = json.dumps(rest, ensure_ascii=False) if rest else ""
        text = f"{line.stamp.serial:>8}  {line.time}  {line.stamp.actor or '-':<12}  {line.kind:<17}  {where} {what}"
        yield printable(text.rstrip())


FORMATS: dict[str, Callable[[Iterable[Line]], Iterator[str]]] = {
    "table": table,
    "jsonl": jsonl,
    "csv": csv_rows,
}


def _fields(line: Line, digits: int | None = None) -> dict[str, Any]:
    return {key: _shown(key, value, digits) for key, value in line.fields.items()}


def _shown(key: str, value: Any, digits: int | None) -> Any:  # noqa: ANN401 - what entries hold
    if isinstance(value, bytes):
        if key in COMMITMENTS and value:
            return f"record:{value.hex()[:SHORT]}"
        return value.hex()[:digits]
    if isinstance(value, tuple):
        return [_shown("", item, digits) for item in value]
    return value


def _csv(cells: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(map(_inert, cells))
    return out.getvalue()


def _inert(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
