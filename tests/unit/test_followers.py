"""Who may follow: replicas by their token, members by a token that they sign."""

import base64
import time

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from changelog.errors import Gone, Unauthenticated
from changelog.events.cluster import MemberRemoved, ReplicaEnrolled, ReplicaRevoked
from server import followers, member_token
from server.followers import Follower
from server.member_token import GOOD_FOR_S, PREFIX, MemberToken
from server.replica_token import ReplicaToken
from tests.nodes import ORIGIN, PUBLIC
from tests.unit.members import KEYS, public, voters

NOW = 1_800_000_000
TOKEN = MemberToken(2, ORIGIN, NOW)
TEXT = member_token.sign(TOKEN, KEYS[2])
REPLICA = ReplicaToken("eu-1", ORIGIN, PUBLIC, 42, bytes(32), b"s" * 32)
ENROLLED = ReplicaEnrolled("eu-1", REPLICA.hash, voter=False, may_promote=False)


def now_text(number: int = 2) -> str:
    return member_token.sign(MemberToken(number, ORIGIN, int(time.time())), KEYS[number])


def test_a_member_is_known_by_its_signature() -> None:
    assert member_token.member_with(voters(2).store, TEXT, NOW) == 2
    assert TEXT.startswith("lmt-")
    assert not TEXT.endswith("=")


@pytest.mark.parametrize("seconds", [0, GOOD_FOR_S, -GOOD_FOR_S])
def test_a_token_is_good_for_some_minutes(seconds: int) -> None:
    assert member_token.member_with(voters(2).store, TEXT, NOW + seconds) == 2


@pytest.mark.parametrize("seconds", [GOOD_FOR_S + 1, -GOOD_FOR_S - 1])
def test_a_token_of_another_time_is_not_good(seconds: int) -> None:
    with pytest.raises(Unauthenticated, match="was made 601 s from now"):
        member_token.member_with(voters(2).store, TEXT, NOW + seconds)


def test_a_member_that_was_removed_is_not_known() -> None:
    with pytest.raises(Gone, match="member 2 was removed"):
        member_token.member_with(voters(2, MemberRemoved(2)).store, TEXT, NOW)


def test_who_is_no_member_or_speaks_for_another_is_not_known() -> None:
    store = voters(2).store
    for token, key in ((evolve(TOKEN, member=7), KEYS[7]), (TOKEN, KEYS[3])):
        with pytest.raises(Unauthenticated, match="this is not the token of a member"):
            member_token.member_with(store, member_token.sign(token, key), NOW)


@pytest.mark.parametrize("origin", ["ledgerpi/other", "ledgerpi", f"{ORIGIN}2", ""])
def test_a_token_for_another_log_is_not_good(origin: str) -> None:
    text = member_token.sign(evolve(TOKEN, origin=origin), KEYS[2])
    with pytest.raises(Unauthenticated, match=f"the token of member 2 is for '{origin}'"):
        member_token.member_with(voters(2).store, text, NOW)


def test_a_token_for_a_later_origin_of_this_log_is_good() -> None:
    text = member_token.sign(evolve(TOKEN, origin=f"{ORIGIN}/e2.2"), KEYS[2])
    assert member_token.member_with(voters(2).store, text, NOW) == 2


@given(st.binary(max_size=120) | st.text(max_size=80))
def test_no_text_does_worse_than_to_be_refused(given_text: bytes | str) -> None:
    text = given_text if isinstance(given_text, str) else base64.urlsafe_b64encode(given_text).decode()
    with pytest.raises(Unauthenticated):
        member_token.member_with(voters(1).store, PREFIX + text, NOW)


def test_a_header_names_a_replica_or_a_member() -> None:
    store = voters(2, ENROLLED).store
    for scheme in ("Bearer", "bEARER"):
        assert followers.of(store, f"{scheme} {REPLICA.text}") == Follower("eu-1", REPLICA.hash)
        assert followers.of(store, f"{scheme} {now_text()}") == Follower("n2", b"", 2)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic cm9vdDpzZWNyZXQ=", REPLICA.text, TEXT, f"Bearer lrt-{'A' * 3_000}", "\0"],
)
def test_who_has_no_token_is_not_known(header: str) -> None:
    with pytest.raises(Unauthenticated):
        followers.of(voters(2, ENROLLED).store, header)


def test_who_was_revoked_or_removed_may_follow_no_longer() -> None:
    folding = voters(2, ENROLLED)
    replica = followers.of(folding.store, f"Bearer {REPLICA.text}")
    member = followers.of(folding.store, f"Bearer {now_text()}")
    for follower in (replica, member):
        followers.check(folding.store, follower)
    folding.add(ReplicaRevoked("eu-1"), MemberRemoved(2))
    for follower in (replica, member):
        with pytest.raises(Unauthenticated, match="is not good here, or no longer"):
            followers.check(folding.store, follower)


def test_a_token_that_was_replaced_lets_nobody_follow() -> None:
    folding = voters(1, ENROLLED)
    before = followers.of(folding.store, f"Bearer {REPLICA.text}")
    folding.add(ReplicaRevoked("eu-1"), evolve(ENROLLED, token=public(3)))
    with pytest.raises(Unauthenticated):
        followers.check(folding.store, before)
