"""``dataindex.json`` of a dump: users and configurations as they stand there, the rest parked by release."""

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

from attrs import Factory, define

from changelog.errors import InvalidForm, InvalidInput, InvalidName
from changelog.names import ProjectName, Version, normalize, project_name, version
from ops.devpi.json_values import Text
from ops.devpi.parked import FILE, KINDS, METADATA, Parked
from ops.devpi.report import Report
from server.filenames import archive_extension

DATAINDEX = "dataindex.json"
VERSIONS = ("1", "2")
MAX_INDEXES = 100_000
_END_OF_VERSION = r"(?![\w+!]|\.(?:\d|dev|post))"
_VERSION_PART = re.compile(r"-(?P<version>\d[^-]*(?:-\d+)?)")


@define
class DumpedIndex:
    """An index of a dump."""

    number: int
    name: str
    config: dict[str, Any] = Factory(dict)
    files: int = 0


@define
class Dump:
    """What a dump says besides its releases."""

    dumpversion: str = ""
    devpi_server: str = ""  # the version that wrote it
    users: dict[str, Any] = Factory(dict)
    indexes: dict[str, DumpedIndex] = Factory(dict)


def read(folder: Path, parked: Parked, report: Report) -> Dump:
    """Read the index of the dump in *folder* once, from its begin to its end.

    Raises:
        InvalidForm: it can not be read, or is no dump of a known version.
    """
    dump = Dump()
    with closing(Text(folder / DATAINDEX)) as text:
        for name in text.members():
            if name == "users":
                dump.users.update({user: text.value() for user in text.members()})
            elif name == "indexes":
                for index in text.members():
                    _read_index(dump, index, text, parked, report)
            elif name in ("dumpversion", "devpi_server"):
                setattr(dump, name, str(text.value()))
            else:
                text.value()
        text.finish()
    if dump.dumpversion not in VERSIONS:
        raise InvalidForm(f"dumpversion {dump.dumpversion[:20]!r} is not known; known are {', '.join(VERSIONS)}")
    parked.flush()
    _place(dump, parked, report)
    return dump


def _read_index(dump: Dump, name: str, text: Text, parked: Parked, report: Report) -> None:
    if len(dump.indexes) >= MAX_INDEXES:
        raise InvalidForm(f"{DATAINDEX} has more than {MAX_INDEXES} indexes")
    index = dump.indexes.setdefault(name, DumpedIndex(len(dump.indexes), name))
    for key in text.members():
        if key == "indexconfig":
            config = text.value()
            index.config = config if isinstance(config, dict) else {}
        elif key == "projects":
            for project in text.members():
                for number in text.members():
                    _park_metadata(index, (project, number), text.raw_value(), parked, report)
        elif key == "files":
            for desc in text.items():
                _park_file(index, desc, parked, report)
        else:
            text.value()


def _park_metadata(
    index: DumpedIndex, where: tuple[str, str], said: tuple[Any, str], parked: Parked, report: Report
) -> None:
    (metadata, raw), (project, number) = said, where
    try:
        if not isinstance(metadata, dict):
            raise InvalidForm("the metadata of the release are no object")
        parked.add(index.number, project_name(project), version(number), METADATA, raw)
    except InvalidInput as error:
        report.left_out(f"{index.name} {project} {number}", str(error))


def _park_file(index: DumpedIndex, said: tuple[Any, str], parked: Parked, report: Report) -> None:
    desc, raw = said
    if not isinstance(desc, dict):
        report.left_out(f"{index.name} {str(desc)[:80]}", "the description of a file is no object")
        return
    kind = KINDS.get(str(desc.get("type")))
    index.files += kind == FILE
    try:
        if kind is None:
            raise InvalidForm(f"a file of unknown type {str(desc.get('type'))[:80]!r}")
        if not isinstance(desc.get("version"), str):
            parked.put_aside(index.number, raw)  # as dumpversion 1 has it
        else:
            parked.add(index.number, project_name(str(desc.get("projectname"))), version(desc["version"]), kind, raw)
    except InvalidInput as error:
        report.left_out(f"{index.name} {desc.get('relpath')}", str(error))


def _place(dump: Dump, parked: Parked, report: Report) -> None:
    """Find the release of files that do not say it, as dumpversion 1 leaves it to their names."""
    names = {index.number: index.name for index in dump.indexes.values()}
    for number, raw in parked.aside():
        desc = json.loads(raw)
        relpath = str(desc.get("relpath"))
        try:
            project = project_name(str(desc.get("projectname")))
            found = version_in(relpath.rpartition("/")[2], project, parked.versions(number, project))
            parked.add(number, project, found, KINDS[desc["type"]], raw)
        except InvalidName as error:
            report.left_out(f"{names[number]} {relpath}", str(error))
    parked.flush()


def version_in(filename: str, project: ProjectName, known: list[Version]) -> Version:
    """Return the version that a file name says: the longest of the *known* ones in it, else what looks like one.

    Raises:
        InvalidName: it says none.
    """
    rest = _behind(filename, project)
    fitting = [one for one in known if re.match(f"-{re.escape(one).replace('-', '[-_]')}{_END_OF_VERSION}", rest)]
    if fitting:
        return max(fitting, key=len)
    extension = archive_extension(filename)
    match = _VERSION_PART.match(rest.removesuffix(extension) if extension else rest)
    if match is None:
        raise InvalidName(f"the file name says no version: {filename[:128]!a}")
    return version(match["version"].replace("_", "-"))


def _behind(filename: str, project: str) -> str:
    """Return what follows the project's name in a file name, from the hyphen on."""
    for place, character in enumerate(filename):
        if character == "-" and normalize(filename[:place]) == project:
            return filename[place:]
    return ""
