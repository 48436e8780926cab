"""The order of versions (PEP 440)."""

from collections.abc import Iterable

from packaging.version import InvalidVersion
from packaging.version import Version as Pep440

from changelog.names import Version

_OLDEST = Pep440("0")


def newest(versions: Iterable[Version], *, stable: bool = False) -> Version | None:
    """Return the newest of *versions*, of the final and post releases only if *stable*; None if there is none.

    What is no version by PEP 440 is older than all that are.
    """
    some = (number for number in versions if not stable or _is_stable(number))
    return max(some, key=_age, default=None)


def _is_stable(version: str) -> bool:
    try:
        return not Pep440(version).is_prerelease
    except InvalidVersion:
        return False


def _age(version: str) -> tuple[bool, Pep440, str]:
    try:
        return True, Pep440(version), version
    except InvalidVersion:
        return False, _OLDEST, version
