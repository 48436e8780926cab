"""What the local upstream of the mirror rows has: pages in both forms, small wheels and large ones.

Pages are of the kind that the public index has: absolute URLs, digests of file and core metadata, sizes, times.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from attrs import frozen

from ops.bench import corpus
from ops.bench.targets import JSON, File, Page

MIRROR = "root/pypi"
_LISTED_SIZE = 2_700  # bytes, said of files that nobody asks for


@frozen
class Plan:
    """How much of everything a round has; sizes in bytes."""

    small: int  # projects of five files, each asked for once
    stale: int  # such projects, asked for again when upstream is dead
    many: int  # projects of many files
    many_files: int
    large_bytes: int
    refreshes: int  # of a project of many files, with one new file each


FULL = Plan(small=100, stale=50, many=3, many_files=3000, large_bytes=50_000_000, refreshes=100)
QUICK = Plan(small=20, stale=5, many=1, many_files=300, large_bytes=10_000_000, refreshes=5)
SMALL_FILES = 5


@frozen
class Listed:
    """A file as upstream's page lists it."""

    release: corpus.Release
    number: int  # its place on the page
    sha256: str
    metadata_sha256: str
    size: int

    def as_json(self, url: str) -> dict[str, object]:
        """Return the member of ``files`` (PEP 691, 700, 714)."""
        return {
            "filename": self.release.filename,
            "url": url,
            "hashes": {"sha256": self.sha256},
            "requires-python": corpus.REQUIRES_PYTHON,
            "size": self.size,
            "upload-time": self._uploaded(),
            "yanked": False,
            "core-metadata": {"sha256": self.metadata_sha256},
        }

    def as_html(self, url: str) -> str:
        """Return the link (PEP 503, 714)."""
        python = escape(corpus.REQUIRES_PYTHON)
        attributes = f'data-requires-python="{python}" data-core-metadata="sha256={self.metadata_sha256}"'
        return f'<a href="{url}#sha256={self.sha256}" {attributes}>{self.release.filename}</a><br/>'

    def _uploaded(self) -> str:
        minute = self.number % 60
        hour, day = self.number // 60 % 24, 1 + self.number // 1440 % 28
        return f"2024-01-{day:02}T{hour:02}:{minute:02}:00.123456Z"


@frozen
class Round:
    """The names of the projects that one round asks for first."""

    plan: Plan
    turn: int

    @property
    def first(self) -> str:
        """The project that is asked for right after the start."""
        return f"first-{self.turn}"

    @property
    def large(self) -> str:
        """The project of the one large file."""
        return f"large-{self.turn}"

    @property
    def small(self) -> list[str]:
        """Projects of five files."""
        return [f"cold-{self.turn}-{number:03}" for number in range(self.plan.small)]

    @property
    def stale(self) -> list[str]:
        """More of them."""
        return [f"stale-{self.turn}-{number:03}" for number in range(self.plan.stale)]

    @property
    def many(self) -> list[str]:
        """Projects of many files."""
        return [f"many-{self.turn}-{number}" for number in range(self.plan.many)]

    @property
    def large_release(self) -> corpus.Release:
        """The large file."""
        return corpus.Release(MIRROR, self.large, "1.0.0", self.plan.large_bytes)


GROWING = "growing"  # the project that gains a file before each refresh


def pages(projects: Iterable[str]) -> list[Page]:
    """Return the pages of *projects* in the form that pip prefers."""
    return [Page(MIRROR, project, JSON) for project in projects]


def first_files(projects: Iterable[str]) -> list[File]:
    """Return the first file of each project."""
    return [File(next(corpus.of_project(MIRROR, project, 1))) for project in projects]


def real(releases: Iterable[corpus.Release]) -> Iterator[tuple[Listed, bytes]]:
    """Yield each file as it is listed, with its bytes."""
    for number, release in enumerate(releases):
        wheel = corpus.wheel(release)
        metadata = _hex(corpus.metadata(release).encode())
        yield Listed(release, number, _hex(wheel), metadata, len(wheel)), wheel


def invented(project: str, count: int) -> list[Listed]:
    """Return files that are listed and not there; nobody asks for them."""
    return [
        Listed(release, number, _hex(release.filename.encode()), _hex(release.stem.encode()), _LISTED_SIZE)
        for number, release in enumerate(corpus.of_project(MIRROR, project, count))
    ]


def json_page(project: str, files: Sequence[Listed], files_url: str) -> bytes:
    """Return the JSON form; *files_url* is the folder of the files."""
    page = {
        "meta": {"api-version": "1.1"},
        "name": project,
        "versions": list(dict.fromkeys(file.release.version for file in files)),
        "files": [file.as_json(files_url + file.release.filename) for file in files],
    }
    return json.dumps(page).encode()


def html_page(project: str, files: Sequence[Listed], files_url: str) -> bytes:
    """Return the HTML form; *files_url* is the folder of the files."""
    links = "\n".join(file.as_html(files_url + file.release.filename) for file in files)
    head = f'<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.1"><title>{project}</title>'
    return f"{head}</head><body>\n{links}\n</body></html>\n".encode()


def json_list(projects: Iterable[str]) -> bytes:
    """Return the list of all projects as JSON."""
    listed = [{"name": project} for project in projects]
    return json.dumps({"meta": {"api-version": "1.1"}, "projects": listed}).encode()


def html_list(projects: Iterable[str]) -> bytes:
    """Return the list of all projects as HTML."""
    links = "\n".join(f'<a href="/simple/{project}/">{project}</a><br/>' for project in projects)
    return f"<!DOCTYPE html><html><head><title>Simple index</title></head><body>\n{links}\n</body></html>\n".encode()


def _hex(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
