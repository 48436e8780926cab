"""What may become of indexes."""

from changelog.errors import Conflict, InvalidOption, NotFound, Refused
from changelog.events.indexes import IndexCreated, IndexDeleted, IndexModified, IndexTextsChanged
from changelog.names import IndexName, UserName
from changelog.tables import Store
from changelog.views import indexes, users
from changelog.writer import Already, Decision
from server.commands import Caller, CreateIndex, DeleteIndex, ModifyIndex
from server.limits import ADMIN
from server.permissions import check_owner, existing, may_see, owner_of


def create(store: Store, caller: Caller, command: CreateIndex) -> Decision:
    """Users create indexes below their own name, root below everybody's."""
    owner = owner_of(command.index)
    check_owner(caller, owner, f"create the index {command.index}", ADMIN, command.index)
    if users.find(store, UserName(owner)) is None:
        raise NotFound(f"no such user: {owner}")
    if indexes.find(store, command.index) is not None:
        raise Conflict(f"index already exists: {command.index}")
    _check_bases(store, caller, command.index, dict(command.options).get("bases", ()))
    return [IndexCreated(command.index, command.type, command.options, command.texts)]


def modify(store: Store, caller: Caller, command: ModifyIndex) -> Decision:
    """Write down what differs from what is there."""
    check_owner(caller, owner_of(command.index), f"modify the index {command.index}", ADMIN, command.index)
    row = existing(store, command.index)
    if row.since != command.seen:
        raise Conflict(f"the index {command.index} was changed meanwhile")
    before, after = dict(row.options), dict(command.options)
    if after.get("bases") != before.get("bases"):
        _check_bases(store, caller, command.index, after.get("bases", ()), before.get("bases", ()))
    events: list[IndexModified | IndexTextsChanged] = []
    options = tuple(option for option in command.options if option not in row.options)
    dropped = tuple(sorted(before.keys() - after.keys()))
    if options or dropped:
        events.append(IndexModified(command.index, options, dropped))
    if command.texts != row.texts:
        events.append(IndexTextsChanged(command.index, command.texts))
    return events or Already(row.since)


def delete(store: Store, caller: Caller, command: DeleteIndex) -> Decision:
    """Only volatile indexes can be deleted."""
    check_owner(caller, owner_of(command.index), f"delete the index {command.index}", ADMIN, command.index)
    row = existing(store, command.index)
    if not row.volatile:
        raise Refused(f"the index {command.index} is not volatile")
    return [IndexDeleted(command.index)]


def _check_bases(store: Store, caller: Caller, index: IndexName, bases: object, before: object = ()) -> None:
    """Refuse a base that is not there, as far as the caller may know; one that was a base *before* may be private."""
    known = before if isinstance(before, tuple) else ()
    for base in bases if isinstance(bases, tuple) else ():
        if base == index:
            raise InvalidOption(f"the index {index} can not be its own base")
        row = indexes.find(store, IndexName(base))
        if row is None or not (base in known or may_see(caller, IndexName(base), row)):
            raise InvalidOption(f"base index does not exist: {base}")
