/* What the files of this room share of reading members' rows. */
#ifndef DOMAIN_IDENTITY_MEMBERSHIP_INTERNAL_H
#define DOMAIN_IDENTITY_MEMBERSHIP_INTERNAL_H
#include "domain/identity/membership.h"

/* A uuid[] that was cast to text[]. ERR_LIMIT beyond `max`. */
MUST_CHECK enum err membership_ids_read(const struct db_rows *rows, size_t row, int column,
                                        struct arena *arena, size_t max, struct id **out, size_t *count_out);
MUST_CHECK enum err membership_state_parse(struct slice word, enum membership_state *out);
/* The role of a row by the columns of its word, its id and the permissions of that one. */
MUST_CHECK enum err membership_role_read(const struct db_rows *rows, size_t row, int word, int id,
                                         int permissions, struct arena *arena, struct role_ref *out,
                                         uint64_t *permissions_out);

/* Keys that a person ($2) has made, and those that such keys have made: begins a statement that uses made
 * (id). */
#define MEMBERSHIP_MADE_KEYS                                                                                 \
    "WITH RECURSIVE made AS (SELECT id FROM api_key WHERE tenant_id = $1 AND created_by = $2"                \
    " UNION SELECT k.id FROM api_key k JOIN made m ON k.created_by = m.id WHERE k.tenant_id = $1)"

/* ERR_CHANNEL_UNKNOWN: one is not of this workspace, or is named twice. */
MUST_CHECK enum err membership_channels_check(struct db_tx *tx, const struct id *channels, size_t count);
/* Takes back every key that the actor has made, and those that they have made; how many. */
MUST_CHECK enum err membership_keys_revoke(struct db_tx *tx, const struct clock *clock, struct id person,
                                           size_t *count_out);

#endif
