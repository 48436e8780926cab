"""The text of API tokens, and what makes one worthless."""

import re
import zlib
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changelog.errors import Unauthenticated
from server import api_tokens
from server.api_tokens import ALPHABET, PREFIX, ApiToken

TOKEN = ApiToken("kT3vN0q8ZxB1", "s" * 43)


def test_a_token_is_what_the_docs_tell_scanners() -> None:
    assert re.fullmatch(r"lpt-[0-9A-Za-z]{61}", api_tokens.new().text)


def test_its_end_is_the_checksum_of_the_rest() -> None:
    said, digits = TOKEN.text[:-6], TOKEN.text[-6:]
    number = 0
    for digit in digits:
        number = number * 62 + ALPHABET.index(digit)
    assert number == zlib.crc32(said.encode())


def test_it_is_read_as_it_was_made() -> None:
    token = api_tokens.new()
    assert api_tokens.read(token.text) == token


def test_no_two_are_alike() -> None:
    assert len({api_tokens.new().text for _ in range(100)}) == 100


def test_the_log_knows_the_hash_of_the_secret_alone() -> None:
    assert TOKEN.hash == sha256(b"s" * 43).digest()


@given(st.integers(len(PREFIX), len(TOKEN.text) - 1), st.sampled_from(ALPHABET))
def test_a_token_with_one_wrong_letter_is_none(place: int, letter: str) -> None:
    wrong = TOKEN.text[:place] + letter + TOKEN.text[place + 1 :]
    if wrong != TOKEN.text:
        with pytest.raises(Unauthenticated):
            api_tokens.read(wrong)


@given(st.text())
def test_other_text_is_no_token_and_is_not_repeated(text: str) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        api_tokens.read(PREFIX + text)
    assert str(refusal.value) == "this is not a token, or not all of it"
