#include "domain/message/message.h"
#include "domain/message/message_fallback.h"
#include "platform/ipc/vault_many.h"

#define PEER_INDEX_LABEL    "peer"
#define REQUEST_INDEX_LABEL "request"

static const char *const direction_words[] = { [MESSAGE_OUT] = "out", [MESSAGE_IN] = "in" };
static const char *const category_words[] = { [MESSAGE_OTP] = "otp",
                                              [MESSAGE_TRANSACTIONAL] = "transactional",
                                              [MESSAGE_SERVICE] = "service",
                                              [MESSAGE_PROMOTIONAL] = "promotional" };

const char *
message_direction_word(enum message_direction direction)
{
    if ((unsigned)direction >= COUNT_OF(direction_words))
        bug("no such direction");
    return direction_words[direction];
}

enum err
message_direction_parse(struct slice word, enum message_direction *out)
{
    for (unsigned i = 0; i < COUNT_OF(direction_words); i++)
        if (slice_eq(word, slice_text(direction_words[i]))) {
            *out = (enum message_direction)i;
            return ERR_OK;
        }
    return ERR_DB_DATA;
}

const char *
message_category_word(enum message_category category)
{
    if ((unsigned)category >= COUNT_OF(category_words))
        bug("no such category");
    return category_words[category];
}

enum err
message_category_parse(struct slice word, enum message_category *out)
{
    for (unsigned i = 0; i < COUNT_OF(category_words); i++)
        if (slice_eq(word, slice_text(category_words[i]))) {
            *out = (enum message_category)i;
            return ERR_OK;
        }
    return ERR_DB_DATA;
}

static struct vault_place
message_place(struct id tenant, struct id message, const char *column)
{
    return (struct vault_place){ .tenant = tenant, .table = "message", .column = column, .row = message };
}

/* The content that the sender at this position has of its own. */
static struct vault_place
sender_place(struct id tenant, struct id message, unsigned position)
{
    return (struct vault_place){ .tenant = tenant,
                                 .table = "message_fallback",
                                 .column = "content",
                                 .row = message,
                                 .generation = position };
}

struct slice
message_mark_print(struct id message, unsigned sender, char out[static MESSAGE_MARK_BYTES])
{
    size_t len = id_print(ID_MESSAGE, message, out).len;

    if (sender > MESSAGE_FALLBACKS_MAX)
        bug("no such sender");
    if (sender > 0) {
        out[len++] = '.';
        out[len++] = (char)('0' + sender);
        out[len] = '\0';
    }
    return slice_of(out, len);
}

enum err
message_mark_parse(struct slice mark, struct id *message_out, unsigned *sender_out)
{
    *sender_out = 0;
    if (mark.len > 2 && mark.ptr[mark.len - 2] == '.') {
        unsigned char digit = (unsigned char)mark.ptr[mark.len - 1];
        if (digit < '1' || digit > '0' + MESSAGE_FALLBACKS_MAX)
            return ERR_ID_SYNTAX;
        *sender_out = digit - '0';
        mark.len -= 2;
    }
    return id_parse(ID_MESSAGE, mark, message_out);
}

enum err
message_peer_index(const struct vault *vault, struct id tenant, struct slice peer,
                   unsigned char out[VAULT_INDEX_BYTES])
{
    return vault_index(vault, tenant, PEER_INDEX_LABEL, peer, out);
}

struct vault_ask
message_peer_ask(struct id tenant, struct slice peer)
{
    return vault_ask_index(tenant, PEER_INDEX_LABEL, peer);
}

static size_t
values_count(const struct message_plain *plain)
{
    size_t count = plain->metadata.ptr == NULL ? 2 : 3;

    for (size_t f = 0; f < MESSAGE_FALLBACKS_MAX; f++)
        count += plain->fallback[f].ptr != NULL;
    return count;
}

size_t
message_seal_items(struct id tenant, const struct message_plain *plain,
                   struct vault_seal_item items[static MESSAGE_SEAL_ITEMS_MAX])
{
    size_t used = 0;

