#include "crypto/siphash.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t
turn(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t
u64le(const unsigned char *from)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

static void
rounds(struct state *s, unsigned count)
{
    while (count-- > 0) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = turn(s->v1, 13) ^ s->v0;
        s->v3 = turn(s->v3, 16) ^ s->v2;
        s->v0 = turn(s->v0, 32) + s->v3;
        s->v2 += s->v1;
        s->v1 = turn(s->v1, 17) ^ s->v2;
        s->v3 = turn(s->v3, 21) ^ s->v0;
        s->v2 = turn(s->v2, 32);
    }
}

static void
word_take(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    rounds(s, 2);
    s->v0 ^= word;
}

uint64_t
siphash(const unsigned char key[static SIPHASH_KEY_BYTES], struct slice bytes)
{
    uint64_t k0 = u64le(key), k1 = u64le(key + 8), last = (uint64_t)bytes.len << 56;
    struct state s = { k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                       k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573) };
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    size_t left = bytes.len;

    for (; left >= 8; left -= 8, at += 8)
        word_take(&s, u64le(at));
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)at[i] << (8 * i);
    word_take(&s, last);
    s.v2 ^= 0xff;
    rounds(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
