"""``+links`` of a version as devpi's clients read them: files, documentation and test results, with their history."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from attrs import frozen

from changelog.events.files import FileAction
from changelog.names import FileName, IndexName, ProjectName, Version, documentation_name
from changelog.tables import Store
from changelog.views import documentation, files, history, indexes, results
from changelog.views.documentation import Documentation
from changelog.views.files import File
from changelog.views.page import file_path
from changelog.views.results import Result
from server.permissions import is_public
from server.sources import MAX_NAME

PRIVATE = "(private)"  # in place of the name of an index
RELEASE_FILE, DOCUMENTATION, TEST_RESULT = "releasefile", "doczip", "toxresult"


@frozen
class Links:
    """Makes links of one index."""

    store: Store
    base: str  # URL of the server, without a slash at the end
    index: IndexName

    def of_release(self, release: int, project: ProjectName, version: Version) -> Iterator[dict[str, Any]]:
        """Yield the links of the release with incarnation *release*: files, documentation, test results."""
        there = dict(files.of_release(self.store, release))
        for filename, file in there.items():
            yield self._link(RELEASE_FILE, self.href(file.sha256, filename), file)
        document = documentation.of_release(self.store, release)
        if document is not None:
            name = documentation_name(project, version)
            yield self._link(DOCUMENTATION, self.href(document.sha256, name), document)
        for name, result in results.of_release(self.store, release):
            yield self.of_result(there[result.filename], name, result)

    def of_result(self, file: File, name: FileName, result: Result) -> dict[str, Any]:
        """Return the link of a test result of *file*."""
        link = self._link(TEST_RESULT, self.href(file.sha256, name), result)
        return link | {"for_href": self.href(file.sha256, result.filename)}

    def href(self, digest: bytes, filename: FileName) -> str:
        """Return a URL."""
        return f"{self.base}/{self.index}/{quote(file_path(digest, filename), safe='/+')}"

    def _link(self, rel: str, href: str, row: File | Documentation | Result) -> dict[str, Any]:
        md5 = {"md5": row.md5.hex()} if isinstance(row, File) else {}
        return {
            "rel": rel,
            "href": href,
            "hash_spec": f"sha256={row.sha256.hex()}",
            "hashes": {"sha256": row.sha256.hex(), **md5},
            "log": list(self._shown(history.of_file(self.store, self.index, row))),
        }

    def _shown(self, actions: Iterable[FileAction]) -> Iterator[dict[str, Any]]:
        for action in actions:
            named = {"src": self._named(action.src), "dst": self._named(action.dst), "count": action.times}
            found = {key: value for key, value in named.items() if value}
            yield {"what": action.what, "who": action.who or None, "when": _when(action.when), **found}

    def _named(self, index: str) -> str:
        """Return the name of an index that a file came by, unless that is or was private: a reader may not know."""
        is_another = "/" in index and index != self.index and len(index) < MAX_NAME  # what is imported may be any text
        row = indexes.last(self.store, IndexName(index)) if is_another else None
        return index if row is None or is_public(row) else PRIVATE


def _when(microseconds: int) -> list[int]:
    """Return year, month, day, hour, minute and second, UTC."""
    return list(datetime.fromtimestamp(microseconds // 1_000_000, UTC).timetuple()[:6])
