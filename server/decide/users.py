"""What may become of users."""

from changelog.errors import Conflict, NotFound, Refused
from changelog.events.indexes import IndexDeleted
from changelog.events.tokens import TokenRevoked
from changelog.events.users import PasswordSet, ProfileChanged, UserCreated, UserDeleted
from changelog.names import UserName
from changelog.tables import Store
from changelog.views import indexes, tokens, users
from changelog.views.users import User
from changelog.writer import Decision
from server.commands import Caller, ChangeProfile, CreateUser, DeleteUser, SetPassword
from server.permissions import ROOT, check_own, check_owner, check_unrestricted


def create(store: Store, caller: Caller, command: CreateUser) -> Decision:
    """Create a user; anybody may, as with devpi, where that is not restricted."""
    check_unrestricted(caller, f"create the user {command.user}")
    if users.find(store, command.user) is not None:
        raise Conflict(f"user already exists: {command.user}")
    return [UserCreated(command.user, command.profile), PasswordSet(command.user, command.password)]


def change_profile(store: Store, caller: Caller, command: ChangeProfile) -> Decision:
    """Replace what was seen."""
    check_owner(caller, command.user, f"modify the user {command.user}")
    if _existing(store, command.user).since != command.seen:
        raise Conflict(f"the user {command.user} was changed meanwhile")
    return [ProfileChanged(command.user, command.profile)]


def set_password(store: Store, caller: Caller, command: SetPassword) -> Decision:
    """Users set their own password, wherever more is restricted; root everybody's."""
    check_own(caller, command.user, f"set the password of {command.user}")
    _existing(store, command.user)
    return [PasswordSet(command.user, command.password)]


def delete(store: Store, caller: Caller, command: DeleteUser) -> Decision:
    """Delete a user, but not root, nor one with an index that is not volatile."""
    check_owner(caller, command.user, f"delete the user {command.user}")
    if command.user == ROOT:
        raise Refused("the user root can not be deleted")
    if caller.administers and caller.user == command.user:
        raise Refused(f"{command.user} administers this server and can not delete itself")
    row = _existing(store, command.user)
    owned = list(indexes.of_user(store, command.user))
    for name, index in owned:
        if not index.volatile:
            raise Refused(f"the user {command.user} has an index that is not volatile: {name}")
    revoked = [TokenRevoked(token) for token, _ in tokens.of_user(store, row.incarnation)]
    return [*(IndexDeleted(name) for name, _ in owned), *revoked, UserDeleted(command.user)]


def _existing(store: Store, name: UserName) -> User:
    row = users.find(store, name)
    if row is None:
        raise NotFound(f"no such user: {name}")
    return row
