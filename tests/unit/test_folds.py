"""What each event does to the views."""

from hashlib import sha256

import pytest

from changelog.codec import Stamp, Unknown
from changelog.errors import InvalidEntry
from changelog.events.cluster import LogCreated, MemberAdded, PrimaryChanged
from changelog.events.files import FileDeleted, FileUnyanked, FileYanked
from changelog.events.indexes import IndexCreated, IndexDeleted, IndexModified, IndexTextsChanged
from changelog.events.projects import (
    ProjectDeleted,
    ProjectStatusSet,
    ReleaseDeleted,
    ReleaseRegistered,
)
from changelog.events.users import PasswordSet, ProfileChanged, UserCreated, UserDeleted
from changelog.fold import VIEW_TABLES, fold
from changelog.names import FileName, IndexName, ProjectName, UserName, Version
from changelog.records import NONE, Record
from changelog.tables import MemoryStore
from changelog.views import cluster, digests, files, indexes, links, projects, serials, users
from changelog.views.cluster import Member, Origin, Primary
from changelog.views.page import Status
from tests.nodes import BEGIN, Folding, rows, uploaded

ALICE = UserName("alice")
DEV = IndexName("alice/dev")
DEMO = ProjectName("demo")
ONE = Version("1.0")
WHEEL = FileName("demo-1.0-py3-none-any.whl")
SDIST = FileName("demo-1.0.tar.gz")


@pytest.fixture
def folding() -> Folding:
    """The index alice/dev with incarnation 1."""
    made = Folding()
    made.add(IndexCreated(DEV, "stage", (("volatile", False),), NONE))
    return made


def names_of(folding: Folding, project: ProjectName = DEMO) -> list[str]:
    row = projects.find(folding.store, 1, project)
    if row is None:
        return []
    return [file.filename for file in files.of_project(folding.store, DEV, row.incarnation)]


def keep(folding: Folding, text: bytes) -> bytes:
    """Store a private record as the writer does and return its commitment."""
    record = Record(sha256(text).digest(), text)
    folding.store.put("records", record.commitment, record.stored)
    return record.commitment


def test_the_first_entry_names_origin_and_key(folding: Folding) -> None:
    folding.add(LogCreated("log.example", b"k" * 32))
    assert cluster.ORIGIN.get(folding.store, cluster.ONLY) == Origin("log.example", b"k" * 32)


def test_a_member_is_listed_by_its_number(folding: Folding) -> None:
    folding.add(MemberAdded("n2", 258, "url", b"k", voter=True, may_promote=False))
    member = Member("n2", "url", b"k", voter=True, may_promote=False, cosigner_key=b"", until=0)
    assert list(cluster.members(folding.store)) == [(258, member)]


def test_the_primary_has_the_epoch_of_its_own_entry(folding: Folding) -> None:
    serial = folding.add(PrimaryChanged(1, 0, 0, b""))
    assert cluster.PRIMARY.get(folding.store, cluster.ONLY) == Primary(1, 1025, serial)


@pytest.mark.parametrize(("number", "member", "shown"), [(1, 1, "1.1"), (3, 1023, "3.1023")])
def test_an_epoch_is_shown_as_number_and_member(number: int, member: int, shown: str) -> None:
    assert cluster.shown_epoch(cluster.epoch_of(number, member)) == shown


def test_a_user_has_no_password_at_first(folding: Folding) -> None:
    serial = folding.add(UserCreated(ALICE, b"profile"))
    row = users.find(folding.store, ALICE)
    assert row == users.User(serial, serial, BEGIN + serial, BEGIN + serial, b"profile", NONE, serial)


def test_a_new_password_has_a_new_serial_and_erases_the_old_record(folding: Folding) -> None:
    old, new = keep(folding, b"old"), keep(folding, b"new")
    serial = folding.add(UserCreated(ALICE, NONE), PasswordSet(ALICE, old), PasswordSet(ALICE, new))
    row = users.find(folding.store, ALICE)
    assert row is not None
    assert (row.password, row.password_serial, row.modified) == (new, serial, BEGIN + serial)
    assert folding.store.get("records", old) is None
    assert folding.store.get("records", new) is not None


def test_a_new_profile_keeps_the_password_and_erases_the_old_record(folding: Folding) -> None:
    old, password = keep(folding, b"old"), keep(folding, b"password")
    folding.add(UserCreated(ALICE, old), PasswordSet(ALICE, password), ProfileChanged(ALICE, NONE))
    row = users.find(folding.store, ALICE)
    assert row is not None
    assert (row.profile, row.password, row.password_serial) == (NONE, password, 3)
    assert folding.store.get("records", old) is None
    assert folding.store.get("records", password) is not None


