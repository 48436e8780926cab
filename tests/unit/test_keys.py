"""Keys in files: made once, replaced whole, and never another one than that of the log."""

from pathlib import Path

import pytest

from changelog.errors import Damaged
from server import keys
from server.keys import COSIGNER_KEY, LOG_KEY, NEXT_LOG_KEY, NODE_KEY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys.generate(tmp_path, LOG_KEY)
    keys.generate(tmp_path, NODE_KEY)
    return tmp_path


def public(folder: Path, name: str) -> bytes:
    return keys.public(keys.load(folder, name))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_key_is_readable_by_its_owner_alone(folder: Path) -> None:
    assert (folder / LOG_KEY).stat().st_mode & 0o777 == 0o600
    assert len((folder / LOG_KEY).read_bytes()) == keys.KEY_BYTES


def test_a_key_that_is_there_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(FileExistsError):
        keys.generate(folder, LOG_KEY)


def test_a_key_is_made_where_there_is_none(folder: Path) -> None:
    first = keys.public(keys.made(folder, COSIGNER_KEY))
    assert keys.public(keys.made(folder, COSIGNER_KEY)) == first == public(folder, COSIGNER_KEY)


def test_a_renewed_key_is_another_one_in_the_same_place(folder: Path) -> None:
    first = keys.public(keys.made(folder, COSIGNER_KEY))
    second = keys.public(keys.renew(folder, COSIGNER_KEY))
    assert second != first
    assert public(folder, COSIGNER_KEY) == second
    assert names(folder) == sorted([COSIGNER_KEY, LOG_KEY, NODE_KEY])


def test_a_key_is_renewed_over_what_a_crash_left(folder: Path) -> None:
    (folder / f"{COSIGNER_KEY}.new").write_bytes(b"half")
    renewed = keys.public(keys.renew(folder, COSIGNER_KEY))
    assert public(folder, COSIGNER_KEY) == renewed
    assert f"{COSIGNER_KEY}.new" not in names(folder)


def test_a_primary_signs_with_the_logs_key_and_its_own(folder: Path) -> None:
    signing = keys.signing(folder, public(folder, LOG_KEY))
    assert keys.public(signing.log) == public(folder, LOG_KEY)
    assert keys.public(signing.node) == public(folder, NODE_KEY)


def test_the_key_of_the_next_origin_comes_to_its_place_when_the_log_has_it(folder: Path) -> None:
    before, following = public(folder, LOG_KEY), keys.public(keys.renew(folder, NEXT_LOG_KEY))
    assert keys.public(keys.signing(folder, before).log) == before
    assert NEXT_LOG_KEY in names(folder)
    assert keys.public(keys.signing(folder, following).log) == following
    assert public(folder, LOG_KEY) == following
    assert NEXT_LOG_KEY not in names(folder)


def test_a_key_that_is_not_the_logs_signs_nothing(folder: Path) -> None:
    with pytest.raises(Damaged, match=r"the key log\.key in .* is not that of the log"):
        keys.signing(folder, public(folder, NODE_KEY))


@pytest.mark.parametrize("name", [LOG_KEY, NODE_KEY])
def test_a_missing_key_is_told(folder: Path, name: str) -> None:
    log_key = public(folder, LOG_KEY)
    (folder / name).unlink()
    with pytest.raises(Damaged, match=f"the key {name} is missing"):
        keys.signing(folder, log_key)


def test_a_cut_key_is_told(folder: Path) -> None:
    (folder / NODE_KEY).write_bytes(b"short")
    with pytest.raises(Damaged, match=r"the key node\.key has 5 bytes, not 32"):
        keys.load(folder, NODE_KEY)
