"""Which file names of a page are the project's own, and of which version."""

import re
from functools import cached_property

from packaging.version import InvalidVersion
from packaging.version import Version as Pep440

from changelog import names
from changelog.errors import InvalidName
from changelog.names import FileName, ProjectName, Version
from server.upstream.page import shown

_EXTENSIONS = frozenset({".whl", ".zip", ".tgz", ".tar", ".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg"})
_PACKED = frozenset({".gz", ".bz2", ".xz", ".z"})  # after ".tar"
_WHEEL_PARTS = 5  # at least: name, version and three tags (PEP 427)
_PLAIN = re.compile(r"[0-9]+(?:\.[0-9]+)*(?:(?:a|b|rc|\.post|\.dev)[0-9]+)?")  # most versions; saves to parse them
_PLATFORM = re.compile(r"[.-](?:py[0-9]|linux|macosx|win32|win-|cygwin|mingw).*", re.IGNORECASE | re.ASCII)
_SEPARATORS = str.maketrans("_.", "--")
_RPM_RELEASE = re.compile(r"-[^-]+$")  # and architecture: "-1.noarch"


def extension(filename: str) -> str:
    """Return the lower-case extension that makes *filename* a distribution file's, or ``""``."""
    dot = filename.rfind(".")
    last = filename[dot:].lower()
    if last in _EXTENSIONS:
        return last
    return ".tar" + last if last in _PACKED and filename[:dot].lower().endswith(".tar") else ""


class Belonging:
    """Tells the files of one project from those of others."""

    def __init__(self, project: ProjectName) -> None:
        """Know *project* in all its spellings."""
        self._project = project
        self._spelled: set[str] = set()  # first parts of wheels' names that were the project
        self.versions: dict[str, Version] = {}  # that were met, by their text in file names

    def version(self, filename: FileName) -> Version:
        """Return the version of the project that *filename* says.

        That is the part after a wheel's name; of any other file what follows the project's name and
        a hyphen, without the platform that names of binary distributions end in. It has to be a
        version (PEP 440), or at least to begin with a digit as those from before did: *demo-extra-1.0.zip*
        is no file of *demo*.

        Raises:
            InvalidName: it is a file of another project, or no distribution file.
        """
        ends_in = extension(filename)
        text = self._of_wheel(filename) if ends_in == ".whl" else self._of_other(filename, ends_in)
        found = self.versions.get(text)
        if found is None:
            found = self.versions[text] = self._checked(text)
        return found

    def _of_wheel(self, filename: FileName) -> str:
        parts = filename.split("-")
        if len(parts) < _WHEEL_PARTS:
            raise InvalidName(f"not a wheel's name (PEP 427): {shown(filename)}")
        if parts[0] not in self._spelled:
            if names.project_name(parts[0]) != self._project:
                raise InvalidName(f"not a file of {self._project}: {shown(filename)}")
            self._spelled.add(parts[0])
        return parts[1].replace("_", "-")

    def _of_other(self, filename: FileName, ends_in: str) -> str:
        if not ends_in:
            raise InvalidName(f"not a distribution file: {shown(filename)}")
        after = self._after_name(filename)
        if not after:
            raise InvalidName(f"not a file of {self._project}: {shown(filename)}")
        text = filename[after : -len(ends_in)]
        if ends_in == ".rpm":
            text = _RPM_RELEASE.sub("", text)
        elif ends_in == ".egg":
            text = _PLATFORM.sub("", text).replace("_", "-")
        return text if _is_version(text) else _PLATFORM.sub("", text)

    def _after_name(self, filename: FileName) -> int:
        """Return the place behind the project's name and a hyphen, 0 if *filename* does not begin so."""
        length = len(self._project)
        name, after = filename[:length], filename[length : length + 1]
        if after == "-" and name.isascii() and name.lower().translate(_SEPARATORS) == self._project:
            return length + 1
        found = self._spellings.match(filename)
        return found.end() if found else 0

    @cached_property
    def _spellings(self) -> re.Pattern[str]:
        """Any runs of separators in the name: rare, and to compile it takes as long as all else of a small page."""
        return re.compile(r"[-_.]+".join(self._project.split("-")) + "-", re.IGNORECASE | re.ASCII)

    def _checked(self, text: str) -> Version:
        version = names.version(text)
        if not text[0].isdigit() and not _is_version(text):
            raise InvalidName(f"not a version of {self._project}: {shown(text)}")
        return version


def respelled(found: dict[str, Version], spellings: list[object]) -> dict[Version, Version]:
    """Return how those of *found* are written that *spellings*, a page's ``versions``, write otherwise."""
    exact = {spelling for spelling in spellings if isinstance(spelling, str)}
    others = {version: _parse(version) for version in found.values() if version not in exact}
    if not others:
        return {}
    parsed = _parsed(spellings)
    return {version: parsed[same] for version, same in others.items() if same in parsed}


def _parsed(spellings: list[object]) -> dict[Pep440 | None, Version]:
    """Return the spelling of each version (PEP 440); of several the first one counts."""
    parsed: dict[Pep440 | None, Version] = {}
    for spelling in spellings:
        try:
            version = names.version(spelling if isinstance(spelling, str) else "")
        except InvalidName:
            continue
        if same := _parse(version):
            parsed.setdefault(same, version)
    return parsed


def _is_version(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) or _parse(text) is not None


def _parse(text: str) -> Pep440 | None:
    try:
        return Pep440(text) if len(text) <= names.MAX_VERSION else None
    except InvalidVersion:
        return None
