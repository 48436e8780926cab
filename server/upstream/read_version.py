"""The version of the Simple API that a page claims (PEP 629)."""

import re

from server.upstream.page import InvalidPage, shown

_VERSION = re.compile(r"([0-9]{1,9})\.[0-9]{1,9}", re.ASCII)
_MAJOR = 1


def check_version(said: object) -> None:
    """Refuse a page of another major version; what is not said is 1.0.

    Raises:
        InvalidPage: it is one, or *said* is no version.
    """
    if said is None:
        return
    found = _VERSION.fullmatch(said.strip()) if isinstance(said, str) else None
    if not found or int(found[1]) != _MAJOR:
        raise InvalidPage(f"not a page of version 1 of the Simple API: {shown(said)}")
