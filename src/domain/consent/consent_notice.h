/* What people are told when they are asked: versions that never change, each with its SHA-256. */
#ifndef DOMAIN_CONSENT_CONSENT_NOTICE_H
#define DOMAIN_CONSENT_CONSENT_NOTICE_H
#include "domain/consent/consent.h"

#define CONSENT_NOTICE_BYTES_MAX  65536u
#define CONSENT_NOTICE_HASH_BYTES 32u

struct consent_notice {
    struct id id;
    struct slice name, language, text;
    struct slice terms; /* a JSON object: controller, jurisdiction, ...: as the API shows it */
    int64_t version;    /* 1, 2, ...: of this name in this language */
    unsigned char hash[CONSENT_NOTICE_HASH_BYTES];
    struct wall_time created_at;
};
/* The next version of its name and language: sets version, hash and created_at. ERR_DB_CONFLICT: somebody was
 * faster. */
MUST_CHECK enum err consent_notice_add(struct db_tx *tx, const struct clock *clock, enum consent_actor actor,
                                       struct id actor_id, struct consent_notice *notice);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err consent_notice_get(struct db_tx *tx, struct id id, struct arena *arena,
                                       struct consent_notice *out);
/* Newest first, limit + 1 rows; without their texts. */
MUST_CHECK enum err consent_notice_list(struct db_tx *tx, struct id cursor, size_t limit, struct arena *arena,
                                        struct consent_notice **out, size_t *count_out);
/* Which of them are the workspace's: is_known[i]. At most CONSENT_BATCH_MAX; zero ids are known. */
MUST_CHECK enum err consent_notices_known(struct db_tx *tx, const struct id *ids, size_t count,
                                          bool *is_known);

#endif