def test_the_same_password_event_again_keeps_the_record(folding: Folding) -> None:
    password = keep(folding, b"password")
    folding.add(UserCreated(ALICE, NONE), PasswordSet(ALICE, password), PasswordSet(ALICE, password))
    assert folding.store.get("records", password) is not None


def test_a_deleted_user_leaves_no_record(folding: Folding) -> None:
    profile, password = keep(folding, b"profile"), keep(folding, b"password")
    folding.add(UserCreated(ALICE, profile), PasswordSet(ALICE, password), UserDeleted(ALICE))
    assert users.find(folding.store, ALICE) is None
    assert list(folding.store.scan("records")) == []


def test_a_user_created_again_is_another_one(folding: Folding) -> None:
    first = folding.add(UserCreated(ALICE, NONE))
    second = folding.add(UserDeleted(ALICE), UserCreated(ALICE, NONE))
    row, before = users.find(folding.store, ALICE), users.USERS.at(folding.store, b"alice", first)
    assert row is not None
    assert before is not None
    assert (before.incarnation, row.incarnation) == (first, second)


def test_everyone_is_listed_by_name(folding: Folding) -> None:
    folding.add(*(UserCreated(UserName(name), NONE) for name in ("bob", "alice", "carol")))
    assert [name for name, _ in users.everyone(folding.store)] == ["alice", "bob", "carol"]


def test_an_index_has_the_serial_of_its_entry_as_incarnation(folding: Folding) -> None:
    row = indexes.find(folding.store, DEV)
    assert row == indexes.Index(1, 1, "stage", (("volatile", False),), NONE)
    assert not row.volatile


def test_changed_options_join_the_others_sorted(folding: Folding) -> None:
    folding.add(IndexModified(DEV, (("bases", ("root/a", "root/b")), ("zeta", 1)), ()))
    row = indexes.find(folding.store, DEV)
    assert row is not None
    assert row.options == (("bases", ("root/a", "root/b")), ("volatile", False), ("zeta", 1))
    assert row.bases == ("root/a", "root/b")


def test_a_dropped_option_has_its_default_again(folding: Folding) -> None:
    folding.add(IndexModified(DEV, (), ("volatile",)))
    row = indexes.find(folding.store, DEV)
    assert row is not None
    assert row.options == ()
    assert row.volatile


def test_new_texts_erase_the_old_record(folding: Folding) -> None:
    old, new = keep(folding, b"old"), keep(folding, b"new")
    folding.add(IndexTextsChanged(DEV, old), IndexTextsChanged(DEV, new))
    row = indexes.find(folding.store, DEV)
    assert row is not None
    assert row.texts == new
    assert [key for key, _ in folding.store.scan("records")] == [new]


def test_a_deleted_index_leaves_its_past_and_no_record(folding: Folding) -> None:
    folding.add(IndexTextsChanged(DEV, keep(folding, b"texts")))
    serial = folding.add(IndexDeleted(DEV))
    assert indexes.find(folding.store, DEV) is None
    assert indexes.life(folding.store, 1) == indexes.Life(DEV, serial)
    assert indexes.INDEXES.at(folding.store, DEV.encode(), serial - 1) is not None
    assert list(folding.store.scan("records")) == []


def test_an_index_created_again_holds_nothing_of_the_old_one(folding: Folding) -> None:
    folding.add(uploaded(1))
    serial = folding.add(IndexDeleted(DEV), IndexCreated(DEV, "stage", (), NONE))
    assert projects.find(folding.store, serial, DEMO) is None
    assert dict(indexes.lives(folding.store)) == {
        1: indexes.Life(DEV, serial - 1),
        serial: indexes.Life(DEV, 0),
    }


def test_the_indexes_of_a_user_are_not_those_of_a_longer_name(folding: Folding) -> None:
    folding.add(*(IndexCreated(IndexName(n), "stage", (), NONE) for n in ("alice/a", "alice2/a")))
    assert [name for name, _ in indexes.of_user(folding.store, ALICE)] == ["alice/a", "alice/dev"]


def test_changes_of_indexes_are_seen_in_one_number(folding: Folding) -> None:
    folding.add(uploaded(1), UserCreated(ALICE, NONE))
    assert serials.of_indexes(folding.store) == 1
    serial = folding.add(IndexModified(DEV, (), ()))
    assert serials.of_indexes(folding.store) == serial


