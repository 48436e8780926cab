"""The corpus as an export of devpi-server, for ``devpi-import``: a transaction per project.

By uploads the project of 3,000 files alone took 18 minutes: each rewrites the project's links.
The pages and files served after an import are those of uploads; the size on disk is not.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from attrs import Factory, define

from ops.bench import corpus


@define
class _Index:
    """What an export says of one index."""

    projects: dict[str, dict[str, object]] = Factory(dict)  # version by version
    files: list[object] = Factory(list)

    def add(self, release: corpus.Release, dump: Path) -> None:
        """Write the wheel of *release* below *dump* and list it."""
        relative = Path(release.index, release.project, release.version, release.filename)
        content = corpus.wheel(release)
        (dump / relative).parent.mkdir(parents=True)
        (dump / relative).write_bytes(content)
        self.projects.setdefault(release.project, {})[release.version] = _version(release)
        self.files.append(_file(release, relative, hashlib.sha256(content).hexdigest()))

    def exported(self) -> dict[str, object]:
        """Return the index as ``dataindex.json`` has it."""
        config = {"type": "stage", "volatile": True, "bases": [], "acl_upload": ["root"]}
        return {"indexconfig": config, "projects": self.projects, "files": self.files}


def write(plan: corpus.Plan, dump: Path) -> None:
    """Write the corpus of *plan* in devpi's export format 2 into the folder *dump*."""
    write_releases(corpus.releases(plan), dump)


def write_releases(releases: Iterable[corpus.Release], dump: Path) -> None:
    """As :func:`write`, of any releases of the two indexes."""
    indexes = {name: _Index() for name in (corpus.DEV, corpus.GROWN)}
    for release in releases:
        indexes[release.index].add(release, dump)
    exported = {name: index.exported() for name, index in indexes.items()}
    everything = {"dumpversion": "2", "users": {}, "indexes": exported}
    (dump / "dataindex.json").write_text(json.dumps(everything))


def _version(release: corpus.Release) -> dict[str, object]:
    return {
        "name": release.project,
        "version": release.version,
        "metadata_version": "2.1",
        "summary": corpus.SUMMARY,
        "license": "MIT",
        "keywords": "benchmark,index",
        "classifiers": list(corpus.CLASSIFIERS),
        "requires_python": corpus.REQUIRES_PYTHON,
        "requires_dist": list(corpus.REQUIRES),
        "description_content_type": "text/plain",
        "description": corpus.description(release),
    }


def _file(release: corpus.Release, relative: Path, sha256: str) -> dict[str, object]:
    return {
        "type": "releasefile",
        "projectname": release.project,
        "version": release.version,
        "relpath": str(relative),
        "entrymapping": {
            "hashes": {"sha256": sha256},
            "last_modified": "Wed, 01 Jan 2020 00:00:00 GMT",
        },
        "log": [{"what": "upload", "who": "root", "when": [2020, 1, 1, 0, 0, 0], "dst": release.index}],
    }
