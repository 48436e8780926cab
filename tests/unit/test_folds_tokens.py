"""What becomes of API tokens: folds and decisions."""

from collections.abc import Callable
from hashlib import sha256

import pytest
from attrs import evolve

from changelog.codec import Event
from changelog.errors import Conflict, LedgerpiError, NotFound, Refused, Unauthenticated
from changelog.events.tokens import TokenCreated, TokenKeySet, TokenRevoked
from changelog.events.users import PasswordSet, UserCreated, UserDeleted
from changelog.names import IndexName, ProjectName, UserName
from changelog.records import NONE, Record
from changelog.tables import Store
from changelog.views import tokens, users
from changelog.writer import Already
from server import macaroons, token_checks
from server.api_tokens import ApiToken
from server.commands import OPERATOR, Caller, DeleteUser
from server.decide import decide
from server.decide import tokens as deciding
from server.limits import READ, UPLOAD, Limits
from server.permissions import check_credential
from server.token_commands import CreateToken, RevokeToken, SetTokenKey
from tests.nodes import Folding

ALICE, BOB = UserName("alice"), UserName("bob")
TOKEN = ApiToken("kT3vN0q8ZxB1", "s" * 43)
MACAROON = "mT3vN0q8ZxB1"
NOW = 1_000.0
OPERATING = Caller(OPERATOR, 0)


@pytest.fixture
def folding() -> Folding:
    """The users alice, bob and root, and a key for macaroons."""
    made = Folding()
    made.add(*(UserCreated(user, NONE) for user in (ALICE, BOB, UserName("root"))))
    made.add(TokenKeySet(keep(made, b"k" * 32)))
    return made


def keep(folding: Folding, payload: bytes) -> bytes:
    """Store a private record as the writer does and return its commitment."""
    record = Record(sha256(payload).digest(), payload)
    folding.store.put("records", record.commitment, record.stored)
    return record.commitment


def created(token: str = TOKEN.id, *, user: UserName = ALICE, secret: bytes = TOKEN.hash) -> TokenCreated:
    return TokenCreated(token, user, secret, (), (), (), 0, 0, NONE)


def command(event: TokenCreated) -> CreateToken:
    return CreateToken(event.token, event.user, event.secret, (), (), (), 0, 0, NONE)


def logged_in(store: Store, user: UserName) -> Caller:
    row = users.find(store, user)
    assert row is not None
    return Caller(user, row.password_serial)


def ids(folding: Folding, user: UserName = ALICE) -> list[str]:
    row = users.find(folding.store, user)
    assert row is not None
    return [token for token, _ in tokens.of_user(folding.store, row.incarnation)]


def with_token(folding: Folding, text: str = TOKEN.text, user: str = ALICE, now: float = NOW) -> Caller:
    return token_checks.caller_with(folding.store, user, text, now)[0]


def test_a_token_is_one_of_its_user(folding: Folding) -> None:
    folding.add(created())
    assert ids(folding) == [TOKEN.id]
    assert ids(folding, BOB) == []


def test_a_revoked_token_is_there_no_longer_and_its_description_is_erased(folding: Folding) -> None:
    description = keep(folding, b"what it is for")
    folding.add(evolve(created(), description=description), TokenRevoked(TOKEN.id))
    assert ids(folding) == []
    assert tokens.find(folding.store, TOKEN.id) is None
    assert tokens.was(folding.store, TOKEN.id)
    assert folding.store.get("records", description) is None


def test_another_key_erases_the_one_before(folding: Folding) -> None:
    before = tokens.key(folding.store)
    assert before is not None
    folding.add(TokenKeySet(keep(folding, b"other key")))
    assert folding.store.get("records", before.key) is None


@pytest.mark.parametrize("user", [ALICE, "__token__", ""])
def test_a_token_is_its_users_under_each_name_that_stands_for_it(folding: Folding, user: str) -> None:
    folding.add(created())
    assert with_token(folding, user=user) == Caller(ALICE, 0, TOKEN.id, Limits())


def test_it_is_nobody_elses(folding: Folding) -> None:
    folding.add(created())
    with pytest.raises(Unauthenticated, match="is not of bob"):
        with_token(folding, user=BOB)


