"""The tree of the log against RFC 6962 as it is written, fixed vectors and another library."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import (  # type: ignore[import-untyped] # it ships no types
    InmemoryTree,
    verify_consistency,
    verify_inclusion,
)

from changelog import tree
from changelog.errors import InvalidProof

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tree.json").read_text())
LEAVES = tuple(map(bytes.fromhex, VECTORS["leaves"]))
SIZES = range(301)
LARGE = (1_000, 4_096, 65_537)
EDGES = (0, 1, 2, 3, 255, 256, 257, 999)

Nodes = dict[tuple[int, int], bytes]
Check = Callable[[Sequence[bytes]], None]


def grown(entries: Sequence[bytes]) -> tree.ReadNode:
    """Return the reader of a tree that *entries* were appended to one by one."""
    nodes: Nodes = {}

    def read(level: int, index: int) -> bytes:
        return nodes[level, index]

    for size, entry in enumerate(entries):
        nodes.update(tree.append(size, tree.leaf_hash(entry), read))
    return read


def numbered(count: int) -> list[bytes]:
    return [b"entry %d" % number * (number % 7) for number in range(count)]


READ = grown(numbered(max(LARGE)))
OTHER = InmemoryTree(algorithm="sha256")
for _entry in numbered(max(LARGE)):
    OTHER.append_entry(_entry)


@cache
def mth(first: int, last: int) -> bytes:
    """MTH over entries *first* to *last* - 1, as RFC 6962 section 2.1 defines it."""
    if last - first < 2:
        return sha256(b"\0" + numbered(301)[first] if last > first else b"").digest()
    k = largest_power_below(last - first)
    return sha256(b"\1" + mth(first, first + k) + mth(first + k, last)).digest()


def largest_power_below(count: int) -> int:
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def path(m: int, first: int, last: int) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1."""
    if last - first == 1:
        return []
    k = largest_power_below(last - first)
    if m < k:
        return [*path(m, first, first + k), mth(first + k, last)]
    return [*path(m - k, first + k, last), mth(first, first + k)]


