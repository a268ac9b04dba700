/*
 * smsc's thread for all of the database but sending: which connectors and routes there are, what operators
 * send us, how the links do. Of several smsc processes one works: the one whose keeper has the installation's
 * lock.
 *
 * What an operator sent is answered after it is committed, sealed and raw; gateways interpret it.
 */
#ifndef PROGRAM_SMSC_KEEPER_H
#define PROGRAM_SMSC_KEEPER_H
#include "core/arena.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/secret.h"
#include "domain/channel/sms/sms_connector.h"
#include "domain/channel/sms/sms_part.h"
#include "domain/channel/sms/sms_route.h"
#include "platform/ipc/vault_client.h"
#include "platform/os/mailbox.h"

/* A connector that is to be bound, with all that it needs. */
struct keeper_connector {
    struct id tenant;
    struct sms_connector settings; /* in the arena */
    struct arena *arena;           /* owned */
    struct secret *password;       /* owned */
};
void keeper_connector_free(struct keeper_connector *connector); /* accepts NULL */

/* For the loop. Taken by it: keeper_news_free. */
enum keeper_news_kind {
    KEEPER_WORKS,     /* this process is the one */
    KEEPER_STOPS,     /* it is not any more: end */
    KEEPER_CONNECTOR, /* a new one, or new settings */
    KEEPER_GONE,      /* no bind any more */
    KEEPER_ROUTES,    /* all of them */
};
struct keeper_news {
    struct mailbox_item item;
    enum keeper_news_kind kind;
    struct keeper_connector *connector; /* CONNECTOR: owned until it is taken out */
    struct id id;                       /* GONE */
    struct id *tenants;                 /* ROUTES: owned likewise, those of one workspace beside each other */
    struct sms_route *routes;           /* in one piece with their texts */
    size_t route_count;
};
void keeper_news_free(struct keeper_news *news);

struct keeper_link {
    struct id tenant, connector;
    unsigned number;
    const char *kind, *state;            /* literals */
    struct wall_time since, next_try_at; /* next_try_at us 0: none */
    char detail[160];
    int64_t per_second, in_flight;
};

/* From the loop. */
enum keeper_task_kind {
    KEEPER_PDU,   /* comes back with `status`, to be answered */
    KEEPER_LINKS, /* how all links do */
    KEEPER_BREAK, /* the account was refused */
    KEEPER_UP,    /* the first bind of a connector came, or the last one went */
    KEEPER_DOWN,
    KEEPER_THROTTLED, /* the operator asked for less */
    KEEPER_LATE,      /* a part that was taken after all */
};
struct keeper_task {
    struct mailbox_item item;
    enum keeper_task_kind kind;
    struct id tenant, connector;
    /* PDU */
    struct buf body; /* as it is stored (sms_event.h); wiped */
    struct id session;
    unsigned link;
    uint32_t command, sequence, status;
    /* LINKS: owned */
    struct keeper_link *links;
    size_t link_count;
    char reason[160];     /* BREAK, DOWN, THROTTLED: a sentence */
    int64_t per_second;   /* THROTTLED: parts, from now on */
    struct sms_part part; /* LATE: its provider_id points to `provider_id` */
    char provider_id[SMPP_ID_CANONICAL_BYTES + 1];
};
struct keeper_task *keeper_task_new(enum keeper_task_kind kind, struct id tenant, struct id connector);
void keeper_task_free(struct keeper_task *task); /* accepts NULL */

struct keeper;

struct keeper_config {
    const char *database; /* borrowed while it runs */
    const struct clock *clock;
    struct vault_client *vault_client;
    struct mailbox *news;   /* to the loop: struct keeper_news */
    struct mailbox *stored; /* to the loop: struct keeper_task, of KEEPER_PDU */
};
MUST_CHECK enum err keeper_new(const struct keeper_config *config, struct keeper **out);
void keeper_put(struct keeper *keeper, struct keeper_task *task); /* taken */
/* Ends the thread once all that was put is done, or cannot be done now. Accepts NULL. */
void keeper_free(struct keeper *keeper);

#endif