def test_a_registered_release_makes_its_project(folding: Folding) -> None:
    serial = folding.add(ReleaseRegistered(1, DEMO, ONE, b"m"))
    project = projects.find(folding.store, 1, DEMO)
    assert project == projects.Project(serial, serial, Status.ACTIVE, "")
    assert list(projects.releases(folding.store, serial)) == [(ONE, projects.Release(serial, serial, b"m"))]


def test_new_metadata_replace_the_old_and_none_keep_them(folding: Folding) -> None:
    first = folding.add(ReleaseRegistered(1, DEMO, ONE, b"m1"))
    second = folding.add(ReleaseRegistered(1, DEMO, ONE, b"m2"))
    folding.add(uploaded(1))
    row = projects.find_release(folding.store, first, ONE)
    assert row == projects.Release(second, first, b"m2")


def test_a_file_makes_project_and_release(folding: Folding) -> None:
    event = uploaded(1, metadata=b"metadata")
    serial = folding.add(event)
    row = files.find(folding.store, 1, DEMO, ONE, WHEEL)
    assert row is not None
    assert (row.uploaded, row.sha256, row.metadata) == (serial, event.sha256, event.metadata)
    assert (row.overwrites, row.yanked) == (0, None)
    release = projects.find_release(folding.store, serial, ONE)
    assert release == projects.Release(serial, serial, event.metadata)


def test_the_same_name_again_replaces_the_file(folding: Folding) -> None:
    old, new = uploaded(1), uploaded(1, content=b"other")
    folding.add(old, FileYanked(1, DEMO, ONE, WHEEL, "broken"))
    serial = folding.add(new)
    row = files.find(folding.store, 1, DEMO, ONE, WHEEL)
    assert row is not None
    assert (row.sha256, row.uploaded, row.overwrites, row.yanked) == (new.sha256, serial, 1, None)
    assert names_of(folding) == [WHEEL]


def test_the_link_of_a_replaced_file_leads_to_no_file(folding: Folding) -> None:
    old, new = uploaded(1), uploaded(1, content=b"other")
    folding.add(old, new)
    for event, there in ((old, False), (new, True)):
        link = links.linked(folding.store, 1, event.sha256[:8], WHEEL)
        assert link is not None
        row = files.behind(folding.store, 1, link, event.sha256[:8], WHEEL)
        assert (row is not None) == there


def test_a_link_of_unknown_bytes_leads_nowhere(folding: Folding) -> None:
    folding.add(uploaded(1))
    assert links.linked(folding.store, 1, bytes(8), WHEEL) is None
    assert links.linked(folding.store, 2, uploaded(1).sha256[:8], WHEEL) is None


def test_the_bytes_that_the_log_named_stay_known(folding: Folding) -> None:
    event = uploaded(1, metadata=b"metadata")
    serial = folding.add(event)
    folding.add(FileDeleted(1, DEMO, ONE, WHEEL))
    assert list(digests.named(folding.store, digests.BLOB)) == [(event.sha256, digests.Digest(serial, event.size))]
    assert list(digests.named(folding.store, digests.METADATA)) == [(event.metadata, digests.Digest(serial, 0))]
    assert digests.is_named(folding.store, event.metadata)
    assert not digests.is_named(folding.store, bytes(32))


def test_the_last_file_takes_release_and_project_along(folding: Folding) -> None:
    folding.add(uploaded(1), uploaded(1, SDIST), FileDeleted(1, DEMO, ONE, WHEEL))
    assert names_of(folding) == [SDIST]
    serial = folding.add(FileDeleted(1, DEMO, ONE, SDIST))
    assert projects.find(folding.store, 1, DEMO) is None
    assert projects.existed(folding.store, 1, DEMO)
    assert serials.of_project(folding.store, 1, DEMO) == serial


def test_a_project_with_another_release_stays(folding: Folding) -> None:
    folding.add(uploaded(1), uploaded(1, "demo-2.0.tar.gz"), ReleaseDeleted(1, DEMO, ONE))
    assert names_of(folding) == ["demo-2.0.tar.gz"]
    folding.add(ReleaseDeleted(1, DEMO, Version("2.0")))
    assert projects.find(folding.store, 1, DEMO) is None


@pytest.mark.parametrize("deleted", [ProjectDeleted(1, DEMO), ReleaseDeleted(1, DEMO, ONE)])
def test_what_is_made_again_has_none_of_the_old_files(folding: Folding, deleted: object) -> None:
    folding.add(uploaded(1), uploaded(1, SDIST), deleted, uploaded(1, SDIST))
    assert names_of(folding) == [SDIST]
    folding.add(FileDeleted(1, DEMO, ONE, SDIST))
    assert projects.find(folding.store, 1, DEMO) is None


