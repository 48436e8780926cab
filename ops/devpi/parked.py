"""The parts of a dump, sorted by release on disk: ``dataindex.json`` may have them in any order and be of any size."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from changelog.env import ScratchEnv
from changelog.names import ProjectName, Version

TABLE = "parts"
ASIDE = "aside"  # files whose release has to be found
BATCH = 2_000  # parts that are written together
MAP_SIZE = 1 << 40  # bytes of address space
METADATA, FILE, DOCS, RESULT = b"1", b"2", b"3", b"4"  # in this order: a result belongs to a file
KINDS = {"releasefile": FILE, "doczip": DOCS, "toxresult": RESULT}
_NUMBER_BYTES = 4
_TAIL_BYTES = 1 + _NUMBER_BYTES  # kind and number


class Release(NamedTuple):
    """What a dump says of one release."""

    number: int  # of the index in the dump
    project: ProjectName
    version: Version
    metadata: tuple[bytes, ...] = ()  # JSON, as all of these; several where projects were one by PEP 503
    files: tuple[bytes, ...] = ()
    docs: tuple[bytes, ...] = ()
    results: tuple[bytes, ...] = ()


class Parked:
    """A scratch database of parts; lost with the process, and then made anew."""

    def __init__(self, folder: Path) -> None:
        """Make it in the new *folder*."""
        self._env = ScratchEnv(folder, (TABLE, ASIDE), readonly=False, map_size=MAP_SIZE)
        self._waiting: list[tuple[str, bytes, bytes]] = []
        self._count = 0

    def add(self, index: int, project: ProjectName, version: Version, kind: bytes, part: str) -> None:
        """Park one part of a release."""
        self._count += 1
        key = b"%s%s\0%s\0%s%s" % (_number(index), project.encode(), version.encode(), kind, _number(self._count))
        self._put(TABLE, key, part)

    def put_aside(self, index: int, part: str) -> None:
        """Keep a file whose release is not known yet."""
        self._count += 1
        self._put(ASIDE, _number(index) + _number(self._count), part)

    def aside(self) -> Iterator[tuple[int, str]]:
        """Yield what was put aside, with the number of its index."""
        with self._env.read() as store:
            for key, raw in store.scan(ASIDE):
                yield int.from_bytes(key[:_NUMBER_BYTES]), raw.decode()

    def _put(self, table: str, key: bytes, part: str) -> None:
        self._waiting.append((table, key, part.encode()))
        if len(self._waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        with self._env.write() as store:
            for table, key, raw in self._waiting:
                store.put(table, key, raw)
        self._waiting.clear()

    def versions(self, index: int, project: ProjectName) -> list[Version]:
        """Return the versions of a project that have parts."""
        prefix = _number(index) + project.encode() + b"\0"
        with self._env.read() as store:
            found = dict.fromkeys(key[len(prefix) :].partition(b"\0")[0] for key, _ in store.scan(TABLE, prefix))
        return [Version(version.decode()) for version in found]

    def releases(self, index: int) -> Iterator[Release]:
        """Yield the releases of an index, by project and version."""
        with self._env.read() as store:
            for name, parts in groupby(store.scan(TABLE, _number(index)), lambda item: item[0][:-_TAIL_BYTES]):
                project, version, _ = name[_NUMBER_BYTES:].decode().split("\0")
                found: tuple[list[bytes], ...] = ([], [], [], [])
                for key, raw in parts:
                    found[key[-_TAIL_BYTES] - METADATA[0]].append(raw)
                yield Release(index, ProjectName(project), Version(version), *map(tuple, found))

    def close(self) -> None:
        """Close the database."""
        self._env.close()


def _number(number: int) -> bytes:
    return number.to_bytes(_NUMBER_BYTES)
