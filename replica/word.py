"""The primary's newest word for a head of the log, as a replica keeps it: it says how old the copy is."""

from attrs import frozen

from changelog.packing import Packing
from changelog.tables import Store

KEY = b"vouched"  # in meta


@frozen
class Word:
    """A word that was checked."""

    signed: bytes  # as ``server.vouching.sign`` made it
    at: int  # microseconds since 1970, by the primary's clock
    arrived: int  # the same by this node's clock

    def age_s(self, now: float) -> float:
        """Return the seconds between the word and *now* (seconds since 1970), never less than 0.

        The two clocks may differ. Where this one is behind, the word seems to be of the future, and so its age is at
        least the time since it came.
        """
        return max(0.0, now - self.at / 1e6, now - self.arrived / 1e6)


_WORDS = Packing(Word)


def find(store: Store) -> Word | None:
    """Return the newest word, None if there never was one."""
    raw = store.get("meta", KEY)
    return None if raw is None else _WORDS.unpack(raw)


def keep(store: Store, word: Word) -> None:
    """Keep *word* unless there is a newer one."""
    before = find(store)
    if before is None or before.at < word.at:
        store.put("meta", KEY, _WORDS.pack(word))
