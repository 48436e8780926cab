"""Whose copies count, and how many: the setting that acknowledging and promoting go by.

While a change is not settled, both need the setting before it and the one after it.
"""

from collections.abc import Collection, Iterator, Mapping

from attrs import evolve, frozen

from changelog.codec import Stamp
from changelog.events.cluster import DurabilitySet, MemberAdded, MemberRemoved, MembersSettled
from changelog.tables import Store, Table

ONLY = b"0"  # key of the table with one row


@frozen
class Setting:
    """Voters, the primary among them, and how many of them besides the primary an acknowledged write has."""

    voters: tuple[int, ...]
    replicas: int

    @property
    def answers(self) -> int:
        """How many voters have to answer before one of them becomes the primary: M - N."""
        return len(self.voters) - self.replicas


@frozen
class Voting:
    """The setting, and the one before it while the change is not settled."""

    voters: tuple[int, ...]
    replicas: int
    voters_before: tuple[int, ...]
    replicas_before: int
    since: int  # serial of a change that is not settled, 0 = all is

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings that count: one, or two."""
        now = Setting(self.voters, self.replicas)
        return (Setting(self.voters_before, self.replicas_before), now) if self.since else (now,)


NOBODY = Voting((), 0, (), 0, 0)
VOTING = Table("voting", Voting)


def on_member_added(store: Store, event: MemberAdded, stamp: Stamp) -> None:
    """Count a voter."""
    if event.voter:
        _change(store, stamp, voters=(*find(store).voters, event.number))


def on_member_removed(store: Store, event: MemberRemoved, stamp: Stamp) -> None:
    """Count a voter no longer."""
    voters = find(store).voters
    if event.number in voters:
        _change(store, stamp, voters=tuple(number for number in voters if number != event.number))


def on_durability_set(store: Store, event: DurabilitySet, stamp: Stamp) -> None:
    """Ask for another number of copies."""
    _change(store, stamp, replicas=event.replicas)


def on_members_settled(store: Store, _: MembersSettled, __: Stamp) -> None:
    """Let the setting before go."""
    VOTING.put(store, ONLY, evolve(find(store), voters_before=(), replicas_before=0, since=0))


def find(store: Store) -> Voting:
    """Return how it stands."""
    return VOTING.get(store, ONLY) or NOBODY


def required(store: Store) -> int:
    """Return how many voters besides the primary every acknowledged write has, 0 = none is needed."""
    return required_by(find(store))


def required_by(voting: Voting) -> int:
    """Return the same by how it stands."""
    return max(setting.replicas for setting in voting.settings)


def held_size(voting: Voting, primary: int, sizes: Mapping[int, int], own: int) -> int:
    """Return how many entries are held by as many voters as the settings want.

    *sizes* are those that voters acknowledged, by number; the *primary* itself has *own* entries.
    """
    return min(_held(setting, primary, sizes, own) for setting in voting.settings)


def is_held(voting: Voting, primary: int, holders: Collection[int], replicas: int) -> bool:
    """Return whether what *holders* have is held as the settings want, and by *replicas* voters besides the primary."""
    return all(
        len((set(setting.voters) - {primary}) & set(holders)) >= max(setting.replicas, replicas)
        for setting in voting.settings
    )


def lacking(voting: Voting, answered: Collection[int]) -> Iterator[tuple[Setting, int]]:
    """Yield the settings by which more members have to answer before a promotion, and how many more."""
    for setting in voting.settings:
        missing = setting.answers - len(set(setting.voters) & set(answered))
        if missing > 0:
            yield setting, missing


def _held(setting: Setting, primary: int, sizes: Mapping[int, int], own: int) -> int:
    if not setting.replicas:
        return own
    others = sorted((sizes.get(number, 0) for number in setting.voters if number != primary), reverse=True)
    return min(own, others[setting.replicas - 1]) if setting.replicas <= len(others) else 0


def _change(store: Store, stamp: Stamp, **fields: object) -> None:
    """Change the setting; the first voter of a log begins it, so that nothing has to be settled."""
    before = find(store)
    if not before.voters:
        VOTING.put(store, ONLY, evolve(before, **fields))  # type: ignore[arg-type] # fields of the row
        return
    kept = {"voters_before": before.voters, "replicas_before": before.replicas, "since": stamp.serial}
    VOTING.put(store, ONLY, evolve(before, **kept, **fields))  # type: ignore[arg-type] # fields of the row
