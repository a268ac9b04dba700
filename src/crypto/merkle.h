/*
 * Merkle trees over SHA-256, as Certificate Transparency has them (RFC 9162, 2.1). A tree of n leaves is
 * split at the largest power of two below n; a leaf is hashed behind an octet 0, two nodes behind an octet 1.
 * No storage: whoever has the leaves' hashes gives those of complete subtrees, which never change again.
 */
#ifndef CRYPTO_MERKLE_H
#define CRYPTO_MERKLE_H
#include "core/err.h"
#include "core/slice.h"

#define MERKLE_HASH_BYTES 32u
#define MERKLE_LEVELS     63u /* leaves of one tree: below 2^63 */
#define MERKLE_PROOF_MAX  (2 * MERKLE_LEVELS)

struct merkle_hash {
    unsigned char bytes[MERKLE_HASH_BYTES];
};

/* The bytes that a leaf stands for: 2.1.1, MTH({d[0]}). */
MUST_CHECK enum err merkle_leaf(struct slice data, struct merkle_hash *out);
MUST_CHECK enum err merkle_node(const struct merkle_hash *left, const struct merkle_hash *right,
                                struct merkle_hash *out);

/*
 * What a growing tree needs: the roots of its complete subtrees, from the largest to the smallest, one for
 * each bit that is set in `size`.
 */
struct merkle_edge {
    uint64_t size;
    struct merkle_hash roots[MERKLE_LEVELS];
};
unsigned merkle_edge_count(uint64_t size);
/* ERR_LIMIT beyond 2^62 leaves. */
MUST_CHECK enum err merkle_edge_add(struct merkle_edge *edge, const struct merkle_hash *leaf);
/* Of no leaves: the hash of nothing. */
MUST_CHECK enum err merkle_edge_root(const struct merkle_edge *edge, struct merkle_hash *out);

/* The hash of the complete subtree of 2^level leaves, the index-th of that size. */
struct merkle_source {
    enum err (*subtree)(void *ctx, unsigned level, uint64_t index, struct merkle_hash *out);
    void *ctx;
};

struct merkle_proof {
    struct merkle_hash hashes[MERKLE_PROOF_MAX];
    size_t count;
};
/* That leaf `index` is in the tree of `size` (2.1.3.1). ERR_NOT_FOUND: it is not below size. */
MUST_CHECK enum err merkle_inclusion(const struct merkle_source *source, uint64_t index, uint64_t size,
                                     struct merkle_proof *out);
/* That the tree of `size` begins with the tree of `earlier`, 1 to size (2.1.4.1). ERR_NOT_FOUND outside of
 * that. */
MUST_CHECK enum err merkle_consistency(const struct merkle_source *source, uint64_t earlier, uint64_t size,
                                       struct merkle_proof *out);
/* 2.1.3.2 and 2.1.4.2. ERR_SIGNATURE: the proof does not hold. */
MUST_CHECK enum err merkle_inclusion_check(const struct merkle_proof *proof, uint64_t index, uint64_t size,
                                           const struct merkle_hash *leaf, const struct merkle_hash *root);
MUST_CHECK enum err merkle_consistency_check(const struct merkle_proof *proof, uint64_t earlier,
                                             uint64_t size, const struct merkle_hash *earlier_root,
                                             const struct merkle_hash *root);

#endif