    items[used++] = (struct vault_seal_item){ .place = message_place(tenant, plain->message, "peer"),
                                              .plain = plain->peer,
                                              .index_label = PEER_INDEX_LABEL };
    items[used++] = (struct vault_seal_item){ .place = message_place(tenant, plain->message, "content"),
                                              .plain = plain->content };
    if (plain->metadata.ptr != NULL)
        items[used++] = (struct vault_seal_item){ .place = message_place(tenant, plain->message, "metadata"),
                                                  .plain = plain->metadata };
    for (unsigned f = 0; f < MESSAGE_FALLBACKS_MAX; f++)
        if (plain->fallback[f].ptr != NULL)
            items[used++] = (struct vault_seal_item){ .place = sender_place(tenant, plain->message, f + 1),
                                                      .plain = plain->fallback[f] };
    return used;
}

void
message_sealed_take(const struct message_plain *plain, const struct vault_seal_item *items,
                    struct message_sealed *out)
{
    *out = (struct message_sealed){ .has_metadata = plain->metadata.ptr != NULL };
    memcpy(out->peer_index, items->index, sizeof(out->peer_index));
    out->peer = (items++)->sealed;
    out->content = (items++)->sealed;
    if (out->has_metadata)
        out->metadata = (items++)->sealed;
    for (size_t f = 0; f < MESSAGE_FALLBACKS_MAX; f++)
        if (plain->fallback[f].ptr != NULL)
            out->fallback[f] = (items++)->sealed;
}

void
message_seal_many(const struct vault *vault, struct message_seal *seals, size_t count, struct arena *arena)
{
    size_t values = 0;

    for (size_t i = 0; i < count; i++)
        values += values_count(seals[i].plain);
    struct vault_ask *asks = arena_array(arena, 2 * count, sizeof(*asks)), *ask = asks;
    struct vault_seal_item *items = arena_array(arena, values, sizeof(*items)), *item = items;

    for (size_t i = 0; i < count && (asks == NULL || items == NULL); i++)
        seals[i].err = ERR_NO_MEMORY;
    if (count == 0 || asks == NULL || items == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        size_t used = message_seal_items(seals[i].tenant, seals[i].plain, item);
        *ask++ = vault_ask_seal(VAULT_CONTENT, item, used);
        item += used;
        if (seals[i].request_hash != NULL)
            *ask++ = vault_ask_index(seals[i].tenant, REQUEST_INDEX_LABEL,
                                     slice_of(seals[i].request_hash, MESSAGE_FINGERPRINT_BYTES));
    }
    vault_ask_many(vault, asks, (size_t)(ask - asks), arena);
    ask = asks;
    for (size_t i = 0; i < count; i++) {
        const struct vault_ask *seal = ask++;
        seals[i].err = seal->err;
        if (seals[i].request_hash != NULL) {
            if (seals[i].err == ERR_OK)
                seals[i].err = ask->err;
            memcpy(seals[i].fingerprint, ask->mac, sizeof(seals[i].fingerprint));
            ask++;
        }
        if (seals[i].err == ERR_OK)
            message_sealed_take(seals[i].plain, seal->items, &seals[i].sealed);
    }
}

enum err
message_seal(const struct vault *vault, struct id tenant, const struct message_plain *plain, size_t count,
             struct arena *arena, struct message_sealed *out)
{
    struct message_seal *seals = arena_array(arena, count, sizeof(*seals));
    enum err err = count == 0 || seals != NULL ? ERR_OK : ERR_NO_MEMORY;

    if (err != ERR_OK || count == 0)
        return err;
    for (size_t i = 0; i < count; i++)
        seals[i] = (struct message_seal){ .tenant = tenant, .plain = &plain[i] };
    message_seal_many(vault, seals, count, arena);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        err = seals[i].err;
        out[i] = seals[i].sealed;
    }
    return err;
}

static struct vault_place
content_place(struct id tenant, struct id message, const struct message_sealed *sealed)
{
    return sealed->content_of == 0 ? message_place(tenant, message, "content")
                                   : sender_place(tenant, message, sealed->content_of);
}

