"""What makes a ``.tar.gz`` or ``.zip`` the sdist that its name says (PEP 625, PEP 639)."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import BinaryIO

from changelog.errors import InvalidArchive
from changelog.names import normalize
from server.archives.bounds import MAX_METADATA
from server.archives.gzip_stream import GzipStream
from server.archives.member_names import check_tree
from server.archives.tar_members import DIRECTORY, FILE, TarMember, TarReader, check_links
from server.archives.zip_contents import open_zip
from server.archives.zip_directory import looks_like_zip
from server.filenames import Distribution, same_version
from server.metadata import CoreMetadata, has_license_files, parse_core

_PKG_INFO = "PKG-INFO"


def metadata_of_tar_sdist(file: BinaryIO, size: int, distribution: Distribution) -> tuple[bytes, CoreMetadata]:
    """Return PKG-INFO, raw and parsed, of the ``.tar.gz`` *file*, having read all of it once.

    Raises:
        InvalidArchive: readers could disagree about the file, or it is not the sdist of
            *distribution*.
    """
    if looks_like_zip(file, size):
        raise InvalidArchive("the file is both a gzip and a zip file")
    file.seek(0)
    reader = TarReader(GzipStream(file, size))
    members: list[TarMember] = []
    raw: bytes | None = None
    for member in reader:
        if member.kind == FILE and member.name.endswith(f"/{_PKG_INFO}") and _depth(member) == 1:
            raw = reader.contents(member, MAX_METADATA)
        members.append(member)
    root = _root((member.name for member in members), distribution)
    check_tree((member.name for member in members), case_matters=True)
    check_links(members, root)
    files = {member.name for member in members if member.kind != DIRECTORY}
    return _checked(raw, files, root)


def metadata_of_zip_sdist(file: BinaryIO, size: int, distribution: Distribution) -> tuple[bytes, CoreMetadata]:
    """Return PKG-INFO of the ``.zip`` sdist *file*; otherwise as :func:`metadata_of_tar_sdist`."""
    archive = open_zip(file, size)
    names, files = archive.names, archive.files
    root = _root(names, distribution)
    check_tree(names, case_matters=True)
    own = f"{root}/{_PKG_INFO}"
    raw = archive.read(own, MAX_METADATA) if own in files else None
    archive.verify()
    return _checked(raw, files, root)


def find_pkg_info(file: BinaryIO, size: int) -> bytes | None:
    """Return the first PKG-INFO in a top directory of a ``.tar.gz``, reading no further, or None.

    Raises:
        InvalidArchive: the file can not be read up to there.
    """
    reader = TarReader(GzipStream(file, size))
    for member in reader:
        if member.kind == FILE and member.name.endswith(f"/{_PKG_INFO}") and _depth(member) == 1:
            return reader.contents(member, MAX_METADATA)
    return None


def _depth(member: TarMember) -> int:
    return member.name.count("/")


def _root(names: Iterable[str], distribution: Distribution) -> str:
    """Return the one top directory of *names*, which must mean what the file name means."""
    roots = {name.partition("/")[0] if "/" in name else "" for name in names}
    if len(roots) != 1 or "" in roots:
        raise InvalidArchive(f"an sdist has one top directory, this has {sorted(roots)[:3]}")
    (root,) = roots
    project, _, version = root.rpartition("-")
    if normalize(project) != distribution.project or not same_version(version, distribution.version):
        raise InvalidArchive(f"{root!r} is not the directory of {distribution.filename!r}")
    return root


def _checked(raw: bytes | None, files: AbstractSet[str], root: str) -> tuple[bytes, CoreMetadata]:
    own = f"{root}/{_PKG_INFO}"
    twins = [name for name in files if name.lower() == own.lower()]
    if raw is None or twins != [own]:
        raise InvalidArchive(f"an sdist has one file {own!r}, this has {twins}")
    core = parse_core(raw)
    if has_license_files(core):
        for path in core.license_files:
            if f"{root}/{path}" not in files:
                raise InvalidArchive(f"License-File {path!r} is not in the sdist")
    return raw, core
