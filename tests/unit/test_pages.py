"""Project pages: how an index and its bases become one."""

import pytest
from attrs import evolve

from changelog.events.files import FileDeleted, FileYanked
from changelog.events.indexes import IndexCreated, IndexDeleted, IndexModified
from changelog.events.projects import ProjectDeleted, ProjectStatusSet, ReleaseRegistered
from changelog.events.upstream import MirrorPageChanged
from changelog.names import FileName, IndexName, ProjectName, Version
from changelog.records import NONE
from changelog.tables import serial_key
from changelog.views import pages, upstream
from changelog.views.page import ProjectPage, Status
from tests.nodes import Folding, uploaded

TOP, MIDDLE, BOTTOM = map(IndexName, ("alice/top", "alice/middle", "alice/bottom"))
DEMO = ProjectName("demo")
ONE = Version("1.0")
WHEEL = FileName("demo-1.0-py3-none-any.whl")


def created(name: str, *bases: str, kind: str = "stage") -> IndexCreated:
    options = (("bases", bases),) if bases else ()
    return IndexCreated(IndexName(name), kind, options, NONE)


@pytest.fixture
def folding() -> Folding:
    """alice/bottom (1), alice/middle (2) on it, alice/top (3) on that."""
    made = Folding()
    made.add(created(BOTTOM), created(MIDDLE, BOTTOM), created(TOP, MIDDLE))
    return made


def shown(folding: Folding, index: IndexName = TOP, project: ProjectName = DEMO) -> ProjectPage:
    found = pages.page(folding.store, pages.sources(folding.store, index), project)
    assert found is not None
    return found


def asked(folding: Folding, index: str) -> list[str]:
    return [name for name, _ in pages.sources(folding.store, IndexName(index))]


def test_a_project_that_no_source_has_is_no_page(folding: Folding) -> None:
    folding.add(uploaded(1))
    sources = pages.sources(folding.store, TOP)
    assert pages.page(folding.store, sources, ProjectName("other")) is None
    assert pages.page(folding.store, (), DEMO) is None


def test_a_page_shows_the_files_of_the_bases(folding: Folding) -> None:
    folding.add(uploaded(1), uploaded(2, "demo-2.0.tar.gz"), uploaded(3, "demo-3.0.tar.gz"))
    page = shown(folding)
    assert [(file.index, file.version) for file in page.files] == [
        (TOP, "3.0"),
        (MIDDLE, "2.0"),
        (BOTTOM, "1.0"),
    ]
    assert page.versions == ("3.0", "2.0", "1.0")
    assert (page.index, page.project) == (TOP, DEMO)


def test_a_base_does_not_show_what_stands_on_it(folding: Folding) -> None:
    folding.add(uploaded(1), uploaded(3, "demo-3.0.tar.gz"))
    assert [file.filename for file in shown(folding, BOTTOM).files] == [WHEEL]


def test_the_first_index_that_has_a_file_name_wins(folding: Folding) -> None:
    folding.add(uploaded(1, content=b"bottom"), uploaded(2, content=b"middle"))
    (file,) = shown(folding).files
    assert (file.index, file.sha256) == (MIDDLE, uploaded(2, content=b"middle").sha256)


def test_a_deleted_file_uncovers_the_copy_of_the_base(folding: Folding) -> None:
    folding.add(uploaded(1), uploaded(2), FileDeleted(2, DEMO, ONE, WHEEL))
    (file,) = shown(folding).files
    assert file.index == BOTTOM


def test_a_yanked_file_stays_listed_with_its_reason(folding: Folding) -> None:
    folding.add(uploaded(1), FileYanked(1, DEMO, ONE, WHEEL, "broken"))
    (file,) = shown(folding).files
    assert file.yanked == "broken"


def test_a_yank_in_the_base_does_not_reach_the_copy_before_it(folding: Folding) -> None:
    folding.add(uploaded(1), uploaded(2), FileYanked(1, DEMO, ONE, WHEEL, "broken"))
    (file,) = shown(folding).files
    assert file.yanked is None


