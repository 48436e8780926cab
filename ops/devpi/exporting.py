"""What a node has becomes a dump that devpi-import takes; read in ranges, so that the node can go on meanwhile."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from attrs import frozen

from changelog.blobs import Blobs, sync_folder
from changelog.errors import BlobDamaged, Conflict
from changelog.names import IndexName, ProjectName, Version
from changelog.reader import Reader
from changelog.tables import Store, TimedTable, serial_key
from changelog.verify import Progress
from changelog.views import indexes, projects, users
from changelog.views.indexes import MIRROR, Index
from ops.devpi import exported
from ops.devpi.dump import DATAINDEX
from ops.devpi.exported import Copied
from ops.devpi.report import Report

RANGE = 500  # rows that one snapshot reads
DUMPVERSION = "2"
STAGE = "indexes written"
Snapshots = Callable[[], AbstractContextManager[Store]]


@frozen
class Source:
    """A node to export."""

    reader: Reader
    blobs: Blobs
    program: str  # what wrote the dump, and its version


def run(source: Source, folder: Path, report: Report, progress: Progress, *, hard_links: bool) -> None:
    """Write a dump into *folder*, which is new or empty.

    Raises:
        Conflict: there is something in it.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    with source.reader.snapshot() as store:
        everyone = {name: exported.user(store, name, row, report) for name, row in users.everyone(store)}
        every = [(name, row) for user in everyone for name, row in indexes.of_user(store, user)]
    report.counts["users"] = len(everyone)
    new = folder / f"{DATAINDEX}.new"  # renamed when whole: a dump that was cut short has none
    with new.open("w", encoding="utf-8") as out:
        begin = {"dumpversion": DUMPVERSION, "pythonversion": list(sys.version_info), "devpi_server": source.program}
        out.write(json.dumps({**begin, "users": everyone}, indent=1)[:-2] + ',\n "indexes": {')
        for number, (name, row) in enumerate(every):
            progress(STAGE, number, len(every))
            out.write((",\n" if number else "\n") + f"{json.dumps(name)}: ")
            _Index(source, folder, report, hard_links, name, row).write(out)
        out.write("\n}}\n")
        out.flush()
        os.fsync(out.fileno())
    new.rename(folder / DATAINDEX)
    sync_folder(folder)
    progress(STAGE, len(every), len(every))


@frozen
class _Index:
    """An index that is being written."""

    source: Source
    folder: Path
    report: Report
    hard_links: bool
    name: IndexName
    row: Index

    def write(self, out: TextIO) -> None:
        """Write it as JSON, its files beside that."""
        self.report.counts["indexes"] += 1
        with self.source.reader.snapshot() as store:
            config = exported.index(store, self.name, self.row, self.report)
        out.write(json.dumps({"indexconfig": config})[:-1])
        if self.row.type != MIRROR:
            out.write(', "projects": {')
            with tempfile.TemporaryFile("w+", encoding="utf-8", dir=self.folder) as descriptions:
                self._write_projects(out, descriptions)
                out.write('}, "files": [')
                descriptions.seek(0)
                shutil.copyfileobj(descriptions, out)
            out.write("]")
        out.write("}")

    def _write_projects(self, out: TextIO, descriptions: TextIO) -> None:
        is_first = True
        for number, project in enumerate(self._projects()):
            out.write((",\n" if number else "\n") + f"{json.dumps(project)}: {{")
            for place, (version, metadata, copied) in enumerate(self._releases(project)):
                self.report.counts["releases"] += 1
                out.write((", " if place else "") + f"{json.dumps(version)}: {json.dumps(metadata)}")
                for desc in filter(self._copy, copied):
                    descriptions.write(("\n" if is_first else ",\n") + json.dumps(desc.desc))
                    is_first = False
            out.write("}")

    def _projects(self) -> Iterator[ProjectName]:
        for key, _ in _ranges(self.source.reader.snapshot, projects.PROJECTS, serial_key(self.row.incarnation)):
            yield ProjectName(key[8:].decode())

    def _releases(self, project: ProjectName) -> Iterator[tuple[Version, dict[str, Any], list[Copied]]]:
        with self.source.reader.snapshot() as store:
            row = projects.find(store, self.row.incarnation, project)
        if row is None:
            return
        for key, _ in _ranges(self.source.reader.snapshot, projects.RELEASES, serial_key(row.incarnation)):
            version = Version(key[8:].decode())
            index = (self.row.incarnation, self.name)
            with self.source.reader.snapshot() as store:
                found = exported.release(store, self.source.blobs, index, (project, version), self.report)
            if found is not None:
                yield version, found.metadata, found.files

    def _copy(self, copied: Copied) -> bool:
        """Put a file into the dump and return whether it is there."""
        relpath = copied.desc["relpath"]
        target, blob = self.folder / relpath, self.source.blobs.path(copied.sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if self.hard_links:
                os.link(blob, target)
            else:
                self.source.blobs.check(copied.sha256)
                shutil.copyfile(blob, target)
        except (FileNotFoundError, BlobDamaged) as error:
            self.report.left_out(relpath, str(error) if isinstance(error, BlobDamaged) else "its bytes are not here")
            return False
        self.report.counts[copied.desc["type"]] += 1
        return True


def _ranges(snapshots: Snapshots, table: TimedTable[Any], prefix: bytes) -> Iterator[tuple[bytes, Any]]:
    """Yield the rows of *table* below *prefix*; no snapshot is held while the caller uses them."""
    start = prefix
    while True:
        with snapshots() as store:
            rows = list(islice(table.scan(store, prefix, start), RANGE))
        yield from rows
        if len(rows) < RANGE:
            return
        start = rows[-1][0] + b"\0"
