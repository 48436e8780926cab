"""What a token's limits allow, and what a caller with a token may."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changelog.names import UserName
from server.commands import Caller, DeleteUser, Request
from server.limits import ACCOUNT, ADMIN, DELETE, READ, TEST, UPLOAD, VERBS, Limits, Only

INDEXES = ("alice/dev", "alice/prod", "bob/dev")
PROJECTS = ("demo", "other")


def only(values: tuple[str, ...]) -> st.SearchStrategy[Only]:
    return st.none() | st.lists(st.sampled_from(values), unique=True).map(tuple)


LIMITS = st.builds(Limits, only(VERBS), only(INDEXES), only(PROJECTS))


def test_who_has_no_token_has_no_limit() -> None:
    assert all(Caller("alice", 1).may(verb, "bob/dev", "demo") for verb in (*VERBS, ACCOUNT))


def test_no_token_may_change_an_account() -> None:
    assert not Caller("alice", 0, "id").may(ACCOUNT)


@pytest.mark.parametrize("verb", VERBS)
def test_a_token_without_limits_may_all_else(verb: str) -> None:
    assert Caller("alice", 0, "id").may(verb, "alice/dev", "demo")


@pytest.mark.parametrize(("given_verb", "verb"), list(product(VERBS, VERBS)))
def test_a_token_for_one_verb_is_good_for_no_other(given_verb: str, verb: str) -> None:
    assert Limits(verbs=(given_verb,)).allow(verb, "alice/dev", "demo") == (verb == given_verb)


def test_a_token_for_one_index_is_good_for_no_other() -> None:
    limits = Limits(indexes=("alice/dev",))
    assert limits.allow(UPLOAD, "alice/dev", "demo")
    assert not limits.allow(UPLOAD, "alice/dev2", "demo")
    assert not limits.allow(UPLOAD, "alice/de", "demo")


@pytest.mark.parametrize("verb", VERBS)
def test_a_token_for_one_project_is_good_for_no_other(verb: str) -> None:
    limits = Limits(projects=("demo",))
    assert limits.allow(verb, "alice/dev", "demo")
    assert not limits.allow(verb, "alice/dev", "demo2")


def test_a_token_for_one_project_may_begin_what_does_not_harm_a_whole_index() -> None:
    assert {verb for verb in VERBS if Limits(projects=("demo",)).allow(verb, "alice/dev", "")} == {READ, UPLOAD, TEST}


def test_an_empty_list_allows_nothing() -> None:
    for limits in (Limits(verbs=()), Limits(indexes=()), Limits(projects=())):
        assert not limits.allow(DELETE, "alice/dev", "demo")


@given(LIMITS, LIMITS, st.sampled_from((*VERBS, ACCOUNT)), st.sampled_from(INDEXES), st.sampled_from(("", *PROJECTS)))
def test_narrowed_limits_allow_what_both_do(one: Limits, other: Limits, verb: str, index: str, project: str) -> None:
    both = one.allow(verb, index, project) and other.allow(verb, index, project)
    assert one.narrowed(other).allow(verb, index, project) == both


@given(LIMITS)
def test_the_writer_gets_the_limits_as_they_are(limits: Limits) -> None:
    request = Request(Caller("alice", 0, "id", limits), DeleteUser(UserName("alice")))
    assert Request.from_plain(request.plain()) == request


def test_a_token_for_admin_of_one_index_may_not_create_another() -> None:
    assert not Limits(verbs=(ADMIN,), indexes=("alice/dev",)).allow(ADMIN, "alice/new", "")
