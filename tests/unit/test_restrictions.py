"""``--restrict-modify``: who may change users and indexes then."""

import pytest
from attrs import frozen

from changelog.errors import Refused, Unauthenticated
from changelog.events.indexes import IndexCreated
from changelog.events.users import PasswordSet, UserCreated
from changelog.names import IndexName, UserName
from changelog.records import NONE
from server.commands import (
    OPERATOR,
    Caller,
    ChangeProfile,
    Command,
    CreateIndex,
    CreateUser,
    DeleteIndex,
    DeleteUser,
    ModifyIndex,
    SetPassword,
)
from server.decide import DECISIONS, decide
from server.limits import NO_LIMITS
from server.token_commands import CreateToken
from tests.nodes import Folding, index

ALICE, BOB, CAROL = (UserName(name) for name in ("alice", "bob", "carol"))
DEV = index("alice/dev")
NOT_OWNER = index("bob/dev")


@frozen
class There:
    """Users root, alice and bob, and an index of alice."""

    folding: Folding

    def caller(self, user: str) -> Caller:
        return Caller(user, self.serials.get(user, 0))

    @property
    def serials(self) -> dict[str, int]:
        return {"root": 2, "alice": 4, "bob": 6}


@pytest.fixture
def there() -> There:
    folding = Folding()
    for name in ("root", "alice", "bob"):
        folding.add(UserCreated(UserName(name), NONE), PasswordSet(UserName(name), b"x" * 32))
    folding.add(IndexCreated(DEV, "stage", (("volatile", True),), NONE))
    return There(folding)


WISHES: dict[str, Command] = {
    "create a user": CreateUser(CAROL, NONE, b"x" * 32),
    "change alice": ChangeProfile(ALICE, 4, b"y" * 32),
    "set alice's password": SetPassword(ALICE, b"z" * 32),
    "delete alice": DeleteUser(ALICE),
    "make a token of alice": CreateToken("0" * 16, ALICE, b"t" * 32, (), (), (), 0, 0, NONE),
    "create an index": CreateIndex(IndexName("alice/new"), "stage", (), NONE),
    "modify an index": ModifyIndex(DEV, 7, (("volatile", False),), NONE),
    "delete an index": DeleteIndex(DEV),
}
FREE = {  # who may without a restriction, besides root and the operator
    "create a user": {"", "alice", "bob"},
    **{wish: {"alice"} for wish in WISHES if wish != "create a user"},
}
RESTRICTED = {wish: set[str]() for wish in WISHES} | {
    wish: {"alice"} for wish in ("set alice's password", "make a token of alice")
}


def may(there: There, user: str, wish: str, administrators: tuple[str, ...] = ()) -> bool:
    try:
        decide(there.folding.store, there.caller(user).restricted(administrators), WISHES[wish])
    except (Refused, Unauthenticated):
        return False
    return True


@pytest.mark.parametrize("wish", WISHES)
def test_without_a_restriction_owners_and_root_may(there: There, wish: str) -> None:
    found = {user for user in ("", "alice", "bob", "root", OPERATOR) if may(there, user, wish)}
    assert found == FREE[wish] | {"root", OPERATOR}


@pytest.mark.parametrize("administrator", ["root", "bob"])
@pytest.mark.parametrize("wish", WISHES)
def test_restricted_to_some_only_they_may(there: There, wish: str, administrator: str) -> None:
    found = {user for user in ("", "alice", "bob", "root", OPERATOR) if may(there, user, wish, (administrator,))}
    assert found == RESTRICTED[wish] | {administrator, OPERATOR}


@pytest.mark.parametrize("wish", ["set alice's password", "make a token of alice", "change alice"])
@pytest.mark.parametrize("administrators", [(), ("alice",), ("bob",)])
def test_a_token_does_nothing_with_accounts(there: There, wish: str, administrators: tuple[str, ...]) -> None:
    caller = Caller("alice", 0, "0" * 16, NO_LIMITS).restricted(administrators)
    with pytest.raises(Refused):
        DECISIONS[type(WISHES[wish])](there.folding.store, caller, WISHES[wish])


def test_who_administers_can_not_delete_itself(there: There) -> None:
    assert not may(there, "alice", "delete alice", ("alice",))
    assert may(there, "bob", "delete alice", ("alice", "bob"))


def test_a_token_of_who_administers_creates_no_user(there: There) -> None:
    wish = WISHES["create a user"]
    caller = Caller("bob", 0, "0" * 16, NO_LIMITS).restricted(("bob",))
    with pytest.raises(Refused):
        DECISIONS[type(wish)](there.folding.store, caller, wish)
    assert may(there, "bob", "create a user", ("bob",))
