/* The columns of a batch that is to be accepted. */
#include "core/num.h"
#include "domain/message/message_accept_internal.h"

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
    bool has_send_at = false, has_expires_at = false, has_fallbacks = false, has_resent = false;
    bool has_purpose = false, has_dlt_template = false;

    for (const struct message_new *m = messages; m < messages + c->count; m++) {
        has_target |= !id_is_zero(m->target);
        has_reference |= m->reference.ptr != NULL;
        has_metadata |= m->sealed.has_metadata;
        has_tags |= m->tag_count > 0;
        has_send_at |= m->send_at.us != 0;
        has_expires_at |= m->expires_at.us != 0;
        has_fallbacks |= m->fallback_count > 0;
        has_resent |= !id_is_zero(m->resent_from);
        has_purpose |= m->purpose.ptr != NULL;
        has_dlt_template |= !id_is_zero(m->asked.dlt_template);
    }
    c->has_rare = has_target || has_reference || has_metadata || has_tags || has_send_at || has_expires_at ||
                  has_fallbacks || has_resent || has_purpose || has_dlt_template;
    c->has_purpose = has_purpose;
    c->target_count = has_target ? c->count : 0;
    c->resent_count = has_resent ? c->count : 0;
    c->dlt_template_count = has_dlt_template ? c->count : 0;
    c->reference_count = has_reference ? c->count : 0;
    c->metadata_count = has_metadata ? c->count : 0;
    c->tag_count = has_tags ? c->count : 0;
    c->send_at_count = has_send_at ? c->count : 0;
    c->expires_at_count = has_expires_at ? c->count : 0;
    c->fallback_count = has_fallbacks ? c->count : 0;
    return (!has_target || alloc_ids(arena, c->count, &c->targets)) &&
           (!has_resent || alloc_ids(arena, c->count, &c->resents)) &&
           (!has_dlt_template || alloc_ids(arena, c->count, &c->dlt_templates)) &&
           (!has_reference || alloc_slices(arena, c->count, &c->references)) &&
           (!has_metadata || (alloc_slices(arena, c->count, &c->metadata_ct) &&
                              alloc_slices(arena, c->count, &c->metadata_seals))) &&
           (!has_tags || alloc_slices(arena, c->count, &c->tags)) &&
           (!has_send_at || alloc_times(arena, c->count, &c->send_at)) &&
           (!has_expires_at || alloc_times(arena, c->count, &c->expires_at)) &&
           (!has_fallbacks || alloc_numbers(arena, c->count, &c->fallbacks)) &&
           (!(has_send_at || has_fallbacks) || alloc_ids(arena, c->count, &c->events));
}

static bool
alloc_all(struct accept_columns *c, struct arena *arena)
{
    struct id **ids[] = { &c->ids, &c->tenants, &c->class_tenants, &c->class_channels, &c->class_askers };
    int64_t **numbers[] = { &c->classes, &c->class_categories, &c->class_key_versions, &c->class_flags,
                            &c->class_policy_asks };
    struct slice **slices[] = { &c->sealed,         &c->content_ct,    &c->class_kinds, &c->class_accepted_by,
                                &c->class_purposes, &c->class_policies };

    for (size_t i = 0; i < COUNT_OF(ids); i++)
        if (!alloc_ids(arena, c->judge_count, ids[i]))
            return false;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (!alloc_numbers(arena, c->judge_count, numbers[i]))
            return false;
    for (size_t i = 0; i < COUNT_OF(slices); i++)
        if (!alloc_slices(arena, c->judge_count, slices[i]))
            return false;
    c->furthers = arena_array(arena, c->judge_count - c->count, sizeof(*c->furthers));
    return c->furthers != NULL || c->judge_count == c->count;
}

/* The numbers of the classes that were met, open addressing. */
struct class_table {
    uint32_t *slots; /* 0: free */
    size_t mask;
    struct wall_time soon;
};

static bool
class_table_alloc(struct class_table *table, size_t count, struct arena *arena)
{
    size_t slots = 16;

    while (slots < 2 * count)
        slots *= 2;
    table->slots = arena_array(arena, slots, sizeof(*table->slots));
    table->mask = slots - 1;
    return table->slots != NULL;
}

