"""Who may do what: pure functions over views. The names are devpi's."""

from changelog.errors import NotFound, Refused, Unauthenticated
from changelog.names import IndexName, UserName
from changelog.tables import Store
from changelog.views import indexes, tokens, users
from changelog.views.indexes import Index
from server.commands import OPERATOR, REPLICA, UPSTREAM, Caller
from server.limits import ACCOUNT, DELETE, READ, TEST, UPLOAD

ROOT = "root"
ANONYMOUS = ":ANONYMOUS:"
AUTHENTICATED = ":AUTHENTICATED:"


def check_credential(store: Store, caller: Caller) -> None:
    """Check that the caller's password, login or token is still good.

    Raises:
        Unauthenticated: it was changed or revoked meanwhile, or the user is gone.
    """
    if caller.user not in ("", OPERATOR, UPSTREAM, REPLICA) and not is_current(store, caller):
        what = f"token {caller.token}" if caller.token else "login"
        raise Unauthenticated(f"the {what} of {caller.user} is no longer good")


def is_current(store: Store, caller: Caller) -> bool:
    """Return whether the user, and the password or token that was checked, are still there."""
    if caller.token:
        token = tokens.find(store, caller.token)
        return token is not None and token.user == caller.user and tokens.is_good(store, token)
    row = users.find(store, UserName(caller.user))
    return row is not None and row.password_serial == caller.password_serial


def is_owner(caller: Caller, owner: str, verb: str = ACCOUNT, index: str = "", project: str = "") -> bool:
    """Return whether the caller is *owner*, root or the operator, and a token is good for *verb*.

    Where administering is restricted to some, they count and nobody else.
    """
    by_name = caller.user in (OPERATOR, ROOT, owner) if caller.administers is None else caller.administers
    return by_name and caller.may(verb, index, project)


def check_owner(  # noqa: PLR0913, PLR0917 - what may is looked for by
    caller: Caller, owner: str, what: str, verb: str = ACCOUNT, index: str = "", project: str = ""
) -> None:
    """Raise Unauthenticated or Refused unless :func:`is_owner`."""
    if not is_owner(caller, owner, verb, index, project):
        deny(caller, what)


def check_own(caller: Caller, owner: str, what: str) -> None:
    """As :func:`check_owner`, for a password and tokens: users go on with their own where all else is restricted."""
    if caller.user != owner or not caller.may(ACCOUNT):
        check_owner(caller, owner, what)


def check_unrestricted(caller: Caller, what: str) -> None:
    """Raise unless everybody may do *what*, or it is restricted to some of whom the caller is one, without a token."""
    if caller.administers is False or (caller.administers and not caller.may(ACCOUNT)):
        deny(caller, what)


def is_public(index: Index) -> bool:
    """Return whether everybody may read the index."""
    return ANONYMOUS in acl_read(index)


def may_see(caller: Caller, name: IndexName, index: Index) -> bool:
    """Return whether the caller may know of the index: who may not read it may do nothing else with it.

    Who may are those in ``acl_read``, the owner, root, and users that ``acl_upload`` names. A token has to be good for
    something there; what it is good for is asked of each deed.
    """
    if is_public(index) or caller.user in (OPERATOR, REPLICA):
        return True
    named = caller.user in (ROOT, owner_of(name), *acl_upload(name, index)) or caller.administers is True
    known = named or allowed(caller, acl_read(index))
    indexes_of_token = caller.limits.indexes
    return bool(caller.user) and known and (indexes_of_token is None or name in indexes_of_token)


def may_read(caller: Caller, name: IndexName, index: Index, project: str = "") -> bool:
    """Return whether the caller may read the index, or of it the *project*."""
    return is_public(index) or (may_see(caller, name, index) and caller.may(READ, name, project))


def check_upload(caller: Caller, name: IndexName, index: Index, project: str) -> None:
    """Raise unless the caller is in ``acl_upload``; root is so only if it is listed.

    *project* is "" where it is not known yet, so that a token may still turn out not to be good for it.
    """
    may = caller.may(UPLOAD, name, project) and allowed(caller, acl_upload(name, index))
    if caller.user != OPERATOR and not (may and may_see(caller, name, index)):
        deny(caller, f"upload {project}{project and ' '}to {name}")


def check_delete(caller: Caller, name: IndexName, index: Index, project: str) -> None:
    """Raise unless the caller may delete and yank: ``acl_upload``, the owner or root."""
    listed = allowed(caller, acl_upload(name, index)) and may_see(caller, name, index)
    by_acl = listed and caller.may(DELETE, name, project)
    if not (by_acl or is_owner(caller, owner_of(name), DELETE, name, project)):
        deny(caller, f"change files of {name}")


def check_test_result(caller: Caller, name: IndexName, index: Index, project: str) -> None:
    """Raise Refused unless the caller is in ``acl_toxresult_upload``, which has everybody by default."""
    acl = index.option("acl_toxresult_upload", (ANONYMOUS,))
    may = caller.may(TEST, name, project) and allowed(caller, acl if isinstance(acl, tuple) else ())
    if caller.user != OPERATOR and not (may and may_see(caller, name, index)):
        who = _who(caller) or "without a login you"
        raise Refused(f"{who} may not send test results to {name}; devpi test --no-upload keeps them to yourself")


def acl_read(index: Index) -> tuple[str, ...]:
    """Return who may read; everybody by default."""
    acl = index.option("acl_read", (ANONYMOUS,))
    return acl if isinstance(acl, tuple) else ()


def acl_upload(name: IndexName, index: Index) -> tuple[str, ...]:
    """Return who may upload; the owner by default."""
    acl = index.option("acl_upload", (owner_of(name),))
    return acl if isinstance(acl, tuple) else ()


def allowed(caller: Caller, acl: tuple[str, ...]) -> bool:
    """Return whether an access list names the caller."""
    return ANONYMOUS in acl or bool(caller.user and (caller.user in acl or AUTHENTICATED in acl))


def owner_of(name: IndexName) -> str:
    """Return the user part of an index's name."""
    return name.partition("/")[0]


def deny(caller: Caller, what: str) -> None:
    """Raise Unauthenticated for nobody, Refused for somebody."""
    if not caller.user:
        raise Unauthenticated(f"who you are must be known to {what}")
    raise Refused(f"{_who(caller)} may not {what}")


def _who(caller: Caller) -> str:
    return f"the token {caller.token} of {caller.user}" if caller.token else caller.user


def existing(store: Store, name: IndexName) -> Index:
    """Return the index, or raise NotFound."""
    row = indexes.find(store, name)
    if row is None:
        raise NotFound(f"no such index: {name}")
    return row


def check_volatile(name: IndexName, index: Index, *, force: bool) -> None:
    """Raise Refused if nothing may be deleted."""
    if not index.volatile and not force:
        raise Refused(f"the index {name} is not volatile")
