"""Makes the test vectors without any code of the project, msgpack or a Merkle library.

Run ``python tests/vectors/make.py`` after adding a kind of event to ``events.json``. Bytes of
entries that were there must not change: the command refuses to replace them. Signatures are made
by the ``openssl`` command.
"""

import base64
import json
import struct
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent
ED25519_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")  # RFC 8410 section 7
LEAVES = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b",
)


def packed(value: object) -> bytes:
    """Return the shortest msgpack form of *value* (msgpack specification, formats table)."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return packed_int(value)
        case str():
            return head(len(value.encode()), ((31, 0xA0), (0xFF, 0xD9), (0xFFFF, 0xDA))) + value.encode()
        case {"hex": digits}:
            raw = bytes.fromhex(digits)
            return head(len(raw), ((0xFF, 0xC4), (0xFFFF, 0xC5))) + raw
        case list():
            return head(len(value), ((15, 0x90), (0xFFFF, 0xDC))) + b"".join(map(packed, value))
    raise TypeError(value)


def packed_int(value: int) -> bytes:
    """Return the shortest form of an integer."""
    if -32 <= value <= 127:
        return struct.pack("b", value)
    forms = ((0xCC, ">B"), (0xCD, ">H"), (0xCE, ">I"), (0xCF, ">Q"))
    if value < 0:
        forms = ((0xD0, ">b"), (0xD1, ">h"), (0xD2, ">i"), (0xD3, ">q"))
    for mark, form in forms:
        try:
            return bytes((mark,)) + struct.pack(form, value)
        except struct.error:
            continue
    raise ValueError(value)


def head(length: int, forms: tuple[tuple[int, int], ...]) -> bytes:
    """Return the begin of a value with *length*: each form is the largest length and its mark."""
    for place, (largest, mark) in enumerate(forms):
        if length <= largest:
            if largest < 0xFF:
                return bytes((mark | length,))
            return bytes((mark,)) + length.to_bytes(1 if largest == 0xFF else 2)
        assert place < len(forms)
    raise ValueError(length)


def tree_hash(leaves: list[bytes]) -> bytes:
    """Return MTH(leaves) as RFC 6962 section 2.1 writes it."""
    if len(leaves) < 2:
        return sha256(b"\x00" + leaves[0] if leaves else b"").digest()
    k = split(len(leaves))
    return sha256(b"\x01" + tree_hash(leaves[:k]) + tree_hash(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """Return PATH(m, leaves) of RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), tree_hash(leaves[k:])]
    return [*path(m - k, leaves[k:]), tree_hash(leaves[:k])]


def subproof(m: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """Return SUBPROOF(m, leaves, whole) of RFC 6962 section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), tree_hash(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), tree_hash(leaves[:k])]


def split(count: int) -> int:
    """Return the largest power of two smaller than *count*."""
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def entries() -> list[dict[str, object]]:
    """Return the vectors of ``events.json`` with their bytes."""
    made = []
    for case in json.loads((FOLDER / "events.json").read_text()):
        fields = [value for _, value in case["fields"]]
        whole = [
            1,
            case["kind"],
            True,
            case["epoch"],
            case["time"],
            case["actor"],
            case["more"],
            fields,
        ]
        raw = packed(whole)
        made.append(case | {"entry": raw.hex(), "leaf_hash": sha256(b"\x00" + raw).hexdigest()})
    return made


def tree() -> dict[str, object]:
    """Return roots and proofs of small trees."""
    leaves = [bytes.fromhex(leaf) for leaf in LEAVES]
    sizes = range(1, len(leaves) + 1)
    return {
        "leaves": LEAVES,
        "roots": [tree_hash(leaves[:size]).hex() for size in range(len(leaves) + 1)],
        "inclusion": [
            {"index": m, "size": n, "proof": [item.hex() for item in path(m, leaves[:n])]}
            for n in sizes
            for m in range(n)
        ],
        "consistency": [
            {
                "old": m,
                "new": n,
                "proof": [item.hex() for item in subproof(m, leaves[:n], whole=True)],
            }
            for n in sizes
            for m in range(1, n + 1)
        ],
    }


def checkpoint() -> dict[str, object]:
    """Return a signed checkpoint of a known key."""
    seed, origin, size, root = (
        sha256(b"seed").digest(),
        "log.example/one",
        20852163,
        sha256(b"root").digest(),
    )
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    public, signature = openssl(seed, text.encode())
    key_id = sha256(origin.encode() + b"\n\x01" + public).digest()[:4]
    encoded = base64.b64encode(b"\x01" + public).decode()
    line = f"\u2014 {origin} {base64.b64encode(key_id + signature).decode()}\n"
    return {
        "seed": seed.hex(),
        "public": public.hex(),
        "verifier_key": f"{origin}+{key_id.hex()}+{encoded}",
        "origin": origin,
        "size": size,
        "root": root.hex(),
        "note": f"{text}\n{line}",
    }


def openssl(seed: bytes, message: bytes) -> tuple[bytes, bytes]:
    """Return public key and signature (RFC 8032) as the openssl command makes them."""
    with tempfile.TemporaryDirectory() as folder:
        key, text = Path(folder, "key"), Path(folder, "text")
        key.write_bytes(ED25519_PKCS8 + seed)
        text.write_bytes(message)
        form = ["-inkey", str(key), "-keyform", "DER"]
        sign = ["openssl", "pkeyutl", "-sign", "-rawin", *form, "-in", str(text)]
        signature = subprocess.run(sign, check=True, capture_output=True).stdout
        show = ["openssl", "pkey", "-in", str(key), "-inform", "DER", "-pubout", "-outform", "DER"]
        return subprocess.run(show, check=True, capture_output=True).stdout[-32:], signature


def write(name: str, value: object) -> None:
    """Write *value* as JSON."""
    (FOLDER / name).write_text(json.dumps(value, indent=1) + "\n")


def main() -> None:
    """Make all files."""
    made, target = entries(), FOLDER / "entries.json"
    old = json.loads(target.read_text()) if target.exists() else []
    lost = [case["entry"] for case in old if case not in made]
    if lost:
        raise SystemExit(f"entries are for ever, and these would change: {lost}")
    write("entries.json", made)
    write("tree.json", tree())
    write("checkpoint.json", checkpoint())


if __name__ == "__main__":
    main()