/* Who waits for its time, or may go another way, is not refused for the window. */
static int64_t
flags_of(const struct message_new *message, struct wall_time soon)
{
    bool minds_window = !slice_eq(message->kind, SLICE("template")) && message->send_at.us == 0 &&
                        message->fallback_count == 0;

    return (minds_window ? ACCEPT_MINDS_WINDOW : 0) |
           (message->send_at.us < soon.us ? ACCEPT_WAKES_LANE : 0); /* 0: at once */
}

/* One of a message's senders. */
struct sender {
    struct id channel;
    struct slice kind;
    const struct message_asked *asked;
    int64_t flags;
};

static struct sender
sender_of(const struct message_new *message, size_t position, struct wall_time soon)
{
    const struct message_fallback *fallback = position == 0 ? NULL : &message->fallbacks[position - 1];

    if (fallback != NULL)
        return (struct sender){ fallback->channel, fallback->kind, &fallback->asked, 0 };
    return (struct sender){ message->channel, message->kind, &message->asked, flags_of(message, soon) };
}

/* What the request has to say to the gate, in one number: ACCEPT_ASKED takes it apart. */
static int64_t
policy_ask_of(const struct message_new *message, const struct sender *sender)
{
    const struct message_asked *asked = sender->asked;

    return (int64_t)asked->template_state | (int64_t)asked->dlt << 8 | (int64_t)asked->dnd << 16 |
           (int64_t)message->quota << 24;
}

static struct slice
purpose_of(const struct message_new *message)
{
    return message->purpose.ptr != NULL ? message->purpose
                                        : slice_text(message_category_word(message->category));
}

static bool
is_of_class(const struct accept_columns *c, size_t class, const struct message_new *message,
            const struct sender *sender)
{
    return id_eq(c->class_channels[class], sender->channel) &&
           id_eq(c->class_tenants[class], message->tenant) && id_eq(c->class_askers[class], message->by.id) &&
           c->class_categories[class] == (int64_t)message->category &&
           c->class_key_versions[class] == message->sealed.content.key_version &&
           c->class_flags[class] == sender->flags && slice_eq(c->class_kinds[class], sender->kind) &&
           c->class_policy_asks[class] == policy_ask_of(message, sender) &&
           (!c->has_purpose || slice_eq(c->class_purposes[class], purpose_of(message)));
}

static bool
class_add(struct accept_columns *c, const struct message_new *message, const struct sender *sender,
          struct arena *arena)
{
    size_t class = c->class_count++;
    char text[ID_TEXT_BYTES];

    c->class_channels[class] = sender->channel;
    c->class_tenants[class] = message->tenant;
    c->class_askers[class] = message->by.id;
    c->class_categories[class] = message->category;
    c->class_key_versions[class] = message->sealed.content.key_version;
    c->class_flags[class] = sender->flags;
    c->class_kinds[class] = sender->kind;
    c->class_policy_asks[class] = policy_ask_of(message, sender);
    c->class_purposes[class] = purpose_of(message);
    if (id_is_zero(message->by.id))
        return true;
    c->class_accepted_by[class] =
        arena_copy(arena, id_print(message->by.is_person ? ID_PERSON : ID_KEY, message->by.id, text));
    return c->class_accepted_by[class].ptr != NULL;
}

