"""The age of a replica's copy, whatever the clocks of two nodes say."""

from pathlib import Path

import pytest

from replica import word
from replica.word import Word

NOW = 1_800_000_000
SECOND = 1_000_000
EPOCH = 1_025


def test_age_is_the_time_since_the_word_was_given() -> None:
    assert Word(b"", EPOCH, (NOW - 7) * SECOND, (NOW - 2) * SECOND).age_s(NOW) == 7


def test_a_word_of_the_future_is_as_old_as_its_arrival() -> None:
    assert Word(b"", EPOCH, (NOW + 3_600) * SECOND, (NOW - 5) * SECOND).age_s(NOW) == 5


def test_age_is_never_negative() -> None:
    assert Word(b"", EPOCH, (NOW + 3_600) * SECOND, (NOW + 3_600) * SECOND).age_s(NOW) == 0


def test_an_older_word_replaces_none(tmp_path: Path) -> None:
    path = tmp_path / "word"
    assert word.find(path) is None
    first, older, newer = (Word(b"w", EPOCH, at * SECOND, NOW) for at in (2, 1, 3))
    word.keep(path, first)
    word.keep(path, older)
    assert word.find(path) == first
    word.keep(path, newer)
    assert word.find(path) == newer
    assert [entry.name for entry in tmp_path.iterdir()] == ["word"]


def test_a_word_of_a_later_epoch_is_newer_whatever_its_clock_shows(tmp_path: Path) -> None:
    path = tmp_path / "word"
    of_old_primary, of_its_successor, again = (
        Word(b"w", epoch, at * SECOND, NOW) for epoch, at in ((1_025, NOW), (2_050, NOW - 60), (1_025, NOW + 60))
    )
    word.keep(path, of_old_primary)
    word.keep(path, of_its_successor)
    assert word.find(path) == of_its_successor
    word.keep(path, again)
    assert word.find(path) == of_its_successor


@pytest.mark.parametrize("kept", [0, 1, 10, 40])
def test_a_word_that_was_cut_while_it_was_written_is_none(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "word"
    word.keep(path, Word(bytes(100), EPOCH, NOW * SECOND, NOW * SECOND))
    path.write_bytes(path.read_bytes()[:kept])
    assert word.find(path) is None
