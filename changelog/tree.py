"""The Merkle tree of the log: hashes and proofs (RFC 6962 section 2.1, RFC 9162 section 2.1).

Pure arithmetic. Stored are the hashes of **complete** subtrees only, each named by ``(level,
index)``: the subtree over the leaves ``index * 2**level`` to ``(index + 1) * 2**level - 1``. They
never change, so a tree only ever gains nodes.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

from changelog.errors import InvalidProof

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()

Node = tuple[int, int]  # (level, index)
ReadNode = Callable[[int, int], bytes]  # of a complete subtree


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ *entry*)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ *left* ‖ *right*)."""
    return sha256(b"\x01" + left + right).digest()


def append(size: int, leaf: bytes, read: ReadNode) -> list[tuple[Node, bytes]]:
    """Return the nodes that become complete when *leaf* joins a tree of *size* leaves.

    The leaf itself comes first. Two nodes on average, at most log2(size) + 1; reads one node less
    than it returns.
    """
    level, index, value = 0, size, leaf
    nodes = [((0, size), leaf)]
    while index & 1:
        value = node_hash(read(level, index - 1), value)
        level, index = level + 1, index >> 1
        nodes.append(((level, index), value))
    return nodes


def root(size: int, read: ReadNode) -> bytes:
    """Return the root of the first *size* leaves; SHA-256("") if there are none.

    Reads at most log2(size) + 1 nodes.
    """
    return _range_hash(0, size, read) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: ReadNode) -> list[bytes]:
    """Return the audit path of leaf *index* (0-based) in the tree of *size* leaves.

    Each item is 32 bytes, leaf side first (RFC 6962 section 2.1.1). Reads at most 2 * log2(size)
    nodes.

    Raises:
        ValueError: *index* is not below *size*.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    first, last = 0, size
    while last - first > 1:
        middle = first + _split(last - first)
        if index < middle:
            path.append(_range_hash(middle, last, read))
            last = middle
        else:
            path.append(_range_hash(first, middle, read))
            first = middle
    return path[::-1]


def consistency_proof(old: int, new: int, read: ReadNode) -> list[bytes]:
    """Return the proof that the tree of *new* leaves begins with the tree of *old*.

    RFC 6962 section 2.1.2. Empty if they are equal.

    Raises:
        ValueError: not 0 < *old* <= *new*.
    """
    if not 0 < old <= new:
        raise ValueError(f"no consistency proof from {old} to {new}")
    path: list[bytes] = []
    first, last, whole = 0, new, True
    while last != old:
        middle = first + _split(last - first)
        if old <= middle:
            path.append(_range_hash(middle, last, read))
            last = middle
        else:
            path.append(_range_hash(first, middle, read))
            first, whole = middle, False
    if not whole:
        path.append(_range_hash(first, last, read))
    return path[::-1]


def check_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root_hash: bytes) -> None:
    """Check that *leaf* (a hash) is number *index* of the tree with *root_hash*.

    RFC 9162 section 2.1.3.2.

    Raises:
        InvalidProof: it is not, or the proof has another form.
    """
    if not 0 <= index < size or any(len(item) != HASH_BYTES for item in (leaf, root_hash, *proof)):
        raise InvalidProof(f"no inclusion proof for leaf {index} of {size}")
    node, last, value = index, size - 1, leaf
    for item in proof:
        if last == 0:
            raise InvalidProof("the inclusion proof is too long")
        if node & 1 or node == last:
            value = node_hash(item, value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = node_hash(value, item)
        node, last = node >> 1, last >> 1
    if last or value != root_hash:
        raise InvalidProof(f"leaf {index} is not in the tree of {size} with root {root_hash.hex()}")


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree (*new*, *new_root*) extends (*old*, *old_root*).

    RFC 9162 section 2.1.4.2.

    Raises:
        InvalidProof: it does not, or the proof has another form. A proof from size 0 means nothing
        and is refused.
    """
    if not 0 < old <= new or any(len(item) != HASH_BYTES for item in (old_root, new_root, *proof)):
        raise InvalidProof(f"no consistency proof from {old} to {new}")
    if old == new:
        if proof or old_root != new_root:
            raise InvalidProof(f"two roots at size {old}: {old_root.hex()} and {new_root.hex()}")
        return
    items = iter([old_root, *proof] if old & (old - 1) == 0 else proof)
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = next(items, None)
    if first is None:
        raise InvalidProof("the consistency proof is empty")
    _climb(node, last, first, items, (old_root, new_root))


def _climb(node: int, last: int, first: bytes, items: Iterator[bytes], roots: tuple[bytes, bytes]) -> None:
    old_value = new_value = first
    for item in items:
        if last == 0:
            raise InvalidProof("the consistency proof is too long")
        if node & 1 or node == last:
            old_value, new_value = node_hash(item, old_value), node_hash(item, new_value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new_value = node_hash(new_value, item)
        node, last = node >> 1, last >> 1
    if last or (old_value, new_value) != roots:
        raise InvalidProof(f"the tree with root {roots[1].hex()} does not extend {roots[0].hex()}")


def _split(count: int) -> int:
    """Return the largest power of two below *count* (> 1)."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_hash(first: int, last: int, read: ReadNode) -> bytes:
    """Return the hash over leaves *first* to *last* - 1; *first* is a multiple of their split."""
    count = last - first
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return read(level, first >> level)
    middle = first + _split(count)
    return node_hash(_range_hash(first, middle, read), _range_hash(middle, last, read))
