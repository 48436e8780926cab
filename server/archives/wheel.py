"""What makes a zip file the wheel that its name says (PEP 427, PEP 639)."""

import re
from typing import BinaryIO

from changelog.errors import InvalidArchive
from changelog.names import normalize
from server.archives.bounds import MAX_METADATA, MAX_RECORD, MAX_WHEEL
from server.archives.member_names import check_tree
from server.archives.record import check_record
from server.archives.zip_contents import ZipArchive, open_zip
from server.filenames import Distribution, same_version
from server.metadata import CoreMetadata, has_license_files, parse_core

_SUFFIX = ".dist-info"
_CASE_MATTERS = ("linux_", "manylinux", "musllinux")  # platform tags
_WHEEL_VERSION = re.compile(rb"(?mi)^Wheel-Version:[ \t]*(\d+)\.\d+[ \t]*\r?$")
# Installers put these two beside the packages, where this would take the place of .dist-info.
_SPREAD = re.compile(r"[^/]+\.data/(?:purelib|platlib)/[^/]+\.dist-info(?:/|$)", re.IGNORECASE)


def metadata_of_wheel(file: BinaryIO, size: int, distribution: Distribution) -> tuple[bytes, CoreMetadata]:
    """Return METADATA, raw and parsed, of the wheel *file*, having checked all of it.

    Raises:
        InvalidArchive: readers could disagree about the file, or it is not the wheel of
            *distribution*.
    """
    archive = open_zip(file, size)
    names = archive.names
    dist_info = _dist_info(names, distribution)
    _check_names(names, dist_info, distribution)
    raw = archive.read(f"{dist_info}/METADATA", MAX_METADATA)
    _check_wheel(archive.read(f"{dist_info}/WHEEL", MAX_WHEEL))
    check_record(archive.read(f"{dist_info}/RECORD", MAX_RECORD), archive.files, dist_info)
    core = parse_core(raw)
    _check_license_files(core, archive, dist_info)
    archive.verify()
    return raw, core


def find_dist_info(names: list[str]) -> str:
    """Return the one top directory in *names* that ends in ``.dist-info``, in any case.

    Raises:
        InvalidArchive: there is none, or more than one.
    """
    heads = {name.partition("/")[0] for name in names if _SUFFIX in name.lower()}
    found = [head for head in heads if head.lower().endswith(_SUFFIX)]
    if len(found) != 1:
        raise InvalidArchive(f"a wheel has one .dist-info directory, this has {sorted(found)}")
    return found[0]


def _dist_info(names: list[str], distribution: Distribution) -> str:
    """Return the directory's name, which means the project and version of the file name."""
    dist_info = find_dist_info(names)
    project, _, version = dist_info.removesuffix(_SUFFIX).rpartition("-")
    if (
        not dist_info.endswith(_SUFFIX)
        or normalize(project) != distribution.project
        or not same_version(version.replace("_", "-"), distribution.version)
    ):
        raise InvalidArchive(f"{dist_info!r} is not the directory of {distribution.filename!r}")
    return dist_info


def _check_names(names: list[str], dist_info: str, distribution: Distribution) -> None:
    case_matters = _only_where_case_matters(distribution.filename)
    check_tree(names, case_matters=case_matters)
    if case_matters:
        own = (name for name in names if name.startswith(dist_info))
        check_tree(own, case_matters=False)
    for name in names:
        if ".data/" in name.lower() and _SPREAD.match(name):
            raise InvalidArchive(f"{name!r} would be installed as a second .dist-info")


def _only_where_case_matters(filename: str) -> bool:
    platforms = filename.removesuffix(".whl").rpartition("-")[2].split(".")
    return all(platform.startswith(_CASE_MATTERS) for platform in platforms)


def _check_wheel(raw: bytes) -> None:
    found: list[bytes] = _WHEEL_VERSION.findall(raw)
    if found != [b"1"]:
        raise InvalidArchive(f"WHEEL has not one Wheel-Version 1.x, but {found}")


def _check_license_files(core: CoreMetadata, archive: ZipArchive, dist_info: str) -> None:
    if has_license_files(core):
        for path in core.license_files:
            if f"{dist_info}/licenses/{path}" not in archive.files:
                raise InvalidArchive(f"License-File {path!r} is not in {dist_info}/licenses")
