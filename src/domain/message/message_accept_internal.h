/* What the files of the accept path share: many messages as the columns that unnest() takes. */
#ifndef DOMAIN_MESSAGE_MESSAGE_ACCEPT_INTERNAL_H
#define DOMAIN_MESSAGE_MESSAGE_ACCEPT_INTERNAL_H
#include "domain/message/message.h"
#include "domain/policy/policy_settings.h"

/* A row's parts of fixed width, one after the other: the statements cut them out by these places. */
#define ACCEPT_SEAL_BYTES   (VAULT_IV_BYTES + VAULT_TAG_BYTES)
#define ACCEPT_SEALED_BYTES (VAULT_INDEX_BYTES + 2 * ACCEPT_SEAL_BYTES) /* and the peer's ciphertext */

/* The statement knows them by number. */
enum accept_class_flag {
    ACCEPT_MINDS_WINDOW = 1, /* is refused when the window is over, if its channel minds */
    ACCEPT_WAKES_LANE = 2,   /* leaves at once or soon */
};
#define ACCEPT_WAKES_MS 10000 /* what leaves later is found in time by looking */

/* A sender after a message's first, and what the gate said of it. */
struct accept_further {
    size_t message; /* which of the rows */
    size_t position;
    struct policy_verdict verdict;
    struct slice packed; /* NULL ptr: it was not judged, its message is not stored */
};
/* What only its content decided is decided for good: the others are judged when it is this sender's turn. */
static inline bool
accept_further_is_stopped(const struct accept_further *further)
{
    return further->packed.ptr != NULL && further->verdict.decision == POLICY_BLOCK &&
           further->verdict.rule == POLICY_RULE_DLT;
}

/*
 * All lie in the arena, or in the messages. A class is what messages of one sender and one kind have in
 * common, which stands once; a row has its number, from 1: each array more that the server takes apart costs
 * every batch. What is rare is absent as a whole (count 0: NULL in every row) unless some message of the
 * batch has it.
 */
struct accept_columns {
    size_t count; /* of rows */
    size_t
        judge_count; /* of rows that are judged: behind those of the messages one for each further sender */
    struct accept_further *furthers; /* judge_count - count */
    struct id *ids;
    int64_t *classes; /* 0: it is not stored */
    struct slice *sealed, *content_ct;
    /* rare */
    bool has_rare;                                /* any but keys */
    struct id *targets, *resents, *dlt_templates; /* zero: none */
    struct slice *references, *metadata_ct, *metadata_seals, *tags;
    struct wall_time *send_at, *expires_at; /* INT64_MAX: none */
    int64_t *fallbacks;
    struct id *events;      /* of those that send_at, fallbacks or the gate give an event of their own */
    int64_t *decisions;     /* of the gate, where it allows not all of them */
    struct slice *rules;    /* the words of the rules that hold or block; with decisions */
    struct slice *policies; /* receipts, where not all of a class have the same */
    size_t target_count, resent_count, reference_count, metadata_count, tag_count, send_at_count,
        expires_at_count, fallback_count, decision_count, policy_count, dlt_template_count;
    bool has_purpose;
    /* each once */
    struct id *tenants;
    size_t tenant_count;
    struct id *class_tenants, *class_channels, *class_askers;
    struct slice *class_kinds, *class_accepted_by; /* the asker, printed */
    struct slice *class_purposes;                  /* the category's word, if no other is named */
    struct slice *class_policies;                  /* the receipt of its first message */
    int64_t *class_categories, *class_key_versions, *class_flags, *class_policy_asks;
    size_t class_count;
};

/* What the statements begin with: $2 and $3, the tenant and the channel of each class. */
#define ACCEPT_CHANNELS(c)                                                                                   \
    DB_ID_ARRAY((c)->class_tenants, (c)->class_count), DB_ID_ARRAY((c)->class_channels, (c)->class_count)

/* messages[] sorted by tenant. ERR_NO_MEMORY: the arena is full. */
MUST_CHECK enum err accept_columns_fill(struct accept_columns *columns, const struct clock *clock,
                                        const struct message_new *messages, size_t count,
                                        struct arena *arena);

/* What the tables say of a class: of its channel and workspace. */
struct accept_class {
    enum err err; /* ERR_CHANNEL_UNKNOWN, ERR_CHANNEL_NOT_READY: all of its messages are refused */
    bool minds_window, has_suppressions, has_consents; /* then each of its rows is looked up */
    struct slice facts;                                /* for the gate: accept_policy_judge */
};
struct accept_facts {
    struct accept_class *classes;
    const char *persons; /* of each row that is judged, a digit: policy_person_apply */
};
/*
 * Asks the tables; wakes whoever sends through the classes' channels. accepted[] says afterwards who is
 * refused: ERR_CHANNEL_UNKNOWN, ERR_CHANNEL_NOT_READY, ERR_WINDOW_CLOSED. One round trip, and a second where
 * rows have to be looked up.
 */
MUST_CHECK enum err accept_facts_read(struct db_tx *tx, const struct accept_columns *columns,
                                      const struct message_new *messages, struct message_accepted *accepted,
                                      struct arena *arena, struct accept_facts *out);
/*
 * Asks the policy gate about the rows that are not refused; the columns say afterwards what becomes of each,
 * and accepted[] what its receipt is. ERR_NO_MEMORY, ERR_DB_DATA.
 */
MUST_CHECK enum err accept_policy_judge(struct db_tx *tx, struct accept_columns *columns,
                                        const struct clock *clock, const struct accept_facts *facts,
                                        const struct message_new *messages, struct message_accepted *accepted,
                                        struct arena *arena);

/* The senders of those messages that have a chain: the first as well, so that all stand in one place. */
struct accept_senders {
    size_t count;
    struct id *tenants, *messages, *channels, *dlt_templates;
    int64_t *positions, *afters, *key_versions, *stopped; /* stopped 1: it never has its turn */
    struct slice *kinds, *cts, *seals, *policies;
};
/* Behind the judging. */
MUST_CHECK enum err accept_senders_fill(struct accept_senders *senders, const struct accept_columns *columns,
                                        const struct message_new *messages, struct arena *arena);

#endif
