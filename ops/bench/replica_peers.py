"""Primaries and replicas side by side: how each is made, started, and seen to have what its primary has."""

import json
import secrets
import sqlite3
import sys
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from changelog.blobs import Blobs
from changelog.reader import Reader
from ops.bench import load
from ops.bench.corpus import DEV
from ops.bench.peers import Devpi, Index, Ledgerpi, ledgerpi
from ops.bench.prepare import ROOT_PASSWORD
from ops.bench.processes import HOST, BenchError, run_to_its_end
from server.layout import Layout

METADATA, FILES = "metadata", "files"  # what a replica copies by itself: entries alone, or files too
_COPY_TIMEOUT_S = 3_600.0  # of a million entries


class Replica(Index):
    """A replica of a primary; each has a folder of its own, and is there from its first start on."""

    @abstractmethod
    def level(self) -> int | None:
        """Return the last serial that it has on its disk, None before it copies any."""

    @abstractmethod
    def has_file(self, path: str, sha256: bytes) -> bool:
        """Return whether the file at the URL path *path* is on its disk."""


class DevpiPrimary(Devpi):
    """devpi-server as the primary of others; it begins with one stage."""

    def __init__(self, folder: Path, programs: Path) -> None:
        """Make a server folder with devpi's *programs*, and the secret that its replicas share."""
        Index.__init__(self, folder)
        self.programs = programs
        self._programs = programs
        self.secret = folder / "devpi.secret"
        folder.chmod(0o700)  # as devpi demands of the secret's folder
        self.secret.write_text(secrets.token_hex(32))
        self.secret.chmod(0o600)
        options = ["--serverdir", str(self.serverdir), "--no-root-pypi", "--root-passwd", ROOT_PASSWORD]
        run_to_its_end([str(programs / "devpi-init"), *options])

    def command(self, *, workers: int | None) -> list[str]:
        """Return the command, as a primary."""
        return [*super().command(workers=workers), "--role", "primary", "--secretfile", str(self.secret)]


class DevpiReplica(Replica, Devpi):
    """devpi-server as a replica, with its default number of threads."""

    def __init__(self, folder: Path, primary: DevpiPrimary, url: str, copies: str) -> None:
        """Follow *primary* at *url*; *copies* is METADATA or FILES."""
        Index.__init__(self, folder)
        self._programs = primary.programs
        self._secret = primary.secret
        self._skips = ["--file-replication-skip-indexes", "all"] if copies == METADATA else []
        options = ["--serverdir", str(self.serverdir), "--role", "replica", "--primary-url", url, "--no-root-pypi"]
        run_to_its_end([str(self._programs / "devpi-init"), *options])

    def command(self, *, workers: int | None) -> list[str]:
        """Return the command; its folder says whom it follows, which it could not ask offline."""
        command = [option for option in Devpi.command(self, workers=workers) if option != "--offline-mode"]
        return [*command, "--secretfile", str(self._secret), *self._skips]

    def level(self) -> int | None:
        """Ask the table of its history, which has an entry once the primary has let the replica in."""
        with sqlite3.connect(f"file:{self.serverdir / '.sqlite'}?mode=ro", uri=True) as database:
            (last,) = database.execute("SELECT max(serial) FROM changelog").fetchone()
        database.close()
        return None if last is None else int(last)

    def has_file(self, path: str, sha256: bytes) -> bool:
        """Files lie where their URL says."""
        del sha256
        return (self.serverdir / "+files" / path.lstrip("/")).exists()


class LedgerpiReplica(Replica, Ledgerpi):
    """Our own replica."""

    start_timeout_s = _COPY_TIMEOUT_S

    def __init__(self, folder: Path, primary: Ledgerpi, url: str, copies: str) -> None:
        """Follow *primary*, which may run, at *url*; *copies* is METADATA or FILES."""
        program = Path(sys.executable).with_name("ledgerpi")
        super().__init__(folder, program)
        self._url = url
        self._kept = "all" if copies == FILES else "lazy"
        self._token = folder / "token"
        self._token.write_text(new_token(primary, f"bench-{secrets.token_hex(4)}"))
        self._layout = Layout(self.serverdir)
        self._reader: Reader | None = None
        self._blobs = Blobs(self._layout.blobs)

    def command(self, *, workers: int | None) -> list[str]:
        """Return the command; the first start copies the log before it serves."""
        program, _serve, *options = super().command(workers=workers)
        following = ["--primary", self._url, "--token-file", str(self._token), "--files", self._kept]
        return [program, "replica", *options, *following]

    def level(self) -> int | None:
        """Read the head of its log, which is empty when the data folder is there, before it connects."""
        if not self._layout.data_file.exists():
            return None
        if self._reader is None:
            self._reader = Reader(self._layout.changelog)
        return self._reader.head().size

    def stop(self) -> None:
        """Stop, and look no longer."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        super().stop()

    def has_file(self, path: str, sha256: bytes) -> bool:
        """Blobs have their name once they are durable."""
        del path
        return self._blobs.has(sha256)


Primary = DevpiPrimary | Ledgerpi


@contextmanager
def running_primaries(folder: Path, programs: Path, on_cores: Sequence[int]) -> Iterator[tuple[Ledgerpi, DevpiPrimary]]:
    """Yield two primaries with an empty stage, devpi's by its *programs*, and end them.

    Raises:
        BenchError: ledgerpi is not installed in this environment, or one of them failed.
    """
    ours = ledgerpi(folder)
    if ours is None:
        raise BenchError("ledgerpi is not installed in this environment")
    devpi = DevpiPrimary(folder, programs)
    try:
        for primary in (ours, devpi):
            primary.start(on_cores)
        devpi.make_index(DEV)
        yield ours, devpi
    finally:
        ours.stop()
        devpi.stop()


def replica_of(primary: Primary, folder: Path, copies: str, url: str = "") -> Replica:
    """Return a new replica in the new folder *folder*; it reaches *primary* at *url*, or directly."""
    folder.mkdir()
    url = url or f"http://{HOST}:{primary.port}"
    if isinstance(primary, Ledgerpi):
        return LedgerpiReplica(folder, primary, url, copies)
    return DevpiReplica(folder, primary, url, copies)


def new_token(primary: Ledgerpi, name: str) -> str:
    """Enrol the replica *name*."""
    program = str(Path(sys.executable).with_name("ledgerpi"))
    return run_to_its_end([program, "replica-token", "--serverdir", str(primary.serverdir), name])


def status_serial(index: Index) -> int:
    """Return the serial that a server's status page says."""
    answer = load.ask(index.port, load.request("GET", "/+status", {"Accept": "application/json"}))
    return int(json.loads(answer.body)["result"]["serial"])