def test_another_secret_is_refused_without_being_repeated(folding: Folding) -> None:
    folding.add(created())
    other = ApiToken(TOKEN.id, "t" * 43)
    with pytest.raises(Unauthenticated) as refusal:
        with_token(folding, other.text)
    assert other.secret not in str(refusal.value)


def test_its_limits_are_those_of_its_entry(folding: Folding) -> None:
    limits = (("upload",), (IndexName("alice/dev"),), (ProjectName("demo"),))
    folding.add(TokenCreated(TOKEN.id, ALICE, TOKEN.hash, *limits, 0, 0, NONE))
    assert with_token(folding).limits == Limits(*limits)


@pytest.mark.parametrize(("now", "good"), [(99.0, False), (100.0, True), (199.0, True), (200.0, False)])
def test_it_is_good_from_and_until(folding: Folding, now: float, good: bool) -> None:  # noqa: FBT001 - a table
    folding.add(evolve(created(), not_before=100, expires=200))
    if good:
        assert with_token(folding, now=now).token == TOKEN.id
    else:
        with pytest.raises(Unauthenticated, match="expired at 1970" if now >= 200 else "not yet"):
            with_token(folding, now=now)


ENDS: dict[str, Callable[[Folding], tuple[Event, ...]]] = {
    "revoked": lambda _: (TokenRevoked(TOKEN.id), TokenRevoked(MACAROON)),
    "user deleted": lambda _: (UserDeleted(ALICE),),
    "user made anew": lambda _: (UserDeleted(ALICE), UserCreated(ALICE, NONE)),
}


@pytest.mark.parametrize("why", ENDS)
def test_a_token_ends(folding: Folding, why: str) -> None:
    folding.add(created(), created(MACAROON, secret=b""))
    macaroon = token_checks.minted(folding.store, ALICE, MACAROON)
    callers = with_token(folding), with_token(folding, macaroon)
    folding.add(*ENDS[why](folding))
    for caller, text in zip(callers, (TOKEN.text, macaroon), strict=True):
        with pytest.raises(Unauthenticated):
            with_token(folding, text)
        with pytest.raises(Unauthenticated, match="no longer good"):
            check_credential(folding.store, caller)


def test_a_token_outlives_a_password(folding: Folding) -> None:
    folding.add(created())
    caller = with_token(folding)
    folding.add(PasswordSet(ALICE, keep(folding, b"hash")))
    check_credential(folding.store, caller)
    assert with_token(folding) == caller


def test_another_key_ends_the_macaroons_made_before_and_no_secrets(folding: Folding) -> None:
    folding.add(created(), created(MACAROON, secret=b""))
    macaroon = token_checks.minted(folding.store, ALICE, MACAROON)
    caller = with_token(folding, macaroon)
    folding.add(TokenKeySet(keep(folding, b"other key")))
    with pytest.raises(Unauthenticated):
        with_token(folding, macaroon)
    with pytest.raises(Unauthenticated):
        check_credential(folding.store, caller)
    assert with_token(folding).token == TOKEN.id


def test_a_macaroon_with_another_id_or_user_does_not_hold(folding: Folding) -> None:
    folding.add(created(MACAROON, secret=b""), created("nT3vN0q8ZxB1", secret=b""), created())
    minted = token_checks.minted(folding.store, ALICE, MACAROON)
    for user, token in ((BOB, MACAROON), (ALICE, "nT3vN0q8ZxB1"), (ALICE, TOKEN.id)):
        macaroon = macaroons.read(minted.removeprefix(token_checks.DEVPI))
        forged = evolve(macaroon, identifier=f"{user}-{token}".encode())
        with pytest.raises(Unauthenticated):
            with_token(folding, token_checks.DEVPI + forged.text, "")


def test_who_has_the_key_of_macaroons_can_not_make_one_of_a_secret_token(folding: Folding) -> None:
    folding.add(created())
    with pytest.raises(Unauthenticated):
        with_token(folding, token_checks.minted(folding.store, ALICE, TOKEN.id))


