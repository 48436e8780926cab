"""The files of mirrors' pages, read from the log once and kept while they are true."""

from collections import OrderedDict

from changelog.names import ProjectName
from changelog.tables import Store
from changelog.views import upstream
from changelog.views.upstream import Files

MAX_FILES = 60_000  # of all pages that are kept, unless one alone has more


class MirroredFiles:
    """The newest pages of one process."""

    def __init__(self) -> None:
        """Begin with none."""
        self._pages: OrderedDict[tuple[int, ProjectName], tuple[int, Files]] = OrderedDict()
        self._count = 0

    def of(self, store: Store, index: int, project: ProjectName) -> Files:
        """Return the files of a page by name; nothing if the mirror does not know the project."""
        row = upstream.find(store, index, project)
        if row is None:
            return {}
        key = (index, project)
        since, files = self._pages.get(key, (0, {}))
        if since == row.since:
            self._pages.move_to_end(key)
            return files
        self._forget(key)
        files = upstream.files(store, index, project)
        self._pages[key] = (row.since, files)
        self._count += len(files)
        while self._count > MAX_FILES and len(self._pages) > 1:
            self._forget(next(iter(self._pages)))
        return files

    def _forget(self, key: tuple[int, ProjectName]) -> None:
        _, files = self._pages.pop(key, (0, {}))
        self._count -= len(files)
