#include "domain/message/message_status.h"
#include "core/attribute.h"

#define BIT(status) (1u << MESSAGE_##status)

/* What the provider or the recipient's device can tell us; anything before may be overtaken by any of it. */
#define REPORTED (BIT(SENT) | BIT(DELIVERED) | BIT(READ) | BIT(FAILED) | BIT(EXPIRED))
#define PROOF    (BIT(DELIVERED) | BIT(READ))

static const struct status_row {
    const char *name;
    unsigned rank;
    unsigned next; /* bits of the statuses that may follow */
} rows[MESSAGE_STATUS_COUNT] = {
    [MESSAGE_ACCEPTED] = { "accepted", 10,
                           BIT(QUEUED) | BIT(HELD) | BIT(SENDING) | BIT(BLOCKED) | BIT(CANCELED) |
                               BIT(UNCERTAIN) | REPORTED },
    /* queued and held change places: the policy gate may hold at dispatch what it let pass before, and
       release it. */
    [MESSAGE_QUEUED] = { "queued", 20,
                         BIT(HELD) | BIT(SENDING) | BIT(BLOCKED) | BIT(CANCELED) | BIT(UNCERTAIN) |
                             REPORTED },
    [MESSAGE_HELD] = { "held", 20,
                       BIT(QUEUED) | BIT(SENDING) | BIT(BLOCKED) | BIT(CANCELED) | BIT(UNCERTAIN) |
                           REPORTED },
    /* Nobody cancels what may be on the wire. */
    [MESSAGE_SENDING] = { "sending", 30, BIT(QUEUED) | BIT(HELD) | BIT(BLOCKED) | BIT(UNCERTAIN) | REPORTED },
    [MESSAGE_UNCERTAIN] = { "uncertain", 40, BIT(QUEUED) | REPORTED },
    [MESSAGE_SENT] = { "sent", 50, PROOF | BIT(FAILED) | BIT(EXPIRED) },
    [MESSAGE_FAILED] = { "failed", 60, PROOF },
    /* Of two last words the one with a reason stands, whichever came first. */
    [MESSAGE_EXPIRED] = { "expired", 60, PROOF | BIT(FAILED) },
    /* It never left us, so there is nothing for a provider to prove. */
    [MESSAGE_BLOCKED] = { "blocked", 60, 0 },
    /* Withdrawn while it waited for another attempt: an earlier one may have arrived after all. */
    [MESSAGE_CANCELED] = { "canceled", 60, PROOF },
    [MESSAGE_DELIVERED] = { "delivered", 70, BIT(READ) },
    [MESSAGE_READ] = { "read", 80, 0 },
    [MESSAGE_RECEIVED] = { "received", 0, 0 },
};

static const struct status_row *
row_of(enum message_status status)
{
    if ((unsigned)status >= MESSAGE_STATUS_COUNT)
        bug("a message status outside its enum");
    return &rows[status];
}

struct slice
message_status_name(enum message_status status)
{
    return slice_text(row_of(status)->name);
}

enum err
message_status_parse(struct slice name, enum message_status *out)
{
    for (unsigned i = 0; i < MESSAGE_STATUS_COUNT; i++) {
        if (slice_eq(slice_text(rows[i].name), name)) {
            *out = (enum message_status)i;
            return ERR_OK;
        }
    }
    return ERR_DB_DATA;
}

bool
message_status_may_move(enum message_status from, enum message_status to)
{
    (void)row_of(to); /* a value outside the enum must not become a shift */
    return (row_of(from)->next & (1u << to)) != 0;
}

bool
message_status_may_report(enum message_status from, enum message_status to)
{
    return message_status_may_move(from, to) && ((1u << to) & REPORTED) != 0;
}

size_t
message_status_path(enum message_status from, enum message_status to,
                    enum message_status path_out[static MESSAGE_STATUS_PATH_MAX])
{
    static const enum message_status way[] = { MESSAGE_SENT, MESSAGE_DELIVERED };
    size_t count = 0;

    if (!message_status_may_move(from, to))
        return 0;
    if (((1u << to) & PROOF) != 0)
        for (size_t i = 0; i < COUNT_OF(way); i++)
            if (rows[way[i]].rank > rows[from].rank && rows[way[i]].rank < rows[to].rank)
                path_out[count++] = way[i];
    path_out[count++] = to;
    return count;
}

unsigned
message_facts_of(enum message_status reported)
{
    switch (reported) {
    case MESSAGE_READ:
        return MESSAGE_FACT_SENT | MESSAGE_FACT_DELIVERED | MESSAGE_FACT_READ;
    case MESSAGE_DELIVERED:
        return MESSAGE_FACT_SENT | MESSAGE_FACT_DELIVERED;
    case MESSAGE_SENT:
        return MESSAGE_FACT_SENT;
    case MESSAGE_FAILED:
        return MESSAGE_FACT_FAILED;
    case MESSAGE_EXPIRED:
        return MESSAGE_FACT_EXPIRED;
    case MESSAGE_ACCEPTED:
    case MESSAGE_QUEUED:
    case MESSAGE_HELD:
    case MESSAGE_SENDING:
    case MESSAGE_BLOCKED:
    case MESSAGE_CANCELED:
    case MESSAGE_UNCERTAIN:
    case MESSAGE_RECEIVED:
        return 0;
    }
    bug("a message status outside its enum");
}
