#include "domain/message/message.h"

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

enum err
message_peer_index(const struct vault *vault, struct id tenant, struct slice peer,
                   unsigned char out[VAULT_INDEX_BYTES])
{
    return vault_index(vault, tenant, PEER_INDEX_LABEL, peer, out);
}

enum err
message_seal(const struct vault *vault, struct id tenant, struct id message, struct slice peer,
             struct slice content, struct arena *arena, struct message_sealed *out)
{
    struct vault_seal_item items[] = {
        { .place = message_place(tenant, message, "peer"), .plain = peer, .index_label = PEER_INDEX_LABEL },
        { .place = message_place(tenant, message, "content"), .plain = content },
    };
    enum err err = vault_seal_many(vault, VAULT_CONTENT, items, COUNT_OF(items), arena);

    if (err != ERR_OK)
        return err;
    memcpy(out->peer_index, items[0].index, sizeof(out->peer_index));
    out->peer = items[0].sealed;
    out->content = items[1].sealed;
    return ERR_OK;
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
    struct vault_place place = message_place(tenant, message, "content");
    enum err err = message_open_peer(vault, tenant, message, sealed, arena, peer_out);

    return err == ERR_OK ? vault_open_content(vault, &place, &sealed->content, arena, content_out) : err;
}
