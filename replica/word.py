"""The primary's newest word for a head of the log, as a replica keeps it: it says how old the copy is.

It comes every few seconds, so it lies in a file beside the log, which nothing waits for the disk for.
"""

from pathlib import Path

from attrs import frozen

from changelog.errors import InvalidEntry
from changelog.packing import Packing, unpackb


@frozen
class Word:
    """A word that was checked."""

    signed: bytes  # as ``changelog.vouching`` has it
    epoch: int
    at: int  # microseconds since 1970, by the primary's clock
    arrived: int  # the same by this node's clock

    def age_s(self, now: float) -> float:
        """Return the seconds between the word and *now* (seconds since 1970), never less than 0.

        The two clocks may differ. Where this one is behind, the word seems to be of the future, and so its age is at
        least the time since it came.
        """
        return max(0.0, now - self.at / 1e6, now - self.arrived / 1e6)


_WORDS = Packing(Word)


def find(path: Path) -> Word | None:
    """Return the newest word, None if there never was one, or the machine went down while it was written."""
    try:
        plain = unpackb(path.read_bytes())
        return _WORDS.value(plain if isinstance(plain, tuple) else ())
    except (FileNotFoundError, InvalidEntry):
        return None


def keep(path: Path, word: Word) -> None:
    """Keep *word* unless there is a newer one.

    Raises:
        OSError: it can not be written.
    """
    before = find(path)
    if before is None or (before.epoch, before.at) < (word.epoch, word.at):  # clocks of two primaries may differ
        temporary = path.with_suffix(".new")
        temporary.write_bytes(_WORDS.pack(word))
        temporary.replace(path)
