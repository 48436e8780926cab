"""Which projects a file name may belong to: a lock file's URL says no more."""

from collections.abc import Iterator

from changelog.errors import InvalidName
from changelog.names import FileName, ProjectName, project_name
from server.upstream.belonging import Belonging

MAX_CANDIDATES = 4  # that are asked for


def project_candidates(filename: FileName) -> list[ProjectName]:
    """Return the projects that *filename* may be a file of, the likeliest first: that with the longest name."""
    return list(dict.fromkeys(_candidates(filename)))[::-1][:MAX_CANDIDATES]


def _candidates(filename: FileName) -> Iterator[ProjectName]:
    if filename.endswith(".whl"):
        ends = [filename.find("-")]
    else:
        ends = [place for place, character in enumerate(filename) if character == "-"]
    for end in ends:
        try:
            project = project_name(filename[: max(end, 0)])
            Belonging(project).version(filename)
        except InvalidName:
            continue
        yield project
