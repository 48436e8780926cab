"""Options of an index: what they may be, and bounded work for operations on them."""

import pytest

from changelog.errors import InvalidOption
from changelog.names import index_name
from changelog.views.indexes import MIRROR, STAGE
from server.options import MAX_OPERATIONS, apply_operations, parse

NAME = index_name("ada/dev")


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
