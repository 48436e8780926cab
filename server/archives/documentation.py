"""Documentation in a zip file: checked whole when it comes, and read member by member from then on.

Unlike a distribution file it is never unpacked by installers, so that what only streaming readers would see otherwise
does not matter: the central directory alone says what is there.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from changelog.errors import InvalidArchive
from server.archives.bounds import CHUNK, check_ratio
from server.archives.member_names import check_tree
from server.archives.zip_contents import contents_of
from server.archives.zip_directory import (
    DEFLATED,
    ENCRYPTED,
    STORED,
    End,
    Member,
    data_start,
    find_end,
    read_central,
)

INDEX = "index.html"  # of a folder


@frozen
class Directory:
    """The files of a documentation."""

    end: End
    files: dict[str, Member]

    def page(self, path: str) -> Member | None:
        """Return the file at *path*, or that which is shown for the folder *path*, "" or with a slash at its end."""
        return self.files.get(path + INDEX if not path or path.endswith("/") else path)


def check_documentation(path: Path) -> None:
    """Check that the file at *path* can be shown as documentation; blocking, it unpacks all of it.

    Raises:
        InvalidArchive: it is no zip file, a member's name leads out, stands twice or is both file and folder, a member
            is encrypted, packed by something else than deflate or not what is announced, or it is a bomb.
    """
    with path.open("rb", buffering=CHUNK) as file:
        end = find_end(file, os.fstat(file.fileno()).st_size)
        members = read_central(file, end)
        check_tree((member.name for member in members), case_matters=True)
        check_ratio(sum(member.unpacked for member in members), end.offset)
        for member in members:
            for _ in contents(file, member, end):
                pass
        if all(member.name.endswith("/") for member in members):
            raise InvalidArchive("there is no file in the zip file")


def read_directory(file: BinaryIO, size: int) -> Directory:
    """Return what *file* (*size* bytes) holds; blocking.

    Raises:
        InvalidArchive: it is no zip file, or a name in it leads out.
    """
    end = find_end(file, size)
    return Directory(end, {member.name: member for member in read_central(file, end) if member.name[-1] != "/"})


def contents(file: BinaryIO, member: Member, end: End) -> Iterator[bytes]:
    """Yield the bytes of *member* in pieces of at most 256 KiB; blocking.

    Raises:
        InvalidArchive: they are not what is announced, perhaps after some of them.
    """
    if member.flags & ENCRYPTED or member.method not in {STORED, DEFLATED}:
        raise InvalidArchive(f"{member.name!r} is encrypted or packed by something else than deflate")
    yield from contents_of(file, member, data_start(file, member, end))
