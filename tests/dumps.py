"""Dumps of devpi-server, made by hand: small, of both versions, with the oddities of old servers."""

import hashlib
import json
from pathlib import Path
from typing import Any

from attrs import Factory, define

from tests.http.client import wheel

SALT = "uBLR5DKWtF6ro4H7h3FObQ=="
MODIFIED = "Fri, 12 Sep 2014 13:18:55 GMT"
MODIFIED_US = 1_410_527_935_000_000


def old_hash(password: str) -> dict[str, str]:
    """Return the keys of a user with a password of the old scheme."""
    return {"pwsalt": SALT, "pwhash": hashlib.sha256((SALT + password).encode()).hexdigest()}


def stage(**options: object) -> dict[str, Any]:
    """Return the configuration of a stage as a new server has it."""
    config = {"type": "stage", "volatile": True, "bases": [], "acl_upload": ["ada"], "mirror_whitelist": []}
    return {
        **config,
        "acl_toxresult_upload": [":ANONYMOUS:"],
        "mirror_whitelist_inheritance": "intersection",
        **options,
    }


@define
class Dump:
    """A dump that is being made in a folder."""

    folder: Path
    version: str = "2"
    users: dict[str, Any] = Factory(dict)
    indexes: dict[str, Any] = Factory(dict)

    def index(self, name: str, config: dict[str, Any]) -> dict[str, Any]:
        """Add an index and return it."""
        made: dict[str, Any] = {"indexconfig": config, "projects": {}, "files": []}
        self.indexes[name] = made
        return made

    def release(self, index: str, project: str, version: str, **metadata: object) -> None:
        """Add metadata of a release."""
        told = {"name": project, "version": version, "classifiers": [], "author": "", **metadata}
        self.indexes[index]["projects"].setdefault(project, {})[version] = told

    def file(self, index: str, project: str, version: str, content: bytes, name: str, **more: object) -> dict[str, Any]:
        """Add a distribution file and return its description."""
        middle = f"{project}/{version}" if self.version == "2" else project
        desc = {"type": "releasefile", **more}
        return self.put(index, project, version, f"{index}/{middle}/{name}", content, desc)

    def put(
        self, index: str, project: str, version: str, relpath: str, content: bytes, desc: dict[str, Any]
    ) -> dict[str, Any]:
        """Write a file and add its description."""
        path = self.folder / relpath
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        mapping = {"project": project, "version": version, "last_modified": MODIFIED, "hashes": {"sha256": digest}}
        if self.version == "1":
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
            mapping = {"last_modified": MODIFIED, "md5": md5, "size": str(len(content))}
        told = {"projectname": project, "relpath": relpath, "entrymapping": mapping, **desc}
        told |= {"version": version} if self.version == "2" else {}
        self.indexes[index]["files"].append(told)
        return told

    def write(self) -> Path:
        """Write ``dataindex.json`` and return the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        whole: dict[str, Any] = {"users": self.users, "indexes": self.indexes, "dumpversion": self.version}
        whole |= {"pythonversion": [3, 11], "devpi_server": "6.20.3", "secret": "x", "uuid": "y"}
        (self.folder / "dataindex.json").write_text(json.dumps(whole))
        return self.folder


def small(folder: Path, files: int = 3) -> Dump:
    """Return a dump of version 2 with a bit of everything."""
    dump = Dump(folder)
    dump.users = {"root": {"username": "root", **old_hash("")}, "ada": {"username": "ada", "email": "a@b.example"}}
    dump.users["ada"] |= {"created": "2020-01-01T11:11:00Z", **old_hash("lovelace")}
    dump.index("ada/base", stage(volatile=False))
    dump.index("ada/dev", stage(bases=["ada/base", "ada/gone"], title="Development"))
    for number in range(files):
        dist = wheel("demo", f"1.{number}", requires_python=">=3.8")
        dump.release("ada/dev", "demo", f"1.{number}", requires_python=">=3.8", summary="as the form said")
        log = [{"what": "upload", "who": "ada", "when": [2014, 9, 12, 13, 18, 55], "dst": "ada/dev"}]
        dump.file("ada/dev", "demo", f"1.{number}", dist.content, dist.filename, log=log)
    dump.release("ada/dev", "planned", "0.1", summary="not yet")
    tested = wheel("demo", "1.0", requires_python=">=3.8")
    dump.put("ada/dev", "demo", "1.0", "ada/dev/demo-1.0.doc.zip", b"PK docs", {"type": "doczip"})
    path = f"ada/dev/demo/sha256={tested.sha256}/{tested.filename}.toxresult-20200101-0"
    result = {"type": "toxresult", "for_entrypath": f"ada/dev/+f/abc/0123456789abc/{tested.filename}"}
    desc = dump.put("ada/dev", "demo", "1.0", path, b'{"testenvs": {}}', result)
    desc["entrymapping"]["hashes"] = {"sha256": tested.sha256}  # as 6.5 to 6.9 wrote it
    return dump
