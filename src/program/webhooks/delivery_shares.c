#include "program/webhooks/delivery_shares.h"
#include <stdlib.h>
#include <string.h>

#define SLOTS     8192u /* a power of two; far more than can be out: an endpoint and a tenant each */
#define SLOTS_MAX (SLOTS / 4 * 3)

/* Of an endpoint, or of a tenant: their ids are never the same. */
struct share {
    struct id id; /* zero: a free slot */
    size_t out;
    int32_t latency_ms; /* of an endpoint; negative: it is not known, or the last attempt failed */
};

struct delivery_shares {
    struct delivery_shares_config config;
    struct share *slots; /* owned; SLOTS of them, open addressing */
    size_t used, out;
};

/* The end of an id is random. */
static size_t
slot_of(struct id id)
{
    uint32_t hash;

    memcpy(&hash, id.bytes + ID_BYTES - sizeof(hash), sizeof(hash));
    return hash % SLOTS;
}

static struct share *
slot_find(struct share *slots, struct id id)
{
    for (size_t at = slot_of(id);; at = (at + 1) % SLOTS)
        if (id_is_zero(slots[at].id) || id_eq(slots[at].id, id))
            return &slots[at];
}

/* Those of whom nothing is out are forgotten. NULL: no memory. */
static struct share *
slots_renew(struct delivery_shares *shares)
{
    struct share *slots = calloc(SLOTS, sizeof(*slots));

    if (slots == NULL)
        return NULL;
    shares->used = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        if (shares->slots[i].out == 0)
            continue;
        *slot_find(slots, shares->slots[i].id) = shares->slots[i];
        shares->used++;
    }
    free(shares->slots);
    return shares->slots = slots;
}

/* NULL: it is new, and there is no room for it. */
static struct share *
share_of(struct delivery_shares *shares, struct id id)
{
    struct share *share = slot_find(shares->slots, id);

    if (!id_is_zero(share->id))
        return share;
    if (shares->used >= SLOTS_MAX) {
        if (slots_renew(shares) == NULL || shares->used >= SLOTS_MAX)
            return NULL;
        share = slot_find(shares->slots, id);
    }
    *share = (struct share){ .id = id, .latency_ms = -1 };
    shares->used++;
    return share;
}

struct delivery_shares *
delivery_shares_new(const struct delivery_shares_config *config)
{
    struct delivery_shares *shares = calloc(1, sizeof(*shares));

    if (shares == NULL)
        return NULL;
    shares->config = *config;
    shares->slots = calloc(SLOTS, sizeof(*shares->slots));
    if (shares->slots != NULL)
        return shares;
    free(shares);
    return NULL;
}

void
delivery_shares_free(struct delivery_shares *shares)
{
    if (shares == NULL)
        return;
    free(shares->slots);
    free(shares);
}

/* So many times of what may be posted at once; the last of them then waits for DELIVERY_AHEAD_MS. */
static size_t
ahead_of(const struct share *endpoint)
{
    size_t ahead = 0;

    if (endpoint->latency_ms < 0)
        return DELIVERY_AHEAD;
    ahead = DELIVERY_AHEAD_MS / (size_t)(endpoint->latency_ms == 0 ? 1 : endpoint->latency_ms);
    return ahead < DELIVERY_AHEAD ? DELIVERY_AHEAD : ahead > DELIVERY_AHEAD_MAX ? DELIVERY_AHEAD_MAX : ahead;
}

bool
delivery_shares_take(struct delivery_shares *shares, struct id tenant, struct id endpoint)
{
    const struct share *of_tenant = share_of(shares, tenant);
    const struct share *of_endpoint = share_of(shares, endpoint);

    if (of_tenant == NULL || of_endpoint == NULL)
        return false;
    of_tenant = slot_find(shares->slots, tenant); /* they may have moved for the other */
    if (shares->out >= DELIVERY_PLACES_MAX || of_tenant->out >= DELIVERY_TENANT_MAX ||
        of_endpoint->out >= shares->config.per_endpoint_max * ahead_of(of_endpoint))
        return false;
    delivery_shares_add(shares, tenant, endpoint);
    return true;
}

static void
count(struct delivery_shares *shares, struct id id, bool is_out)
{
    struct share *share = share_of(shares, id);

    if (share == NULL) /* counted nowhere: it cannot be, as long as there are so many slots */
        return;
    if (is_out)
        share->out++;
    else if (share->out > 0)
        share->out--;
}

void
delivery_shares_add(struct delivery_shares *shares, struct id tenant, struct id endpoint)
{
    shares->out++;
    count(shares, tenant, true);
    count(shares, endpoint, true);
}

void
delivery_shares_end(struct delivery_shares *shares, struct id tenant, struct id endpoint)
{
    if (shares->out > 0)
        shares->out--;
    count(shares, tenant, false);
    count(shares, endpoint, false);
}

void
delivery_shares_answered(struct delivery_shares *shares, struct id endpoint, bool is_well, int32_t latency_ms)
{
    struct share *share = share_of(shares, endpoint);

    if (share != NULL)
        share->latency_ms = is_well ? latency_ms : -1;
}
