"""Private keys in files: 32 raw bytes of Ed25519, readable by the owner alone."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from changelog.blobs import sync_folder
from changelog.errors import Damaged

KEY_BYTES = 32
LOG_KEY = "log.key"  # signs checkpoints
NODE_KEY = "node.key"  # signs logins


def generate(folder: Path, name: str) -> Ed25519PrivateKey:
    """Make a new key and write it durably; an existing file is an error."""
    key = Ed25519PrivateKey.generate()
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes_raw())
        file.flush()
        os.fsync(descriptor)
    sync_folder(folder)
    return key


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


def public(key: Ed25519PrivateKey) -> bytes:
    """Return the 32 bytes of the public half."""
    return key.public_key().public_bytes_raw()
