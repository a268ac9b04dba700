/* Reading a provider's JSON members: numbers may be text, text may be numbers, anything may be missing. */
#ifndef DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_JSON_INTERNAL_H
#define DOMAIN_CHANNEL_WHATSAPP_WHATSAPP_JSON_INTERNAL_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/slice.h"
#include <jansson.h>

/* Where the text of numbers goes. */
struct whatsapp_reader {
    struct arena *arena; /* borrowed */
    bool has_run_out;    /* the arena was full once: what was read since is not to be trusted */
};

/* An integer, a real without a fraction, or decimal text. false: none of these; *out is then unchanged. */
bool whatsapp_json_int(const json_t *object, const char *member, int64_t *out);
/* A truth value, 0 or 1, or their text. */
bool whatsapp_json_bool(const json_t *object, const char *member, bool *out);
/* A finite number or its decimal text. */
bool whatsapp_json_real(const json_t *object, const char *member, double *out);
/*
 * Text, or a number as its text (in the arena). Empty when missing, of another type, or longer than
 * bytes_max: a value of absurd length is no id. Borrowed from the tree or the arena.
 */
struct slice whatsapp_json_text(struct whatsapp_reader *reader, const json_t *object, const char *member,
                                size_t bytes_max);
/* Seconds since 1970, within the years that we can print. */
bool whatsapp_json_time(const json_t *object, const char *member, struct wall_time *out);
/* At most bytes_max bytes, cut between characters. */
struct slice whatsapp_text_cut(struct slice text, size_t bytes_max);

#endif
