"""What the history of a file says of the indexes that it came by."""

import pytest

from changelog.events.files import FileAction, FileHistoryCarried
from changelog.events.indexes import IndexCreated
from changelog.names import FileName, ProjectName, Version
from changelog.records import NONE
from changelog.views import files, projects
from server.render.links import PRIVATE, Links
from tests.nodes import Folding, index, uploaded

WHEEL = FileName("demo-1.0-py3-none-any.whl")
DEMO, ONE = ProjectName("demo"), Version("1.0")


@pytest.mark.parametrize(
    ("src", "shown"),
    [
        ("alice/private", PRIVATE),
        ("alice/public", "alice/public"),
        ("alice/gone", "alice/gone"),
        ("alice/dev", "alice/dev"),
        ("no index", "no index"),
        ("x/" + "y" * 1_000, "x/" + "y" * 1_000),
    ],
)
def test_only_the_index_itself_names_itself_where_it_is_private(src: str, shown: str) -> None:
    folding = Folding()
    private = (("acl_read", ("alice",)),)
    folding.add(IndexCreated(index("alice/private"), "stage", private, NONE))
    folding.add(IndexCreated(index("alice/public"), "stage", (), NONE))
    dev = folding.add(IndexCreated(index("alice/dev"), "stage", private, NONE))
    pushed = (FileAction("push", "alice", 1_000_000, src, "alice/dev", 0),)
    folding.add(uploaded(dev), FileHistoryCarried(dev, DEMO, ONE, WHEEL, pushed))
    project = projects.find(folding.store, dev, DEMO)
    assert project is not None
    release = projects.find_release(folding.store, project.incarnation, ONE)
    assert release is not None
    assert [name for name, _ in files.of_release(folding.store, release.incarnation)] == [WHEEL]
    (link,) = Links(folding.store, "", index("alice/dev")).of_release(release.incarnation, DEMO, ONE)
    assert [(action["src"], action["dst"]) for action in link["log"]] == [(shown, "alice/dev")]