def test_a_deleted_release_is_found_at_the_serial_before(folding: Folding) -> None:
    first = folding.add(uploaded(1))
    folding.add(ReleaseDeleted(1, DEMO, ONE))
    key = projects.release_key(first, ONE)
    assert projects.RELEASES.at(folding.store, key, first) is not None
    assert projects.RELEASES.at(folding.store, key, first + 1) is None


def test_a_deleted_file_is_found_at_the_serial_before(folding: Folding) -> None:
    first = folding.add(uploaded(1), uploaded(1, SDIST)) - 1
    last = folding.add(FileDeleted(1, DEMO, ONE, WHEEL))
    then = [files.FILES.at(folding.store, files.file_key(first, WHEEL), serial) for serial in (first, last - 1, last)]
    assert [row is not None for row in then] == [True, True, False]


@pytest.mark.parametrize("deleted", [ProjectDeleted(1, DEMO), ReleaseDeleted(1, DEMO, ONE)])
def test_a_deleted_project_is_found_at_the_serial_before(
    folding: Folding, deleted: ProjectDeleted | ReleaseDeleted
) -> None:
    first = folding.add(uploaded(1))
    folding.add(deleted)
    key = projects.project_key(1, DEMO)
    assert projects.PROJECTS.at(folding.store, key, first) is not None
    assert projects.PROJECTS.at(folding.store, key, first + 1) is None


def test_a_status_is_remembered_with_its_reason(folding: Folding) -> None:
    first = folding.add(uploaded(1))
    serial = folding.add(ProjectStatusSet(1, DEMO, "archived", "moved"))
    row = projects.find(folding.store, 1, DEMO)
    assert row == projects.Project(serial, first, Status.ARCHIVED, "moved")


def test_a_yank_has_its_reason_until_it_is_taken_back(folding: Folding) -> None:
    first = folding.add(uploaded(1))
    yanked = folding.add(FileYanked(1, DEMO, ONE, WHEEL, ""))
    row = files.find(folding.store, 1, DEMO, ONE, WHEEL)
    assert row is not None
    assert (row.yanked, row.since, row.uploaded) == ("", yanked, first)
    folding.add(FileUnyanked(1, DEMO, ONE, WHEEL))
    row = files.find(folding.store, 1, DEMO, ONE, WHEEL)
    assert row is not None
    assert row.yanked is None
    then = files.FILES.at(folding.store, files.file_key(first, WHEEL), yanked)
    assert then is not None
    assert then.yanked == ""


@pytest.mark.parametrize(
    "event",
    [
        ProfileChanged(ALICE, NONE),
        PasswordSet(ALICE, NONE),
        UserDeleted(ALICE),
        IndexModified(IndexName("bob/dev"), (), ()),
        IndexTextsChanged(IndexName("bob/dev"), NONE),
        IndexDeleted(IndexName("bob/dev")),
        ReleaseDeleted(1, ProjectName("other"), ONE),
        ReleaseDeleted(1, DEMO, Version("9.0")),
        ProjectDeleted(1, ProjectName("other")),
        ProjectStatusSet(1, ProjectName("other"), "active", ""),
        FileDeleted(1, DEMO, ONE, SDIST),
        FileDeleted(1, DEMO, Version("9.0"), WHEEL),
        FileYanked(2, DEMO, ONE, WHEEL, ""),
        FileUnyanked(1, ProjectName("other"), ONE, WHEEL),
    ],
)
def test_an_event_about_what_is_not_there_stops_the_fold(folding: Folding, event: object) -> None:
    folding.add(uploaded(1))
    before = rows(folding.store)
    with pytest.raises(LookupError, match="the log speaks of"):
        folding.add(event)
    assert rows(folding.store) == before


def test_an_unknown_kind_that_must_be_understood_stops_the_fold() -> None:
    with pytest.raises(InvalidEntry, match="Renamed"):
        fold(MemoryStore(), Unknown("Renamed", must_understand=True, fields=()), _stamp(7))


def test_an_unknown_kind_that_may_be_skipped_changes_nothing(folding: Folding) -> None:
    before = rows(folding.store)
    fold(folding.store, Unknown("Noted", must_understand=False, fields=(1,)), _stamp(7))
    assert rows(folding.store) == before


def test_each_view_table_is_named_once() -> None:
    assert len(set(VIEW_TABLES)) == len(VIEW_TABLES)


def _stamp(serial: int) -> Stamp:
    return Stamp(serial, 1025, BEGIN, "", 0)
