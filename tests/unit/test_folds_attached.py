"""What documentation, test results and carried histories do to the views."""

from hashlib import sha256

import pytest

from changelog.events.documentation import DocumentationDeleted, DocumentationUploaded
from changelog.events.files import FileAction, FileDeleted, FileHistoryCarried
from changelog.events.indexes import IndexCreated
from changelog.events.projects import ReleaseDeleted
from changelog.events.results import TestResultUploaded
from changelog.names import FileName, IndexName, ProjectName, UserName, Version, documentation_name
from changelog.records import NONE
from changelog.views import digests, documentation, files, history, links, projects, results
from changelog.views.documentation import Documentation
from tests.nodes import BEGIN, Folding, uploaded

ALICE, BOB = UserName("alice"), UserName("bob")
DEV = IndexName("alice/dev")
DEMO = ProjectName("demo")
ONE = Version("1.0")
WHEEL = FileName("demo-1.0-py3-none-any.whl")
RESULT = FileName(f"{WHEEL}.toxresult-20231114221320-0")
WHERE = (1, DEMO, ONE)
ZIP, OTHER_ZIP, REPORT = (sha256(text).digest() for text in (b"zip", b"other zip", b"report"))
DOCUMENTED = DocumentationUploaded(*WHERE, 3, ZIP, BEGIN, ALICE)
REPLACED = DocumentationUploaded(*WHERE, 9, OTHER_ZIP, BEGIN + 1, BOB)
TESTED = TestResultUploaded(*WHERE, WHEEL, RESULT, 6, REPORT, BEGIN, BOB)
UNDOCUMENTED = DocumentationDeleted(*WHERE)
DELETED = FileDeleted(*WHERE, WHEEL)
PUSHED = (FileAction("upload", ALICE, BEGIN, "", "alice/old", 0), FileAction("push", BOB, BEGIN, "alice/old", DEV, 0))
UPLOADED = FileAction("upload", ALICE, BEGIN, "", DEV, 0)


@pytest.fixture
def folding() -> Folding:
    """The index alice/dev with incarnation 1."""
    made = Folding()
    made.add(IndexCreated(DEV, "stage", (), NONE))
    return made


def release(folding: Folding) -> int:
    """Return the incarnation of the release, 0 = there is none."""
    project = projects.find(folding.store, 1, DEMO)
    row = None if project is None else projects.find_release(folding.store, project.incarnation, ONE)
    return 0 if row is None else row.incarnation


def results_of_wheel(folding: Folding) -> list[str]:
    return [name for name, _ in results.of_file(folding.store, release(folding), WHEEL)]


def actions(folding: Folding, filename: str = WHEEL) -> list[FileAction]:
    row = (
        files.find(folding.store, *WHERE, FileName(filename))
        or results.find(folding.store, release(folding), FileName(filename))
        or documentation.find(folding.store, *WHERE)
    )
    assert row is not None
    return history.of_file(folding.store, DEV, row)


def test_documentation_makes_project_and_release_without_metadata(folding: Folding) -> None:
    folding.add(DOCUMENTED)
    row = projects.RELEASES.get(folding.store, projects.release_key(2, ONE))
    assert row == projects.Release(2, 2, b"")


def test_new_documentation_replaces_the_old_and_counts(folding: Folding) -> None:
    serial = folding.add(DOCUMENTED, REPLACED)
    row = documentation.find(folding.store, *WHERE)
    assert row == Documentation(serial, 9, OTHER_ZIP, BEGIN + 1, BOB, overwrites=1)


def test_documentation_is_behind_its_link_until_it_is_replaced(folding: Folding) -> None:
    folding.add(DOCUMENTED)
    link = links.linked(folding.store, 1, ZIP[:8], documentation_name(DEMO, ONE))
    assert link is not None
    before = documentation.behind(folding.store, 1, link, ZIP[:8])
    folding.add(REPLACED)
    assert before is not None
    assert documentation.behind(folding.store, 1, link, ZIP[:8]) is None


def test_the_last_file_leaves_a_release_that_is_documented(folding: Folding) -> None:
    folding.add(uploaded(1), DOCUMENTED, DELETED)
    assert release(folding)


def test_documentation_takes_a_release_without_files_and_its_project_along(folding: Folding) -> None:
    folding.add(uploaded(1), DOCUMENTED, DELETED, UNDOCUMENTED)
    assert projects.find(folding.store, 1, DEMO) is None


