/* A tenant: a workspace, whose rows nobody else sees and whose data keys are its own. */
#ifndef DOMAIN_TENANT_TENANT_H
#define DOMAIN_TENANT_TENANT_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define TENANT_NAME_MAX 120u /* code points */
#define TENANT_SLUG_MAX 63u
#define TENANT_LIST_MAX 1000u

enum tenant_state { TENANT_ACTIVE, TENANT_SUSPENDED, TENANT_CLOSED };
/* ERR_STATE_CONFLICT for a word that is none: the database holds something this build does not know. */
MUST_CHECK enum err tenant_state_parse(struct slice word, enum tenant_state *out);

const char *tenant_state_word(enum tenant_state state);

struct tenant {
    struct id id;
    struct slice name, slug; /* in the arena they were loaded into */
    enum tenant_state state;
    struct wall_time created_at;
    int64_t send_weight; /* its part of sending beside other tenants' */
};
#define TENANT_SEND_WEIGHT     100 /* of one that nobody has weighed */
#define TENANT_SEND_WEIGHT_MAX 10000

/*
 * Makes the tenant and its three data keys in one transaction, as harkara_admin. `slug` may be empty: it is
 * then made from the name. `also` (may be NULL) is done in the same transaction, at its end. ERR_EXISTS: the
 * slug is taken. ERR_DB_DATA: name or slug not allowed.
 */
MUST_CHECK enum err tenant_create(struct db *db, const struct vault *vault, const struct clock *clock,
                                  struct slice name, struct slice slug,
                                  enum err (*also)(struct db_tx *tx, void *ctx), void *ctx,
                                  struct arena *arena, struct tenant *out);
/* The transaction's: no API key of it is good any more, its senders rest, its endpoints get nothing. Done
 * again it changes nothing. ERR_NOT_FOUND. As harkara_admin. */
MUST_CHECK enum err tenant_close(struct db_tx *tx);
/* The transaction's: while several wait to send, each gets its part by weight, 1 to TENANT_SEND_WEIGHT_MAX.
 * ERR_NOT_FOUND, ERR_DB_CONSTRAINT. As harkara_admin. */
MUST_CHECK enum err tenant_weigh(struct db_tx *tx, int64_t send_weight);
/*
 * Harkara itself is a workspace too: of people, who belong to no customer's. A migration makes its row; here
 * it is nobody's to list, to find, to close or to send for.
 */
extern const struct id tenant_platform;
/* Makes its data keys where they are missing; done again it changes nothing. As harkara_admin, with the vault
 * in the administrator's role. */
MUST_CHECK enum err tenant_platform_keys(struct db *db, const struct vault *vault);
/* All of them by age, at most TENANT_LIST_MAX; *out lives in the arena. As harkara_admin. ERR_STATE_CONFLICT:
 * one is in a state that this build does not know. */
MUST_CHECK enum err tenant_list(struct db *db, struct arena *arena, struct tenant **out, size_t *count_out);
/* A page of them, the newest first, beyond `cursor` (zero: from the newest), limit + 1 rows. As
 * harkara_gateway ("platform.workspaces"). */
MUST_CHECK enum err tenant_page(struct db *db, struct id cursor, size_t limit, struct arena *arena,
                                struct tenant **out, size_t *count_out);
/* The transaction's: suspended, or active again; done again it changes nothing. ERR_STATE_CONFLICT: it is
 * closed, or Harkara itself. As harkara_gateway. */
MUST_CHECK enum err tenant_suspend(struct db_tx *tx, bool suspended);
/* In a transaction of its own tenant, as any role. ERR_NOT_FOUND. */
MUST_CHECK enum err tenant_get(struct db_tx *tx, struct arena *arena, struct tenant *out);
/* By slug or by "ten_..." id. ERR_NOT_FOUND. As harkara_admin. */
MUST_CHECK enum err tenant_find(struct db *db, struct slice slug_or_id, struct arena *arena,
                                struct tenant *out);

#endif
