#include "crypto/merkle.h"
#include "crypto/hash.h"
#include <string.h>

_Static_assert(MERKLE_HASH_BYTES == HASH_BYTES, "a node is a SHA-256");

static const char leaf_mark = 0, node_mark = 1;

static struct slice
hash_slice(const struct merkle_hash *hash)
{
    return slice_of(hash->bytes, MERKLE_HASH_BYTES);
}

static bool
hash_eq(const struct merkle_hash *a, const struct merkle_hash *b)
{
    return memcmp(a->bytes, b->bytes, MERKLE_HASH_BYTES) == 0;
}

enum err
merkle_leaf(struct slice data, struct merkle_hash *out)
{
    const struct slice pieces[] = { slice_of(&leaf_mark, 1), data };

    return hash_sha256_pieces(pieces, COUNT_OF(pieces), out->bytes);
}

enum err
merkle_node(const struct merkle_hash *left, const struct merkle_hash *right, struct merkle_hash *out)
{
    const struct slice pieces[] = { slice_of(&node_mark, 1), hash_slice(left), hash_slice(right) };

    return hash_sha256_pieces(pieces, COUNT_OF(pieces), out->bytes);
}

unsigned
merkle_edge_count(uint64_t size)
{
    return (unsigned)__builtin_popcountll(size);
}

enum err
merkle_edge_add(struct merkle_edge *edge, const struct merkle_hash *leaf)
{
    unsigned count = merkle_edge_count(edge->size);
    struct merkle_hash hash = *leaf;
    enum err err = ERR_OK;

    if (edge->size >> (MERKLE_LEVELS - 1) != 0)
        return ERR_LIMIT;
    for (uint64_t bits = edge->size; err == ERR_OK && (bits & 1) != 0; bits >>= 1)
        err = merkle_node(&edge->roots[--count], &hash, &hash);
    if (err != ERR_OK)
        return err;
    edge->roots[count] = hash;
    edge->size++;
    return ERR_OK;
}

enum err
merkle_edge_root(const struct merkle_edge *edge, struct merkle_hash *out)
{
    unsigned count = merkle_edge_count(edge->size);
    enum err err = ERR_OK;

    if (count == 0)
        return hash_sha256(SLICE_EMPTY, out->bytes);
    *out = edge->roots[--count];
    while (err == ERR_OK && count > 0)
        err = merkle_node(&edge->roots[--count], out, out);
    return err;
}

/* The largest power of two below `size`, which is 2 or more; as its exponent. */
static unsigned
split_level(uint64_t size)
{
    return 63u - (unsigned)__builtin_clzll(size - 1);
}

/* The hash of leaves [from, from + size), where from is a multiple of the power of two that is not below
 * size. */
static enum err
range_hash(const struct merkle_source *source, uint64_t from, uint64_t size, struct merkle_hash *out)
{
    struct merkle_hash parts[MERKLE_LEVELS];
    unsigned count = 0;
    enum err err = ERR_OK;

    for (uint64_t left = size; err == ERR_OK && left > 0;) { /* complete subtrees, the largest first */
        unsigned level = 63u - (unsigned)__builtin_clzll(left);
        err = source->subtree(source->ctx, level, from >> level, &parts[count++]);
        from += UINT64_C(1) << level;
        left -= UINT64_C(1) << level;
    }
    while (err == ERR_OK && count > 1) {
        count--;
        err = merkle_node(&parts[count - 1], &parts[count], &parts[count - 1]);
    }
    *out = parts[0];
    return err;
}

static void
reverse(struct merkle_proof *proof)
{
    for (size_t i = 0, k = proof->count; i + 1 < k; i++) {
        struct merkle_hash kept = proof->hashes[i];
        proof->hashes[i] = proof->hashes[--k];
        proof->hashes[k] = kept;
    }
}