def test_the_first_index_that_has_the_project_says_its_status(folding: Folding) -> None:
    folding.add(uploaded(1), uploaded(2, "demo-2.0.tar.gz"))
    folding.add(ProjectStatusSet(1, DEMO, "deprecated", "old"))
    assert (shown(folding).status, shown(folding).reason) == (Status.ACTIVE, "")
    folding.add(ProjectStatusSet(2, DEMO, "archived", "moved"))
    assert (shown(folding).status, shown(folding).reason) == (Status.ARCHIVED, "moved")
    folding.add(ProjectDeleted(2, DEMO))
    assert (shown(folding).status, shown(folding).reason) == (Status.DEPRECATED, "old")


def test_a_quarantined_project_offers_no_files_of_any_source(folding: Folding) -> None:
    folding.add(uploaded(1), uploaded(2, "demo-2.0.tar.gz"))
    folding.add(ProjectStatusSet(2, DEMO, "quarantined", "malware"))
    page = shown(folding)
    assert page.files == ()
    assert page.versions == ("2.0", "1.0")
    assert (page.status, page.reason) == (Status.QUARANTINED, "malware")


def test_a_quarantined_base_adds_no_files(folding: Folding) -> None:
    folding.add(uploaded(1), uploaded(2, "demo-2.0.tar.gz"))
    folding.add(ProjectStatusSet(1, DEMO, "quarantined", "malware"))
    page = shown(folding)
    assert [file.index for file in page.files] == [MIDDLE]
    assert page.status is Status.ACTIVE


def test_a_release_without_files_is_a_version(folding: Folding) -> None:
    folding.add(ReleaseRegistered(1, DEMO, ONE, b"m"))
    page = shown(folding)
    assert (page.files, page.versions) == ((), ("1.0",))


def test_a_version_of_two_sources_is_listed_once(folding: Folding) -> None:
    folding.add(uploaded(1), uploaded(2, "demo-1.0.tar.gz"))
    assert shown(folding).versions == ("1.0",)


@pytest.mark.parametrize(("filename", "offered"), [(WHEEL, True), ("demo-1.0.tar.gz", False)])
def test_core_metadata_are_offered_for_wheels(folding: Folding, filename: str, *, offered: bool) -> None:
    event = uploaded(1, filename, metadata=b"metadata")
    folding.add(event)
    (file,) = shown(folding).files
    assert file.core_metadata == (event.metadata if offered else None)


def test_a_file_says_where_it_is_below_its_index(folding: Folding) -> None:
    event = evolve(uploaded(1), sha256=bytes(range(32)))
    folding.add(event)
    (file,) = shown(folding).files
    assert file.path == f"+f/000/1020304050607/{WHEEL}"
    assert (file.size, file.upload_time) == (event.size, event.upload_time)


def test_a_page_changes_its_serial_with_any_source(folding: Folding) -> None:
    first = folding.add(uploaded(3))
    assert shown(folding).last_serial == first
    second = folding.add(uploaded(1, "demo-2.0.tar.gz"))
    assert shown(folding).last_serial == second
    folding.add(uploaded(1, "other-1.0.tar.gz"))
    assert shown(folding).last_serial == second
    third = folding.add(ProjectDeleted(1, DEMO))
    assert shown(folding).last_serial == third


def test_a_deleted_base_is_left_out_and_comes_back_empty(folding: Folding) -> None:
    folding.add(uploaded(1), uploaded(3), IndexDeleted(BOTTOM))
    assert asked(folding, TOP) == [TOP, MIDDLE]
    folding.add(created(BOTTOM))
    assert asked(folding, TOP) == [TOP, MIDDLE, BOTTOM]
    assert [file.index for file in shown(folding).files] == [TOP]


def test_an_index_that_is_not_there_asks_nobody(folding: Folding) -> None:
    assert asked(folding, "alice/none") == []


def test_bases_are_asked_breadth_first_and_once() -> None:
    folding = Folding()
    folding.add(
        created("u/top", "u/a", "u/b"),
        created("u/a", "u/c", "u/b"),
        created("u/b", "u/d"),
        created("u/c", "u/d"),
        created("u/d"),
    )
    assert asked(folding, "u/top") == ["u/top", "u/a", "u/b", "u/c", "u/d"]


