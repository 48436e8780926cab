"""Typed names and values: outside text is parsed and bounded here once, at the edge."""

import re
from typing import NewType

from changelog.errors import InvalidName

UserName = NewType("UserName", str)
IndexName = NewType("IndexName", str)  # "user/index"
ProjectName = NewType("ProjectName", str)  # normalized (PEP 503)
FileName = NewType("FileName", str)  # of a distribution file, no path
Version = NewType("Version", str)  # as the uploader wrote it
Sha256 = NewType("Sha256", bytes)  # 32 bytes

MAX_NAME = 64  # bytes of a user or index name
MAX_PROJECT = 128  # bytes
MAX_FILENAME = 255  # bytes
MAX_VERSION = 128  # bytes

_PROJECT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_SEPARATORS = re.compile(r"[-_.]+")
_PLAIN = re.compile(r"[^\x00-\x20\x7f-\xa0!\"#$%&'()*+,/:;<=>?\[\\\]^`{|}~]+")
_FILENAME = re.compile(r"[A-Za-z0-9_][^\x00-\x20\x7f/\\\"<>?*|:]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*", re.ASCII)
_HEX64 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def normalize(name: str) -> str:
    """Return *name* lower-cased with runs of ``-_.`` as one ``-`` (PEP 503); no check."""
    return _SEPARATORS.sub("-", name).lower()


def project_name(text: str) -> ProjectName:
    """Return *text* normalized (PEP 503).

    Raises:
        InvalidName: *text* breaks the grammar of PEP 508 names or is over 128 bytes.
    """
    if len(text) > MAX_PROJECT or not _PROJECT.fullmatch(text):
        raise InvalidName(f"not a project name: {_shown(text)}")
    return ProjectName(normalize(text))


def user_name(text: str) -> UserName:
    """Return *text* as a user name.

    Any characters but controls, space and ASCII punctuation other than ``- . @ _`` (devpi's rule),
    at most 64 bytes.

    Raises:
        InvalidName: otherwise.
    """
    return UserName(_plain(text, "user"))


def index_part(text: str) -> str:
    """Return *text* as the second part of an index name; as :func:`user_name`, without ``@``."""
    if "@" in text:
        raise InvalidName(f"not an index name: {_shown(text)} (@ names a point in time)")
    return _plain(text, "index")


def index_name(text: str) -> IndexName:
    """Return ``user/index``; one leading slash is tolerated.

    Raises:
        InvalidName: a part is missing or breaks the rules of :func:`user_name`.
    """
    user, slash, name = text.removeprefix("/").partition("/")
    if not slash:
        raise InvalidName(f"not an index name, which is user/index: {_shown(text)}")
    return IndexName(f"{user_name(user)}/{index_part(name)}")


def file_name(text: str) -> FileName:
    """Return *text* as a file name: no path, no control characters, at most 255 bytes.

    Raises:
        InvalidName: otherwise.
    """
    if not _FILENAME.fullmatch(text) or _bytes(text) > MAX_FILENAME:
        raise InvalidName(f"not a file name: {_shown(text)}")
    return FileName(text)


def documentation_name(project: ProjectName, number: Version) -> FileName:
    """Return the name of the zip file with a release's documentation."""
    return FileName(f"{project}-{number}.doc.zip")


def version(text: str) -> Version:
    """Return *text* as a version's spelling: printable ASCII without spaces, at most 128 bytes.

    Raises:
        InvalidName: otherwise.
    """
    if len(text) > MAX_VERSION or not _VERSION.fullmatch(text):
        raise InvalidName(f"not a version: {_shown(text)}")
    return Version(text)


def sha256_hex(text: str) -> Sha256:
    """Return the 32 bytes that 64 lower-case hex digits stand for, or raise InvalidName."""
    if not _HEX64.fullmatch(text):
        raise InvalidName(f"not a SHA-256 in hex: {_shown(text)}")
    return Sha256(bytes.fromhex(text))


def _plain(text: str, what: str) -> str:
    if not _PLAIN.fullmatch(text) or text in {".", ".."} or _bytes(text) > MAX_NAME:
        raise InvalidName(f"not a name for a {what}: {_shown(text)}")
    return text


def _bytes(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidName(f"not a name: {_shown(text)} (surrogates)") from error


def _shown(text: str) -> str:
    return ascii(text if len(text) <= MAX_PROJECT else text[:MAX_PROJECT] + "…")
