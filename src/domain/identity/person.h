/*
 * People: who they are, apart from any workspace. Rows of tenant_platform; name and e-mail are sealed with
 * its content key. The vault is not asked within a transaction: seal before, open after.
 */
#ifndef DOMAIN_IDENTITY_PERSON_H
#define DOMAIN_IDENTITY_PERSON_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "domain/tenant/tenant.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define PERSON_NAME_MAX  100u /* code points */
#define PERSON_EMAIL_MAX 254u /* octets: RFC 5321, 4.5.3.1.3 */
#define PERSON_READ_MAX  2000u

struct person {
    struct id id;
    struct slice name, email; /* email empty: none is known */
    bool is_email_verified, has_left;
    bool reads_hindi; /* else English: what we write to them */
    struct wall_time created_at;
    uint32_t generation;
};

/* An address as it is kept and looked up: without blanks around, the domain and the rest in lower case; never
 * with anything that ends an address or a header's line. ERR_CONTRACT: it is none. Lives in the arena. */
MUST_CHECK enum err person_email_read(struct slice text, struct arena *arena, struct slice *out);

/* What a row is written from. */
struct person_sealed {
    struct id id;
    uint32_t generation;
    struct vault_sealed name, email;
    bool has_email, is_email_verified, reads_hindi;
    unsigned char email_index[VAULT_INDEX_BYTES];
};
/* Name, e-mail and what else there is of `person`, of the generation that it says. */
MUST_CHECK enum err person_seal(const struct vault *vault, const struct person *person, struct arena *arena,
                                struct person_sealed *out);
/* In a transaction of tenant_platform. ERR_EXISTS: another person has the e-mail. */
MUST_CHECK enum err person_insert(struct db_tx *tx, const struct clock *clock,
                                  const struct person_sealed *with);
/* Sealed of the generation after the one that stands there. ERR_DB_CONFLICT: somebody was faster. */
MUST_CHECK enum err person_update(struct db_tx *tx, const struct clock *clock,
                                  const struct person_sealed *with);

/* Those that are there, in no order; at most PERSON_READ_MAX. Reads in a transaction of its own, then opens.
 */
MUST_CHECK enum err person_read(struct db *db, const struct vault *vault, const struct id *ids, size_t count,
                                struct arena *arena, struct person **out, size_t *count_out);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err person_get(struct db *db, const struct vault *vault, struct id id, struct arena *arena,
                               struct person *out);
/* By an address that was read by person_email_read and verified. ERR_NOT_FOUND. */
MUST_CHECK enum err person_find(struct db *db, const struct vault *vault, struct slice email, struct id *out);

#endif
