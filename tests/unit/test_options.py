"""Operations on an index's options: bounded work."""

import pytest

from changelog.errors import InvalidOption
from changelog.names import index_name
from server.options import MAX_OPERATIONS, apply_operations

NAME = index_name("ada/dev")


def test_a_request_may_hold_a_thousand_operations() -> None:
    operations = [f"acl_upload+=user{number}" for number in range(MAX_OPERATIONS)]
    assert len(apply_operations(NAME, {"acl_upload": []}, operations)["acl_upload"]) == MAX_OPERATIONS


def test_more_operations_are_refused_before_they_cost_anything() -> None:
    with pytest.raises(InvalidOption, match="at most"):
        apply_operations(NAME, {"acl_upload": []}, ["acl_upload+=ada"] * (MAX_OPERATIONS + 1))