/* 0: no memory. */
static int64_t
class_number(struct accept_columns *c, struct class_table *table, const struct message_new *message,
             size_t position, struct arena *arena)
{
    struct sender sender = sender_of(message, position, table->soon);
    /* The end of an id is random, unless it was made up, and then few clash. */
    size_t slot = (size_t)num_u64be_get(sender.channel.bytes + 8);

    for (slot ^= slot >> 32;; slot++) {
        uint32_t *number = &table->slots[slot & table->mask];
        if (*number == 0) {
            if (!class_add(c, message, &sender, arena))
                return 0;
            *number = (uint32_t)c->class_count;
            return *number;
        }
        if (is_of_class(c, *number - 1, message, &sender))
            return *number;
    }
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
    if (c->resent_count > 0)
        c->resents[i] = message->resent_from;
    if (c->dlt_template_count > 0)
        c->dlt_templates[i] = message->asked.dlt_template;
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

/* What is of fixed width or short goes by one array. */
static bool
fill_bytes(struct accept_columns *c, size_t i, const struct message_new *message, struct arena *arena)
{
    const struct message_sealed *sealed = &message->sealed;
    size_t len = ACCEPT_SEALED_BYTES + sealed->peer.cipher.len;
    unsigned char *at = arena_alloc(arena, len);

    if (at == NULL)
        return false;
    c->sealed[i] = slice_of(at, len);
    memcpy(at, sealed->peer_index, VAULT_INDEX_BYTES);
    at = seal_put(seal_put(at + VAULT_INDEX_BYTES, &sealed->peer), &sealed->content);
    if (sealed->peer.cipher.len > 0)
        memcpy(at, sealed->peer.cipher.ptr, sealed->peer.cipher.len);
    return true;
}

/* Behind all messages, so that what stores these needs not know of them: their rows are judged and no more.
 */
static bool
fill_furthers(struct accept_columns *c, struct class_table *table, const struct message_new *messages,
              struct arena *arena)
{
    size_t row = c->count;

    for (size_t i = 0; i < c->count; i++)
        for (size_t position = 1; position <= messages[i].fallback_count; position++, row++) {
            c->furthers[row - c->count] = (struct accept_further){ .message = i, .position = position };
            c->ids[row] = messages[i].id;
            c->classes[row] = class_number(c, table, &messages[i], position, arena);
            if (c->classes[row] == 0)
                return false;
        }
    return true;
}

enum err
accept_columns_fill(struct accept_columns *columns, const struct clock *clock,
                    const struct message_new *messages, size_t count, struct arena *arena)
{
    struct accept_columns *c = columns;
    struct class_table table = { .soon = wall_after_ms(clock_wall(clock), ACCEPT_WAKES_MS) };

    *c = (struct accept_columns){ .count = count, .judge_count = count };
    for (size_t i = 0; i < count; i++)
        c->judge_count += messages[i].fallback_count;
    if (!alloc_all(c, arena) || !alloc_rare(c, messages, arena) ||
        !class_table_alloc(&table, c->judge_count, arena))
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct message_new *message = &messages[i];
        if (c->tenant_count == 0 || !id_eq(c->tenants[c->tenant_count - 1], message->tenant))
            c->tenants[c->tenant_count++] = message->tenant;
        c->ids[i] = message->id;
        c->classes[i] = class_number(c, &table, message, 0, arena);
        c->content_ct[i] = message->sealed.content.cipher;
        if (c->events != NULL)
            c->events[i] = id_new(clock);
        if (c->classes[i] == 0 || !fill_bytes(c, i, message, arena) || !fill_rare(c, i, message, arena))
            return ERR_NO_MEMORY;
    }
    return fill_furthers(c, &table, messages, arena) ? ERR_OK : ERR_NO_MEMORY;
}

static bool
senders_alloc(struct accept_senders *s, struct arena *arena)
{
    struct id **ids[] = { &s->tenants, &s->messages, &s->channels, &s->dlt_templates };
    int64_t **numbers[] = { &s->positions, &s->afters, &s->key_versions, &s->stopped };
    struct slice **slices[] = { &s->kinds, &s->cts, &s->seals, &s->policies };

    for (size_t i = 0; i < COUNT_OF(ids); i++)
        if (!alloc_ids(arena, s->count, ids[i]) || !alloc_numbers(arena, s->count, numbers[i]) ||
            !alloc_slices(arena, s->count, slices[i]))
            return false;
    return true;
}

static bool
sender_fill(struct accept_senders *s, size_t at, const struct message_new *message, size_t position,
            const struct accept_further *further, struct arena *arena)
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
    s->dlt_templates[at] = fallback->asked.dlt_template;
    s->policies[at] = further->packed;
    s->stopped[at] = accept_further_is_stopped(further);
    if (!fallback->has_content)
        return true;
    const struct vault_sealed *sealed = &message->sealed.fallback[position - 1];
    s->key_versions[at] = sealed->key_version;
    s->cts[at] = sealed->cipher;
    return seal_copy(sealed, arena, &s->seals[at]);
}

enum err
accept_senders_fill(struct accept_senders *senders, const struct accept_columns *columns,
                    const struct message_new *messages, struct arena *arena)
{
    const struct accept_further *further = columns->furthers;
    size_t at = 0, count = columns->count;

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
            if (!sender_fill(senders, at++, &messages[i], position, position == 0 ? NULL : further++, arena))
                return ERR_NO_MEMORY;
    return ERR_OK;
}
