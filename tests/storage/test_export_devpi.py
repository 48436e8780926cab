"""What a node has as a dump: what came in goes out, and what has no place in a dump is named."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from changelog.names import IndexName, ProjectName, Version
from ops.cli import main
from ops.order import carry_out
from server.commands import SetProjectStatus, YankFiles
from server.layout import Layout
from tests.dumps import small
from tests.http.client import wheel
from tests.importing import attempt, new_node

DEV, DEMO = IndexName("ada/dev"), ProjectName("demo")


def exported(layout: Layout, folder: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    """Export a node and return the exit code, the index of the dump and what was said."""
    done = CliRunner().invoke(main, ["export-devpi", "--serverdir", str(layout.serverdir), *options, str(folder)])
    return done.exit_code, json.loads((folder / "dataindex.json").read_text()), done.output


def test_what_came_in_goes_out(tmp_path: Path) -> None:
    dump = small(tmp_path / "dump")
    whole = attempt(new_node(tmp_path / "node"), dump.write())
    code, index, _ = exported(whole.layout, tmp_path / "back", "--hard-links")
    assert code == 0
    dev = index["indexes"]["ada/dev"]
    assert dev["indexconfig"]["bases"] == ["ada/base", "ada/gone"]
    assert index["users"]["ada"]["pwhash"] == dump.users["ada"]["pwhash"]
    assert [file["type"] for file in dev["files"]] == [
        "releasefile",
        "toxresult",
        "doczip",
        "releasefile",
        "releasefile",
    ]
    assert all((tmp_path / "back" / file["relpath"]).is_file() for file in dev["files"])
    assert dev["projects"]["planned"]["0.1"]["summary"] == "not yet"
    again = attempt(new_node(tmp_path / "again"), tmp_path / "back")
    assert (again.code, again.counts) == (0, whole.counts)


def test_what_has_no_place_in_a_dump_is_named(tmp_path: Path) -> None:
    whole = attempt(new_node(tmp_path / "node"), small(tmp_path / "dump", files=1).write())
    name = wheel("demo", "1.0", requires_python=">=3.8").filename
    (file,) = (event.filename for event in whole.uploads() if event.filename == name)
    carry_out(whole.layout, YankFiles(DEV, DEMO, Version("1.0"), (file,), "broken"))
    carry_out(whole.layout, SetProjectStatus(DEV, DEMO, "deprecated", ""))
    code, _, said = exported(whole.layout, tmp_path / "back")
    assert code == 3
    assert "yanked" in said
    assert "status deprecated" in said


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    layout = new_node(tmp_path / "node")
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "mine").touch()
    done = CliRunner().invoke(main, ["export-devpi", "--serverdir", str(layout.serverdir), str(tmp_path / "back")])
    assert (done.exit_code, "not empty" in done.output) == (1, True)
