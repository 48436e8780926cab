"""Check what no linter does: file length, registry hosts, machine paths, unfinished work.

Run as ``python -m ops.hygiene`` at the root of the repository. Reads every file that git tracks
or would add; exits 1 if one of them breaks a rule.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pip._internal.models.index import PyPI
from pypi_simple import PYPI_SIMPLE_ENDPOINT

MAX_LINES = 400  # of one Python file


def patterns() -> dict[str, re.Pattern[str]]:
    """Return what no line may hold, by its description.

    The hosts are asked of pip and pypi_simple, so that they stand in no file of ours.
    """
    hosts = {PyPI.netloc, PyPI.file_storage_domain, str(urlsplit(PYPI_SIMPLE_ENDPOINT).hostname)}
    return {
        "host of a package registry": re.compile("|".join(map(re.escape, sorted(hosts)))),
        "path of one machine": re.compile(r"(?<![\w.-])/(?:home|Users|work)/\w|/root/\."),
        "unfinished work": re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b"),
    }


def repository_files() -> list[Path]:
    """Return the files that are tracked or would be, below the current folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git is where the user has it
        check=True,
        capture_output=True,
    )
    paths = (Path(name) for name in listed.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


def findings(path: Path, banned: dict[str, re.Pattern[str]]) -> Iterator[str]:
    """Yield what is wrong in the file as ``path:line: what``; bytes not UTF-8 are skipped."""
    lines = path.read_text(encoding="utf-8", errors="ignore").splitlines()
    if path.suffix == ".py" and len(lines) > MAX_LINES:
        yield f"{path}:{MAX_LINES + 1}: over {MAX_LINES} lines"
    for number, line in enumerate(lines, start=1):
        for what, pattern in banned.items():
            if found := pattern.search(line):
                yield f"{path}:{number}: {what}: {found[0]}"


def main() -> None:
    """Print every finding and exit 1 if there is one."""
    banned = patterns()
    found = [line for path in repository_files() for line in findings(path, banned)]
    sys.exit("\n".join(found) or None)


if __name__ == "__main__":
    main()