/* Walks down from the root and notes the other side at each step; a proof goes up. */
enum err
merkle_inclusion(const struct merkle_source *source, uint64_t index, uint64_t size, struct merkle_proof *out)
{
    uint64_t from = 0;
    enum err err = index < size ? ERR_OK : ERR_NOT_FOUND;

    out->count = 0;
    while (err == ERR_OK && size > 1) {
        uint64_t left = UINT64_C(1) << split_level(size);
        struct merkle_hash *other = &out->hashes[out->count++];
        if (index - from < left) {
            err = range_hash(source, from + left, size - left, other);
            size = left;
        } else {
            err = range_hash(source, from, left, other);
            from += left;
            size -= left;
        }
    }
    reverse(out);
    return err;
}

enum err
merkle_consistency(const struct merkle_source *source, uint64_t earlier, uint64_t size,
                   struct merkle_proof *out)
{
    uint64_t from = 0, part = earlier;
    bool is_whole = true; /* the earlier tree is this subtree: whoever checks has its root */
    enum err err = earlier > 0 && earlier <= size ? ERR_OK : ERR_NOT_FOUND;

    out->count = 0;
    if (err != ERR_OK)
        return err;
    while (err == ERR_OK && part < size) {
        uint64_t left = UINT64_C(1) << split_level(size);
        struct merkle_hash *other = &out->hashes[out->count++];
        if (part <= left) {
            err = range_hash(source, from + left, size - left, other);
            size = left;
        } else {
            err = range_hash(source, from, left, other);
            from += left;
            part -= left;
            size -= left;
            is_whole = false;
        }
    }
    if (err == ERR_OK && !is_whole)
        err = range_hash(source, from, size, &out->hashes[out->count++]);
    reverse(out);
    return err;
}

enum err
merkle_inclusion_check(const struct merkle_proof *proof, uint64_t index, uint64_t size,
                       const struct merkle_hash *leaf, const struct merkle_hash *root)
{
    struct merkle_hash hash = *leaf;
    uint64_t last = size - 1;
    enum err err = index < size && proof->count <= MERKLE_PROOF_MAX ? ERR_OK : ERR_SIGNATURE;

    for (size_t i = 0; err == ERR_OK && i < proof->count; i++) {
        if (last == 0)
            return ERR_SIGNATURE; /* longer than the tree is high */
        if ((index & 1) != 0 || index == last) {
            err = merkle_node(&proof->hashes[i], &hash, &hash);
            while ((index & 1) == 0 && index != 0) {
                index >>= 1;
                last >>= 1;
            }
        } else {
            err = merkle_node(&hash, &proof->hashes[i], &hash);
        }
        index >>= 1;
        last >>= 1;
    }
    if (err == ERR_OK && (last != 0 || !hash_eq(&hash, root)))
        err = ERR_SIGNATURE;
    return err;
}

enum err
merkle_consistency_check(const struct merkle_proof *proof, uint64_t earlier, uint64_t size,
                         const struct merkle_hash *earlier_root, const struct merkle_hash *root)
{
    struct merkle_hash was, is;
    uint64_t index = earlier - 1, last = size - 1;
    size_t at = 0;
    enum err err = ERR_OK;

    if (earlier == 0 || earlier > size || proof->count > MERKLE_PROOF_MAX)
        return ERR_SIGNATURE;
    if (earlier == size)
        return proof->count == 0 && hash_eq(earlier_root, root) ? ERR_OK : ERR_SIGNATURE;
    for (; (index & 1) != 0; index >>= 1)
        last >>= 1;
    if ((earlier & (earlier - 1)) == 0)
        was = is = *earlier_root;
    else if (proof->count > 0)
        was = is = proof->hashes[at++];
    else
        return ERR_SIGNATURE;
    for (; err == ERR_OK && at < proof->count; at++) {
        if (last == 0)
            return ERR_SIGNATURE;
        if ((index & 1) != 0 || index == last) {
            err = merkle_node(&proof->hashes[at], &was, &was);
            if (err == ERR_OK)
                err = merkle_node(&proof->hashes[at], &is, &is);
            while ((index & 1) == 0 && index != 0) {
                index >>= 1;
                last >>= 1;
            }
        } else {
            err = merkle_node(&is, &proof->hashes[at], &is);
        }
        index >>= 1;
        last >>= 1;
    }
    if (err == ERR_OK && (last != 0 || !hash_eq(&was, earlier_root) || !hash_eq(&is, root)))
        err = ERR_SIGNATURE;
    return err;
}
