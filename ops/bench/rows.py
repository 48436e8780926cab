"""The rows: what is asked, and what is uploaded."""

from collections.abc import Callable, Iterator

from attrs import frozen

from ops.bench import corpus
from ops.bench.targets import HTML, JSON, File, Page, Target

INHERITING = "root/inherits"  # an empty stage with corpus.DEV as its base
_ROTATED = 50  # projects that a row of small pages or files asks in turn


@frozen
class Read:
    """A row of GET requests, the targets in turn."""

    name: str
    targets: Callable[[corpus.Plan], list[Target]]
    gzip: bool = False
    conditional: bool = False  # with the ETag of the answer: a 304 where the server has validators
    connections: int = 16
    # A server that renders anew takes up to 0.2 s for it, and a window would cut many answers off:
    counted: int = 0  # so it is asked this often, each answer to its end


@frozen
class Write:
    """A row of uploads; *where* gives the releases of one round, each new."""

    name: str
    where: Callable[[corpus.Plan, int], Iterator[corpus.Release]]
    connections: int = 1
    password: bool = False  # in each request, as twine does; else a token


def _small_pages(form: str, index: str = corpus.DEV) -> Callable[[corpus.Plan], list[Target]]:
    return lambda plan: [Page(index, corpus.small(n), form) for n in range(min(_ROTATED, plan.small_projects))]


def _page(project: str, form: str) -> Callable[[corpus.Plan], list[Target]]:
    return lambda _plan: [Page(corpus.DEV, project, form)]


def _small_files(*, metadata: bool) -> Callable[[corpus.Plan], list[Target]]:
    def targets(plan: corpus.Plan) -> list[Target]:
        projects = range(min(_ROTATED, plan.small_projects))
        wheels = (next(corpus.of_project(corpus.DEV, corpus.small(n), 1)) for n in projects)
        return [File(release, metadata) for release in wheels]

    return targets


def _large_file(plan: corpus.Plan) -> list[Target]:
    return [File(corpus.Release(corpus.DEV, "large", "1.0.0", plan.large_bytes))]


READS = (
    Read("small-html", _small_pages(HTML)),
    Read("small-json", _small_pages(JSON)),
    Read("small-html-gzip", _small_pages(HTML), gzip=True),
    Read("small-json-gzip", _small_pages(JSON), gzip=True),
    Read("small-html-304", _small_pages(HTML), conditional=True),
    Read("small-json-304", _small_pages(JSON), conditional=True),
    Read("inherited-html", _small_pages(HTML, INHERITING)),
    Read("inherited-json", _small_pages(JSON, INHERITING)),
    Read("files-200-html", _page("medium", HTML), counted=200),
    Read("files-200-json", _page("medium", JSON), counted=200),
    Read("files-3000-html", _page("many", HTML), counted=32),
    Read("files-3000-json", _page("many", JSON), counted=32),
    Read("files-3000-html-gzip", _page("many", HTML), gzip=True, counted=32),
    Read("files-3000-json-gzip", _page("many", JSON), gzip=True, counted=32),
    Read("project-list-html", _page("", HTML)),
    Read("project-list-json", _page("", JSON)),
    Read("small-wheel", _small_files(metadata=False)),
    Read("metadata", _small_files(metadata=True)),
    Read("large-file", _large_file, connections=2),
)


def _spread(name: str) -> Callable[[corpus.Plan, int], Iterator[corpus.Release]]:
    """Return releases of new projects of the round's own index, ten files each."""

    def releases(_plan: corpus.Plan, turn: int) -> Iterator[corpus.Release]:
        for number in range(_MANY):
            project = f"{name}-{number // 10:04}"
            yield corpus.Release(uploads_index(turn), project, corpus.version(number % 10))

    return releases


def _into_empty(_plan: corpus.Plan, turn: int) -> Iterator[corpus.Release]:
    for number in range(_INTO):
        yield corpus.Release(uploads_index(turn), f"alone-{number:04}", "1.0.0")


def _into_ten(plan: corpus.Plan, turn: int) -> Iterator[corpus.Release]:
    projects = plan.ten_projects
    each = _INTO // projects  # the projects stay small: 10 files and up to 5 more a round
    for number in range(each * projects):
        version = corpus.version(10 + turn * each + number // projects)
        yield corpus.Release(corpus.GROWN, corpus.ten(number % projects), version)


def _into_grown(plan: corpus.Plan, turn: int) -> Iterator[corpus.Release]:
    for number in range(_INTO):
        version = corpus.version(plan.grown_files + turn * _INTO + number)
        yield corpus.Release(corpus.GROWN, "grown", version)


def uploads_index(turn: int) -> str:
    """Return the index that round *turn* (from 0) uploads to."""
    return f"root/uploads{turn}"


_MANY = 2000  # uploads at most in a row of a round
_INTO = 500

WRITES = (
    Write("upload-token-1", _spread("token-one")),
    Write("upload-token-8", _spread("token-eight"), connections=8),
    Write("upload-password-1", _spread("password-one"), password=True),
    Write("upload-password-8", _spread("password-eight"), connections=8, password=True),
    Write("upload-into-0", _into_empty),
    Write("upload-into-10", _into_ten),
    Write("upload-into-5000", _into_grown),
)