def test_a_narrowed_macaroon_is_good_for_less(folding: Folding) -> None:
    folding.add(evolve(created(MACAROON, secret=b""), verbs=(READ, UPLOAD), expires=5_000))
    minted = token_checks.minted(folding.store, ALICE, MACAROON).removeprefix(token_checks.DEVPI)
    narrow = macaroons.read(minted).narrowed(b'[1, ["demo"]]').narrowed(b"allowed=upload,index_delete")
    caller, until = token_checks.caller_with(folding.store, ALICE, token_checks.DEVPI + narrow.text, NOW)
    assert caller.limits == Limits((UPLOAD,), None, ("demo",))
    assert until == 5_000.0


@pytest.mark.parametrize("secret", ["devpi-", "devpi-rocks", "devpi-AgEA", "AgEA", "AgE", "lpl-x", "secret", ""])
def test_a_password_that_looks_a_bit_like_a_token_is_none(secret: str) -> None:
    assert not token_checks.is_token(secret)


REFUSED: tuple[tuple[Caller, type[LedgerpiError]], ...] = (
    (Caller("", 0), Unauthenticated),
    (Caller(BOB, 2), Refused),
    (Caller(ALICE, 0, TOKEN.id), Refused),
)


@pytest.mark.parametrize(("caller", "error"), REFUSED)
def test_nobody_else_and_no_token_makes_or_revokes_tokens(
    folding: Folding, caller: Caller, error: type[LedgerpiError]
) -> None:
    folding.add(created())
    for wish in (command(created("nT3vN0q8ZxB1")), RevokeToken(TOKEN.id), SetTokenKey(b"c" * 32, renew=True)):
        with pytest.raises(error):
            decide(folding.store, caller, wish)


def test_root_and_the_operator_make_everybodys(folding: Folding) -> None:
    for caller in (logged_in(folding.store, UserName("root")), OPERATING, logged_in(folding.store, ALICE)):
        assert decide(folding.store, caller, command(created())) == [created()]


def test_an_id_is_never_used_again(folding: Folding) -> None:
    folding.add(created())
    with pytest.raises(Conflict):
        decide(folding.store, OPERATING, command(created()))
    folding.add(TokenRevoked(TOKEN.id))
    with pytest.raises(Conflict):
        decide(folding.store, OPERATING, command(created()))


def test_a_token_that_is_not_there_can_not_be_revoked(folding: Folding) -> None:
    with pytest.raises(NotFound):
        decide(folding.store, OPERATING, RevokeToken(TOKEN.id))
    with pytest.raises(NotFound):
        decide(folding.store, OPERATING, RevokeToken("x" * 10_000))


def test_nobody_has_too_many(folding: Folding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "MAX_TOKENS", 1)
    folding.add(created())
    with pytest.raises(Refused, match="revoke some"):
        decide(folding.store, OPERATING, command(created("nT3vN0q8ZxB1")))


def test_the_first_key_is_kept_until_the_operator_renews_it(folding: Folding) -> None:
    now = tokens.key(folding.store)
    assert now is not None
    alice = logged_in(folding.store, ALICE)
    assert decide(folding.store, alice, SetTokenKey(b"c" * 32, renew=False)) == Already(now.since)
    assert decide(folding.store, OPERATING, SetTokenKey(b"c" * 32, renew=True)) == [TokenKeySet(b"c" * 32)]
    with pytest.raises(Refused):
        decide(folding.store, alice, SetTokenKey(b"c" * 32, renew=True))


def test_the_first_key_is_set_for_any_user_but_not_for_nobody() -> None:
    made = Folding()
    made.add(UserCreated(ALICE, NONE))
    with pytest.raises(Unauthenticated):
        decide(made.store, Caller("", 0), SetTokenKey(b"c" * 32, renew=False))
    with pytest.raises(Conflict):
        decide(made.store, OPERATING, command(created(secret=b"")))
    assert decide(made.store, logged_in(made.store, ALICE), SetTokenKey(b"c" * 32, renew=False)) == [
        TokenKeySet(b"c" * 32)
    ]


def test_a_user_who_is_deleted_leaves_no_token(folding: Folding) -> None:
    folding.add(created())
    assert decide(folding.store, OPERATING, DeleteUser(ALICE)) == [TokenRevoked(TOKEN.id), UserDeleted(ALICE)]
