"""Signed heads: the texts of C2SP signed-note and tlog-checkpoint, and what is refused."""

import base64
import json
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from changelog import checkpoint
from changelog.checkpoint import Checkpoint
from changelog.errors import InvalidProof

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "checkpoint.json").read_text())
KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTOR["seed"]))
PUBLIC = bytes.fromhex(VECTOR["public"])
ORIGIN = VECTOR["origin"]
HEAD = Checkpoint(ORIGIN, VECTOR["size"], bytes.fromhex(VECTOR["root"]))
NOTE = VECTOR["note"]
KEYS = {ORIGIN: PUBLIC}
LINE = NOTE.splitlines(keepends=True)[-1]  # of the log's signature
STRANGER = "— stranger.example " + base64.b64encode(bytes(68)).decode() + "\n"
ROOT = base64.b64encode(bytes(32)).decode()


def signed(text: str) -> str:
    """Return a note over any *text* with a signature that holds."""
    raw = checkpoint.key_id(ORIGIN, PUBLIC) + KEY.sign(text.encode())
    return f"{text}\n— {ORIGIN} {base64.b64encode(raw).decode()}\n"


def assert_refused(note: str) -> None:
    with pytest.raises(InvalidProof):
        checkpoint.verify(note, KEYS)


def test_a_signed_checkpoint_has_the_bytes_that_openssl_makes() -> None:
    assert checkpoint.sign(HEAD, KEY) == NOTE


def test_a_note_that_openssl_signed_is_read() -> None:
    assert checkpoint.verify(NOTE, KEYS) == HEAD


def test_the_key_as_text_is_that_of_the_vector() -> None:
    assert checkpoint.verifier_key(ORIGIN, PUBLIC) == VECTOR["verifier_key"]


def test_a_published_key_of_another_tool_has_the_same_id() -> None:
    public = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:]
    assert checkpoint.key_id("PeterNeumann", public).hex() == "c74f20a3"


def test_signatures_of_unknown_keys_are_ignored() -> None:
    assert checkpoint.verify(NOTE + STRANGER * 40, KEYS) == HEAD
    assert checkpoint.verify(NOTE.replace(LINE, STRANGER * 40 + LINE), KEYS) == HEAD


def test_a_key_of_a_known_name_and_another_id_is_unknown() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    line = checkpoint.sign(HEAD, other).splitlines(keepends=True)[-1]
    assert checkpoint.verify(NOTE + line, KEYS) == HEAD
    assert_refused(NOTE.replace(LINE, line))


def test_a_note_without_a_known_signature_is_refused() -> None:
    assert_refused(NOTE.replace(LINE, STRANGER))
    with pytest.raises(InvalidProof, match="no known key"):
        checkpoint.verify(NOTE, {})


def test_a_known_key_that_fails_rejects_a_note_that_another_signed() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public = other.public_key().public_bytes_raw()
    raw = checkpoint.key_id("witness", public) + bytes(64)
    bad = f"— witness {base64.b64encode(raw).decode()}\n"
    assert checkpoint.verify(NOTE + bad, KEYS) == HEAD
    with pytest.raises(InvalidProof, match="witness"):
        checkpoint.verify(NOTE + bad, KEYS | {"witness": public})


@pytest.mark.parametrize("place", range(len(NOTE.encode())))
def test_no_byte_of_a_note_can_be_another(place: int) -> None:
    raw = bytearray(NOTE.encode())
    raw[place] ^= 1
    assert_refused(raw.decode(errors="replace"))


@pytest.mark.parametrize("length", range(len(NOTE)))
def test_no_begin_of_a_note_is_one(length: int) -> None:
    assert_refused(NOTE[:length])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "- stranger.example AAAAAAAA\n",  # no em dash
        "— stranger.example\n",
        "— stranger.example \n",
        "—  AAAAAAAA\n",  # no name
        "— stranger.example AAAA\n",  # less than a key id
        "— stranger.example AAAAAA==\n",  # no more than a key id
        "— stranger.example AAAAAAA\n",  # no padding
        "— stranger.example AAAAAAB=\n",  # bits behind the end
        "— stranger.example AAAA AAAA\n",
        "— stranger.example AAA\u00c4AAAA\n",
        "— stranger.example AAAAAAAA",  # no newline
        "— stranger.example AAAAAAAA\r\n",
    ],
)
def test_a_line_that_is_no_signature_refuses_the_note(line: str) -> None:
    assert_refused(NOTE + line if line else NOTE[:-1])


@pytest.mark.parametrize(
    "text",
    [
        f"\n5\n{ROOT}\n",  # no origin
        f"log\n05\n{ROOT}\n",
        f"log\n+5\n{ROOT}\n",
        f"log\n-5\n{ROOT}\n",
        f"log\n5 \n{ROOT}\n",
        f"log\n\n{ROOT}\n",
        f"log\n\N{ARABIC-INDIC DIGIT FIVE}\n{ROOT}\n",  # a digit, but not of ASCII
        f"log\n1_0\n{ROOT}\n",
        f"log\n{'9' * 20}\n{ROOT}\n",
        f"log\n{'9' * 5000}\n{ROOT}\n",
        "log\n5\n\n",
        "log\n5\n",
        f"log\n5\n{ROOT[:-1]}\n",
        f"log\n5\n{base64.b64encode(bytes(31)).decode()}\n",
        f"log\n5\n{base64.b64encode(bytes(33)).decode()}\n",
        f"log\n5\n{ROOT[:-2]}B=\n",  # bits behind the end
        f"log\n5\n{ROOT}\n\nextension\n",  # an empty line
        f"log\t\n5\n{ROOT}\n",
        f"log\r\n5\n{ROOT}\n",
        f"log\x00\n5\n{ROOT}\n",
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused_though_it_is_signed(text: str) -> None:
    assert_refused(signed(text))


def test_extension_lines_are_ignored() -> None:
    text = HEAD.text + "extension one\nextension two\n"
    assert checkpoint.verify(signed(text), KEYS) == HEAD


@given(
    st.text(
        alphabet=st.characters(exclude_characters="\n", min_codepoint=32, exclude_categories=["Cs"]),
        min_size=1,
    ),
    st.integers(0, (1 << 63) - 1),
    st.binary(min_size=32, max_size=32),
)
def test_what_is_signed_can_be_read(origin: str, size: int, root: bytes) -> None:
    assert checkpoint.parse(Checkpoint(origin, size, root).text) == Checkpoint(origin, size, root)


pieces = st.sampled_from(
    [
        "\n",
        "\n\n",
        "— ",
        ORIGIN,
        " ",
        "5",
        ROOT,
        "=",
        LINE,
        STRANGER,
        HEAD.text,
        NOTE,
        "\ud800",
        "\x00",
    ]
)
anything = st.text(alphabet=st.characters())  # surrogates too


@given(st.one_of(anything, st.lists(st.one_of(pieces, anything), max_size=8).map("".join)))
def test_hostile_text_is_refused_or_signed(note: str) -> None:
    try:
        found = checkpoint.verify(note, KEYS)
    except InvalidProof:
        return
    assert found == HEAD


@given(st.one_of(anything, st.lists(st.one_of(pieces, anything), max_size=8).map("".join)))
def test_hostile_unsigned_text_is_refused_or_says_the_same_again(text: str) -> None:
    try:
        found = checkpoint.parse(text)
    except InvalidProof:
        return
    assert text.startswith(found.text)


def test_the_key_id_begins_the_hash_of_name_type_and_key() -> None:
    whole = sha256(b"log.example\n\x01" + PUBLIC).digest()
    assert checkpoint.key_id("log.example", PUBLIC) == whole[:4]
