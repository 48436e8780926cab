"""Whose copies count: what is held by as many as have to be is among the answers of as many as have to answer."""

from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from changelog.codec import Event
from changelog.events.cluster import DurabilitySet, MemberAdded, MemberRemoved, MembersSettled
from changelog.views import voting
from changelog.views.voting import NOBODY, Setting, Voting, held_size, is_held, lacking
from tests.nodes import FIRST_EVENTS, PUBLIC, Folding

PRIMARY = 1
SETTLED = Voting((1, 2, 3), 1, (), 0, 0)


def added(number: int, *, voter: bool = True) -> MemberAdded:
    return MemberAdded(f"n{number}", number, "", PUBLIC, voter=voter, may_promote=voter)


def folded(*events: Event) -> Voting:
    folding = Folding()
    folding.add(*FIRST_EVENTS, *events)
    return voting.find(folding.store)


def test_a_log_without_members_has_no_voters() -> None:
    assert voting.find(Folding().store) == NOBODY


def test_the_first_voter_begins_the_setting_and_nothing_has_to_be_settled() -> None:
    assert folded() == Voting((1,), 0, (), 0, 0)


def test_a_change_keeps_the_setting_before_until_it_is_settled() -> None:
    changed = folded(added(2))
    assert changed == Voting((1, 2), 0, (1,), 0, len(FIRST_EVENTS) + 1)
    assert changed.settings == (Setting((1,), 0), Setting((1, 2), 0))
    settled = folded(added(2), MembersSettled())
    assert settled == Voting((1, 2), 0, (), 0, 0)
    assert settled.settings == (Setting((1, 2), 0),)


def test_another_number_of_copies_is_a_change_too() -> None:
    changed = folded(added(2), MembersSettled(), DurabilitySet(1))
    assert changed.settings == (Setting((1, 2), 0), Setting((1, 2), 1))


def test_who_leaves_counts_under_the_setting_before() -> None:
    changed = folded(added(2), MembersSettled(), MemberRemoved(2))
    assert changed.settings == (Setting((1, 2), 0), Setting((1,), 0))


@pytest.mark.parametrize("event", [added(2, voter=False), MemberRemoved(7)], ids=["added", "removed"])
def test_who_is_no_voter_changes_nothing(event: Event) -> None:
    assert folded(event) == folded()


def test_what_is_required_is_the_larger_number_of_two_settings() -> None:
    assert voting.required_by(SETTLED) == 1
    assert voting.required_by(Voting((1, 2), 0, (1, 2), 1, 9)) == 1
    assert voting.required_by(Voting((1, 2), 1, (1, 2), 0, 9)) == 1
    assert voting.required_by(NOBODY) == 0


@pytest.mark.parametrize(
    ("replicas", "sizes", "held"),
    [
        (0, {}, 10),
        (1, {}, 0),
        (1, {2: 7}, 7),
        (1, {2: 7, 3: 9}, 9),
        (2, {2: 7, 3: 9}, 7),
        (2, {2: 7}, 0),
        (3, {2: 7, 3: 9}, 0),
        (1, {2: 99}, 10),
        (1, {1: 9, 4: 9}, 0),
    ],
)
def test_held_is_what_so_many_voters_besides_the_primary_have(replicas: int, sizes: dict[int, int], held: int) -> None:
    assert held_size(Voting((1, 2, 3), replicas, (), 0, 0), PRIMARY, sizes, 10) == held


def test_amid_a_change_both_settings_have_to_hold_it() -> None:
    now = Voting((1, 3), 1, (1, 2), 1, 9)
    assert held_size(now, PRIMARY, {2: 8, 3: 5}, 10) == 5
    assert not is_held(now, PRIMARY, {2}, 0)
    assert not is_held(now, PRIMARY, {3}, 0)
    assert is_held(now, PRIMARY, {2, 3}, 0)


@pytest.mark.parametrize(("holders", "replicas", "held"), [({2}, 1, True), ({2}, 2, False), ({1, 4}, 1, False)])
def test_a_write_may_want_more_voters_than_the_setting(holders: set[int], replicas: int, held: bool) -> None:  # noqa: FBT001 - a case
    assert is_held(SETTLED, PRIMARY, holders, replicas) is held


def test_a_promotion_lacks_answers_by_each_setting() -> None:
    assert list(lacking(SETTLED, {1})) == [(Setting((1, 2, 3), 1), 1)]
    assert not list(lacking(SETTLED, {1, 2}))
    changing = Voting((1, 2, 3), 1, (1, 2), 0, 9)
    assert list(lacking(changing, {2, 3})) == [(Setting((1, 2), 0), 1)]
    assert [missing for _, missing in lacking(changing, set())] == [2, 2]


def test_who_is_no_voter_gives_no_answer_that_counts() -> None:
    assert list(lacking(SETTLED, {4, 5, 6})) == [(Setting((1, 2, 3), 1), 2)]


NUMBERS = st.integers(2, 7)
VOTERS = st.sets(NUMBERS, max_size=5).map(lambda others: (PRIMARY, *sorted(others)))


@st.composite
def votings(draw: st.DrawFn) -> Voting:
    """Return a setting, or two that differ by one change."""
    voters = draw(VOTERS)
    replicas = draw(st.integers(0, len(voters) - 1))
    before, replicas_before = voters, replicas
    kind = draw(st.sampled_from(["settled", "member", "copies"]))
    if kind == "member":
        before = tuple(sorted({*voters} ^ {draw(NUMBERS)}))
        assume(replicas < len(before))
    elif kind == "copies":
        replicas_before = draw(st.integers(0, len(voters) - 1))
    since = 0 if kind == "settled" else 9
    return Voting(voters, replicas, before if since else (), replicas_before if since else 0, since)


@given(votings(), st.sets(NUMBERS), st.sets(st.integers(1, 7)), st.integers(0, 3))
def test_holders_and_answers_have_a_voter_in_common(
    now: Voting, holders: set[int], answered: set[int], more: int
) -> None:
    assume(not list(lacking(now, answered)))
    if is_held(now, PRIMARY, holders, more):
        voters = {number for setting in now.settings for number in setting.voters}
        assert (holders | {PRIMARY}) & answered & voters


@given(votings())
def test_every_least_set_of_holders_meets_every_least_set_of_answers(now: Voting) -> None:
    some = [set(few) for size in range(8) for few in combinations(range(1, 8), size)]
    holding = [few for few in some if is_held(now, PRIMARY, few, 0)]
    answering = [few for few in some if not list(lacking(now, few))]
    least = [few for few in holding if not any(other < few for other in holding)]
    for answered in (few for few in answering if not any(other < few for other in answering)):
        assert all((few | {PRIMARY}) & answered for few in least)


@given(votings(), st.dictionaries(NUMBERS, st.integers(0, 20)), st.integers(0, 20))
def test_an_entry_is_held_exactly_up_to_the_held_size(now: Voting, sizes: dict[int, int], own: int) -> None:
    held = held_size(now, PRIMARY, sizes, own)
    assert 0 <= held <= own
    for serial in range(1, own + 1):
        holders = {number for number, size in sizes.items() if size >= serial}
        assert is_held(now, PRIMARY, holders, 0) is (serial <= held)