#define OPEN_AT_ONCE  16u /* messages: so what is asked has its place on the stack */
#define OPEN_ASKS_MAX 3u  /* of one message */

static size_t
opening_asks(struct id tenant, const struct message_opening *opening, struct vault_ask *asks)
{
    const struct message_sealed *sealed = opening->sealed;
    struct vault_place place = message_place(tenant, opening->message, "peer");
    size_t used = 0;

    asks[used++] = vault_ask_open(VAULT_CONTENT, &place, &sealed->peer);
    if (opening->wants_content) {
        place = content_place(tenant, opening->message, sealed);
        asks[used++] = vault_ask_open(VAULT_CONTENT, &place, &sealed->content);
    }
    if (opening->wants_metadata && sealed->has_metadata) {
        place = message_place(tenant, opening->message, "metadata");
        asks[used++] = vault_ask_open(VAULT_CONTENT, &place, &sealed->metadata);
    }
    return used;
}

static const struct vault_ask *
opening_take(struct message_opening *opening, const struct vault_ask *ask)
{
    const struct vault_ask *first = ask;

    opening->peer = (ask++)->plain;
    opening->content = opening->wants_content ? (ask++)->plain : SLICE_EMPTY;
    opening->metadata =
        opening->wants_metadata && opening->sealed->has_metadata ? (ask++)->plain : SLICE_EMPTY;
    opening->err = vault_asks_err(first, (size_t)(ask - first));
    return ask;
}

void
message_open_many(const struct vault *vault, struct id tenant, struct message_opening *openings, size_t count,
                  struct arena *arena)
{
    struct vault_ask asks[OPEN_AT_ONCE * OPEN_ASKS_MAX];

    for (size_t from = 0, to; from < count; from = to) {
        const struct vault_ask *ask = asks;
        size_t used = 0;
        for (to = from; to < count && to - from < OPEN_AT_ONCE; to++)
            used += opening_asks(tenant, &openings[to], asks + used);
        vault_ask_many(vault, asks, used, arena);
        for (size_t i = from; i < to; i++)
            ask = opening_take(&openings[i], ask);
    }
}

enum err
message_open_metadata(const struct vault *vault, struct id tenant, struct id message,
                      const struct message_sealed *sealed, struct arena *arena, struct slice *metadata_out)
{
    struct vault_place place = message_place(tenant, message, "metadata");

    *metadata_out = SLICE_EMPTY;
    return sealed->has_metadata ? vault_open_content(vault, &place, &sealed->metadata, arena, metadata_out)
                                : ERR_OK;
}

enum err
message_open_peer(const struct vault *vault, struct id tenant, struct id message,
                  const struct message_sealed *sealed, struct arena *arena, struct slice *peer_out)
{
    struct vault_place place = message_place(tenant, message, "peer");

    return vault_open_content(vault, &place, &sealed->peer, arena, peer_out);
}

void
message_open_asks(struct id tenant, struct id message, const struct message_sealed *sealed,
                  struct vault_ask asks[2])
{
    struct vault_place peer = message_place(tenant, message, "peer");
    struct vault_place content = content_place(tenant, message, sealed);

    asks[0] = vault_ask_open(VAULT_CONTENT, &peer, &sealed->peer);
    asks[1] = vault_ask_open(VAULT_CONTENT, &content, &sealed->content);
}

enum err
message_open(const struct vault *vault, struct id tenant, struct id message,
             const struct message_sealed *sealed, struct arena *arena, struct slice *peer_out,
             struct slice *content_out)
{
    struct message_opening opening = { .message = message, .sealed = sealed, .wants_content = true };

    message_open_many(vault, tenant, &opening, 1, arena);
    *peer_out = opening.peer;
    *content_out = opening.content;
    return opening.err;
}

enum err
message_sender_open(const struct vault *vault, struct id tenant, struct id message,
                    const struct message_sender *sender, struct arena *arena, struct slice *content_out)
{
    struct vault_place place = sender_place(tenant, message, sender->position);

    return vault_open_content(vault, &place, &sender->content, arena, content_out);
}
