"""What the name of a distribution file says: project, version, file type and Python version."""

import re

from attrs import frozen
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion
from packaging.version import Version as Pep440

from changelog import names
from changelog.errors import InvalidName
from changelog.names import FileName, ProjectName, Version

# Longest first: ".doc.zip" before ".zip". These are the extensions that devpi takes.
EXTENSIONS = (
    *(".doc.zip", ".tar.bz2", ".tar.gz", ".tgz", ".tar", ".zip", ".whl", ".egg"),
    *(".exe", ".msi", ".rpm", ".deb", ".dmg"),
)
_SOURCES = frozenset({".tar.gz", ".tgz", ".tar.bz2", ".tar", ".zip"})
_FILETYPES = {
    ".whl": "bdist_wheel",
    ".egg": "bdist_egg",
    ".exe": "bdist_wininst",
    ".msi": "bdist_msi",
    ".rpm": "bdist_rpm",
}
_PYTHON_TAG = re.compile(r"-(?:py|cp|ip|pp|jy)(\d(?:\.\d+)?)(?=$|[-.])", re.IGNORECASE)
_PLATFORM_TAIL = re.compile(r"[.-](?:linux-|macosx-|win32|win-)[^/]*$", re.IGNORECASE)
_WHEEL_TAGS = 3  # python, abi, platform: counted from the right


@frozen
class Distribution:
    """A distribution file as its name tells it."""

    filename: FileName
    project: ProjectName
    version: Version  # as spelled there, "_" of a wheel as "-"; compare with same_version
    filetype: str  # "bdist_wheel", "sdist", "bdist_egg" ...: the names of the upload form
    pyversion: str  # "py3", "cp311"; "source" of an sdist; "any" where the name does not say


def parse(filename: str) -> Distribution:
    """Return what *filename* says by PEP 427 (wheel) or PEP 625 (sdist; also ``.zip``, as on PyPI).

    An sdist has exactly one hyphen: its project is escaped (``my_project-1.0.tar.gz``).

    Raises:
        InvalidName: it is neither, or a part is over its bound.
    """
    name = names.file_name(filename)
    if name.endswith(".whl"):
        return _wheel(name)
    if name.endswith((".tar.gz", ".zip")):
        return _sdist(name)
    raise InvalidName(f"filename {name!r} ends in neither .whl nor .tar.gz nor .zip")


def parse_lenient(filename: str, project: str, version: str) -> Distribution:
    """Return what *filename* says by devpi's rules, for *project* and *version* of the form.

    The name contains the version (or its wheel-escaped form) unless that is empty, begins with the
    project (both normalized), and has an extension of :data:`EXTENSIONS`.

    Raises:
        InvalidName: a rule is broken.
    """
    name = names.file_name(filename)
    if version not in name and version.replace("-", "_") not in name:
        raise InvalidName(f"filename {name!r} does not contain version {version!r}")
    extension = archive_extension(name)
    if not extension:
        raise InvalidName(f"filename {name!r} has no known archive extension")
    stem, wanted = name[: -len(extension)], names.project_name(project)
    if not names.normalize(stem).startswith(wanted):
        raise InvalidName(f"filename {name!r} does not match project name {project!r}")
    spelled = names.version(version) if version else Version("")
    filetype, pyversion = _kind(stem, extension)
    return Distribution(name, wanted, spelled, filetype, pyversion)


def kind_of(filename: str) -> tuple[str, str]:
    """Return file type and Python version of any *filename*, as :class:`Distribution` has them; nothing is judged."""
    extension = archive_extension(filename)
    return _kind(filename[: len(filename) - len(extension)], extension)


def archive_extension(filename: str) -> str:
    """Return the lower-case extension of :data:`EXTENSIONS` that *filename* ends in, or ``""``."""
    lower = filename.lower()
    return next((extension for extension in EXTENSIONS if lower.endswith(extension)), "")


def same_version(a: str, b: str) -> bool:
    """Tell whether *a* and *b* are one version (PEP 440), or the same text where one is none."""
    if a == b:
        return True
    try:
        return Pep440(a) == Pep440(b)
    except InvalidVersion:
        return False


def _wheel(filename: FileName) -> Distribution:
    try:
        parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise InvalidName(f"not a wheel's name (PEP 427): {error}") from error
    parts = filename.removesuffix(".whl").split("-")
    project, version = names.project_name(parts[0]), names.version(parts[1].replace("_", "-"))
    return Distribution(filename, project, version, "bdist_wheel", parts[-_WHEEL_TAGS])


def _sdist(filename: FileName) -> Distribution:
    try:
        parse_sdist_filename(filename)
    except InvalidSdistFilename as error:
        raise InvalidName(f"not an sdist's name (PEP 625): {error}") from error
    name, _, version = filename.removesuffix(".zip").removesuffix(".tar.gz").rpartition("-")
    if "-" in name:
        raise InvalidName(f"not an sdist's name (PEP 625: one hyphen): {filename!r}")
    return Distribution(filename, names.project_name(name), names.version(version), "sdist", "source")


def _kind(stem: str, extension: str) -> tuple[str, str]:
    if extension == ".whl":
        parts = stem.split("-")
        return "bdist_wheel", parts[-_WHEEL_TAGS] if len(parts) > _WHEEL_TAGS else "any"
    if extension in _SOURCES and not _PLATFORM_TAIL.search(stem):
        return "sdist", "source"
    tag = _PYTHON_TAG.search(stem)
    return _FILETYPES.get(extension, "bdist_dumb"), tag[1] if tag else "any"
