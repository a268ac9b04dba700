/* The columns of a batch that is to be accepted. */
#include "core/num.h"
#include "domain/message/message_accept_internal.h"
#include <stdio.h>

#define DATA_BYTES_MAX 512u
#define DATA_LOOK_BACK 8u /* so many of the last events' data are looked at for the same one */

/* What an event's data is made of. */
struct data_key {
    struct id api_key;
    enum message_category category;
    struct wall_time send_at;
};

/* The next columns of `count` rows; the arena fills them with zeros. */
static bool
alloc_ids(struct arena *arena, size_t count, struct id **out)
{
    *out = arena_array(arena, count, sizeof(**out));
    return *out != NULL;
}

static bool
alloc_numbers(struct arena *arena, size_t count, int64_t **out)
{
    *out = arena_array(arena, count, sizeof(**out));
    return *out != NULL;
}

static bool
alloc_slices(struct arena *arena, size_t count, struct slice **out)
{
    *out = arena_array(arena, count, sizeof(**out));
    return *out != NULL;
}

static bool
alloc_times(struct arena *arena, size_t count, struct wall_time **out)
{
    *out = arena_array(arena, count, sizeof(**out));
    return *out != NULL;
}

/* Counts what is rare, so that columns which nobody uses are not there. */
static bool
alloc_rare(struct accept_columns *c, const struct message_new *messages, struct arena *arena)
{
    bool has_target = false, has_reference = false, has_metadata = false, has_tags = false;
    bool has_send_at = false, has_expires_at = false, has_fallbacks = false;

    for (const struct message_new *m = messages; m < messages + c->count; m++) {
        has_target |= !id_is_zero(m->target);
        has_reference |= m->reference.ptr != NULL;
        has_metadata |= m->sealed.has_metadata;
        has_tags |= m->tag_count > 0;
        has_send_at |= m->send_at.us != 0;
        has_expires_at |= m->expires_at.us != 0;
        has_fallbacks |= m->fallback_count > 0;
    }
    c->target_count = has_target ? c->count : 0;
    c->reference_count = has_reference ? c->count : 0;
    c->metadata_count = has_metadata ? c->count : 0;
    c->tag_count = has_tags ? c->count : 0;
    c->send_at_count = has_send_at ? c->count : 0;
    c->expires_at_count = has_expires_at ? c->count : 0;
    c->fallback_count = has_fallbacks ? c->count : 0;
    return (!has_target || alloc_ids(arena, c->count, &c->targets)) &&
           (!has_reference || alloc_slices(arena, c->count, &c->references)) &&
           (!has_metadata || (alloc_slices(arena, c->count, &c->metadata_ct) &&
                              alloc_slices(arena, c->count, &c->metadata_seals))) &&
           (!has_tags || alloc_slices(arena, c->count, &c->tags)) &&
           (!has_send_at || alloc_times(arena, c->count, &c->send_at)) &&
           (!has_expires_at || alloc_times(arena, c->count, &c->expires_at)) &&
           (!has_fallbacks || alloc_numbers(arena, c->count, &c->fallbacks));
}

static bool
alloc_all(struct accept_columns *c, struct arena *arena)
{
    struct id **ids[] = { &c->ids, &c->events, &c->tenants, &c->channel_tenants, &c->channel_ids };
    int64_t **numbers[] = { &c->channels, &c->data, &c->categories, &c->key_versions };
    struct slice **slices[] = { &c->kinds, &c->keys, &c->fixed, &c->peer_ct, &c->content_ct, &c->datas };

    for (size_t i = 0; i < COUNT_OF(ids); i++)
        if (!alloc_ids(arena, c->count, ids[i]))
            return false;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (!alloc_numbers(arena, c->count, numbers[i]))
            return false;
    for (size_t i = 0; i < COUNT_OF(slices); i++)
        if (!alloc_slices(arena, c->count, slices[i]))
            return false;
    return true;
}

/* The numbers of the channels that were met, open addressing; a channel is met with its tenant. */
struct channel_table {
    uint32_t *slots; /* 0: free */
    size_t mask;
};

static bool
channel_table_alloc(struct channel_table *table, size_t count, struct arena *arena)
{
    size_t slots = 16;

    while (slots < 2 * count)
        slots *= 2;
    table->slots = arena_array(arena, slots, sizeof(*table->slots));
    table->mask = slots - 1;
    return table->slots != NULL;
}

