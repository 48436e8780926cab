"""What a replica wants of the files that entries name, and what it remembers of that."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from changelog import log
from changelog.events.documentation import DocumentationDeleted, DocumentationUploaded
from changelog.events.files import FileDeleted, FileUploaded
from changelog.events.indexes import IndexCreated, IndexDeleted
from changelog.events.results import TestResultUploaded
from changelog.events.upstream import MirrorFileFetched
from changelog.names import FileName, ProjectName, UserName, Version
from changelog.records import NONE
from changelog.views import digests
from replica.backlog import Backlog
from replica.config import ReplicaConfig
from replica.named import Looked, Named, Selection, is_needed
from tests.nodes import Node, index, node, uploaded

DEV, OTHER = index("root/dev"), index("root/other")
DOCUMENT = b"Name: demo\n"
ALICE = UserName("alice")


def created(name: str) -> IndexCreated:
    return IndexCreated(index(name), "stage", (), NONE)


def deleted(event: FileUploaded) -> FileDeleted:
    return FileDeleted(event.index, event.project, event.version, event.filename)


def upload(opened: Node, event: FileUploaded) -> int:
    """Commit an upload, as if its bytes had been here, and return its serial."""
    blob = opened.blobs.path(event.sha256)
    was_here = blob.exists()
    blob.write_bytes(b"x" * event.size)
    serial = opened.commit(event)
    if not was_here:
        blob.unlink()
    return serial


def look(opened: Node, *files: str, after: int = 0) -> Looked:
    with opened.env.read() as store:
        return Selection(files).look(store, opened.blobs, after, 1_000)


def needed(opened: Node, named: Named) -> bool:
    with opened.env.read() as store:
        return is_needed(store, named)


def test_a_file_is_wanted_once_and_missing_until_it_is_here(tmp_path: Path) -> None:
    with node(tmp_path) as opened:
        (dev, other) = opened.commit(created(DEV)), opened.commit(created(OTHER))
        first, second = (upload(opened, uploaded(number)) for number in (dev, other))
        named = [Named(sha256(b"wheel").digest(), digests.BLOB, 5, serial) for serial in (first, second)]
        assert look(opened, "all") == Looked(second, 1, tuple(named))
        assert look(opened, "all", after=first) == Looked(second, 0, tuple(named[1:]))
        assert look(opened, OTHER) == Looked(second, 1, tuple(named[1:]))
        opened.store_blob(b"wheel")
        assert look(opened, "all") == Looked(second, 1, ())


def test_small_contents_are_no_blobs_and_large_ones_are(tmp_path: Path) -> None:
    with node(tmp_path) as opened:
        dev = opened.commit(created(DEV))
        opened.store_blob(b"wheel")
        opened.store_blob(DOCUMENT)
        serial = opened.commit(uploaded(dev, metadata=DOCUMENT))
        opened.blobs.path(sha256(DOCUMENT).digest()).unlink()
        assert look(opened, "all").missing == (Named(sha256(DOCUMENT).digest(), digests.METADATA, 0, serial),)
        with opened.env.write() as store:
            store.put("contents", sha256(DOCUMENT).digest(), b"")
        assert look(opened, "all").missing == ()
        with opened.env.write() as store:
            store.delete("contents", sha256(DOCUMENT).digest())


@pytest.mark.parametrize("end", ["file", "index"])
def test_what_is_there_again_is_needed_because_of_the_newest_entry(tmp_path: Path, end: str) -> None:
    with node(tmp_path) as opened:
        dev = opened.commit(created(DEV))
        event = uploaded(dev)
        first = upload(opened, event)
        (named,) = look(opened, "all").missing
        assert needed(opened, named)
        opened.commit(deleted(event) if end == "file" else IndexDeleted(DEV))
        assert not needed(opened, named)
        again = dev if end == "file" else opened.commit(created(DEV))
        upload(opened, uploaded(again))
        (newest,) = look(opened, "all", after=first).missing
        assert needed(opened, newest)


def test_what_a_mirror_fetched_is_not_needed(tmp_path: Path) -> None:
    with node(tmp_path) as opened:
        mirror = opened.commit(IndexCreated(DEV, "mirror", (), NONE))
        opened.store_blob(b"sdist")
        where = (mirror, ProjectName("demo"), FileName("demo-1.0.tar.gz"))
        digest = sha256(b"sdist").digest()
        event = MirrorFileFetched(*where, 5, digest, b"", completes=False)
        serial = opened.commit(event)
        opened.blobs.path(digest).unlink()
        (named,) = look(opened, "all").missing
        assert named == Named(digest, digests.CACHED, 5, serial)
        assert not needed(opened, named)
        with opened.env.read() as store:
            assert Selection(["all"], cached=False).look(store, opened.blobs, 0, 1_000) == Looked(serial, 0, ())


def test_a_backlog_goes_on_with_the_same_files_and_the_same_log_only(tmp_path: Path) -> None:
    with node(tmp_path / "node") as opened, opened.env.read() as store:
        folder, size = tmp_path / "files", log.head(store).size
        named = Named(bytes(32), digests.BLOB, 5, 3)
        backlog = Backlog(folder, ("all",), store)
        backlog.looked(Looked(size, 2, (named,)), log.root(store, size))
        backlog.remove([bytes(32)], is_here=False)
        backlog.looked(Looked(size, 0, (named,)), log.root(store, size))
        assert backlog.absent() == 0
        backlog.close()
        for files, root, expected in (
            (("all",), log.root(store, size), [named]),
            (("root/dev",), log.root(store, size), []),
        ):
            backlog = Backlog(folder, files, store)
            assert backlog.missing() == expected
            assert (backlog.progress.size == size) is bool(expected)
            backlog.looked(Looked(size, 0, ()), root)
            backlog.close()
        backlog = Backlog(folder, ("root/dev",), store)
        backlog.looked(Looked(size, 0, ()), bytes(32))
        backlog.close()
        backlog = Backlog(folder, ("root/dev",), store)
        assert backlog.progress.size == 0
        backlog.close()


def test_the_option_takes_a_word_or_indexes(tmp_path: Path) -> None:
    def files(*given: str) -> tuple[str, ...]:
        options: dict[str, Any] = {"primary": ["http://primary"], "files": given}
        return ReplicaConfig(tmp_path, **options).files

    assert files() == ("all",)
    assert files("/root/dev", "root/other", "root/dev") == ("root/dev", "root/other")
    for wrong in (("all", "lazy"), ("root/dev", "lazy"), ("everything",)):
        with pytest.raises(ValueError, match=r"files|index"):
            files(*wrong)


def test_documentation_and_test_results_are_wanted_and_needed_as_long_as_they_are_there(tmp_path: Path) -> None:
    where = (ProjectName("demo"), Version("1.0"))
    pages, report = b"pages", b"report"
    with node(tmp_path) as opened:
        dev = opened.commit(created(DEV))
        wheel = uploaded(dev)
        for content in (b"wheel", pages, report):
            opened.store_blob(content)
        digest_of = {content: sha256(content).digest() for content in (pages, report)}
        name = FileName(f"{wheel.filename}.toxresult-20231114221320-0")
        first = opened.commit(
            wheel,
            DocumentationUploaded(dev, *where, len(pages), digest_of[pages], 0, ALICE),
            TestResultUploaded(dev, *where, wheel.filename, name, len(report), digest_of[report], 0, ALICE),
        )
        for digest in digest_of.values():
            opened.blobs.path(digest).unlink()
        missing = look(opened, "all").missing
        expected = [Named(digest_of[pages], digests.BLOB, len(pages), first + 1)]
        expected += [Named(digest_of[report], digests.BLOB, len(report), first + 2)]
        assert missing == tuple(expected)
        assert [needed(opened, named) for named in missing] == [True, True]
        opened.commit(deleted(wheel), DocumentationDeleted(dev, *where))
        assert [needed(opened, named) for named in missing] == [False, False]
        for content in (pages, report):
            opened.store_blob(content)
