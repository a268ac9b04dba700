/* For the tests of this room: a tenant with a channel, and messages whose seals are not real. */
#ifndef DOMAIN_MESSAGE_MESSAGE_TESTING_H
#define DOMAIN_MESSAGE_MESSAGE_TESTING_H
#include "domain/message/message.h"
#include "domain/message/message_queue.h"
#include "platform/db/test_cluster.h"

/* A channel of the tenant with an open lane, straight into the tables; who gets the messages below has
 * consented to promotions. */
struct id message_testing_channel(struct id tenant);
/* Sealed columns of the right widths around these bytes; nobody opens them here. */
struct message_sealed message_testing_sealed(const char *peer);
struct message_new message_testing_new(struct id tenant, struct id channel, enum message_category category);
/* Accepts one and returns its id. */
struct id message_testing_accept(struct db *db, const struct message_new *message);
/* The message's status, read past row-level security. */
void message_testing_assert_status(struct id message, const char *status);
int64_t message_testing_count(const char *format, ...) FORMAT_LIKE(1, 2);

/* Copies of a message beside it, which the planner has not seen yet. */
void message_testing_crowd(struct id message, unsigned count);
/* Rows that this transaction has read so far, of the tables whose names are LIKE this. */
int64_t message_testing_rows_read(struct db_tx *tx, const char *tables);

/*
 * Takes the lanes that wait for `dispatcher`, and gives what is due in this one, the urgent first, as it
 * would be claimed.
 */
size_t message_testing_look(struct db *db, struct id dispatcher, struct id channel, struct arena *arena,
                            struct message_claim **out);

#endif
