"""The tree against the vectors of Certificate Transparency, a naive one, and another library."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from databox.ledger import tree
from databox.wire.ledger import leaf_hash

LEAVES = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"

SIZES = st.integers(0, 3000)


class Hashes:
    """The hashes of many different leaves, and of the subtrees over them."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves

    def node(self, level: int, index: int) -> bytes:
        found = self.leaves[index << level : (index + 1) << level]
        assert len(found) == 1 << level, "an incomplete subtree was asked for"
        return naive_root(found)


def naive_root(leaves: list[bytes]) -> bytes:
    """As the definition in RFC 6962, 2.1 reads."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    whole = b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])
    return hashlib.sha256(whole).digest()


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """As the definition in RFC 6962, 2.1.1 reads."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_proof(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """As the definition in RFC 6962, 2.1.2 reads."""
    if m == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*naive_proof(m, leaves[:k], whole), naive_root(leaves[k:])]
    return [*naive_proof(m - k, leaves[k:], False), naive_root(leaves[:k])]


CT = Hashes([leaf_hash(each) for each in LEAVES])
MANY = Hashes([leaf_hash(b"%d" % number) for number in range(3000)])


def other(hash_: bytes) -> bytes:
    return bytes([hash_[0] ^ 1]) + hash_[1:]


def test_the_tree_of_no_leaves_is_the_hash_of_nothing() -> None:
    assert tree.root(CT.node, 0) == tree.EMPTY == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert tree.root(CT.node, size).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(
    ("n", "size", "path"),
    [(0, 1, []), (0, 8, [A, B, C]), (5, 8, [D, E, ROOTS[3]]), (2, 3, [ROOTS[1]])],
)
def test_inclusion_is_that_of_certificate_transparency(n: int, size: int, path: list[str]) -> None:
    assert [each.hex() for each in tree.inclusion(CT.node, n, size)] == path


@pytest.mark.parametrize(
    ("old", "size", "path"),
    [(1, 1, []), (1, 8, [A, B, C]), (6, 8, [F, E, ROOTS[3]]), (2, 5, [B, D])],
)
def test_consistency_is_that_of_certificate_transparency(
    old: int, size: int, path: list[str]
) -> None:
    assert [each.hex() for each in tree.consistency(CT.node, old, size)] == path


@given(SIZES)
def test_a_tree_that_grows_has_the_naive_root(size: int) -> None:
    growing = tree.Growing()
    for leaf in MANY.leaves[:size]:
        growing.add(leaf)
    assert growing.size == size
    assert growing.root() == naive_root(MANY.leaves[:size]) == tree.root(MANY.node, size)


@given(st.lists(st.integers(0, 1500), max_size=3))
def test_a_tree_that_grows_by_many_at_once_has_the_naive_root(parts: list[int]) -> None:
    growing, size = tree.Growing(), 0
    for part in parts:
        growing.extend(MANY.leaves[size : size + part])
        size = min(size + part, 3000)
    assert (growing.size, growing.root()) == (size, naive_root(MANY.leaves[:size]))


@given(st.data(), st.integers(1, 3000))
def test_inclusion_is_the_naive_one_and_holds(data: st.DataObject, size: int) -> None:
    n = data.draw(st.integers(0, size - 1))
    path = tree.inclusion(MANY.node, n, size)
    assert path == naive_path(n, MANY.leaves[:size])
    assert tree.includes(MANY.leaves[n], n, size, path, naive_root(MANY.leaves[:size]))


@given(st.data(), st.integers(1, 3000))
def test_consistency_is_the_naive_one_and_holds(data: st.DataObject, size: int) -> None:
    old = data.draw(st.integers(1, size))
    path = tree.consistency(MANY.node, old, size)
    assert path == naive_proof(old, MANY.leaves[:size])
    roots = naive_root(MANY.leaves[:old]), naive_root(MANY.leaves[:size])
    assert tree.consistent(old, roots[0], size, roots[1], path)


@given(st.data(), st.integers(2, 300))
def test_a_proof_shows_nothing_else(data: st.DataObject, size: int) -> None:
    n = data.draw(st.integers(0, size - 1))
    path, root = tree.inclusion(MANY.node, n, size), naive_root(MANY.leaves[:size])
    wrong_n = data.draw(st.integers(-1, size))
    assume(wrong_n != n)
    at = data.draw(st.integers(0, len(path) - 1))
    changed = [*path[:at], other(path[at]), *path[at + 1 :]]
    assert not tree.includes(MANY.leaves[n], wrong_n, size, path, root)
    assert not tree.includes(other(MANY.leaves[n]), n, size, path, root)
    assert not tree.includes(MANY.leaves[n], n, size, changed, root)
    assert not tree.includes(MANY.leaves[n], n, size, path[:-1], root)
    assert not tree.includes(MANY.leaves[n], n, size, [*path, root], root)
    assert not tree.includes(MANY.leaves[n], n, size, path, other(root))


@given(st.data(), st.integers(2, 300))
def test_no_proof_joins_a_tree_to_one_that_was_rewritten(data: st.DataObject, size: int) -> None:
    old = data.draw(st.integers(1, size - 1))
    at = data.draw(st.integers(0, old - 1))
    before = naive_root(MANY.leaves[:old])
    rewritten = Hashes([*MANY.leaves[:at], other(MANY.leaves[at]), *MANY.leaves[at + 1 : size]])
    root = naive_root(rewritten.leaves)
    for node in (MANY.node, rewritten.node):
        assert not tree.consistent(old, before, size, root, tree.consistency(node, old, size))


@given(st.data(), st.integers(2, 300))
def test_a_changed_or_cut_proof_of_consistency_does_not_hold(
    data: st.DataObject, size: int
) -> None:
    old = data.draw(st.integers(1, size - 1))
    path = tree.consistency(MANY.node, old, size)
    roots = naive_root(MANY.leaves[:old]), naive_root(MANY.leaves[:size])
    at = data.draw(st.integers(0, len(path) - 1))
    changed = [*path[:at], other(path[at]), *path[at + 1 :]]
    for wrong in (changed, path[:-1], path[1:], [*path, roots[0]], []):
        assert not tree.consistent(old, roots[0], size, roots[1], wrong)


def test_a_smaller_tree_does_not_follow_from_a_greater_one() -> None:
    for size, old in pairwise(range(20)):
        path = tree.consistency(MANY.node, size, old)
        roots = naive_root(MANY.leaves[:old]), naive_root(MANY.leaves[:size])
        assert not tree.consistent(old, roots[0], size, roots[1], path)


def test_what_does_not_exist_cannot_be_proven() -> None:
    with pytest.raises(ValueError, match="leaf 5 is not in a tree of 5"):
        tree.inclusion(CT.node, 5, 5)
    with pytest.raises(ValueError, match="a tree of 5 does not begin with one of 6"):
        tree.consistency(CT.node, 6, 5)


def test_another_library_agrees() -> None:
    pymerkle = pytest.importorskip("pymerkle")
    peer = pymerkle.InmemoryTree.init_from_entries([b"%d" % number for number in range(300)])
    for size in (1, 2, 3, 7, 64, 65, 255, 300):
        root = tree.root(MANY.node, size)
        assert peer.get_state(size) == root
        for n in {0, size // 2, size - 1}:
            proof = peer.prove_inclusion(n + 1, size)
            leaf = peer.get_leaf(n + 1)
            assert leaf == MANY.leaves[n]
            pymerkle.verify_inclusion(leaf, root, proof)
            # Theirs begins with the leaf itself.
            assert proof.path[1:] == tree.inclusion(MANY.node, n, size)
