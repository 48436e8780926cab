"""A program that commits for ever and prints each serial once it is durable; a test kills it."""

import sys
from pathlib import Path

from changelog.blobs import Blobs
from changelog.env import Env
from changelog.events.users import PasswordSet, ProfileChanged, UserCreated
from changelog.fold import VIEW_TABLES
from changelog.names import UserName
from changelog.records import NONE, new_record
from changelog.writer import Committed, Keys, Proposal, Writer
from tests.nodes import LOG_KEY, SMALL_MAP, Clock


def proposal(name: UserName) -> Proposal:
    """Return a command of three entries with two records, one of which supersedes the other."""
    first, second = new_record(b"first"), new_record(b"second")
    events = [
        UserCreated(name, first.commitment),
        PasswordSet(name, NONE),
        ProfileChanged(name, second.commitment),
    ]
    return Proposal(lambda _: events, "alice", (first, second))


def main(folder: Path, word: str) -> None:
    """Commit groups of one to three commands."""
    env = Env(folder / "changelog", VIEW_TABLES, readonly=False, map_size=SMALL_MAP * 8)
    writer = Writer(env, Blobs(folder / "blobs"), Keys(LOG_KEY, LOG_KEY), Clock())
    for number in range(100_000):
        group = [proposal(UserName(f"{word}-{number}-{part}")) for part in range(number % 3 + 1)]
        for outcome in writer.commit(group):
            assert isinstance(outcome, Committed)
            sys.stdout.write(f"{outcome.last}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
