"""Old and hostile dumps: what can be meant comes over, the rest is named, and nothing is read from outside."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from changelog.events.files import FileAction, FileHistoryCarried
from changelog.events.indexes import IndexCreated
from changelog.events.projects import ReleaseRegistered
from changelog.events.upstream import MirroredFile, MirrorFileFetched, MirrorPageChanged
from changelog.names import ProjectName, Version
from ops.devpi.dump import version_in
from tests.dumps import Dump, old_hash, small, stage
from tests.http.client import wheel
from tests.importing import Imported, attempt, new_node, refusal


def import_of(tmp_path: Path, dump: Dump, *options: str) -> Imported:
    return attempt(new_node(tmp_path / "node"), dump.write(), *options)


def old(folder: Path) -> Dump:
    """Return a dump of version 1, as devpi-server 1.2 wrote it."""
    dump = Dump(folder, version="1", users={"ada": {"username": "ada", **old_hash("x")}})
    config = {"type": "stage", "uploadtrigger_jenkins": None, "volatile": True, "acl_upload": ["ada"]}
    dump.index("ada/dev", {**config, "bases": ["root/pypi"], "pypi_whitelist": ["hello"]})
    dump.release("ada/dev", "hello", "1.2-3")
    dump.file("ada/dev", "hello", "1.2-3", b"content", "hello-1.2_3.tar.gz")
    return dump


def test_a_dump_of_version_1_tells_versions_by_file_names(tmp_path: Path) -> None:
    found = import_of(tmp_path, old(tmp_path / "dump"))
    assert [(event.filename, event.version) for event in found.uploads()] == [("hello-1.2_3.tar.gz", "1.2-3")]
    assert found.code == 0


def test_options_have_the_meaning_of_their_time(tmp_path: Path) -> None:
    found = import_of(tmp_path, old(tmp_path / "dump"))
    (index,) = (event for event in found.events() if isinstance(event, IndexCreated))
    options = {"bases": ("root/pypi",), "mirror_whitelist": ("hello",), "mirror_whitelist_inheritance": "union"}
    assert dict(index.options) == options


@pytest.mark.parametrize(
    ("filename", "known", "version"),
    [
        ("hello-1.2_3.tar.gz", ["1.2-3", "1.2"], "1.2-3"),
        ("hello-1.0.tar.gz", [], "1.0"),
        ("hello-1.0.1.tar.gz", ["1.0"], "1.0.1"),
        ("hello-1.0.dev2.zip", ["1.0", "1.0.dev2"], "1.0.dev2"),
        ("hello-1.0-py2.7.egg", ["1.0"], "1.0"),
        ("Hello-1.0.linux-x86_64.tar.gz", ["1.0"], "1.0"),
        ("hello-1.0-py2.py3-none-any.whl", [], "1.0"),
        ("hello-1.0.tar.gz.toxresult0", ["1.0"], "1.0"),
        ("hello-1.0.doc.zip", ["1.0"], "1.0"),
    ],
)
def test_the_version_in_a_file_name(filename: str, known: list[str], version: str) -> None:
    assert version_in(filename, ProjectName("hello"), [Version(one) for one in known]) == version


def test_projects_that_are_one_by_name_are_merged(tmp_path: Path) -> None:
    dump = small(tmp_path / "dump", files=1)
    for name in ("hello.pkg", "hello-pkg"):
        dump.release("ada/dev", name, f"1.{len(name)}.{name.count('.')}")
        dump.file(
            "ada/dev", name, f"1.{len(name)}.{name.count('.')}", name.encode(), f"{name}-1.9.{name.count('.')}.zip"
        )
    found = import_of(tmp_path, dump)
    assert {event.project for event in found.uploads()} == {"demo", "hello-pkg"}
    assert found.code == 0


def test_a_file_with_another_digest_is_left_out(tmp_path: Path) -> None:
    dump = small(tmp_path / "dump")
    desc = dump.indexes["ada/dev"]["files"][0]
    (dump.folder / desc["relpath"]).write_bytes(b"other bytes")
    found = import_of(tmp_path, dump)
    assert found.code == 3
    assert "the sha256 digest is" in found.said("left out")
    assert len(found.uploads()) == 2


def test_a_file_that_is_missing_is_left_out(tmp_path: Path) -> None:
    dump = small(tmp_path / "dump")
    (dump.folder / dump.indexes["ada/dev"]["files"][1]["relpath"]).unlink()
    found = import_of(tmp_path, dump)
    assert (found.code, len(found.uploads())) == (3, 2)
    assert "No such file" in found.said("left out")


def test_no_path_leads_out_of_the_dump(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    dump = small(tmp_path / "dump", files=1)
    paths = ["../secret", "/etc/passwd", "ada/../../secret", "ada//x", ".", "", "a\\..\\b", "n\0l", 7, "x" * 5_000]
    (good,) = (desc for desc in dump.indexes["ada/dev"]["files"] if desc["type"] == "releasefile")
    dump.indexes["ada/dev"]["files"] += [{**good, "relpath": path, "entrymapping": {}} for path in paths]
    found = import_of(tmp_path, dump)
    assert (found.code, len(found.uploads())) == (3, 1)
    assert len(found.said("left out").splitlines()) == len(paths)


def test_links_in_the_dump_are_not_followed(tmp_path: Path) -> None:
    dump = small(tmp_path / "dump", files=2)
    first, second = (dump.folder / desc["relpath"] for desc in dump.indexes["ada/dev"]["files"][:2])
    first.rename(tmp_path / "secret")
    first.symlink_to(tmp_path / "secret")
    second.parent.rename(tmp_path / "folder")
    second.parent.symlink_to(tmp_path / "folder")
    found = import_of(tmp_path, dump)
    assert (found.code, found.uploads()) == (3, [])


def test_what_is_no_file_is_left_out_at_once(tmp_path: Path) -> None:
    dump = small(tmp_path / "dump", files=1)
    path = dump.folder / dump.indexes["ada/dev"]["files"][0]["relpath"]
    path.unlink()
    os.mkfifo(path)
    found = import_of(tmp_path, dump)
    assert "not a regular file" in found.said("left out")


def test_names_that_can_not_be_are_left_out(tmp_path: Path) -> None:
    dump = small(tmp_path / "dump", files=1)
    dump.users |= {"root~x": {"username": "root~x"}, "\ud800": {}, "u" * 100: {}}
    dump.index("root~x/dev", stage())
    dump.index("ada/de!v", stage())
    dump.index("nobody/dev", stage())
    dump.release("ada/dev", "p" * 200, "1.0")
    dump.release("ada/dev", "ünï", "1.0")
    dump.release("ada/dev", "fine", "not a version")
    dump.file("ada/dev", "fine", "1.0", b"", "-fine-1.0.zip")
    found = import_of(tmp_path, dump)
    assert found.code == 3
    for what in ("root~x", "ada/de!v", "nobody", "not a version", "-fine-1.0.zip", "p" * 128):
        assert what in found.said("left out"), what


def test_options_that_are_not_known_are_named(tmp_path: Path) -> None:
    dump = small(tmp_path / "dump", files=1)
    config = dump.indexes["ada/dev"]["indexconfig"]
    config |= {"acl_pkg_read": ["ada"], "volatile": "perhaps", "acl_upload": ["ada", "b d"], "bases": ["ada/base", 7]}
    found = import_of(tmp_path, dump)
    assert found.code == 0
    said = found.said("changed")
    assert "'acl_pkg_read'" in said
    assert "restricted" in said
    assert "volatile" in said


def test_types_that_are_skipped_are_left_out(tmp_path: Path) -> None:
    dump = small(tmp_path / "dump", files=1)
    dump.index("ada/pinned", {"type": "constrained", "constraints": "x"})
    assert "constrained" in refusal(new_node(tmp_path / "refused"), dump.write())
    found = import_of(tmp_path, dump, "--skip-import-type", "constrained")
    assert "ada/pinned" in found.said("left out")


def test_a_history_that_an_upload_does_not_tell_is_carried(tmp_path: Path) -> None:
    dump = small(tmp_path / "dump", files=1)
    line: dict[str, Any] = {"what": "push", "who": "ada", "when": [2020, 1, 1, 0, 0, 0], "src": "ada/base"}
    dump.indexes["ada/dev"]["files"][0]["log"] += [{**line, "dst": "ada/dev"}, {"what": 7, "when": "then"}, "nonsense"]
    found = import_of(tmp_path, dump)
    (carried,) = (event for event in found.events() if isinstance(event, FileHistoryCarried))
    actions = [FileAction(*action) for action in carried.actions]
    assert [action.what for action in actions] == ["upload", "push", ""]
    assert actions[1].src == "ada/base"


def test_files_that_a_mirror_had_are_kept(tmp_path: Path) -> None:
    dump = small(tmp_path / "dump", files=1)
    dump.index("root/pypi", {"type": "mirror", "mirror_url": "https://index.example/simple/", "bases": ["stray"]})
    dist = wheel("cached", "2.0")
    dump.release("root/pypi", "cached", "2.0", requires_python=">=3.9", yanked="broken")
    desc = dump.file("root/pypi", "cached", "2.0", dist.content, dist.filename)
    desc["entrymapping"]["url"] = f"https://files.index.example/ab/{dist.filename}"
    found = import_of(tmp_path, dump)
    pages = [event for event in found.events() if isinstance(event, MirrorPageChanged)]
    (got,) = (event for event in found.events() if isinstance(event, MirrorFileFetched))
    (file,) = (MirroredFile(*told) for told in pages[0].files)
    assert (got.sha256.hex(), file.yanked, file.requires_python) == (dist.sha256, "broken", ">=3.9")
    assert file.url == f"https://files.index.example/ab/{dist.filename}"


def test_metadata_of_the_form_are_those_of_the_release(tmp_path: Path) -> None:
    found = import_of(tmp_path, small(tmp_path / "dump", files=1))
    assert len([event for event in found.events() if isinstance(event, ReleaseRegistered)]) == 2  # demo, planned


def test_order_and_white_space_do_not_matter(tmp_path: Path) -> None:
    dump = small(tmp_path / "dump", files=2)
    folder = dump.write()
    whole = json.loads((folder / "dataindex.json").read_text())
    turned = {key: whole[key] for key in reversed(whole)}
    turned["indexes"] = {name: dict(reversed(index.items())) for name, index in turned["indexes"].items()}
    (folder / "dataindex.json").write_text(json.dumps(turned, indent=4))
    found = attempt(new_node(tmp_path / "node"), folder)
    assert (found.code, len(found.uploads())) == (0, 2)
