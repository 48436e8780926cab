"""Files that a mirror had cached as events: its page has them, until upstream is asked for the whole page."""

from collections.abc import Iterator

from attrs import frozen

from changelog.errors import InvalidName
from changelog.events.upstream import MirroredFile, MirrorFileFetched, MirrorPageChanged
from changelog.names import IndexName
from changelog.tables import Store
from changelog.views import fetched, upstream
from changelog.views.page import Status
from ops.devpi.report import Report
from ops.devpi.stages import Unit
from ops.devpi.taking import Taken, TakenRelease
from server.upstream.links import Base

_LINE = 1_000  # characters


@frozen
class Mirror:
    """A mirror that is being filled."""

    index: int  # incarnation
    name: IndexName

    def units(self, store: Store, taken: TakenRelease, report: Report) -> Iterator[Unit]:
        """Yield the events that *taken* is still to be written down with."""
        release = taken.release
        listed = upstream.files(store, self.index, release.project)
        for file in taken.files:
            name = file.what.filename
            row = fetched.find(store, self.index, release.project, name)
            if name in listed and row is not None and row.sha256 == file.sha256:
                continue
            report.counts["files of mirrors"] += 1
            page = MirrorPageChanged(
                self.index, release.project, Status.ACTIVE, "", "", (self._mirrored(taken, file, report),), ()
            )
            got = MirrorFileFetched(
                self.index, release.project, name, file.size, file.sha256, file.metadata, completes=True
            )
            yield [page, got], ((file.metadata, file.small),) if file.small else ()

    def _mirrored(self, taken: TakenRelease, file: Taken, report: Report) -> MirroredFile:
        return MirroredFile(
            filename=file.what.filename,
            version=taken.release.version,
            url=_url(file, report),
            sha256=file.sha256,
            hashes=(("md5", file.md5.hex()),) if "md5" in file.what.hashes else (),
            size=file.size,
            upload_time=None,
            requires_python=taken.registered.requires_python[:_LINE],
            yanked=taken.registered.yanked,
            core_metadata=None,
            provenance="",
        )


def _url(file: Taken, report: Report) -> str:
    """Return where upstream has the file; "" where that can not be said, or may be a secret."""
    try:
        url = Base("").absolute(file.what.url)
    except InvalidName:
        url = ""
    if not url or "@" in url or "?" in url:
        report.noted(file.what.relpath, "where upstream has it is asked of upstream's page when it is needed")
        return ""
    return url
