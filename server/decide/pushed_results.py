"""By which names pushed test results are there: their own, or those that they got because theirs were taken."""

import re
from collections.abc import Iterator
from itertools import count

from attrs import frozen

from changelog.names import FileName
from changelog.tables import Store
from changelog.views import results
from server.push_commands import PushedResult

Same = tuple[str, bytes]  # name without the number at its end, SHA-256


@frozen
class There:
    """The results that a file has."""

    names: dict[Same, list[FileName]]

    @classmethod
    def of_file(cls, store: Store, release: int, filename: FileName) -> "There":
        """Return those of a file of the release with that incarnation."""
        names: dict[Same, list[FileName]] = {}
        for name, row in results.of_file(store, release, filename):
            names.setdefault((_stem(name), row.sha256), []).append(name)
        return cls(names)

    def name_of(self, result: PushedResult) -> FileName | None:
        """Return by which name *result* is there, None if it is not."""
        names = self.names.get((_stem(result.name), result.sha256), [])
        return result.name if result.name in names else next(iter(names), None)


NOTHING = There({})


def renamed(name: FileName) -> Iterator[FileName]:
    """Yield *name* with other numbers at its end, from 0 on."""
    return (FileName(f"{_stem(name)}-{number}") for number in count())


def _stem(name: FileName) -> str:
    return re.sub(r"-[0-9]+\Z", "", name)