def test_a_release_with_files_stays_without_its_documentation(folding: Folding) -> None:
    folding.add(uploaded(1), DOCUMENTED, UNDOCUMENTED)
    assert (release(folding) > 0, documentation.find(folding.store, *WHERE)) == (True, None)


def test_a_new_release_of_that_name_has_no_documentation(folding: Folding) -> None:
    folding.add(DOCUMENTED, ReleaseDeleted(*WHERE), uploaded(1))
    assert documentation.find(folding.store, *WHERE) is None


def test_deleting_what_is_no_longer_there_is_no_history(folding: Folding) -> None:
    with pytest.raises(LookupError, match="documentation that is not there"):
        folding.add(uploaded(1), UNDOCUMENTED)


def test_a_test_result_lies_beside_the_tested_file(folding: Folding) -> None:
    event = uploaded(1)
    folding.add(event, TESTED)
    link = links.linked(folding.store, 1, event.sha256[:8], RESULT)
    assert link is not None
    row = results.behind(folding.store, link, event.sha256[:8], RESULT)
    assert (row and row.sha256, results_of_wheel(folding)) == (REPORT, [RESULT])


@pytest.mark.parametrize(
    "after",
    [(uploaded(1, content=b"other"),), (DELETED,), (DELETED, uploaded(1)), (ReleaseDeleted(*WHERE), uploaded(1))],
)
def test_test_results_go_with_the_bytes_that_were_tested(folding: Folding, after: tuple[object, ...]) -> None:
    event = uploaded(1)
    folding.add(event, TESTED)
    link = links.linked(folding.store, 1, event.sha256[:8], RESULT)
    folding.add(*after)
    assert results_of_wheel(folding) == []
    assert link is not None
    assert results.behind(folding.store, link, event.sha256[:8], RESULT) is None


def test_results_of_other_files_are_not_those_of_this_one(folding: Folding) -> None:
    other = FileName(f"{WHEEL}.zip")
    named = FileName(f"{other}.toxresult-1-0")
    folding.add(uploaded(1), uploaded(1, other), TestResultUploaded(*WHERE, other, named, 6, REPORT, BEGIN, BOB))
    assert results_of_wheel(folding) == []


def test_a_test_of_a_file_that_is_not_there_is_no_history(folding: Folding) -> None:
    with pytest.raises(LookupError, match="a test of a file"):
        folding.add(TESTED)


def test_the_bytes_of_documentation_and_results_are_named(folding: Folding) -> None:
    folding.add(uploaded(1), DOCUMENTED, TESTED)
    assert digests.is_required(folding.store, ZIP)
    assert digests.is_required(folding.store, REPORT)


def test_an_upload_is_the_history_of_a_file_that_brought_none(folding: Folding) -> None:
    folding.add(uploaded(1))
    assert actions(folding) == [UPLOADED]


def test_a_replaced_file_says_how_often(folding: Folding) -> None:
    folding.add(uploaded(1), uploaded(1, content=b"2"), uploaded(1, content=b"3"))
    assert actions(folding) == [FileAction("overwrite", "", BEGIN, "", "", 2), UPLOADED]


@pytest.mark.parametrize("filename", [WHEEL, RESULT, documentation_name(DEMO, ONE)])
def test_what_is_brought_along_is_the_history(folding: Folding, filename: FileName) -> None:
    folding.add(uploaded(1))
    folding.add(*{RESULT: (TESTED,), documentation_name(DEMO, ONE): (DOCUMENTED,)}.get(filename, ()))
    folding.add(FileHistoryCarried(*WHERE, filename, PUSHED))
    assert actions(folding, filename) == list(PUSHED)


def test_what_was_brought_along_goes_with_the_replaced_file(folding: Folding) -> None:
    folding.add(uploaded(1), FileHistoryCarried(*WHERE, WHEEL, PUSHED), uploaded(1, content=b"2"))
    assert actions(folding) == [FileAction("overwrite", "", BEGIN, "", "", 1), UPLOADED]


def test_a_history_of_a_file_that_is_not_there_is_none(folding: Folding) -> None:
    with pytest.raises(LookupError, match="history of a file"):
        folding.add(uploaded(1), FileHistoryCarried(*WHERE, RESULT, PUSHED))
