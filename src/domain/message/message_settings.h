/* What a workspace decides about its messages. */
#ifndef DOMAIN_MESSAGE_MESSAGE_SETTINGS_H
#define DOMAIN_MESSAGE_MESSAGE_SETTINGS_H
#include "domain/message/message.h"

/* When the wait for the provider's event is over and nobody knows whether a message was taken. */
enum message_uncertain_policy {
    MESSAGE_UNCERTAIN_RESEND, /* a duplicate is the lesser evil */
    MESSAGE_UNCERTAIN_LEAVE,  /* a loss is; it stays uncertain until the provider tells */
    MESSAGE_UNCERTAIN_FAIL,   /* the same, and it is told as failed */
};
const char *message_uncertain_policy_word(enum message_uncertain_policy policy);
MUST_CHECK enum err message_uncertain_policy_parse(struct slice word, enum message_uncertain_policy *out);

#define MESSAGE_TIME_ZONE_MAX 64u

struct message_settings {
    enum message_uncertain_policy uncertain[MESSAGE_CATEGORY_COUNT]; /* by category */
    int64_t uncertain_wait_s;                                        /* 0: the installation's */
    char time_zone[MESSAGE_TIME_ZONE_MAX + 1]; /* "Asia/Kolkata": where its days begin */
    uint32_t revision;                         /* 0: never changed */
    struct wall_time updated_at;               /* of a revision */
};
/* ERR_LIMIT. */
MUST_CHECK enum err message_time_zone_set(struct message_settings *settings, struct slice name);
/* Of the transaction's tenant; how they come where nobody has changed them: promotions are left, others
 * resent. */
MUST_CHECK enum err message_settings_read(struct db_tx *tx, struct message_settings *out);
/*
 * Puts all of them; `revision` is the one they replace, and the next one afterwards. ERR_DB_CONFLICT:
 * somebody was faster; read again. ERR_DB_DATA: the time zone is none.
 */
MUST_CHECK enum err message_settings_write(struct db_tx *tx, struct message_settings *settings);

#endif