static int64_t
channel_number(struct accept_columns *c, struct channel_table *table, const struct message_new *message)
{
    /* The end of an id is random, unless it was made up, and then few clash. */
    size_t slot = (size_t)num_u64be_get(message->channel.bytes + 8);

    for (slot ^= slot >> 32;; slot++) {
        uint32_t *number = &table->slots[slot & table->mask];
        if (*number == 0) {
            c->channel_tenants[c->channel_count] = message->tenant;
            c->channel_ids[c->channel_count] = message->channel;
            *number = (uint32_t)++c->channel_count;
            return *number;
        }
        if (id_eq(c->channel_ids[*number - 1], message->channel) &&
            id_eq(c->channel_tenants[*number - 1], message->tenant))
            return *number;
    }
}

/*
 * The event's data, but for what all of them have (event_data in the database adds it for who reads) and for
 * what only few have (reference, tags: the statement adds them).
 */
static struct slice
data_print(const struct data_key *key, struct arena *arena)
{
    char text[DATA_BYTES_MAX], id[ID_TEXT_BYTES], key_part[64] = "", time[WALL_TEXT_BYTES],
                                                  time_part[64] = "";

    if (!id_is_zero(key->api_key))
        snprintf(key_part, sizeof(key_part), ",\"key_id\":\"%.*s\"",
                 SLICE_FMT(id_print(ID_KEY, key->api_key, id)));
    if (key->send_at.us != 0)
        snprintf(time_part, sizeof(time_part), ",\"send_at\":\"%.*s\"",
                 SLICE_FMT(wall_print(key->send_at, time)));
    int len = snprintf(text, sizeof(text), "{\"actor\":\"api-key\",\"category\":\"%s\"%s%s}",
                       message_category_word(key->category), key_part, time_part);
    return arena_copy(arena, slice_of(text, (size_t)len));
}

/* 0: no memory. */
static int64_t
data_number(struct accept_columns *c, struct data_key *keys, const struct message_new *message,
            struct arena *arena)
{
    const struct data_key key = { message->api_key, message->category, message->send_at };
    size_t back = c->data_count < DATA_LOOK_BACK ? c->data_count : DATA_LOOK_BACK;

    for (size_t i = c->data_count; i > c->data_count - back; i--)
        if (id_eq(keys[i - 1].api_key, key.api_key) && keys[i - 1].category == key.category &&
            keys[i - 1].send_at.us == key.send_at.us)
            return (int64_t)i;
    keys[c->data_count] = key;
    c->datas[c->data_count] = data_print(&key, arena);
    return c->datas[c->data_count].ptr == NULL ? 0 : (int64_t)++c->data_count;
}

/* unnest() takes no arrays of arrays: tags go as one text, a line each, which no tag can hold. */
static bool
tags_join(const struct message_new *message, struct arena *arena, struct slice *out)
{
    size_t len = 0;

    if (message->tag_count == 0)
        return true;
    for (size_t i = 0; i < message->tag_count; i++)
        len += message->tags[i].len + 1;
    char *text = arena_alloc(arena, len), *at = text;
    if (text == NULL)
        return false;
    for (size_t i = 0; i < message->tag_count; i++) {
        memcpy(at, message->tags[i].ptr, message->tags[i].len);
        at += message->tags[i].len;
        *at++ = '\n';
    }
    *out = slice_of(text, len - 1);
    return true;
}

static unsigned char *
seal_put(unsigned char *at, const struct vault_sealed *sealed)
{
    memcpy(at, sealed->iv, VAULT_IV_BYTES);
    memcpy(at + VAULT_IV_BYTES, sealed->tag, VAULT_TAG_BYTES);
    return at + ACCEPT_SEAL_BYTES;
}

static bool
seal_copy(const struct vault_sealed *sealed, struct arena *arena, struct slice *out)
{
    unsigned char *bytes = arena_alloc(arena, ACCEPT_SEAL_BYTES);

    if (bytes == NULL)
        return false;
    (void)seal_put(bytes, sealed);
    *out = slice_of(bytes, ACCEPT_SEAL_BYTES);
    return true;
}

static bool
fill_rare(struct accept_columns *c, size_t i, const struct message_new *message, struct arena *arena)
{
    if (c->target_count > 0)
        c->targets[i] = message->target;
    if (c->reference_count > 0)
        c->references[i] = message->reference;
    if (c->send_at_count > 0)
        c->send_at[i] = message->send_at.us == 0 ? (struct wall_time){ INT64_MAX } : message->send_at;
    if (c->expires_at_count > 0)
        c->expires_at[i] =
            message->expires_at.us == 0 ? (struct wall_time){ INT64_MAX } : message->expires_at;
    if (c->fallback_count > 0)
        c->fallbacks[i] = (int64_t)message->fallback_count;
    if (c->metadata_count > 0 && message->sealed.has_metadata) {
        c->metadata_ct[i] = message->sealed.metadata.cipher;
        if (!seal_copy(&message->sealed.metadata, arena, &c->metadata_seals[i]))
            return false;
    }
    return c->tag_count == 0 || tags_join(message, arena, &c->tags[i]);
}