def subproof(m: int, first: int, last: int, *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2."""
    if m == last - first:
        return [] if whole else [mth(first, last)]
    k = largest_power_below(last - first)
    if m <= k:
        return [*subproof(m, first, first + k, whole=whole), mth(first + k, last)]
    return [*subproof(m - k, first + k, last, whole=False), mth(first, first + k)]


def test_the_four_hashes_that_other_implementations_fix_are_ours() -> None:
    assert tree.EMPTY_ROOT.hex().startswith("e3b0c44298fc1c149afbf4c8996fb924")
    assert tree.leaf_hash(b"").hex().startswith("6e340b9cffb37a989ca544e6bb780a2c")
    assert tree.leaf_hash(b"L123456").hex().startswith("395aa064")
    assert tree.node_hash(b"N123", b"N456").hex().startswith("aa217fe8")


@pytest.mark.parametrize("size", range(len(LEAVES) + 1))
def test_roots_are_those_of_the_vectors(size: int) -> None:
    assert tree.root(size, grown(LEAVES)).hex() == VECTORS["roots"][size]


@pytest.mark.parametrize("case", VECTORS["inclusion"])
def test_inclusion_proofs_are_those_of_the_vectors(case: dict[str, Any]) -> None:
    proof = tree.inclusion_proof(case["index"], case["size"], grown(LEAVES))
    assert [item.hex() for item in proof] == case["proof"]


@pytest.mark.parametrize("case", VECTORS["consistency"])
def test_consistency_proofs_are_those_of_the_vectors(case: dict[str, Any]) -> None:
    proof = tree.consistency_proof(case["old"], case["new"], grown(LEAVES))
    assert [item.hex() for item in proof] == case["proof"]


def test_roots_agree_with_the_definition_at_every_size() -> None:
    assert [tree.root(size, READ) for size in SIZES] == [mth(0, size) for size in SIZES]


def test_roots_agree_with_another_library_at_every_size() -> None:
    sizes = (*SIZES[1:], *LARGE)
    assert [tree.root(size, READ) for size in sizes] == [OTHER.get_root(size) for size in sizes]


@pytest.mark.parametrize("size", SIZES[1:])
def test_inclusion_proofs_agree_with_the_definition_and_hold(size: int) -> None:
    entries, root = numbered(size), tree.root(size, READ)
    for index in range(size):
        proof = tree.inclusion_proof(index, size, READ)
        assert proof == path(index, 0, size)
        tree.check_inclusion(index, size, tree.leaf_hash(entries[index]), proof, root)


@pytest.mark.parametrize("new", SIZES[1:])
def test_consistency_proofs_agree_with_the_definition_and_hold(new: int) -> None:
    for old in range(1, new + 1):
        proof = tree.consistency_proof(old, new, READ)
        assert proof == subproof(old, 0, new, whole=True)
        tree.check_consistency(old, new, mth(0, old), mth(0, new), proof)


@pytest.mark.parametrize("size", LARGE)
@pytest.mark.parametrize("index", EDGES)
def test_inclusion_in_large_trees_agrees_with_another_library(index: int, size: int) -> None:
    other, leaf = OTHER.prove_inclusion(index + 1, size), tree.leaf_hash(numbered(index + 1)[index])
    proof = tree.inclusion_proof(index, size, READ)
    assert sorted(bytes(item) for item in other.path) == sorted([leaf, *proof])
    verify_inclusion(leaf, tree.root(size, READ), other)
    tree.check_inclusion(index, size, leaf, proof, tree.root(size, READ))


@pytest.mark.parametrize(("old", "new"), [*pairwise(LARGE), (1, 65_537), (65_536, 65_537)])
def test_consistency_of_large_trees_agrees_with_another_library(old: int, new: int) -> None:
    old_root, new_root = tree.root(old, READ), tree.root(new, READ)
    verify_consistency(old_root, new_root, OTHER.prove_consistency(old, new))
    proof = tree.consistency_proof(old, new, READ)
    tree.check_consistency(old, new, old_root, new_root, proof)


@pytest.mark.parametrize("index", [-1, 5, 6])
def test_there_is_no_inclusion_proof_outside_the_tree(index: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        tree.inclusion_proof(index, 5, READ)
    with pytest.raises(InvalidProof):
        tree.check_inclusion(index, 5, mth(0, 1), [], mth(0, 5))


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 5), (-1, 5), (6, 5)])
def test_there_is_no_consistency_proof_from_nothing_or_back(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="no consistency proof"):
        tree.consistency_proof(old, new, READ)
    with pytest.raises(InvalidProof):
        tree.check_consistency(old, new, mth(0, 5), mth(0, 5), [])


def damaged(proof: Sequence[bytes]) -> list[list[bytes]]:
    """Return *proof* with each byte flipped, each item missing, cut, longer or doubled."""
    found: list[list[bytes]] = []
    for place, item in enumerate(proof):
        flipped = [item[:n] + bytes((item[n] ^ 1,)) + item[n + 1 :] for n in range(len(item))]
        others = [[other] for other in (*flipped, item[:-1], item + b"\0", b"")]
        found += [[*proof[:place], *instead, *proof[place + 1 :]] for instead in (*others, [], [item, item])]
    return [*found, [*proof, bytes(32)], [bytes(32), *proof]]


def assert_refuses_all(check: Check, proof: Sequence[bytes]) -> None:
    check(proof)
    for wrong in damaged(proof):
        with pytest.raises(InvalidProof):
            check(wrong)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 13])
def test_a_damaged_inclusion_proof_is_refused(size: int) -> None:
    for index in range(size):
        leaf = mth(index, index + 1)

        def check(proof: Sequence[bytes], index: int = index, leaf: bytes = leaf) -> None:
            tree.check_inclusion(index, size, leaf, proof, mth(0, size))

        assert_refuses_all(check, tree.inclusion_proof(index, size, READ))


@pytest.mark.parametrize("new", [1, 2, 3, 7, 8, 9, 13])
def test_a_damaged_consistency_proof_is_refused(new: int) -> None:
    for old in range(1, new + 1):

        def check(proof: Sequence[bytes], old: int = old) -> None:
            tree.check_consistency(old, new, mth(0, old), mth(0, new), proof)

        assert_refuses_all(check, tree.consistency_proof(old, new, READ))


@pytest.mark.parametrize("wrong", [mth(0, 5)[:31], mth(0, 5) + b"\0", b""])
def test_roots_and_leaves_that_are_not_32_bytes_are_refused(wrong: bytes) -> None:
    good = mth(0, 5)
    with pytest.raises(InvalidProof):
        tree.check_consistency(5, 5, wrong, wrong, [])
    with pytest.raises(InvalidProof):
        tree.check_consistency(4, 5, wrong, good, tree.consistency_proof(4, 5, READ))
    with pytest.raises(InvalidProof):
        tree.check_consistency(3, 5, mth(0, 3), wrong, tree.consistency_proof(3, 5, READ))
    with pytest.raises(InvalidProof):
        tree.check_inclusion(0, 1, wrong, [], wrong)


def test_two_roots_of_one_size_are_not_consistent() -> None:
    with pytest.raises(InvalidProof, match="two roots"):
        tree.check_consistency(5, 5, mth(0, 5), mth(0, 6), [])


@given(st.integers(2, 300), st.data())
def test_a_proof_holds_for_no_other_leaf_and_no_other_tree(size: int, data: st.DataObject) -> None:
    index, other = data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True))
    proof, leaf = tree.inclusion_proof(index, size, READ), mth(index, index + 1)
    with pytest.raises(InvalidProof):
        tree.check_inclusion(other, size, leaf, proof, mth(0, size))
    with pytest.raises(InvalidProof):
        tree.check_inclusion(index, size, leaf, proof, mth(0, size - 1))


@pytest.mark.parametrize("size", [1, 255, 256, 65_536])
def test_appending_reads_one_node_less_than_it_makes(size: int) -> None:
    reads: list[tuple[int, int]] = []

    def read(level: int, index: int) -> bytes:
        reads.append((level, index))
        return READ(level, index)

    made = tree.append(size - 1, mth(0, 1), read)
    assert len(reads) == len(made) - 1
