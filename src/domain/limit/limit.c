#include "domain/limit/limit.h"
#include "platform/net/address_guard.h"

static const struct {
    const char *word;
    enum limit_kind kind;
} rows[LIMIT_NAME_COUNT] = {
#define LIMIT(name, word, kind, help) { word, LIMIT_##kind },
#include "domain/limit/limit.def"
#undef LIMIT
};

const char *
limit_word(enum limit_name name)
{
    return rows[name].word;
}

enum limit_kind
limit_kind(enum limit_name name)
{
    return rows[name].kind;
}

bool
limit_is_of_strangers(enum limit_name name)
{
    return name == LIMIT_ADDRESS || name == LIMIT_STRANGER;
}

enum err
limit_refusal(enum limit_name name)
{
    return limit_kind(name) == LIMIT_RATE ? ERR_RATE_LIMITED : ERR_QUOTA_EXCEEDED;
}

static struct limit_counter
counter_new(enum limit_name name, uint64_t limit, uint64_t cost)
{
    struct limit_counter counter = {
        .name = name, .limit = limit, .cost = cost, .key_len = 1, .base = LIMIT_BASE_UNKNOWN
    };

    counter.key[0] = (unsigned char)name;
    return counter;
}

static void
key_add(struct limit_counter *counter, const void *bytes, size_t len)
{
    memcpy(counter->key + counter->key_len, bytes, len);
    counter->key_len = (uint8_t)(counter->key_len + len);
}

struct limit_counter
limit_counter_of(enum limit_name name, struct id tenant, struct id subject, uint64_t limit, uint64_t cost)
{
    struct limit_counter counter = counter_new(name, limit, cost);

    _Static_assert(LIMIT_KEY_BYTES >= 1 + 2 * ID_BYTES, "room for a name and two ids");
    key_add(&counter, tenant.bytes, ID_BYTES);
    if (!id_is_zero(subject))
        key_add(&counter, subject.bytes, ID_BYTES);
    return counter;
}

struct limit_counter
limit_counter_of_address(enum limit_name name, struct slice address, uint64_t limit, uint64_t cost)
{
    struct limit_counter counter = counter_new(name, limit, cost);
    struct sockaddr_storage parsed;

    if (address_parse(address, &parsed) != ERR_OK)
        return counter;
    if (parsed.ss_family == AF_INET)
        key_add(&counter, &((const struct sockaddr_in *)&parsed)->sin_addr, 4);
    else
        key_add(&counter, &((const struct sockaddr_in6 *)&parsed)->sin6_addr, 8);
    return counter;
}
