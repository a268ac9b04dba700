/*
 * When a person may be written to freely. Source: WhatsApp, customer service window and free entry point: a
 * person's message opens 24 hours; who comes through an advertisement and is answered within 24 hours opens
 * 72 hours, from the answer on, in which nothing is charged. Beyond, WhatsApp takes templates only. People
 * are found by the blind index of their address (domain/message).
 */
#ifndef DOMAIN_CHANNEL_CHANNEL_WINDOW_H
#define DOMAIN_CHANNEL_CHANNEL_WINDOW_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"

#define CHANNEL_WINDOW_HOURS     24
#define CHANNEL_FREE_ENTRY_HOURS 72

struct channel_window {
    bool is_known; /* the person has written to this channel; else the rest is not there */
    struct wall_time window_until;
    bool has_free_entry;
    struct wall_time free_until;
};
MUST_CHECK enum err channel_window_read(struct db_tx *tx, struct id channel, struct slice peer_index,
                                        struct channel_window *out);

/* They wrote `at`, or came through an advertisement with it. Later ends stay: events come in any order. */
struct channel_window_opening {
    struct id channel;
    struct slice peer_index;
    struct wall_time at;
    bool is_referred;
};
/* Sent with what comes next (db_later). */
MUST_CHECK enum err channel_windows_open(struct db_tx *tx, const struct channel_window_opening *openings,
                                         size_t count, struct arena *arena);
/* Messages that the provider took `at`: the first answer to a referral opens the free entry point. */
struct channel_window_answer {
    struct id channel;
    struct slice peer_index;
    struct wall_time at;
};
MUST_CHECK enum err channel_window_answered(struct db_tx *tx, const struct channel_window_answer *answers,
                                            size_t count, struct arena *arena);

#endif