def test_bases_in_a_circle_are_asked_once() -> None:
    folding = Folding()
    folding.add(created("u/a", "u/b"), created("u/b", "u/a", "u/b"))
    assert asked(folding, "u/a") == ["u/a", "u/b"]
    assert asked(folding, "u/b") == ["u/b", "u/a"]


def test_a_base_named_twice_is_asked_once() -> None:
    folding = Folding()
    folding.add(created("u/a", "u/b", "u/b"), created("u/b"))
    assert asked(folding, "u/a") == ["u/a", "u/b"]


def test_mirrors_are_asked_after_all_stages() -> None:
    folding = Folding()
    folding.add(
        created("u/top", "root/mirror", "u/a"),
        created("root/mirror", kind="mirror"),
        created("u/a", "root/other"),
        created("root/other", "u/z", kind="mirror"),
        created("u/z"),
    )
    assert asked(folding, "u/top") == ["u/top", "u/a", "u/z", "root/mirror", "root/other"]


def test_new_bases_are_asked_at_once(folding: Folding) -> None:
    folding.add(IndexModified(TOP, (("bases", (BOTTOM,)),), ()))
    assert asked(folding, TOP) == [TOP, BOTTOM]


def test_the_list_holds_the_projects_of_all_sources_sorted(folding: Folding) -> None:
    first = folding.add(uploaded(1, "zeta-1.0.tar.gz"))
    second = folding.add(uploaded(2, "beta-1.0.tar.gz"))
    folding.add(uploaded(3, "beta-1.0.tar.gz"))
    third = folding.add(uploaded(1, "beta-1.0.tar.gz"))
    sources = pages.sources(folding.store, TOP)
    assert second < third
    listed = [(line.project, line.last_serial) for line in pages.listed(folding.store, sources)]
    assert listed == [("beta", third), ("zeta", first)]
    assert pages.list_serial(folding.store, sources) == third


def test_a_deleted_project_leaves_the_list_and_changes_its_serial(folding: Folding) -> None:
    folding.add(uploaded(1), uploaded(1, "other-1.0.tar.gz"))
    serial = folding.add(ProjectDeleted(1, DEMO))
    sources = pages.sources(folding.store, BOTTOM)
    assert [line.project for line in pages.listed(folding.store, sources)] == ["other"]
    assert pages.list_serial(folding.store, sources) == serial


def test_the_list_of_an_index_is_not_that_of_another(folding: Folding) -> None:
    folding.add(uploaded(1), uploaded(2, "other-1.0.tar.gz"))
    for index, name in ((1, "demo"), (2, "other")):
        assert [line.project for line in pages.listed(folding.store, [(BOTTOM, index)])] == [name]


def test_a_page_of_a_stage_is_small_up_to_twenty_files(folding: Folding) -> None:
    folding.add(*(uploaded(1, f"demo-{number}.0.tar.gz") for number in range(pages.FEW)))
    sources = pages.sources(folding.store, TOP)
    assert pages.is_small(folding.store, sources, DEMO)
    folding.add(uploaded(2, "demo-99.0.tar.gz"))
    assert pages.is_small(folding.store, sources, DEMO)
    folding.add(uploaded(1, "demo-99.0.tar.gz"))
    assert not pages.is_small(folding.store, sources, DEMO)


def test_a_page_of_a_mirror_is_small_while_its_entries_are(folding: Folding) -> None:
    folding.add(created("root/pypi", kind="mirror"))
    sources = pages.sources(folding.store, IndexName("root/pypi"))
    index = sources[0][1]
    assert pages.is_small(folding.store, sources, DEMO)
    small = []
    for _ in range(2):
        serial = folding.add(MirrorPageChanged(index, DEMO, "active", "", "", (), ()))
        folding.store.put("entries", serial_key(serial), bytes(upstream.SMALL // 2 + 1))
        small.append(pages.is_small(folding.store, sources, DEMO))
    assert small == [True, False]
