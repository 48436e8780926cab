"""What may become of test results."""

from datetime import UTC, datetime
from itertools import count

from changelog.errors import Gone, NotFound
from changelog.events.results import TestResultUploaded
from changelog.names import FileName, UserName, file_name
from changelog.tables import Store
from changelog.views import files, projects, results, serials
from changelog.writer import Decision
from server.commands import Caller, UploadTestResult
from server.decide.projects import stage
from server.permissions import check_test_result


def upload(store: Store, caller: Caller, command: UploadTestResult) -> Decision:
    """Add a result to the file that the caller saw, by a name of its own."""
    index = stage(store, command.index)
    check_test_result(caller, command.index, index, command.project)
    project = projects.find(store, index.incarnation, command.project)
    release = None if project is None else projects.find_release(store, project.incarnation, command.version)
    if release is None:
        raise NotFound(f"no release {command.version} of {command.project} in {command.index}")
    file = files.FILES.get(store, files.file_key(release.incarnation, command.filename))
    if file is None or file.sha256 != command.digest:
        raise Gone(f"{command.filename} was deleted from {command.index} or replaced")
    return [
        TestResultUploaded(
            index=index.incarnation,
            project=command.project,
            version=command.version,
            filename=command.filename,
            name=_name(store, release.incarnation, file.uploaded, command),
            size=command.size,
            sha256=command.sha256,
            upload_time=command.upload_time,
            uploader=UserName(caller.user),
        )
    ]


def _name(store: Store, release: int, tested: int, command: UploadTestResult) -> FileName:
    """Return a name as devpi gives them: the file's, the second (UTC), and a number, that of the results before."""
    second = datetime.fromtimestamp(command.upload_time // 1_000_000, UTC).strftime("%Y%m%d%H%M%S")
    before = serials.counted(store, results.RESULTS_OF, tested)
    names = (file_name(f"{command.filename}.toxresult-{second}-{number}") for number in count(before))
    return next(name for name in names if results.find(store, release, name) is None)
