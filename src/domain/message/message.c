#include "domain/message/message.h"
#include "domain/message/message_fallback.h"

#define PEER_INDEX_LABEL "peer"

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

#define VALUES_MAX      (3u + MESSAGE_FALLBACKS_MAX)     /* of one message */
#define FRAME_BYTES_MAX (VAULT_FRAME_BYTES_MAX - 65536u) /* besides places and headers */

/* Those of plain[0 .. count) that fit into one frame, whole messages only: a row has one key version. */
static size_t
frame_fill(struct id tenant, const struct message_plain *plain, size_t count, struct vault_seal_item *items,
           size_t *item_count_out)
{
    size_t taken = 0, used = 0, bytes = 0;

    for (; taken < count && used + VALUES_MAX <= VAULT_SEAL_ITEMS_MAX; taken++) {
        const struct message_plain *one = &plain[taken];
        size_t more = one->peer.len + one->content.len + one->metadata.len;
        for (size_t f = 0; f < MESSAGE_FALLBACKS_MAX; f++)
            more += one->fallback[f].len;
        if (taken > 0 && more > FRAME_BYTES_MAX - bytes)
            break;
        bytes += more;
        items[used++] = (struct vault_seal_item){ .place = message_place(tenant, one->message, "peer"),
                                                  .plain = one->peer,
                                                  .index_label = PEER_INDEX_LABEL };
        items[used++] = (struct vault_seal_item){ .place = message_place(tenant, one->message, "content"),
                                                  .plain = one->content };
        if (one->metadata.ptr != NULL)
            items[used++] =
                (struct vault_seal_item){ .place = message_place(tenant, one->message, "metadata"),
                                          .plain = one->metadata };
        for (unsigned f = 0; f < MESSAGE_FALLBACKS_MAX; f++)
            if (one->fallback[f].ptr != NULL)
                items[used++] = (struct vault_seal_item){ .place = sender_place(tenant, one->message, f + 1),
                                                          .plain = one->fallback[f] };
    }
    *item_count_out = used;
    return taken;
}

enum err
message_seal(const struct vault *vault, struct id tenant, const struct message_plain *plain, size_t count,
             struct arena *arena, struct message_sealed *out)
{
    struct vault_seal_item items[VAULT_SEAL_ITEMS_MAX];
    enum err err = ERR_OK;

    for (size_t from = 0, taken; err == ERR_OK && from < count; from += taken) {
        size_t item_count = 0;
        const struct vault_seal_item *item = items;
        taken = frame_fill(tenant, plain + from, count - from, items, &item_count);
        err = vault_seal_many(vault, VAULT_CONTENT, items, item_count, arena);
        for (size_t i = from; err == ERR_OK && i < from + taken; i++) {
            out[i] = (struct message_sealed){ .has_metadata = plain[i].metadata.ptr != NULL };
            memcpy(out[i].peer_index, item->index, sizeof(out[i].peer_index));
            out[i].peer = (item++)->sealed;
            out[i].content = (item++)->sealed;
            if (out[i].has_metadata)
                out[i].metadata = (item++)->sealed;
            for (size_t f = 0; f < MESSAGE_FALLBACKS_MAX; f++)
                if (plain[i].fallback[f].ptr != NULL)
                    out[i].fallback[f] = (item++)->sealed;
        }
    }
    return err;
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

enum err
message_open(const struct vault *vault, struct id tenant, struct id message,
             const struct message_sealed *sealed, struct arena *arena, struct slice *peer_out,
             struct slice *content_out)
{
    struct vault_place place = sealed->content_of == 0 ? message_place(tenant, message, "content")
                                                       : sender_place(tenant, message, sealed->content_of);
    enum err err = message_open_peer(vault, tenant, message, sealed, arena, peer_out);

    return err == ERR_OK ? vault_open_content(vault, &place, &sealed->content, arena, content_out) : err;
}

enum err
message_sender_open(const struct vault *vault, struct id tenant, struct id message,
                    const struct message_sender *sender, struct arena *arena, struct slice *content_out)
{
    struct vault_place place = sender_place(tenant, message, sender->position);

    return vault_open_content(vault, &place, &sender->content, arena, content_out);
}
