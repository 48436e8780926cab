"""The guard against dependency confusion, and what explains it."""

import pytest

from changelog.codec import Stamp, encode
from changelog.events.indexes import IndexCreated, OptionValue
from changelog.events.projects import ProjectStatusSet
from changelog.events.upstream import MirroredFile, MirrorHashChanged, MirrorPageChanged
from changelog.fold import fold
from changelog.names import FileName, IndexName, ProjectName, Version
from changelog.records import NONE
from changelog.tables import MemoryStore, serial_key
from changelog.views import guard
from changelog.views.explain import ExplainedFile, explain
from changelog.views.pages import Source
from tests.nodes import BEGIN, uploaded

DEMO = ProjectName("demo")
DEV, PROD = IndexName("alice/dev"), IndexName("alice/prod")
PYPI, OTHER = IndexName("root/pypi"), IndexName("root/other")
WHEEL, SDIST = FileName("demo-1.0-py3-none-any.whl"), FileName("demo-1.0.tar.gz")


class Log:
    """Entries in memory, and the views of them; an index's incarnation is the serial of its entry."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.serial = 0

    def add(self, event: object) -> int:
        self.serial += 1
        stamp = Stamp(self.serial, 1025, BEGIN + self.serial, "alice", 0)
        self.store.put("entries", serial_key(self.serial), encode(event, stamp))
        fold(self.store, event, stamp)
        return self.serial

    def stage(self, name: IndexName, *bases: IndexName, **options: OptionValue) -> int:
        given: dict[str, OptionValue] = {"bases": bases, **options} if bases else options
        return self.add(IndexCreated(name, "stage", tuple(sorted(given.items())), NONE))

    def mirror(self, name: IndexName) -> int:
        return self.add(IndexCreated(name, "mirror", (), NONE))

    def mirrored(self, index: int, *filenames: FileName, status: str = "active", project: ProjectName = DEMO) -> None:
        files = tuple(
            MirroredFile(name, Version("1.0"), f"../../{name}", b"\1" * 32, (), 1, None, "", None, None, "")
            for name in filenames
        )
        self.add(MirrorPageChanged(index, project, status, "", "", files, ()))

    def visible(self, name: IndexName, project: ProjectName = DEMO) -> list[IndexName]:
        return names(guard.visible(self.store, guard.order(self.store, name), project))


def names(sources: tuple[Source, ...]) -> list[IndexName]:
    return [name for name, _ in sources]


@pytest.fixture
def log() -> Log:
    """The mirror root/pypi, and alice/dev with it as base."""
    made = Log()
    made.mirror(PYPI)
    made.stage(DEV, PYPI)
    return made


def dev(log: Log) -> int:
    """Return the incarnation of alice/dev."""
    return guard.order(log.store, DEV).stages[0][1]


def test_a_project_that_no_stage_has_may_come_from_the_mirror(log: Log) -> None:
    assert log.visible(DEV) == [DEV, PYPI]


def test_a_project_that_a_stage_has_does_not(log: Log) -> None:
    log.add(uploaded(dev(log)))
    assert log.visible(DEV) == [DEV]
    assert log.visible(DEV, ProjectName("other")) == [DEV, PYPI]


def test_that_holds_for_a_stage_that_is_inherited(log: Log) -> None:
    log.add(uploaded(dev(log)))
    log.stage(PROD, DEV)
    assert log.visible(PROD) == [PROD, DEV]


def test_a_stage_that_is_not_in_the_order_does_not_count(log: Log) -> None:
    log.add(uploaded(log.stage(PROD)))
    assert log.visible(DEV) == [DEV, PYPI]


def test_the_mirror_itself_has_no_guard(log: Log) -> None:
    log.add(uploaded(dev(log)))
    assert log.visible(PYPI) == [PYPI]


def test_mirrors_come_after_all_stages_whatever_the_bases_say() -> None:
    log = Log()
    log.mirror(PYPI)
    log.mirror(OTHER)
    log.stage(DEV, OTHER)
    log.stage(PROD, PYPI, DEV)
    assert log.visible(PROD) == [PROD, DEV, PYPI, OTHER]
    assert names(guard.order(log.store, PROD).mirrors) == [PYPI, OTHER]


@pytest.mark.parametrize("words", [("demo",), ("*",), ("other", "demo")])
def test_a_whitelist_lets_the_mirror_have_it_too(words: tuple[str, ...]) -> None:
    log = Log()
    log.mirror(PYPI)
    log.add(uploaded(log.stage(DEV, PYPI, mirror_whitelist=words)))
    assert log.visible(DEV) == [DEV, PYPI]


CASES = [  # the lists of both stages, what the first says of inheritance, whether the mirror is asked
    ((), (), None, False),
    (("demo",), (), None, False),  # intersection is the default
    ((), ("demo",), None, False),
    (("demo",), ("demo", "other"), None, True),
    (("*",), ("demo",), None, True),
    (("demo",), ("*",), None, True),
    (("*",), ("other",), None, False),
    (("*",), ("*",), None, True),
    (("*",), (), None, False),
    (("demo",), (), "union", True),
    ((), ("demo",), "union", True),
    ((), ("*",), "union", True),
    (("other",), ("another",), "union", False),
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("owned_by", [0, 1])
def test_whitelists_of_two_stages_count_together(
    case: tuple[tuple[str, ...], tuple[str, ...], str | None, bool], owned_by: int
) -> None:
    first, second, inheritance, asked = case
    log = Log()
    log.mirror(PYPI)
    inherits = {} if inheritance is None else {"mirror_whitelist_inheritance": inheritance}
    base = log.stage(PROD, PYPI, mirror_whitelist=second)
    top = log.stage(DEV, PROD, mirror_whitelist=first, **inherits)
    log.add(uploaded((top, base)[owned_by]))
    assert (PYPI in log.visible(DEV)) is asked


def test_only_the_index_that_is_asked_says_how_lists_count() -> None:
    log = Log()
    log.mirror(PYPI)
    log.stage(PROD, PYPI, mirror_whitelist=("demo",), mirror_whitelist_inheritance="union")
    log.add(uploaded(log.stage(DEV, PROD)))
    assert log.visible(DEV) == [DEV, PROD]


def test_an_index_that_is_not_there_has_no_order(log: Log) -> None:
    assert guard.order(log.store, OTHER).sources == ()
    assert explain(log.store, OTHER, DEMO).sources == ()


def hidden(log: Log, index: IndexName = DEV) -> dict[tuple[IndexName, FileName], str]:
    return {(file.index, file.filename): file.hidden for file in explain(log.store, index, DEMO).files}


def test_what_the_guard_hides_is_explained(log: Log) -> None:
    log.mirrored(1, WHEEL)
    log.add(uploaded(dev(log)))
    found = explain(log.store, DEV, DEMO)
    assert [(source.index, source.type, source.has, source.asked) for source in found.sources] == [
        (DEV, "stage", True, True),
        (PYPI, "mirror", True, False),
    ]
    assert (
        found.sources[1].why
        == "alice/dev has the project, and no mirror_whitelist names it: upstream is not even asked"
    )
    assert hidden(log) == {(DEV, WHEEL): "", (PYPI, WHEEL): "a stage has the project"}


def test_a_file_name_that_two_have_is_explained() -> None:
    log = Log()
    log.mirror(PYPI)
    log.add(uploaded(log.stage(DEV, PYPI, mirror_whitelist=("demo",))))
    log.mirrored(1, WHEEL, SDIST)
    assert hidden(log) == {(DEV, WHEEL): "", (PYPI, WHEEL): "alice/dev has a file of that name", (PYPI, SDIST): ""}
    found = explain(log.store, DEV, DEMO)
    assert found.whitelist == ("demo",)
    assert found.sources[1].why == "alice/dev has the project, and mirror_whitelist lets mirrors have it too"


def test_a_project_that_only_the_mirror_has_is_explained(log: Log) -> None:
    log.mirrored(1, WHEEL)
    found = explain(log.store, DEV, DEMO)
    assert found.sources[1].why == "no stage has the project"
    assert found.files == (ExplainedFile(WHEEL, PYPI, "01" * 32, ""),)


def test_quarantine_is_explained(log: Log) -> None:
    log.mirrored(1, WHEEL, status="quarantined")
    found = explain(log.store, DEV, DEMO)
    assert found.sources[1].status == "quarantined"
    assert hidden(log) == {(PYPI, WHEEL): "the project is quarantined"}


def test_a_stage_in_quarantine_hides_what_the_mirror_has() -> None:
    log = Log()
    log.mirror(PYPI)
    stage = log.stage(DEV, PYPI, mirror_whitelist=("*",))
    log.add(uploaded(stage))
    log.add(ProjectStatusSet(stage, DEMO, "quarantined", ""))
    log.mirrored(1, SDIST)
    assert set(hidden(log).values()) == {"the project is quarantined"}


def test_alarms_are_explained(log: Log) -> None:
    log.mirrored(1, WHEEL)
    log.add(MirrorHashChanged(1, DEMO, WHEEL, b"\1" * 32, b"\2" * 32))
    assert explain(log.store, DEV, DEMO).alarms == ((PYPI, WHEEL, "01" * 32, "02" * 32, False),)


def test_what_is_hidden_guards_its_projects_all_the_same() -> None:
    log = Log()
    log.mirror(PYPI)
    base = log.stage(PROD)
    log.stage(DEV, PROD, PYPI)
    log.add(uploaded(base))
    order = guard.order(log.store, DEV).without({(PROD, base)})
    assert names(order.sources) == [DEV, PYPI]
    assert names(guard.visible(log.store, order, DEMO)) == [DEV]
    assert names(guard.visible(log.store, order, ProjectName("other"))) == [DEV, PYPI]
    found = explain(log.store, DEV, DEMO, order)
    assert [source.index for source in found.sources] == [DEV, PYPI]
    assert found.files == ()
    assert PROD not in str(found)


def test_a_hidden_mirror_is_not_asked() -> None:
    log = Log()
    mirror = log.mirror(PYPI)
    log.mirror(OTHER)
    log.stage(DEV, PYPI, OTHER)
    order = guard.order(log.store, DEV).without({(PYPI, mirror)})
    assert names(guard.visible(log.store, order, DEMO)) == [DEV, OTHER]