enum err
accept_columns_fill(struct accept_columns *columns, const struct clock *clock,
                    const struct message_new *messages, size_t count, struct arena *arena)
{
    struct accept_columns *c = columns;
    struct channel_table table;

    *c = (struct accept_columns){ .count = count };
    struct data_key *keys = arena_array(arena, count, sizeof(*keys));
    unsigned char *fixed = arena_array(arena, count, ACCEPT_FIXED_BYTES);
    if (keys == NULL || fixed == NULL || !alloc_all(c, arena) || !alloc_rare(c, messages, arena) ||
        !channel_table_alloc(&table, count, arena))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct message_new *message = &messages[i];
        const struct message_sealed *sealed = &message->sealed;
        if (c->tenant_count == 0 || !id_eq(c->tenants[c->tenant_count - 1], message->tenant))
            c->tenants[c->tenant_count++] = message->tenant;
        c->ids[i] = message->id;
        c->events[i] = id_new(clock);
        c->channels[i] = channel_number(c, &table, message);
        c->data[i] = data_number(c, keys, message, arena);
        c->categories[i] = message->category;
        c->key_versions[i] = sealed->content.key_version;
        c->kinds[i] = message->kind;
        c->keys[i] = message->idempotency_key;
        c->peer_ct[i] = sealed->peer.cipher;
        c->content_ct[i] = sealed->content.cipher;
        c->fixed[i] = slice_of(fixed, ACCEPT_FIXED_BYTES);
        memcpy(fixed, message->fingerprint, MESSAGE_FINGERPRINT_BYTES);
        memcpy(fixed + MESSAGE_FINGERPRINT_BYTES, sealed->peer_index, VAULT_INDEX_BYTES);
        fixed = seal_put(fixed + MESSAGE_FINGERPRINT_BYTES + VAULT_INDEX_BYTES, &sealed->peer);
        fixed = seal_put(fixed, &sealed->content);
        if (c->data[i] == 0 || !fill_rare(c, i, message, arena))
            return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

static bool
senders_alloc(struct accept_senders *s, struct arena *arena)
{
    struct id **ids[] = { &s->tenants, &s->messages, &s->channels };
    int64_t **numbers[] = { &s->positions, &s->afters, &s->key_versions };
    struct slice **slices[] = { &s->kinds, &s->cts, &s->seals };

    for (size_t i = 0; i < COUNT_OF(ids); i++)
        if (!alloc_ids(arena, s->count, ids[i]) || !alloc_numbers(arena, s->count, numbers[i]) ||
            !alloc_slices(arena, s->count, slices[i]))
            return false;
    return true;
}

static bool
sender_fill(struct accept_senders *s, size_t at, const struct message_new *message, size_t position,
            struct arena *arena)
{
    const struct message_fallback *fallback = position == 0 ? NULL : &message->fallbacks[position - 1];

    s->tenants[at] = message->tenant;
    s->messages[at] = message->id;
    s->positions[at] = (int64_t)position;
    s->channels[at] = fallback == NULL ? message->channel : fallback->channel;
    s->kinds[at] = fallback == NULL ? message->kind : fallback->kind;
    if (fallback == NULL)
        return true;
    s->afters[at] = fallback->after_s;
    if (!fallback->has_content)
        return true;
    const struct vault_sealed *sealed = &message->sealed.fallback[position - 1];
    s->key_versions[at] = sealed->key_version;
    s->cts[at] = sealed->cipher;
    return seal_copy(sealed, arena, &s->seals[at]);
}

enum err
accept_senders_fill(struct accept_senders *senders, const struct message_new *messages, size_t count,
                    struct arena *arena)
{
    size_t at = 0;

    *senders = (struct accept_senders){ .count = 0 };
    for (size_t i = 0; i < count; i++)
        senders->count += messages[i].fallback_count == 0 ? 0 : messages[i].fallback_count + 1;
    if (senders->count == 0)
        return ERR_OK;
    if (!senders_alloc(senders, arena))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        for (size_t position = 0; messages[i].fallback_count > 0 && position <= messages[i].fallback_count;
             position++)
            if (!sender_fill(senders, at++, &messages[i], position, arena))
                return ERR_NO_MEMORY;
    return ERR_OK;
}
