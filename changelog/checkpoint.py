"""Signed heads: C2SP tlog-checkpoint texts in C2SP signed notes, with Ed25519 keys."""

import base64
import binascii
from collections.abc import Mapping
from hashlib import sha256

from attrs import frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from changelog.errors import InvalidProof

ED25519 = b"\x01"  # signature type of a log's own key (C2SP signed-note)
KEY_ID_BYTES = 4
ROOT_BYTES = 32
MAX_SIZE_DIGITS = 19
_MARK = "— "  # em dash and space begin a signature line


@frozen
class Checkpoint:
    """What a checkpoint says: the log's origin, its size in entries and its root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The signed text: three lines, each ended by a newline (C2SP tlog-checkpoint)."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def key_id(name: str, public: bytes, kind: bytes = ED25519) -> bytes:
    """Return the key id: the first 4 bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key)."""
    return sha256(name.encode() + b"\n" + kind + public).digest()[:KEY_ID_BYTES]


def verifier_key(name: str, public: bytes) -> str:
    """Return ``name+hex(id)+base64(type ‖ key)``, which other tools read (C2SP signed-note)."""
    return f"{name}+{key_id(name, public).hex()}+{base64.b64encode(ED25519 + public).decode()}"


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """Return the signed note of *checkpoint*; the key's name is the origin."""
    public = key.public_key().public_bytes_raw()
    signature = key_id(checkpoint.origin, public) + key.sign(checkpoint.text.encode())
    return f"{checkpoint.text}\n{_MARK}{checkpoint.origin} {base64.b64encode(signature).decode()}\n"


def verify(note: str, keys: Mapping[str, bytes]) -> Checkpoint:
    """Return what *note* says, if one of *keys* (name → 32 bytes Ed25519 public key) signed it.

    Signatures of unknown keys are ignored; a known key whose signature fails rejects the note (C2SP
    signed-note).

    Raises:
        InvalidProof: no known key signed, a known one fails, or the text is no checkpoint.
    """
    body, separator, signatures = note.rpartition("\n\n")
    text = body + "\n"
    if not separator or not signatures.endswith("\n") or not _is_utf8(text):
        raise InvalidProof("not a signed note")
    known = 0
    for line in signatures[:-1].split("\n"):
        name, raw = _signature_line(line)
        public = keys.get(name)
        if public is None or raw[:KEY_ID_BYTES] != key_id(name, public):
            continue
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(raw[KEY_ID_BYTES:], text.encode())
        except InvalidSignature as error:
            raise InvalidProof(f"the signature of {name} does not hold") from error
        known += 1
    if not known:
        raise InvalidProof("no known key signed this checkpoint")
    return parse(text)


def claimed_size(note: str) -> int:
    """Return the size that *note* says, not verified; 0 for "".

    Raises:
        InvalidProof: it is no note of a checkpoint.
    """
    return parse(note.rpartition("\n\n")[0] + "\n").size if note else 0


def parse(text: str) -> Checkpoint:
    """Return what the unsigned *text* says; extension lines are ignored.

    Raises:
        InvalidProof: it is no checkpoint.
    """
    if not text.endswith("\n") or any(character < " " and character != "\n" for character in text):
        raise InvalidProof("not a checkpoint: control characters or no last newline")
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):  # noqa: PLR2004 - origin, size, root
        raise InvalidProof("not a checkpoint: three lines are needed, and none may be empty")
    origin, size, root = lines[:3]
    digits = size.isascii() and size.isdigit() and len(size) <= MAX_SIZE_DIGITS
    if not digits or str(int(size)) != size:
        raise InvalidProof(f"not a tree size: {size!r}")
    return Checkpoint(origin, int(size), _base64(root, ROOT_BYTES))


def _signature_line(line: str) -> tuple[str, bytes]:
    name, space, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not space or not name:
        raise InvalidProof(f"not a signature line: {line!r}")
    raw = _base64(encoded)
    if len(raw) <= KEY_ID_BYTES:
        raise InvalidProof(f"no signature in the line: {line!r}")
    return name, raw


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _base64(text: str, length: int | None = None) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidProof(f"not base64: {text!r}") from error
    if base64.b64encode(raw).decode() != text:
        raise InvalidProof(f"not the canonical base64 of its bytes: {text!r}")
    if length is not None and len(raw) != length:
        raise InvalidProof(f"not {length} bytes in base64: {text!r}")
    return raw
