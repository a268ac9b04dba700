/* The vectors of RFC 9162's predecessor and its trees of eight leaves, and every tree and proof up to a size.
 */
#include "core/unit.h"
#include "crypto/encode.h"
#include "crypto/hash.h"
#include "crypto/merkle.h"
#include <string.h>

#define LEAVES 70u

static struct merkle_hash leaves[LEAVES];

/* As RFC 9162, 2.1.1 says it, without a thought for speed. */
static struct merkle_hash
tree_hash(const struct merkle_hash *from, size_t count)
{
    struct merkle_hash out, left, right;
    size_t split = 1;

    if (count == 0) {
        assert_ok(hash_sha256(SLICE_EMPTY, out.bytes));
        return out;
    }
    if (count == 1)
        return from[0];
    while (split * 2 < count)
        split *= 2;
    left = tree_hash(from, split);
    right = tree_hash(from + split, count - split);
    assert_ok(merkle_node(&left, &right, &out));
    return out;
}

static enum err
subtree(void *ctx UNUSED, unsigned level, uint64_t index, struct merkle_hash *out)
{
    assert_true(((index + 1) << level) <= LEAVES);
    *out = tree_hash(leaves + (index << level), (size_t)1 << level);
    return ERR_OK;
}

static const struct merkle_source source = { .subtree = subtree };

static int
opened(void **state UNUSED)
{
    for (unsigned i = 0; i < LEAVES; i++) {
        unsigned char data = (unsigned char)i;
        assert_ok(merkle_leaf(slice_of(&data, 1), &leaves[i]));
    }
    return 0;
}

static void
assert_hex(const struct merkle_hash *hash, const char *want)
{
    unsigned char bytes[MERKLE_HASH_BYTES];

    assert_ok(decode_hex(slice_text(want), bytes, sizeof(bytes)));
    assert_memory_equal(hash->bytes, bytes, sizeof(bytes));
}

/* Those that implementations of Certificate Transparency test themselves with. */
static void
known_trees_have_their_roots(void **state UNUSED)
{
    static const char *const data[] = {
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"
    };
    static const char *const roots[] = {
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    };
    struct merkle_edge edge = { .size = 0 };
    struct merkle_hash hash;

    assert_ok(merkle_edge_root(&edge, &hash));
    assert_hex(&hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < COUNT_OF(data); i++) {
        unsigned char bytes[16];
        size_t len = strlen(data[i]) / 2;
        assert_ok(decode_hex(slice_text(data[i]), bytes, len));
        assert_ok(merkle_leaf(slice_of(bytes, len), &hash));
        assert_ok(merkle_edge_add(&edge, &hash));
        assert_ok(merkle_edge_root(&edge, &hash));
        assert_hex(&hash, roots[i]);
    }
}

static void
a_growing_tree_is_the_tree_of_its_leaves(void **state UNUSED)
{
    struct merkle_edge edge = { .size = 0 };

    for (size_t size = 1; size <= LEAVES; size++) {
        struct merkle_hash root, want = tree_hash(leaves, size);
        assert_ok(merkle_edge_add(&edge, &leaves[size - 1]));
        assert_int_equal(edge.size, size);
        assert_ok(merkle_edge_root(&edge, &root));
        assert_memory_equal(&root, &want, sizeof(root));
    }
    edge.size = UINT64_C(1) << 62;
    assert_int_equal(merkle_edge_add(&edge, &leaves[0]), ERR_LIMIT);
}

static void
each_leaf_is_proved_and_no_other(void **state UNUSED)
{
    struct merkle_proof proof;

    for (size_t size = 1; size <= LEAVES; size++) {
        struct merkle_hash root = tree_hash(leaves, size), other = root;
        other.bytes[31] ^= 1;
        for (size_t i = 0; i < size; i++) {
            assert_ok(merkle_inclusion(&source, i, size, &proof));
            assert_ok(merkle_inclusion_check(&proof, i, size, &leaves[i], &root));
            assert_int_equal(merkle_inclusion_check(&proof, i, size, &leaves[i], &other), ERR_SIGNATURE);
            assert_int_equal(merkle_inclusion_check(&proof, i, size, &leaves[(i + 1) % LEAVES], &root),
                             ERR_SIGNATURE);
            for (size_t k = 0; k < size; k++)
                if (k != i)
                    assert_int_equal(merkle_inclusion_check(&proof, k, size, &leaves[i], &root),
                                     ERR_SIGNATURE);
            assert_int_equal(merkle_inclusion_check(&proof, size, size, &leaves[i], &root), ERR_SIGNATURE);
        }
        assert_int_equal(merkle_inclusion(&source, size, size, &proof), ERR_NOT_FOUND);
    }
}

