"""How much of an archive is read: each number bounds what one upload can cost."""

from changelog.errors import InvalidArchive

CHUNK = 256 << 10  # bytes read or unpacked at once
MAX_MEMBERS = 100_000
MAX_NAME = 4096  # bytes of a member's name or a link's target
MAX_DIRECTORY = 32 << 20  # bytes of all names of an archive, with their records
MAX_METADATA = 8 << 20  # bytes of METADATA or PKG-INFO
MAX_WHEEL = 64 << 10  # bytes of WHEEL
MAX_RECORD = 32 << 20  # bytes of RECORD
MAX_HEADER = 1 << 20  # bytes of one extended tar header
MAX_RATIO = 50  # unpacked / packed, once ...
RATIO_FROM = 64 << 20  # ... so many bytes are unpacked (PyPI's numbers)


def check_ratio(unpacked: int, packed: int) -> None:
    """Raise InvalidArchive where *unpacked* bytes from *packed* ones make a bomb."""
    if unpacked > RATIO_FROM and unpacked > MAX_RATIO * packed:
        raise InvalidArchive(f"unpacks to {unpacked} bytes from {packed}: more than {MAX_RATIO} times (a bomb)")


def check_count(members: int) -> None:
    """Raise InvalidArchive where an archive has too many members."""
    if members > MAX_MEMBERS:
        raise InvalidArchive(f"{members} members are more than {MAX_MEMBERS}")
