"""Users as they are."""

from collections.abc import Iterator

from attrs import frozen

from changelog.codec import Stamp
from changelog.events.users import PasswordSet, ProfileChanged, UserCreated, UserDeleted
from changelog.names import UserName
from changelog.records import NONE
from changelog.tables import Store, TimedTable, changed


@frozen
class User:
    """A user; the name is the key."""

    since: int
    incarnation: int
    created: int  # microseconds
    modified: int  # microseconds
    profile: bytes  # commitment
    password: bytes  # commitment, b"" = none was set
    password_serial: int  # logins are good for one of these


USERS = TimedTable("users", User)


def on_user_created(store: Store, event: UserCreated, stamp: Stamp) -> None:
    """Add the user."""
    row = User(stamp.serial, stamp.serial, stamp.time, stamp.time, event.profile, NONE, stamp.serial)
    USERS.put(store, event.user.encode(), row)


def on_profile_changed(store: Store, event: ProfileChanged, stamp: Stamp) -> None:
    """Put the new commitment and erase the old record."""
    row = _row(store, event.user)
    if event.profile != row.profile:
        erase(store, row.profile)
    new = changed(row, since=stamp.serial, modified=stamp.time, profile=event.profile)
    USERS.put(store, event.user.encode(), new)


def on_password_set(store: Store, event: PasswordSet, stamp: Stamp) -> None:
    """Put the new commitment and erase the old record."""
    row = _row(store, event.user)
    if event.password != row.password:  # a command that came twice
        erase(store, row.password)
    new = changed(
        row,
        since=stamp.serial,
        modified=stamp.time,
        password=event.password,
        password_serial=stamp.serial,
    )
    USERS.put(store, event.user.encode(), new)


def on_user_deleted(store: Store, event: UserDeleted, stamp: Stamp) -> None:
    """Close the row and erase its records."""
    row = _row(store, event.user)
    erase(store, row.profile)
    erase(store, row.password)
    USERS.close(store, event.user.encode(), stamp.serial)


def find(store: Store, user: UserName) -> User | None:
    """Return the user, or None."""
    return USERS.get(store, user.encode())


def everyone(store: Store) -> Iterator[tuple[UserName, User]]:
    """Yield names and users, by name."""
    for key, row in USERS.scan(store):
        yield UserName(key.decode()), row


def erase(store: Store, commitment: bytes) -> None:
    """Remove a private record; folding an old entry again finds it gone already."""
    if commitment:
        store.delete("records", commitment)


def _row(store: Store, user: UserName) -> User:
    row = find(store, user)
    if row is None:
        raise LookupError(f"the log speaks of a user that is not there: {user}")
    return row
