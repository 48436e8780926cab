"""The mirrors side by side: how each is told of its upstream, and when its pages count as old."""

import sys
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from changelog.env import Env
from changelog.fold import VIEW_TABLES
from ops.bench import load
from ops.bench.mirror_corpus import MIRROR
from ops.bench.peers import Devpi, Index, Ledgerpi, Peer
from ops.bench.prepare import ROOT_PASSWORD
from ops.bench.processes import HOST, BenchError, run_to_its_end
from ops.bench.targets import Page, Target

EXPIRY_S = 3_600  # that a page counts as fresh, unless a row is about old ones
STAGE = "root/stage"  # ledgerpi's own, for comparison
_THREADS = 8
_DOWNLOAD_S = 60  # that proxpi may take for a file before it sends clients to upstream instead


class Mirror(Peer):
    """A server whose pages come from an upstream."""

    expiry_s = EXPIRY_S

    def set_expiry(self, seconds: int, on_cores: Sequence[int]) -> None:
        """Let pages that are fetched from now on be old after so many seconds; this starts the server anew."""
        self.expiry_s = seconds
        self.stop()
        self.start(on_cores)


class IndexMirror(Index, Mirror):
    """A mirror as an index with devpi's REST interface."""

    def set_expiry(self, seconds: int, on_cores: Sequence[int]) -> None:
        """Let pages be old after so many seconds, also those that are there."""
        del on_cores
        self._rest("PATCH", f"/{MIRROR}", [f"mirror_cache_expiry={seconds}"], {"Authorization": self.token()})

    def refresh(self, project: str) -> None:
        """Have upstream asked for the page of *project* now."""
        headers = {"Accept": "text/html", "Authorization": self.token()}
        path = f"/{MIRROR}/+simple/{project}/refresh"
        answer = load.ask(self.port, load.request("POST", path, headers))
        if answer.status >= 400:  # noqa: PLR2004 - Bad Request
            raise BenchError(f"{self.name}: {answer.status} for POST {path}: {answer.body[:300]!r}")

    @abstractmethod
    def database_bytes(self) -> int:
        """Return how much of the server's database is in use."""


class DevpiMirror(IndexMirror, Devpi):
    """devpi-server with a mirror of the upstream."""

    def __init__(self, folder: Path, programs: Path) -> None:
        """Make a server folder with devpi's *programs*."""
        Index.__init__(self, folder)
        self._programs = programs
        options = ["--serverdir", str(self.serverdir), "--no-root-pypi", "--root-passwd", ROOT_PASSWORD]
        run_to_its_end([str(programs / "devpi-init"), *options])

    def command(self, *, workers: int | None) -> list[str]:
        """Return the command, as installed."""
        return [option for option in super().command(workers=workers) if option != "--offline-mode"]

    def make_mirror(self, url: str) -> None:
        """Make the mirror of *url*."""
        options = {"type": "mirror", "volatile": False, "mirror_url": url, "mirror_cache_expiry": EXPIRY_S}
        self._rest("PUT", f"/{MIRROR}", options, {"Authorization": self.token()})

    def database_bytes(self) -> int:
        """Return the size of the SQLite file, with what was not yet moved into it."""
        return sum(path.stat().st_size for path in self.serverdir.glob(".sqlite*"))


class LedgerpiMirror(IndexMirror, Ledgerpi):
    """Our own server with a mirror of the upstream, and a stage beside it."""

    def __init__(self, folder: Path, url: str) -> None:
        """Make a server folder with a mirror of *url*."""
        program = Path(sys.executable).with_name("ledgerpi")
        if not program.exists():
            raise BenchError("ledgerpi is not installed in this environment")
        super().__init__(folder, program)
        options = ["--serverdir", str(self.serverdir), "--root-password", ROOT_PASSWORD, "--mirror-url", url]
        run_to_its_end([str(program), "init", *options])

    def command(self, *, workers: int | None) -> list[str]:
        """Return the command; the upstream is at a private address."""
        return [*super().command(workers=workers), "--allow-private-upstreams", f"{HOST}/32"]

    def database_bytes(self) -> int:
        """Return the bytes of the changelog's pages in use; what its file has beyond is used next."""
        env = Env(self.serverdir / "changelog", VIEW_TABLES, readonly=True)
        try:
            return env.used_bytes()
        finally:
            env.close()


class Proxpi(Mirror):
    """proxpi under gunicorn, one process with threads as its documentation says; pages are kept in memory only."""

    name = "proxpi"
    hello = "/health"
    renders_anew = True

    def __init__(self, folder: Path, programs: Path, url: str) -> None:
        """Mirror *url* with the programs of proxpi's environment."""
        super().__init__(folder)
        self._programs = programs
        self._url = url
        self._cache = folder / "proxpi-files"
        self._cache.mkdir()

    def command(self, *, workers: int | None) -> list[str]:
        """Return the command; it may have one process only."""
        del workers
        settings = {
            "PROXPI_INDEX_URL": self._url,
            "PROXPI_INDEX_TTL": self.expiry_s,
            "PROXPI_CACHE_DIR": self._cache,
            "PROXPI_DOWNLOAD_TIMEOUT": _DOWNLOAD_S,
            "PROXPI_LOGGING_LEVEL": "WARNING",
        }
        serve = ["--preload", "--workers=1", f"--threads={_THREADS}", f"--bind={HOST}:{self.port}"]
        variables = [f"{name}={value}" for name, value in settings.items()]
        return ["env", *variables, str(self._programs / "gunicorn"), *serve, "proxpi.server:app"]

    def path(self, target: Target) -> str:
        """Return the path of a page or a file."""
        if isinstance(target, Page):
            return f"/index/{target.project}/"
        return f"/index/{target.release.project}/{target.release.filename}"
