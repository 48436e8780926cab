"""Distribution files that an upstream index holds, honest or not."""

import io
import tempfile
import zipfile
from collections.abc import Mapping
from functools import cached_property, lru_cache
from hashlib import md5, sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attrs import evolve, field, frozen
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from tests.corpora import Project
from tests.http import client

UPLOADED_AT = "2026-03-04T05:06:07.890123Z"
ROOT_PROJECT = "root-project"
OTHER_PYTHON = ">=4"  # newer than ours
_NAMES = ("azure", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "islet", "jetty")


@frozen(eq=False)
class UpstreamDist:
    """A file of the upstream index; what the page says of it may differ from what it is."""

    filename: str
    content: bytes
    metadata: bytes | None = None  # PEP 658; None: there is none
    upload_time: str = UPLOADED_AT  # "": the page gives none
    requires_python: str = ""
    yanked: bool | str = False  # the text is the reason
    project: str = ""  # whose page lists it; "": that of the file name
    size: int | None = None  # what the page says in place of the truth
    hashes: Mapping[str, str] | None = None  # the same
    url: str = ""  # the same: stands on the page as it is
    extra: Mapping[str, object] = field(factory=dict)  # more keys of its JSON object, or others; None takes one away

    @cached_property
    def owner(self) -> str:
        """The normalized name of the project whose page lists it.

        Raises:
            ValueError: the file name has none and ``project`` is empty.
        """
        return canonicalize_name(self.project) if self.project else _parsed(self.filename)[0]

    @cached_property
    def version(self) -> str:
        """The version in the file name, "" if there is none."""
        try:
            return _parsed(self.filename)[1]
        except ValueError:
            return ""

    @cached_property
    def sha256(self) -> str:
        """The true digest."""
        return sha256(self.content).hexdigest()

    @property
    def path(self) -> str:
        """Where the index serves it, percent-encoded and without a leading slash."""
        return f"files/{self.sha256[:16]}/{quote(self.filename, safe='')}"

    def claimed_hashes(self) -> dict[str, str]:
        """Return the digests that the page gives, by algorithm."""
        if self.hashes is not None:
            return dict(self.hashes)
        return {"sha256": self.sha256, "md5": md5(self.content, usedforsecurity=False).hexdigest()}

    def with_content(self, content: bytes) -> "UpstreamDist":
        """Return a file of the same name with other bytes."""
        return evolve(self, content=content)


def of(dist: client.Dist, **changes: Any) -> UpstreamDist:  # noqa: ANN401 - of any field
    """Return a file made by ``tests.http.client.wheel`` or ``sdist``; *changes* replace fields."""
    metadata = _metadata(dist.content) if dist.filename.endswith(".whl") else None
    made = UpstreamDist(dist.filename, dist.content, metadata, requires_python=dist.fields["requires_python"])
    return evolve(made, **changes)


def wheel(project: str = "demo", version: str = "1.0", *, note: str = "", **changes: Any) -> UpstreamDist:  # noqa: ANN401 - of any field
    """Return a wheel that every rule takes; another *note* makes other bytes, *changes* replace fields."""
    return of(client.wheel(project, version, note=note), **changes)


def sdist(project: str = "demo", version: str = "1.0", *, note: str = "", **changes: Any) -> UpstreamDist:  # noqa: ANN401 - of any field
    """Return an sdist that every rule takes; *changes* replace fields."""
    return of(client.sdist(project, version, note=note), **changes)


def built(project: Project, **changes: Any) -> UpstreamDist:  # noqa: ANN401 - of any field
    """Return the wheel of a project that can be imported; *changes* replace fields."""
    with tempfile.TemporaryDirectory() as folder:
        path = project.wheel(Path(folder))
        content = path.read_bytes()
    made = UpstreamDist(path.name, content, _metadata(content), requires_python=project.requires_python)
    return evolve(made, **changes)


@lru_cache
def chained_projects(count: int = 30) -> tuple[UpstreamDist, ...]:
    """Return wheels of *count* projects (at least 6): installing ``root-project`` installs one of each.

    Each can be imported by its name. Three of them offer more than installers take: the newest release of the
    first wants a Python newer than ours, that of the second is yanked, that of the third excluded by the root.
    """
    names = _chain(count)
    root = Project(ROOT_PROJECT, "1.0", tuple(_required(names, name) for name in names[:4]))
    wheels = [built(root)]
    for at, name in enumerate(names):
        below = tuple(_required(names, names[child]) for child in (2 * at + 4, 2 * at + 5) if child < len(names))
        wheels += [built(Project(name, version, below)) for version in ("1.0", "1.1")[: 1 + at % 2]]
    newer, withdrawn, excluded = (Project(name, "2.0") for name in names[:3])
    wheels += [
        built(evolve(newer, requires_python=OTHER_PYTHON)),
        built(withdrawn, yanked="does not start"),
        built(excluded),
    ]
    return tuple(wheels)


def chained_versions(count: int = 30) -> dict[str, str]:
    """Return what an installer installs of :func:`chained_projects`: version by name."""
    return {ROOT_PROJECT: "1.0"} | {name: f"1.{at % 2}" for at, name in enumerate(_chain(count))}


def _chain(count: int) -> list[str]:
    """Return the names of all projects but the root."""
    return [f"{_NAMES[at % len(_NAMES)]}-{at:02}" for at in range(count - 1)]


def _required(names: list[str], name: str) -> str:
    return f"{name}<2" if name == names[2] else f"{name}>=1"


def _metadata(content: bytes) -> bytes:
    """Return METADATA of a wheel."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name)


def _parsed(filename: str) -> tuple[str, str]:
    """Return normalized name and version, or raise ValueError."""
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
        else:
            name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename) as error:
        raise ValueError(f"neither wheel nor sdist, so its project has to be given: {filename!r}") from error
    return name, str(version)
