"""Pushes of large releases, and how the writer takes them."""

from changelog.codec import Event
from changelog.events.files import FileAction, FileHistoryCarried, FileUploaded
from changelog.events.indexes import IndexCreated
from changelog.events.results import TestResultUploaded
from changelog.events.users import UserCreated
from changelog.names import FileName, ProjectName, UserName, Version, index_name
from changelog.records import NONE
from changelog.views import files, history, results
from changelog.writer import Already
from server.commands import Caller, Request
from server.decide import pushes
from server.push_commands import PushedFile, PushedResult, PushRelease
from tests.nodes import BEGIN, Folding

SOURCE, TARGET = index_name("ada/dev"), index_name("ada/prod")
ADA = Caller("ada", 1)
UPLOADED = FileAction(history.UPLOAD, "ada", BEGIN, "", SOURCE, 0)


def result(number: int) -> PushedResult:
    name = FileName(f"demo-1.0-{number}.whl.toxresult-20250101000000-0")
    return PushedResult(name, 2, bytes([number % 256]) * 32, BEGIN, UserName("ada"), (UPLOADED,))


def file(number: int, *tests: PushedResult) -> PushedFile:
    return PushedFile(
        filename=FileName(f"demo-1.0-{number}.whl"),
        size=5,
        sha256=number.to_bytes(32),
        blake2b_256=b"b" * 32,
        md5=b"m" * 16,
        metadata=b"",
        requires_python=">=3.8",
        filetype="bdist_wheel",
        pyversion="py3",
        upload_time=BEGIN,
        uploader=UserName("ada"),
        yanked=None,
        actions=(UPLOADED,),
        results=tests,
    )


def push(*pushed: PushedFile) -> PushRelease:
    return PushRelease(TARGET, SOURCE, ProjectName("demo"), Version("1.0"), b"", BEGIN + 1, pushed, None)


def folding() -> Folding:
    made = Folding()
    options = (("acl_upload", ("ada",)),)
    made.add(UserCreated(UserName("ada"), NONE), IndexCreated(TARGET, "stage", options, NONE))
    return made


def sent(command: PushRelease) -> PushRelease:
    """Return *command* as the writer gets it."""
    received = Request.from_plain(Request(ADA, command).plain()).command
    assert isinstance(received, PushRelease)
    return received


def decided(made: Folding, command: PushRelease) -> list[Event]:
    events = pushes.push(made.store, ADA, sent(command))
    assert not isinstance(events, Already)
    return list(events)


def test_five_hundred_files_are_one_command() -> None:
    made = folding()
    events = decided(made, push(*[file(number) for number in range(500)]))
    assert [type(event) for event in events[:2]] == [FileUploaded, FileHistoryCarried]
    assert len(events) == 1_000
    made.add(*events)
    row = files.find(made.store, 2, ProjectName("demo"), Version("1.0"), FileName("demo-1.0-499.whl"))
    assert row is not None
    pushed = FileAction(history.PUSH, "ada", BEGIN + 1, SOURCE, TARGET, 0)
    assert history.of_file(made.store, TARGET, row) == [UPLOADED, pushed]


def test_a_push_again_finds_all_done() -> None:
    made = folding()
    command = push(file(1, result(1)), file(2))
    made.add(*decided(made, command))
    assert isinstance(pushes.push(made.store, ADA, sent(command)), Already)


def test_a_result_whose_name_is_taken_gets_another_number() -> None:
    made = folding()
    made.add(*decided(made, push(file(1, result(1)))))
    others = [result(1)._replace(sha256=digest * 32) for digest in (b"x", b"y")]
    added = [event for event in decided(made, push(file(1, *others))) if isinstance(event, TestResultUploaded)]
    assert [event.name[-2:] for event in added] == ["-1", "-2"]


def test_results_of_a_replaced_file_are_those_that_came_with_the_new_one() -> None:
    made = folding()
    made.add(*decided(made, push(file(1, result(1), result(2)))))
    made.add(*decided(made, push(file(1, result(1))._replace(sha256=b"n" * 32))))
    release = 3  # made by the first file, behind user and index
    assert len(list(results.of_release(made.store, release))) == 1
