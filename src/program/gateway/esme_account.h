/*
 * Accounts with links, and what is being told to each: receipts and what somebody wrote, as many at once as
 * the links take. What was asked and not answered stays owed. Without sockets, clocks or the database: the
 * loop has those.
 */
#ifndef PROGRAM_GATEWAY_ESME_ACCOUNT_H
#define PROGRAM_GATEWAY_ESME_ACCOUNT_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/id.h"

#define ESME_ACCOUNTS_MAX 256u
#define ESME_OWED_MAX     384u /* deliver_sm of one batch: a text of 255 parts has room beside receipts */

enum esme_owed_kind {
    ESME_OWED_RECEIPT, /* of a message */
    ESME_OWED_FAILED,  /* of parts that became no message */
    ESME_OWED_WRITTEN, /* by somebody */
};
struct esme_owed {
    enum esme_owed_kind kind;
    struct id id;              /* of the message or the group */
    unsigned part, part_count; /* of a text; the parts of one follow one another */
    bool was_taken;            /* in an earlier batch: it is not told again */
    bool is_taken;
    struct slice body; /* of the deliver_sm; in the batch's arena */
};
struct esme_batch {
    struct arena *arena; /* owned, with this in it */
    size_t count;
    struct esme_owed owed[ESME_OWED_MAX];
};
void esme_batch_free(struct esme_batch *batch); /* accepts NULL */

struct esme_account {
    struct id tenant, key;
    size_t links;             /* 0: the place is free */
    bool is_asking;           /* somebody looks for what is owed, or notes what was taken */
    struct mono_time look_at; /* the loop's */
    /* The module's own. */
    struct esme_batch *batch; /* owned; NULL: nothing is being told */
    size_t next, waiting;     /* of the batch: the one to be told, and those without an answer */
    uint64_t talker;          /* the link that has begun a text whose parts are not all told; 0: none */
    uint32_t batch_number;
};
struct esme_accounts {
    struct esme_account places[ESME_ACCOUNTS_MAX];
};

/* One more link of the account. NULL: it has `binds_max` already, or there are too many accounts. */
struct esme_account *esme_account_take(struct esme_accounts *accounts, struct id tenant, struct id key,
                                       size_t binds_max, struct mono_time now);
/* The link `link` has ended. With the last one what is being told is given up, and stays owed. */
void esme_account_leave(struct esme_account *account, uint64_t link);
/* Whose `is_asking` is set; NULL: nobody's. */
struct esme_account *esme_account_asking(struct esme_accounts *accounts, struct id key);

/* Begins to tell; takes the batch. Not while another one is being told. */
void esme_account_tell(struct esme_account *account, struct esme_batch *batch);
/*
 * The body that is to be asked next by this link, with its tag; false: nothing, or another link has to end
 * what it has begun. esme_account_asked when it was asked: until then it is the next one still.
 */
bool esme_account_next(struct esme_account *account, uint64_t link, struct slice *body_out,
                       uint64_t *tag_out);
void esme_account_asked(struct esme_account *account, uint64_t link);
/* What came of it. Tags of batches that are over change nothing. */
void esme_account_answered(struct esme_account *account, uint64_t tag, uint32_t status, bool is_late);
void esme_account_lost(struct esme_account *account, uint64_t tag);
/* All of the batch was told and answered or lost; `may_tell` false: no link can, and so no more will be. */
bool esme_account_is_told(const struct esme_account *account, bool may_tell);
/* The batch, whose is_taken say what became of it: the caller's. */
struct esme_batch *esme_account_untell(struct esme_account *account);

#endif
