"""Options of an index: what they may be, and bounded work for operations on them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changelog.errors import InvalidInput, InvalidOption
from changelog.names import index_name
from changelog.views.indexes import MIRROR, STAGE
from server.options import MAX_OPERATIONS, apply_operations, parse

NAME = index_name("ada/dev")
USERS = st.sampled_from(["ada", "bob", "eve", ":ANONYMOUS:"])
LISTS = st.lists(USERS, unique=True, max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["acl_upload", "bases", "volatile", "title", "mirror_whitelist", "type", "colour", ""])
OPERATIONS = st.builds("{}{}{}".format, KEYS, st.sampled_from(["=", "+=", "-=", "", "=="]), st.text(max_size=6))


def test_a_request_may_hold_a_thousand_operations() -> None:
    operations = [f"acl_upload+=user{number}" for number in range(MAX_OPERATIONS)]
    assert len(apply_operations(NAME, {"acl_upload": []}, operations)["acl_upload"]) == MAX_OPERATIONS


def test_more_operations_are_refused_before_they_cost_anything() -> None:
    with pytest.raises(InvalidOption, match="at most"):
        apply_operations(NAME, {"acl_upload": []}, ["acl_upload+=ada"] * (MAX_OPERATIONS + 1))


@pytest.mark.parametrize("durability", ["local", "replicas=1", "replicas=3", ""])
def test_an_index_says_how_durable_its_writes_are(durability: str) -> None:
    assert parse(STAGE, NAME, {"durability": durability}) == {"durability": durability}


@pytest.mark.parametrize("durability", ["replicas=0", "all", "Local", 1, None, ["local"]])
def test_what_is_no_durability_is_no_option(durability: object) -> None:
    with pytest.raises(InvalidOption):
        parse(STAGE, NAME, {"durability": durability})


def test_a_mirror_has_no_durability() -> None:
    with pytest.raises(InvalidOption, match="unknown option of a mirror"):
        parse(MIRROR, NAME, {"durability": "local"})


@given(LISTS, st.lists(st.tuples(st.sampled_from(["+=", "-=", "="]), USERS), max_size=8))
def test_operations_on_a_list_are_carried_out_in_order(begin: list[str], steps: list[tuple[str, str]]) -> None:
    operations = [f"acl_upload{op}{user}" for op, user in steps]
    wanted = list(begin)
    for op, user in steps:
        if op == "=":
            wanted = [user]
        elif op == "+=":
            wanted = [*wanted, user] if user not in wanted else wanted
        elif user in wanted:
            wanted = [other for other in wanted if other != user]
        else:
            with pytest.raises(InvalidOption):  # what is not there can not be taken away
                apply_operations(NAME, {"acl_upload": begin}, operations)
            return
    assert apply_operations(NAME, {"acl_upload": begin}, operations) == {"acl_upload": wanted}


@given(LISTS)
def test_a_list_means_the_same_as_json_as_text_and_as_an_operation(users: list[str]) -> None:
    text = ",".join(users)
    set_so = apply_operations(NAME, {"acl_upload": ["root"]}, [f"acl_upload={text}"])
    parsed = [parse(STAGE, NAME, body) for body in ({"acl_upload": users}, {"acl_upload": text}, set_so)]
    assert parsed[0] == parsed[1] == parsed[2]


@given(LISTS, USERS)
def test_what_is_added_can_be_taken_away_again(users: list[str], user: str) -> None:
    added = apply_operations(NAME, {"acl_upload": users}, [f"acl_upload+={user}"])
    assert apply_operations(NAME, added, [f"acl_upload-={user}"])["acl_upload"] == [u for u in users if u != user]


@given(st.lists(OPERATIONS | JSON, max_size=4), st.sampled_from([STAGE, MIRROR]))
def test_any_operations_are_carried_out_or_refused(operations: list[object], kind: str) -> None:
    current = {"type": kind, "volatile": True, "acl_upload": ["ada"], "title": "a title"}
    before = repr(current)
    with suppress(InvalidInput):
        parse(kind, NAME, apply_operations(NAME, current, operations))
    assert repr(current) == before


@given(st.dictionaries(KEYS | st.text(max_size=8), JSON, max_size=4), st.sampled_from([STAGE, MIRROR]))
def test_any_object_is_taken_or_refused(body: dict[str, object], kind: str) -> None:
    with suppress(InvalidInput):
        parse(kind, NAME, body)
