"""Metadata of an archive that nobody judges: found where it can be read within the bounds."""

from typing import BinaryIO

from changelog.errors import InvalidArchive
from server.archives import sdist, wheel
from server.archives.bounds import MAX_METADATA
from server.archives.zip_contents import read_member
from server.archives.zip_directory import data_start, find_end, read_central
from server.filenames import archive_extension


def find_metadata(file: BinaryIO, size: int, filename: str) -> bytes | None:
    """Return METADATA (wheel) or PKG-INFO (sdist, egg) of *file*, or None.

    Local headers, RECORD and other members' contents are not checked; only ``.whl``, ``.egg``,
    ``.zip``, ``.tar.gz`` and ``.tgz`` are opened.
    """
    try:
        match archive_extension(filename):
            case ".tar.gz" | ".tgz":
                return sdist.find_pkg_info(file, size)
            case ".whl" | ".egg" | ".zip" as extension:
                return _in_zip(file, size, extension)
            case _:
                return None
    except InvalidArchive:
        return None


def _in_zip(file: BinaryIO, size: int, extension: str) -> bytes | None:
    end = find_end(file, size)
    members = {member.name: member for member in read_central(file, end)}
    name = _wanted(list(members), extension)
    if name not in members:
        return None
    member = members[name]
    return read_member(file, member, data_start(file, member, end), MAX_METADATA)


def _wanted(names: list[str], extension: str) -> str:
    if extension == ".whl":
        return f"{wheel.find_dist_info(names)}/METADATA"
    if extension == ".egg":
        return "EGG-INFO/PKG-INFO"
    return next((n for n in names if n.count("/") == 1 and n.endswith("/PKG-INFO")), "")