static void
a_proof_that_is_bent_does_not_hold(void **state UNUSED)
{
    struct merkle_hash root = tree_hash(leaves, 41);
    struct merkle_proof proof, bent;

    assert_ok(merkle_inclusion(&source, 13, 41, &proof));
    for (size_t i = 0; i < proof.count; i++) {
        bent = proof;
        bent.hashes[i].bytes[0] ^= 0x80;
        assert_int_equal(merkle_inclusion_check(&bent, 13, 41, &leaves[13], &root), ERR_SIGNATURE);
    }
    bent = proof;
    bent.count--;
    assert_int_equal(merkle_inclusion_check(&bent, 13, 41, &leaves[13], &root), ERR_SIGNATURE);
    bent = proof;
    bent.hashes[bent.count++] = root;
    assert_int_equal(merkle_inclusion_check(&bent, 13, 41, &leaves[13], &root), ERR_SIGNATURE);
    bent.count = MERKLE_PROOF_MAX + 1;
    assert_int_equal(merkle_inclusion_check(&bent, 13, 41, &leaves[13], &root), ERR_SIGNATURE);
}

static void
each_tree_begins_with_each_earlier_one_and_with_no_other(void **state UNUSED)
{
    struct merkle_proof proof, bent;

    for (size_t size = 1; size <= LEAVES; size++) {
        struct merkle_hash root = tree_hash(leaves, size);
        for (size_t earlier = 1; earlier <= size; earlier++) {
            struct merkle_hash was = tree_hash(leaves, earlier), other = was;
            other.bytes[5] ^= 4;
            assert_ok(merkle_consistency(&source, earlier, size, &proof));
            assert_ok(merkle_consistency_check(&proof, earlier, size, &was, &root));
            assert_int_equal(merkle_consistency_check(&proof, earlier, size, &other, &root), ERR_SIGNATURE);
            assert_int_equal(merkle_consistency_check(&proof, earlier, size, &was, &other), ERR_SIGNATURE);
            for (size_t i = 0; i < proof.count; i++) {
                bent = proof;
                bent.hashes[i].bytes[9] ^= 2;
                assert_int_equal(merkle_consistency_check(&bent, earlier, size, &was, &root), ERR_SIGNATURE);
            }
            if (proof.count > 0) {
                bent = proof;
                bent.count--;
                assert_int_equal(merkle_consistency_check(&bent, earlier, size, &was, &root), ERR_SIGNATURE);
            }
            bent = proof;
            bent.hashes[bent.count++] = root;
            assert_int_equal(merkle_consistency_check(&bent, earlier, size, &was, &root), ERR_SIGNATURE);
        }
        assert_int_equal(merkle_consistency(&source, size + 1, size, &proof), ERR_NOT_FOUND);
        assert_int_equal(merkle_consistency(&source, 0, size, &proof), ERR_NOT_FOUND);
        proof.count = 0;
        assert_int_equal(merkle_consistency_check(&proof, 0, size, &root, &root), ERR_SIGNATURE);
        assert_int_equal(merkle_consistency_check(&proof, size + 1, size, &root, &root), ERR_SIGNATURE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_trees_have_their_roots),
        cmocka_unit_test(a_growing_tree_is_the_tree_of_its_leaves),
        cmocka_unit_test(each_leaf_is_proved_and_no_other),
        cmocka_unit_test(a_proof_that_is_bent_does_not_hold),
        cmocka_unit_test(each_tree_begins_with_each_earlier_one_and_with_no_other),
    };

    return cmocka_run_group_tests(tests, opened, NULL);
}
