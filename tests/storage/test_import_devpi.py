"""Dumps become history: whole, once, and with a word about all that is not as it was."""

import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from changelog import records
from changelog.events.users import PasswordSet
from changelog.names import IndexName, ProjectName, UserName, Version
from changelog.tables import Store
from changelog.views import documentation, indexes, projects, results, users
from ops.cli import main
from server.passwords import matches
from tests.dumps import MODIFIED_US, small
from tests.http.client import wheel
from tests.importing import Imported, attempt, new_node, refusal
from tests.processes import LEDGERPI, Node

DEV = IndexName("ada/dev")
DEMO = ProjectName("demo")


def stored_hash(store: Store, user: str) -> bytes:
    """Return the password's hash of a user."""
    row = users.find(store, UserName(user))
    stored = None if row is None else store.get("records", row.password)
    assert stored is not None
    return records.from_stored(stored).payload


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    """What became of the small dump of version 2."""
    folder = tmp_path_factory.mktemp("import")
    return attempt(new_node(folder / "node"), small(folder / "dump").write())


def test_nothing_of_a_good_dump_is_left_out(imported: Imported) -> None:
    assert imported.code == 0, imported.findings
    assert imported.counts == {
        "users": 2,
        "indexes": 2,
        "releases": 4,
        "files": 3,
        "documentation": 1,
        "test results": 1,
        "bytes": sum(event.size for event in imported.uploads()),
    }


def test_files_have_their_time_uploader_and_digests(imported: Imported) -> None:
    first = imported.uploads()[0]
    dist = wheel("demo", "1.0", requires_python=">=3.8")
    assert (first.filename, first.sha256.hex(), first.uploader) == (dist.filename, dist.sha256, "ada")
    assert (first.upload_time, first.requires_python, first.filetype) == (MODIFIED_US, ">=3.8", "bdist_wheel")


def test_docs_and_test_results_belong_to_their_release(imported: Imported) -> None:
    def read(store: Store) -> tuple[int, list[str]]:
        index = indexes.find(store, DEV)
        assert index is not None
        docs = documentation.find(store, index.incarnation, DEMO, Version("1.0"))
        project = projects.find(store, index.incarnation, DEMO)
        assert docs is not None
        assert project is not None
        release = projects.find_release(store, project.incarnation, Version("1.0"))
        assert release is not None
        return docs.size, [name for name, _ in results.of_release(store, release.incarnation)]

    assert imported.look(read) == (7, ["demo-1.0-py3-none-any.whl.toxresult-20200101-0"])


def test_old_passwords_are_good(imported: Imported) -> None:
    assert matches(imported.look(lambda store: stored_hash(store, "ada")), "lovelace")
    assert matches(imported.look(lambda store: stored_hash(store, "root")), "")


def test_bases_that_are_gone_are_kept_and_named(imported: Imported) -> None:
    found = imported.look(lambda store: dict(indexes.of_user(store, UserName("ada"))))
    assert found[DEV].bases == ("ada/base", "ada/gone")
    assert "ada/gone is not in the dump" in imported.said("noted")


def test_a_second_import_adds_nothing(imported: Imported, tmp_path: Path) -> None:
    before = len(imported.events())
    again = attempt(imported.layout, small(tmp_path / "dump").write())
    assert (again.code, len(again.events())) == (0, before)


def test_another_dump_does_not_go_into_the_same_node(imported: Imported, tmp_path: Path) -> None:
    other = small(tmp_path / "dump", files=4).write()
    assert "another dump" in refusal(imported.layout, other)


def test_an_import_that_was_killed_goes_on(tmp_path: Path) -> None:
    dump, layout = small(tmp_path / "dump", files=60).write(), new_node(tmp_path / "node")
    command = [str(LEDGERPI), "import-devpi", "--serverdir", str(layout.serverdir), "--processes", "1", str(dump)]
    for wait_s in (0.5, 1.5, 2.5):
        running = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(wait_s)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    whole = attempt(layout, dump)
    names = [event.filename for event in whole.uploads()]
    assert whole.code == 0
    assert len(names) == len(set(names)) == 60


def test_no_import_goes_into_a_node_that_is_in_use(tmp_path: Path) -> None:
    layout = new_node(tmp_path / "node")
    password = tmp_path / "password"
    password.write_text("another")
    CliRunner().invoke(main, ["passwd", "--serverdir", str(layout.serverdir), "--password-file", str(password)])
    assert "in use" in refusal(layout, small(tmp_path / "dump").write())


def test_an_old_hash_becomes_a_new_one_by_a_login_which_stays_good(tmp_path: Path) -> None:
    whole = attempt(new_node(tmp_path / "node"), small(tmp_path / "dump", files=1).write())
    running = Node(whole.layout.serverdir, workers=1).start()
    try:
        ask = partial(requests.request, timeout=60.0, headers={"Accept": "application/json"})
        user, change = f"{running.url}/ada", {"title": "Countess"}
        assert ask("PATCH", user, json=change, auth=("ada", "guessed")).status_code == 401
        for _ in range(2):
            login = ask("POST", f"{running.url}/+login", json={"user": "ada", "password": "lovelace"})
            token = login.json()["result"]["password"]
            assert ask("PATCH", user, json=change, auth=("ada", token)).status_code == 200
        assert ask("PATCH", user, json={"title": "Lady"}, auth=("ada", "lovelace")).status_code == 200
    finally:
        running.stop()
    assert [event.user for event in whole.events() if isinstance(event, PasswordSet)] == ["root", "root", "ada", "ada"]
    assert whole.look(lambda store: stored_hash(store, "ada")).startswith(b"$argon2id$")
