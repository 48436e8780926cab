"""Old password hashes become argon2 ones when the password is known: at the first login with it."""

from collections.abc import Callable

from changelog import records
from changelog.errors import Conflict
from changelog.events.users import PasswordSet
from changelog.names import UserName
from changelog.records import Record
from changelog.tables import Store
from changelog.views import users
from changelog.writer import Decision, Proposal
from server import old_passwords
from server.commands import UPGRADE


def is_wanted(store: Store, user: str, serial: int) -> bool:
    """Return whether the password that entry *serial* set has an old hash, and is still the user's."""
    row = users.find(store, UserName(user))
    if row is None or row.password_serial != serial:
        return False
    stored = store.get("records", row.password) if row.password else None
    return stored is not None and old_passwords.is_old(records.from_stored(stored).payload)


def proposal(user: str, serial: int, secret: Record) -> Proposal:
    """Return the wish that the hash in *secret* replaces that of entry *serial*; Conflict if that one is gone."""
    return Proposal(_decide(user, serial, secret.commitment), UPGRADE, (secret,))


def _decide(user: str, serial: int, commitment: bytes) -> Callable[[Store], Decision]:
    def decide(store: Store) -> Decision:
        if not is_wanted(store, user, serial):
            raise Conflict(f"the password of {user} was changed meanwhile")
        return [PasswordSet(UserName(user), commitment)]

    return decide
