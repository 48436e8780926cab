"""Test results, each of one distribution file as long as that has the bytes that were tested."""

from collections.abc import Iterator

from attrs import frozen

from changelog.codec import Stamp
from changelog.events.results import TestResultUploaded
from changelog.names import FileName, UserName
from changelog.tables import Store, Table, serial_key
from changelog.views import digests, files, projects, serials
from changelog.views.digests import Digest
from changelog.views.links import LINK_DIGEST_BYTES, LINKS, Link, link_key


@frozen
class Result:
    """A test result; release incarnation and name are the key."""

    since: int
    filename: FileName  # of the distribution file
    tested: int  # serial of the FileUploaded that was tested: after another one, the row counts no longer
    size: int  # bytes
    sha256: bytes
    upload_time: int  # microseconds
    uploader: UserName


RESULTS = Table("test_results", Result)
RESULTS_OF = b"t"  # counts: results of a file, by the serial of its FileUploaded


def on_test_result_uploaded(store: Store, event: TestResultUploaded, stamp: Stamp) -> None:
    """Add it."""
    project = projects.find(store, event.index, event.project)
    release = None if project is None else projects.find_release(store, project.incarnation, event.version)
    file = files.find(store, event.index, event.project, event.version, event.filename)
    if project is None or release is None or file is None:
        raise LookupError(f"the log speaks of a test of a file that is not there: {event.filename}")
    row = Result(
        since=stamp.serial,
        filename=event.filename,
        tested=file.uploaded,
        size=event.size,
        sha256=event.sha256,
        upload_time=event.upload_time,
        uploader=event.uploader,
    )
    RESULTS.put(store, _key(release.incarnation, event.name), row)
    link = Link(event.project, project.incarnation, event.version, release.incarnation)
    LINKS.put(store, link_key(event.index, file.sha256, event.name), link)
    serials.count(store, RESULTS_OF, file.uploaded, 1)
    digests.name(store, digests.BLOB, event.sha256, Digest(stamp.serial, event.size))


def find(store: Store, release: int, name: FileName) -> Result | None:
    """Return a test result of the release with incarnation *release*, or None."""
    row = RESULTS.get(store, _key(release, name))
    return row if row is not None and _tested(store, release, row) is not None else None


def of_file(store: Store, release: int, filename: FileName) -> Iterator[tuple[FileName, Result]]:
    """Yield names and results of the tests of a file, by name."""
    for name, row in of_release(store, release, filename):
        if row.filename == filename:
            yield name, row


def of_release(store: Store, release: int, begin: str = "") -> Iterator[tuple[FileName, Result]]:
    """Yield names and results of the tests of a release's files, by name; of names that begin with *begin*."""
    for key, row in RESULTS.scan(store, _key(release, FileName(begin))):
        if _tested(store, release, row) is not None:
            yield FileName(key[8:].decode()), row


def behind(store: Store, link: Link, digest: bytes, name: FileName) -> Result | None:
    """Return the result that *link* leads to, or None if its file was deleted or replaced since the test."""
    release = projects.find_release(store, link.project_incarnation, link.version)
    if release is None or release.incarnation != link.release_incarnation:
        return None
    row = find(store, release.incarnation, name)
    file = None if row is None else _tested(store, release.incarnation, row)
    return row if file is not None and file.sha256[:LINK_DIGEST_BYTES] == digest else None


def _tested(store: Store, release: int, row: Result) -> files.File | None:
    """Return the file with the bytes that were tested, or None if they are there no longer."""
    file = files.FILES.get(store, files.file_key(release, row.filename))
    return file if file is not None and file.uploaded == row.tested else None


def _key(release: int, name: FileName) -> bytes:
    return serial_key(release) + name.encode()
