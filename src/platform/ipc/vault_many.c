#include "platform/ipc/vault_many.h"
#include "platform/ipc/vault_client_internal.h"

/* Those of a go that have no result yet, in their order, and how far they got on the present link. */
struct many {
    struct vault_ask *first; /* the oldest without an answer */
    struct vault_ask *unsent;
    struct vault_ask *missing, **last_missing; /* those that wait for a key */
    struct vault_request request;              /* the one that is being sent */
    struct arena *arena;
};

/* What is wrong with a request before it is sent; else it is in *request. */
static enum err
request_fill(struct vault_request *request, const struct vault_ask *ask)
{
    request->op = ask->op;
    request->purpose = ask->purpose;
    switch (ask->op) {
    case VAULT_OP_SEAL:
        return vault_seal_fill(request, ask->items, ask->item_count);
    case VAULT_OP_INDEX:
        request->tenant = ask->place.tenant;
        request->label = slice_text(ask->label);
        request->data = ask->data;
        return ask->data.len > VAULT_PLAIN_BYTES_MAX ? ERR_LIMIT : ERR_OK;
    case VAULT_OP_VERIFY_MAC:
        memcpy(request->mac, ask->mac, sizeof(request->mac));
        break;
    case VAULT_OP_OPEN:
    case VAULT_OP_MATCHES:
    case VAULT_OP_SIGN_MAC:
    case VAULT_OP_SIGN_ED25519:
        break;
    case VAULT_OP_KEY_LOAD:
    case VAULT_OP_MAKE_KEYS:
    case VAULT_OP_FACTS:
    case VAULT_OP_MAKE_ED25519:
    case VAULT_OP_RESEAL:
    case VAULT_OP_REWRAP:
    case VAULT_OP_MAKE_KEY:
    case VAULT_OP_FORGET:
    case VAULT_OP_KEK_FORGET:
    case VAULT_OP_USAGE:
    case VAULT_OP_MAKE_TOTP:
    case VAULT_OP_CHECK_TOTP:
        bug("an operation that is not asked for in numbers");
    }
    request->place = vault_frame_place_of(&ask->place);
    request->sealed = ask->sealed;
    request->data = ask->data;
    if (ask->data.len > VAULT_PLAIN_BYTES_MAX)
        return ERR_LIMIT;
    return vault_is_cipher_too_long(&ask->sealed) ? ERR_SEAL_CORRUPT : ERR_OK;
}

static enum err
answer_use(struct vault_ask *ask, const struct vault_answer *answer, struct arena *arena)
{
    if (ask->op == VAULT_OP_SEAL)
        return vault_seal_take(answer, ask->items, ask->item_count, arena);
    if (ask->op == VAULT_OP_OPEN && ask->purpose == VAULT_CREDENTIAL) {
        ask->open = secret_copy(answer->plain);
        return ask->open == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    if (ask->op == VAULT_OP_OPEN) {
        ask->plain = arena_copy(arena, answer->plain);
        return ask->plain.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    if (ask->op == VAULT_OP_SIGN_ED25519)
        memcpy(ask->signature, answer->signature, sizeof(ask->signature));
    else if (ask->op == VAULT_OP_INDEX || ask->op == VAULT_OP_SIGN_MAC)
        memcpy(ask->mac, answer->mac, sizeof(ask->mac));
    return ERR_OK;
}

static struct vault_request *
many_next(void *ctx)
{
    struct many *many = ctx;
    const struct vault_ask *ask = many->unsent;

    if (ask == NULL)
        return NULL;
    many->unsent = ask->next;
    if (request_fill(&many->request, ask) != ERR_OK)
        bug("a request was looked at before it was asked"); /* below */
    return &many->request;
}

static enum err
many_settle(void *ctx, enum err err, const struct vault_answer *answer)
{
    struct many *many = ctx;
    struct vault_ask *ask = many->first;

    if (answer != NULL && answer->op != ask->op)
        return ERR_FRAME;
    many->first = ask->next;
    ask->err = err == ERR_OK ? answer_use(ask, answer, many->arena) : err;
    if (err == ERR_VAULT_KEY_MISSING && answer != NULL) {
        bool is_told_again = ask->loads > 0 && vault_is_same_key(&ask->missing, &answer->missing);
        ask->missing = answer->missing;
        if (is_told_again || ask->loads++ == VAULT_SEAL_KEYS_MAX)
            return ERR_OK;
        ask->next = NULL;
        *many->last_missing = ask;
        many->last_missing = &ask->next;
    }
    return ERR_OK;
}

static void
many_rewind(void *ctx)
{
    struct many *many = ctx;

    many->unsent = many->first;
}

/* Loads each key that is missing once; those whose key there is none of end here. The others are returned. */
static struct vault_ask *
keys_load(const struct vault *vault, struct vault_ask *missing)
{
    struct vault_ask *again = NULL, **last = &again;

    while (missing != NULL) {
        const struct vault_missing_key key = missing->missing;
        struct vault_ask *others = NULL, **last_other = &others;
        enum err err = vault_client_load_key(vault, &key);
        for (struct vault_ask *ask = missing, *next; ask != NULL; ask = next) {
            next = ask->next;
            ask->next = NULL;
            if (!vault_is_same_key(&ask->missing, &key)) {
                *last_other = ask;
                last_other = &ask->next;
            } else if (err != ERR_OK) {
                ask->err = err;
            } else {
                *last = ask;
                last = &ask->next;
            }
        }
        missing = others;
    }
    return again;
}

void
vault_ask_many(const struct vault *vault, struct vault_ask *asks, size_t count, struct arena *arena)
{
    struct many many = { .arena = arena };
    const struct vault_exchange exchange = { many_next, many_settle, many_rewind, &many };
    struct vault_ask *open = NULL, **last = &open;

    for (size_t i = 0; i < count; i++) {
        asks[i].err = request_fill(&many.request, &asks[i]);
        asks[i].open = NULL;
        asks[i].plain = SLICE_EMPTY;
        asks[i].loads = 0;
        asks[i].next = NULL;
        if (asks[i].err != ERR_OK)
            continue;
        *last = &asks[i];
        last = &asks[i].next;
    }
    while (open != NULL) {
        many.first = many.unsent = open;
        many.missing = NULL;
        many.last_missing = &many.missing;
        enum err err = vault_client_exchange(vault->client, &exchange);
        for (struct vault_ask *ask = many.first; ask != NULL; ask = ask->next)
            ask->err = err; /* they have no answer, so it is not ERR_OK */
        open = keys_load(vault, many.missing);
    }
}

enum err
vault_asks_err(const struct vault_ask *asks, size_t count)
{
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = asks[i].err;
    return err;
}
