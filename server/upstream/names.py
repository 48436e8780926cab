"""The files with the names of all projects of upstreams: written by who asks for them, read by the workers."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from changelog.names import ProjectName
from server.upstream.settings import Settings

State = tuple[int, int, int]


def list_path(folder: Path, settings: Settings) -> Path:
    """Return the file with the names of all projects of an upstream, sorted, one a line."""
    return folder / f"{settings.incarnation}-{settings.identity.hex()}"


def write(path: Path, names: Iterable[ProjectName]) -> None:
    """Replace the list unless it is the same; blocking. Several processes may do so at once."""
    text = "".join(f"{name}\n" for name in sorted(set(names)))
    with suppress(FileNotFoundError):
        if path.read_text() == text:
            return  # pages that were made of it stay true
    path.parent.mkdir(mode=0o700, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(text)
    new.replace(path)


def read(paths: Sequence[Path]) -> Iterator[bytes]:
    """Yield the names of all lists that are there; blocking."""
    for path in paths:
        with suppress(FileNotFoundError), path.open("rb") as file:
            yield from (line.rstrip(b"\n") for line in file)


def states(paths: Sequence[Path]) -> tuple[State, ...]:
    """Return what tells each list from an older or newer one."""
    found = []
    for path in paths:
        with suppress(FileNotFoundError):
            stat = path.stat()
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)
