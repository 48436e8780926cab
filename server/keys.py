"""Private keys in files: 32 raw bytes of Ed25519, readable by the owner alone."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog.blobs import sync_folder
from changelog.errors import Damaged
from changelog.writer import Keys

KEY_BYTES = 32
LOG_KEY = "log.key"  # signs checkpoints
NODE_KEY = "node.key"  # signs logins, words for heads, and what a member says to others
NEXT_LOG_KEY = "log.key.next"  # of an origin that is about to begin
COSIGNER_KEY = "cosigner.key"  # signs acknowledgements


def generate(folder: Path, name: str) -> Ed25519PrivateKey:
    """Make a new key and write it durably; an existing file is an error."""
    key = Ed25519PrivateKey.generate()
    write(folder, name, key.private_bytes_raw())
    return key


def write(folder: Path, name: str, raw: bytes) -> None:
    """Write the 32 bytes of a private key durably; an existing file is an error."""
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(descriptor)
    sync_folder(folder)


def made(folder: Path, name: str) -> Ed25519PrivateKey:
    """Return the key in a file, which is made if there is none."""
    return load(folder, name) if (folder / name).exists() else generate(folder, name)


def renew(folder: Path, name: str) -> Ed25519PrivateKey:
    """Put a new key in the place of the one before, which is lost."""
    key = Ed25519PrivateKey.generate()
    replace(folder, name, key.private_bytes_raw())
    return key


def replace(folder: Path, name: str, raw: bytes) -> None:
    """Put the 32 bytes of a private key in the place of the one before, durably."""
    (folder / f"{name}.new").unlink(missing_ok=True)
    write(folder, f"{name}.new", raw)
    (folder / f"{name}.new").replace(folder / name)
    sync_folder(folder)


def load(folder: Path, name: str) -> Ed25519PrivateKey:
    """Return the key in a file.

    Raises:
        Damaged: it is missing or has not 32 bytes.
    """
    try:
        raw = (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise Damaged(f"the key {name} is missing from {folder}") from error
    if len(raw) != KEY_BYTES:
        raise Damaged(f"the key {name} has {len(raw)} bytes, not {KEY_BYTES}")
    return Ed25519PrivateKey.from_private_bytes(raw)


def signing(folder: Path, log_key: bytes) -> Keys:
    """Return the keys that a primary signs heads with, *log_key* (public) that of the log.

    Raises:
        Damaged: the log's key is another one.
        Damaged: one is missing or has not 32 bytes.
    """
    following = folder / NEXT_LOG_KEY
    if following.exists() and public(load(folder, NEXT_LOG_KEY)) == log_key:  # it went down before it was renamed
        following.replace(folder / LOG_KEY)
        sync_folder(folder)
    found = Keys(load(folder, LOG_KEY), load(folder, NODE_KEY))
    if public(found.log) != log_key:
        raise Damaged(f"the key {LOG_KEY} in {folder} is not that of the log")
    return found


def public(key: Ed25519PrivateKey) -> bytes:
    """Return the 32 bytes of the public half."""
    return key.public_key().public_bytes_raw()
