"""Private records: erased when they are superseded, and never in entries or views."""

from pathlib import Path

import pytest
from hypothesis import given, settings

from changelog.events.indexes import IndexCreated, IndexDeleted, IndexTextsChanged
from changelog.events.users import PasswordSet, ProfileChanged, UserCreated, UserDeleted
from changelog.names import IndexName, UserName
from changelog.records import COMMITMENT_BYTES, NONE, SALT_BYTES, from_stored, new_record
from tests.histories import CANARY, Wish, histories, settle
from tests.nodes import Node, everything, node

ALICE, DEV = UserName("alice"), IndexName("alice/dev")


def kept(opened: Node) -> set[bytes]:
    """Return the payloads of all private records."""
    return {from_stored(raw).payload for _, raw in everything(opened.env)["records"]}


def test_a_record_comes_back_with_its_salt() -> None:
    record = new_record(b"payload")
    assert from_stored(record.stored) == record
    assert len(record.salt) == SALT_BYTES
    assert len(record.commitment) == COMMITMENT_BYTES


def test_equal_payloads_have_other_commitments() -> None:
    assert new_record(b"payload").commitment != new_record(b"payload").commitment


def test_each_superseding_event_erases_one_record(tmp_path: Path) -> None:
    profile, profile_2, old, new, texts, texts_2 = (
        new_record(word) for word in (b"profile", b"profile 2", b"old", b"new", b"texts", b"texts 2")
    )
    with node(tmp_path / "node") as opened:
        opened.commit(
            UserCreated(ALICE, profile.commitment),
            PasswordSet(ALICE, old.commitment),
            IndexCreated(DEV, "stage", (), texts.commitment),
            records=(profile, old, texts),
        )
        assert kept(opened) == {b"profile", b"old", b"texts"}
        opened.commit(ProfileChanged(ALICE, profile_2.commitment), records=(profile_2,))
        assert kept(opened) == {b"profile 2", b"old", b"texts"}
        opened.commit(PasswordSet(ALICE, new.commitment), records=(new,))
        assert kept(opened) == {b"profile 2", b"new", b"texts"}
        opened.commit(IndexTextsChanged(DEV, texts_2.commitment), records=(texts_2,))
        assert kept(opened) == {b"profile 2", b"new", b"texts 2"}
        opened.commit(IndexDeleted(DEV))
        assert kept(opened) == {b"profile 2", b"new"}
        opened.commit(UserDeleted(ALICE))
        assert kept(opened) == set()


def test_the_same_command_twice_keeps_its_record(tmp_path: Path) -> None:
    record = new_record(b"hash")
    with node(tmp_path / "node") as opened:
        opened.commit(UserCreated(ALICE, NONE))
        for _ in range(2):
            opened.commit(PasswordSet(ALICE, record.commitment), records=(record,))
        assert kept(opened) == {b"hash"}


@settings(max_examples=25)
@given(history=histories())
def test_no_entry_and_no_view_holds_a_private_byte(
    tmp_path_factory: pytest.TempPathFactory, history: list[Wish]
) -> None:
    with node(tmp_path_factory.mktemp("run") / "node") as opened:
        settle(opened)
        opened.propose(*(wish.proposal for wish in history))
        tables = everything(opened.env)
        named = b"".join(value for _, value in tables["entries"])
        assert all(key in named for key, _ in tables.pop("records"))
        assert not any(CANARY in key + value for rows in tables.values() for key, value in rows)
